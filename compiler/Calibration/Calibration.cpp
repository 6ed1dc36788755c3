//===- Calibration.cpp - Compression that knows its data --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/Calibration.h"
#include "compiler/Calibration/TokenGenerator.h"
#include "compiler/Diagnostics.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Threading.h"
#include "passes/Sparsity/Prunable.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llmopt;
using namespace mlir;

//===----------------------------------------------------------------------===//
// What to do
//===----------------------------------------------------------------------===//

WeightStore &Calibration::getStore() {
  return module.getContext()
      ->getOrLoadDialect<LLMOptDialect>()
      ->getWeightStore();
}

ExitCode Calibration::failed() {
  return getStore().hasSystemError() ? ExitCode::Resources : ExitCode::BadModel;
}

ParallelFor Calibration::parallelLoop() const {
  MLIRContext *context = const_cast<ModuleOp &>(module).getContext();
  return [context](int64_t count, auto body) {
    parallelFor(context, 0, count, body);
  };
}

static PruningMethod methodOf(CompileOptions::Pruner pruner) {
  switch (pruner) {
  case CompileOptions::Pruner::Magnitude:
    return PruningMethod::Magnitude;
  case CompileOptions::Pruner::Wanda:
    return PruningMethod::Wanda;
  case CompileOptions::Pruner::SparseGPT:
    return PruningMethod::SparseGpt;
  case CompileOptions::Pruner::Auto:
  case CompileOptions::Pruner::Alps:
    return PruningMethod::Alps;
  }
  llvm_unreachable("unknown method");
}

static RoundingMethod methodOf(CompileOptions::Rounding rounding) {
  switch (rounding) {
  case CompileOptions::Rounding::Auto:
    return RoundingMethod::Auto;
  case CompileOptions::Rounding::Nearest:
    return RoundingMethod::Nearest;
  case CompileOptions::Rounding::Gptq:
    return RoundingMethod::Gptq;
  }
  llvm_unreachable("unknown method");
}

/// What the weights of products become, null where that is left to a later
/// stage.
FormatAttr Calibration::format() {
  if (!options.calibratesRounding())
    return {};
  return codedFormat(module.getContext(), quantizationOf(options.quant),
                     options.groupSize,
                     options.zeroPoint == CompileOptions::ZeroPoint::Int,
                     options.scaleType == CompileOptions::ScaleType::F16);
}

/// The values that a format can hold.
static Grid gridOf(const CodeScheme &scheme) {
  Grid grid;
  grid.kind = !scheme.table.empty() ? Grid::Kind::Table
              : scheme.zeroPoints   ? Grid::Kind::Affine
                                    : Grid::Kind::Symmetric;
  grid.bits = scheme.bits;
  grid.group = scheme.group;
  grid.halfScales = scheme.halfScales;
  grid.table = scheme.table;
  return grid;
}

LayerOptions Calibration::layerOptions() {
  LayerOptions layer;
  if (FormatAttr codes = format()) {
    layer.grid = gridOf(schemeOf(codes));
    layer.rounding = methodOf(options.quantMethod);
  }
  layer.pattern.ratio = options.sparsity;
  layer.pattern.of = options.sparsityPattern.of;
  layer.pattern.zeros = layer.pattern.of - options.sparsityPattern.kept;
  layer.pruning = methodOf(options.sparsityMethod);
  // As published: every output keeps as many weights.
  layer.pattern.perRow = layer.pruning == PruningMethod::Wanda;
  return layer;
}

/// A method that is asked for by name does what its paper says. Otherwise
/// products also correct what the products before them got wrong, which pays
/// only where they know about all of these (docs/Compression.md).
PropagationOptions Calibration::propagationOptions() const {
  bool corrects = options.zeroRatio() > 0
                      ? options.sparsityMethod == CompileOptions::Pruner::Auto
                      : options.quantMethod == CompileOptions::Rounding::Auto;
  return {/*sequential=*/corrects, /*pairs=*/corrects};
}

std::string Calibration::prepare() {
  std::string reason;
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        if (reason.empty())
          reason = oneLine(diagnostic.str());
        return success();
      });
  FailureOr<CalibrationModel> prepared = prepareCalibration(
      module, [](WeightOp weight) { return isPrunable(weight); });
  if (mlir::failed(prepared))
    return reason.empty() ? "the model has no kernels" : reason;
  model = std::move(*prepared);
  return "";
}

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

ExitCode Calibration::findSamples() {
  uint32_t longest = model.decoder.getMaxPositions();
  uint32_t length = options.calibrationLength;
  if (length > longest && options.isGiven("calib-seqlen")) {
    progress.message("error",
                     llvm::formatv("'-calib-seqlen' is at most the positions "
                                   "of the model, {0}, not {1}",
                                   longest, length)
                         .str());
    return ExitCode::Usage;
  }
  SampleRequest request{options.calibrationSamples, std::min(length, longest),
                        options.isGiven("calib-samples"), options.seed};
  summary.ownTokens = options.calibration.empty();
  if (!summary.ownTokens) {
    llvm::Expected<CalibrationSamples> read = readSamples(
        options.calibration, request, model.decoder.getVocabulary());
    if (!read) {
      bool isUnreadable = false;
      std::string message;
      llvm::handleAllErrors(read.takeError(),
                            [&](const llvm::StringError &error) {
                              isUnreadable = error.convertToErrorCode() !=
                                             llvm::inconvertibleErrorCode();
                              message = error.getMessage();
                            });
      progress.message("error", oneLine(message));
      return isUnreadable ? ExitCode::Resources : ExitCode::Usage;
    }
    samples = std::move(*read);
    return ExitCode::Done;
  }
  constexpr unsigned kSteps = 100;
  progress.begin("sample", kSteps);
  unsigned shown = 0;
  FailureOr<CalibrationSamples> made =
      generateSamples(module, request, runner, compiler, [&](double part) {
        for (; shown < part * kSteps; ++shown)
          progress.advance("");
      });
  if (mlir::failed(made))
    return failed();
  progress.end();
  samples = std::move(*made);
  return ExitCode::Done;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

FailureOr<MatrixF> Calibration::read(WeightOp weight) {
  RankedTensorType type = weight.getType();
  FailureOr<std::vector<float>> values = getStore().readFloats(
      weight.getSource(), type, [&] { return weight.emitError(); });
  if (mlir::failed(values))
    return failure();
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  for (auto [index, value] : llvm::enumerate(*values))
    if (!std::isfinite(value))
      return weight.emitError("weight '")
             << weight.getName() << "' has the value " << value << " at ["
             << index / columns << ", " << index % columns
             << "]; calibration needs finite weights";
  return MatrixF(Eigen::Map<MatrixF>(values->data(), rows, columns));
}

LogicalResult Calibration::write(unsigned index, const MatrixF &values) {
  WeightOp weight = model.weights[index];
  RankedTensorType type = weight.getType();
  WeightBlobAttr place = getStore().reserveFor(weight.getSource(), type);
  ArrayRef<float> flat(values.data(), values.size());
  FailureOr<Attribute> stored = getStore().store(
      place, type, asBytes(flat), [&] { return weight.emitError(); });
  if (mlir::failed(stored))
    return failure();
  if (!weight.getOriginal())
    weight.setOriginalAttr(weight.getSource());
  weight.setSourceAttr(*stored);
  sources[index] = *stored;
  done.set(index);
  return success();
}

/// Rows by rows, as the store has them.
static MatrixCodes codesOf(const QuantizedMatrix &quantized) {
  MatrixCodes codes;
  codes.columns = quantized.codes.cols();
  codes.codes.assign(quantized.codes.data(),
                     quantized.codes.data() + quantized.codes.size());
  codes.scales.assign(quantized.scales.data(),
                      quantized.scales.data() + quantized.scales.size());
  codes.zeroPoints.assign(quantized.zeros.data(),
                          quantized.zeros.data() + quantized.zeros.size());
  return codes;
}

LogicalResult Calibration::writeCodes(unsigned index,
                                      const CompressedLayer &layer) {
  CodedWeight &weight =
      coded.emplace_back(model.weights[index], format(), getStore());
  return weight.storeCodes(
      codesOf(layer.quantized),
      ArrayRef(layer.weights.data(), layer.weights.size()));
}

/// What a layer was compressed with, for the report.
static std::string methodOf(const CompressedLayer &layer,
                            const LayerOptions &options,
                            const CalibrationSummary &summary) {
  std::string method;
  if (!options.pattern.isDense())
    method = layer.isSimple ? "magnitude" : summary.pruning;
  if (options.grid.isFloat())
    return method;
  std::string rounding = layer.isSimple ? "rtn" : summary.rounding;
  return method.empty() ? rounding : method + "+" + rounding;
}

LogicalResult Calibration::compress(unsigned index, LayerSolver &solver,
                                    const LayerOptions &layerOptions) {
  WeightOp weight = model.weights[index];
  FailureOr<MatrixF> values = read(weight);
  if (mlir::failed(values) ||
      (format() &&
       mlir::failed(checkScales(weight, format(),
                                ArrayRef(values->data(), values->size())))))
    return failure();
  CompressedLayer layer = solver.solve(*values, rowParts(weight));
  if (!layer.fallback.empty())
    summary.notes.push_back(
        "weight '" + weight.getName().str() +
        "' is compressed without calibration: " + layer.fallback);
  summary.layers.push_back({weight.getName().str(),
                            methodOf(layer, layerOptions, summary),
                            layer.simpleError, layer.error});
  if (mlir::failed(write(index, layer.weights)))
    return failure();
  return format() ? writeCodes(index, layer) : success();
}

LogicalResult Calibration::compress(const ObservedProducts &products) {
  LayerOptions layer = layerOptions();
  auto [row, column] = products.statistics.notFinite;
  bool isFinite = row < 0;
  if (!isFinite) {
    StringRef name = model.weights[products.weights.front()].getName();
    summary.notes.push_back(
        llvm::formatv("the input of '{0}' is not finite (token {1}, column "
                      "{2}): its weights are compressed without calibration",
                      name, row, column));
  }
  ParallelFor parallel = parallelLoop();
  LayerStatistics nothing(products.statistics.getColumns());
  LayerSolver solver(isFinite ? products.statistics : nothing, layer, parallel);
  for (unsigned index : products.weights) {
    if (!done.test(index) && mlir::failed(compress(index, solver, layer)))
      return failure();
    progress.advance(model.weights[index].getName());
  }
  return success();
}

/// Puts the codes into the module: later stages see encoded weights.
void Calibration::encode() {
  std::optional<int64_t> group;
  if (options.quantizesActivations())
    group = options.actGroup;
  for (CodedWeight &weight : coded)
    weight.replace(group);
}

//===----------------------------------------------------------------------===//
// The whole model
//===----------------------------------------------------------------------===//

void Calibration::nameMethods() {
  using Pruner = CompileOptions::Pruner;
  if (options.zeroRatio() > 0)
    summary.pruning = stringify(options.sparsityMethod == Pruner::Auto
                                    ? Pruner::Alps
                                    : options.sparsityMethod);
  if (options.calibratesRounding())
    summary.rounding = stringify(CompileOptions::Rounding::Gptq);
}

ExitCode Calibration::run() {
  if (ExitCode code = findSamples(); code != ExitCode::Done)
    return code;
  nameMethods();
  summary.corrects = propagationOptions().pairs;
  summary.samples = samples.count();
  summary.length = samples.length;

  size_t count = 0;
  for (const ModelPart &part : model.parts.parts)
    count += part.products.size();
  progress.begin("calibrate", count);
  sources = model.sources();
  done.resize(sources.size());
  CacheGeometry geometry{uint32_t(model.decoder.getKvHeads()),
                         uint32_t(model.decoder.getHeadDim())};
  PartExecutor executor(runner, geometry, samples.length);
  Propagation propagation(model.parts, samples, executor, compiler, sources,
                          propagationOptions());
  if (mlir::failed(propagation.run([&](const ObservedProducts &products) {
        return compress(products);
      })))
    return failed();
  encode();
  progress.end();
  return ExitCode::Done;
}
