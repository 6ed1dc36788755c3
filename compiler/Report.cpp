//===- Report.cpp - What a compilation did ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Report.h"
#include "compiler/Calibration/CalibrationSummary.h"
#include "compiler/WeightWriter.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXOps.h"
#include "passes/Quantization/PackedSize.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SHA256.h"
#include <algorithm>
#include <map>
#include <set>
#include <sys/resource.h>

using namespace llmopt;
using namespace mlir;
namespace json = llvm::json;

/// From this ratio on, magnitude pruning alone multiplies the perplexity of
/// language models (docs/Compression.md).
static constexpr double kRuinousRatio = 0.4;

Report::Report(const CompileOptions &options, ArrayRef<CpuTarget> targets)
    : compresses(options.quant != CompileOptions::Quant::None ||
                 options.zeroRatio() > 0),
      recipeText(recipe(options)) {
  for (const CpuTarget &target : targets)
    targetNames.push_back(
        json::Object{{"cpu", target.name}, {"isa", stringify(target.isa)}});
  if (!options.calibratesPruning())
    warnOfMagnitude(options);
}

void Report::warnOfMagnitude(const CompileOptions &options) {
  if (options.zeroRatio() >= kRuinousRatio)
    warnings.push_back(
        llvm::formatv("magnitude pruning without calibration at {0} % usually "
                      "ruins a language model; measure with llmopt-eval",
                      llvm::format("%.3g", 100 * options.zeroRatio())));
}

static json::Value nameOrNull(const std::string &name) {
  return name.empty() ? json::Value(nullptr) : json::Value(name);
}

void Report::setCalibration(const CalibrationSummary &summary) {
  json::Array products;
  for (const CalibrationSummary::Layer &layer : summary.layers)
    products.push_back(json::Object{{"name", layer.name},
                                    {"method", layer.method},
                                    {"before", layer.before},
                                    {"after", layer.after}});
  calibration =
      json::Object{{"method", nameOrNull(summary.pruning)},
                   {"rounding", nameOrNull(summary.rounding)},
                   {"corrected", summary.corrects},
                   {"tokens", summary.ownTokens ? "self-generated" : "file"},
                   {"samples", int64_t(summary.samples)},
                   {"sample_tokens", int64_t(summary.length)},
                   {"layers", std::move(products)}};
  warnings.insert(warnings.end(), summary.notes.begin(), summary.notes.end());
}

void Report::setModel(StringRef name, StringRef sha256) {
  // A json::Value of a StringRef does not own its text.
  model["name"] = name.str();
  model["sha256"] =
      sha256.empty() ? json::Value(nullptr) : json::Value(sha256.str());
}

void Report::setTimes(ArrayRef<std::pair<std::string, double>> stages) {
  times.assign(stages.begin(), stages.end());
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// Bits of one stored number.
static int64_t codeBits(FormatAttr format) {
  if (format.hasCodes())
    return format.getBits();
  return format.getEncoding() == Encoding::BF16 ? 16 : 32;
}

/// What the symbols of the kernels that read a weight begin with; row ranges,
/// epilogues and instruction sets follow.
static std::string kernelsOf(EncodedWeightOp weight,
                             const PackedFormat &format) {
  std::string encoding = stringify(format);
  std::replace(encoding.begin(), encoding.end(), '-', '_');
  std::set<std::string> names;
  for (Operation *user : weight->getUsers()) {
    if (isa<EmbeddingOp>(user))
      names.insert("embedding_" + encoding);
    auto linear = dyn_cast<LinearOp>(user);
    if (!linear)
      continue;
    std::optional<int64_t> group = linear.getActivationGroup();
    names.insert("linear_" + encoding + "_" +
                 (group ? "g" + std::to_string(*group) : "f32"));
  }
  return llvm::join(names, ", ");
}

LogicalResult Report::addLayers(ModuleOp module) {
  WalkResult result = module.walk([&](EncodedWeightOp weight) {
    FailureOr<int64_t> bytes = packedBytes(weight);
    if (failed(bytes))
      return WalkResult::interrupt();
    PackedType type = weight.getType();
    PackedFormat format = *packedFormat(type.getFormat());
    WeightTotals own{type.getRows() * type.getColumns(),
                     int64_t(weight.getZeros()), *bytes};
    json::Array isas;
    for (const json::Value &target : targetNames)
      isas.push_back(*target.getAsObject()->get("isa"));
    std::optional<APFloat> error = weight.getError();
    std::optional<StringRef> reason = weight.getReason();
    layers.push_back(json::Object{
        {"name", weight.getName().str()},
        {"shape", json::Array{type.getRows(), type.getColumns()}},
        {"format", formatName(type.getFormat())},
        {"kernel", kernelsOf(weight, format)},
        {"isa", std::move(isas)},
        {"zeros", own.zeroFraction()},
        {"pattern", weight.getPattern()
                        ? json::Value(weight.getPattern()->str())
                        : json::Value(nullptr)},
        {"dead_rows", int64_t(weight.getDeadRows().value_or(0))},
        {"dead_columns", int64_t(weight.getDeadColumns().value_or(0))},
        {"code_bits", codeBits(type.getFormat())},
        {"bits_per_weight", own.bitsPerWeight()},
        {"bytes", own.bytes},
        {"error", error ? json::Value(error->convertToDouble()) : nullptr},
        {"reason", reason ? json::Value(reason->str()) : nullptr}});
    sums.weights += own.weights;
    sums.zeros += own.zeros;
    sums.bytes += own.bytes;
    return WalkResult::advance();
  });
  // Norm scales; matrices that are still plain are tables of the rotary
  // embedding.
  module.walk([&](WeightOp weight) {
    if (weight.getType().getRank() != 1)
      return;
    sums.weights += weight.getType().getNumElements();
    sums.bytes += 4 * weight.getType().getNumElements();
  });
  addFallbacks(module);
  countOperations(module);
  return failure(result.wasInterrupted());
}

void Report::clearLayers() {
  layers = json::Array();
  fallbacks = json::Array();
  operations = json::Object();
  found = json::Object();
  sums = WeightTotals();
}

/// True for float constants that are weights by their size.
static bool isWeight(onnx::InitializerOp constant) {
  constexpr int64_t kLeastElements = 256;
  RankedTensorType type = constant.getType();
  return isa<FloatType>(type.getElementType()) && type.getRank() >= 2 &&
         type.getNumElements() >= kLeastElements;
}

/// Notes the weights of ONNX nodes, which are kept as the model has them.
void Report::addFallbacks(ModuleOp module) {
  int64_t kept = 0;
  std::set<std::string> operators;
  module.walk([&](onnx::InitializerOp constant) {
    if (!isWeight(constant))
      return;
    std::set<std::string> users;
    for (Operation *user : constant->getUsers())
      if (auto node = dyn_cast<onnx::NodeOp>(user))
        users.insert(node.getOpType().str());
    ++kept;
    operators.insert(users.begin(), users.end());
    RankedTensorType type = constant.getType();
    fallbacks.push_back(json::Object{
        {"name", constant.getName().str()},
        {"shape", json::Array(type.getShape())},
        {"operators", llvm::join(users, ", ")},
        {"reason", "no raised product or embedding reads it; it is kept as the "
                   "model has it"}});
  });
  if (kept && compresses)
    warnings.push_back(
        std::to_string(kept) +
        " weights are kept as the model has them, as only "
        "products and embeddings are compressed: they belong to " +
        llvm::join(operators, ", "));
}

namespace {
/// Kinds of operations that the report counts.
struct Found {
  int64_t linears = 0, embeddings = 0, attentions = 0, norms = 0, ropes = 0;
  /// Products and convolutions, those that are computed in integers, and float
  /// products with constants that are no linears.
  int64_t products = 0, integerProducts = 0, productsLeft = 0;
};
} // namespace

static void count(onnx::NodeOp node, Found &found) {
  StringRef type = node.getOpType();
  auto isOneOf = [&](ArrayRef<StringRef> names) {
    return llvm::is_contained(names, type);
  };
  found.attentions +=
      isOneOf({"Attention", "GroupQueryAttention", "MultiHeadAttention",
               "QAttention", "DecoderMaskedMultiHeadAttention"});
  found.ropes += type == "RotaryEmbedding";
  // GroupQueryAttention rotates queries and keys.
  auto rotates = node.getNodeAttr<IntegerAttr>("do_rotary");
  found.ropes += 2 * (rotates && !rotates.getValue().isZero());
  found.norms +=
      isOneOf({"LayerNormalization", "RMSNormalization",
               "SimplifiedLayerNormalization", "SkipLayerNormalization",
               "SkipSimplifiedLayerNormalization", "EmbedLayerNormalization"});
  bool isInteger =
      isOneOf({"MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv",
               "QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"});
  bool isProduct = isOneOf({"MatMul", "Gemm", "FusedMatMul"});
  found.integerProducts += isInteger;
  found.products +=
      isInteger || isProduct || isOneOf({"Conv", "FusedConv", "ConvTranspose"});
  auto isMatrix = [](Value input) {
    auto constant = input.getDefiningOp<onnx::InitializerOp>();
    return constant && constant.getType().getRank() >= 2;
  };
  found.productsLeft += isProduct && llvm::any_of(node.getInputs(), isMatrix);
}

static void count(Operation *op, Found &found) {
  if (auto node = dyn_cast<onnx::NodeOp>(op))
    return count(node, found);
  found.embeddings += isa<EmbeddingOp>(op);
  found.attentions += isa<AttentionOp, SdpaOp>(op);
  found.norms += isa<RMSNormOp, LayerNormOp>(op);
  found.ropes += isa<RopeOp, RotaryOp>(op);
  auto linear = dyn_cast<LinearOp>(op);
  if (!linear)
    return;
  ++found.linears;
  ++found.products;
  found.integerProducts += linear.getActivationGroup().has_value();
}

void Report::countOperations(ModuleOp module) {
  std::map<std::string, int64_t> counts;
  Found sums;
  module.walk([&](Operation *op) {
    if (auto node = dyn_cast<onnx::NodeOp>(op))
      ++counts[("onnx." + node.getOpType()).str()];
    else if (isa<LLMOptDialect>(op->getDialect()) &&
             !isa<WeightOp, EncodedWeightOp>(op))
      ++counts[op->getName().getStringRef().str()];
    count(op, sums);
  });
  operations = json::Object();
  for (const auto &[name, number] : counts)
    operations[name] = number;
  found = json::Object{{"linears", sums.linears},
                       {"embeddings", sums.embeddings},
                       {"attentions", sums.attentions},
                       {"norms", sums.norms},
                       {"ropes", sums.ropes},
                       {"products", sums.products},
                       {"integer_products", sums.integerProducts},
                       {"products_left", sums.productsLeft}};
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

json::Object Report::contents() const {
  json::Object described = model;
  described["parameters"] = sums.weights;
  json::Array notes;
  for (const std::string &note : warnings)
    notes.push_back(note);
  return json::Object{
      {"llmopt_version", LLMOPT_VERSION},
      {"model", std::move(described)},
      {"recipe", recipeText},
      {"target", json::Array(targetNames)},
      {"path", graphReason.empty() ? "decoder" : "graph"},
      {"graph_reason",
       graphReason.empty() ? json::Value(nullptr) : json::Value(graphReason)},
      {"calibration", calibration},
      {"layers", json::Array(layers)},
      {"fallbacks", json::Array(fallbacks)},
      {"found", json::Object(found)},
      {"operations", json::Object(operations)},
      {"notes", std::move(notes)},
      {"totals", json::Object{{"weights", sums.weights},
                              {"zeros", sums.zeroFraction()},
                              {"bits_per_weight", sums.bitsPerWeight()},
                              {"bytes", sums.bytes},
                              {"float_bytes", sums.floatBytes()}}},
      {"accuracy", json::Object{{"metric", nullptr},
                                {"before", nullptr},
                                {"after", nullptr}}},
      {"speed", json::Object{{"prefill_tokens_per_s", nullptr},
                             {"decode_tokens_per_s", nullptr},
                             {"bound", nullptr}}}};
}

std::string Report::text() const {
  json::Object report = contents();
  json::Object seconds;
  for (const auto &[stage, duration] : times) {
    double before = seconds.getNumber(stage).value_or(0);
    seconds[stage] = before + duration;
  }
  report["time_s"] = std::move(seconds);
  report["peak_rss_bytes"] =
      peakBytes ? json::Value(*peakBytes) : json::Value(nullptr);
  return llvm::formatv("{0:2}\n", json::Value(std::move(report)));
}

std::string Report::reproducibleText() const {
  return llvm::formatv("{0}", json::Value(contents()));
}

//===----------------------------------------------------------------------===//
// Measurements
//===----------------------------------------------------------------------===//

llvm::Expected<std::string> llmopt::sha256OfFile(StringRef path) {
  // In blocks: a mapping of the file would count as memory of the compiler.
  constexpr size_t kBlockBytes = 1 << 20;
  llvm::Expected<llvm::sys::fs::file_t> file =
      llvm::sys::fs::openNativeFileForRead(path);
  auto cannotRead = [&](llvm::Error reason) {
    return llvm::createStringError("cannot read '" + path +
                                   "': " + llvm::toString(std::move(reason)));
  };
  if (!file)
    return cannotRead(file.takeError());
  llvm::scope_exit closeFile([&] { llvm::sys::fs::closeFile(*file); });
  llvm::SHA256 hasher;
  std::vector<char> block(kBlockBytes);
  for (;;) {
    llvm::Expected<size_t> bytes =
        llvm::sys::fs::readNativeFile(*file, MutableArrayRef<char>(block));
    if (!bytes)
      return cannotRead(bytes.takeError());
    if (*bytes == 0)
      return llvm::toHex(hasher.final(), /*LowerCase=*/true);
    hasher.update(StringRef(block.data(), *bytes));
  }
}

uint64_t llmopt::peakResidentBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return uint64_t(usage.ru_maxrss) * 1024;
}
