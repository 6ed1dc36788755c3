//===- llmopt-inspect.cpp - Show what a compiled library contains ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/ModelFlags.h"
#include "tools/llmopt-inspect/ModelFacts.h"
#include "tools/testdata/GraphInputs.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace llmopt::tools;

namespace {

struct Flags {
  cl::OptionCategory category{"llmopt-inspect options"};
  ModelFlags model{category};
  cl::opt<std::string> path{cl::Positional, cl::Required, cl::desc("model.so"),
                            cl::cat(category)};
  cl::opt<bool> json{"json", cl::desc("Print JSON"), cl::cat(category)};
  cl::opt<bool> verify{"verify", cl::desc("Check the checksum of every weight"),
                       cl::cat(category)};
  cl::opt<bool> graph{"graph",
                      cl::desc("Print what the compiler found in the model: "
                               "attention, norms, products, all operations"),
                      cl::cat(category)};
  cl::opt<bool> report{"report",
                       cl::desc("Print the compiler's report (JSON) instead"),
                       cl::cat(category)};
};

} // namespace

static void printTensors(StringRef kind,
                         ArrayRef<llmopt_tensor_descriptor> tensors) {
  for (const llmopt_tensor_descriptor &tensor : tensors)
    outs() << kind << ' ' << tensor.name << ": " << typeText(tensor) << '\n';
}

static void printDecoder(const llmopt_model_info &info) {
  outs() << info.layers << " layers, " << info.heads << " heads ("
         << info.kv_heads << " of keys and values) of " << info.head_dim
         << ", vocabulary " << info.vocabulary << '\n'
         << "positions " << info.max_positions << ", sessions of "
         << info.max_batch << " x " << info.max_sequence << " tokens, padding "
         << nameOfPadding(info.padding) << ", cache "
         << nameOfKVFormat(info.descriptor->kv_format) << '\n';
}

static void printRow(StringRef name, StringRef format, StringRef kernel,
                     StringRef shape, const Totals &totals) {
  outs() << left_justify(name, 44) << ' ' << left_justify(format, 24) << ' '
         << left_justify(kernel, 28) << ' ' << right_justify(shape, 14)
         << llvm::format(" %6.2f%% %7.3f %12llu\n", 100 * totals.zeroFraction(),
                         totals.bitsPerWeight(),
                         static_cast<unsigned long long>(totals.bytes));
}

static void printWeights(const llmopt_model_descriptor &model) {
  outs() << '\n'
         << left_justify("weight", 44) << ' ' << left_justify("format", 24)
         << ' ' << left_justify("kernel", 28) << ' '
         << right_justify("shape", 14) << "   zeros    bits        bytes\n";
  const StringMap<std::string> kernels = kernelsOf(model);
  const ArrayRef weights(model.weights, model.weight_count);
  for (const llmopt_weight_descriptor &weight : weights)
    printRow(weight.name, weight.format, kernels.lookup(weight.name),
             (Twine(weight.rows) + "x" + Twine(weight.columns)).str(),
             totalsOf(weight));
  printRow("total", "", "", "", totalsOf(weights));
}

static void printText(const llmopt_model_info &info) {
  const llmopt_model_descriptor &model = *info.descriptor;
  outs() << "model " << info.name << ", by " << info.producer << ", build "
         << buildIdOf(model) << '\n'
         << info.parameters << " parameters, " << info.file_bytes << " bytes, "
         << info.weights_bytes << " of them weights\n";
  const bool isGraph = info.kind == LLMOPT_KIND_GRAPH;
  if (isGraph)
    outs() << "a graph, executed by llmopt_run\n";
  else
    printDecoder(info);
  for (const llmopt_variant &variant :
       ArrayRef(model.variants, model.variant_count)) {
    outs() << "variant " << variant.isa << " (" << variant.cpu << ")";
    if (!isGraph)
      outs() << ", " << variant.arena_bytes_per_row << " bytes per row";
    outs() << '\n';
  }
  outs() << "in use: " << info.variant_reason << '\n';
  printTensors("input", ArrayRef(info.inputs, info.input_count));
  printTensors("output", ArrayRef(info.outputs, info.output_count));
  printWeights(model);
}

/// What the compiler found in the model, as its report says.
static int printGraph(const llmopt_model_descriptor &model) {
  std::optional<json::Value> report = reportOf(model);
  const json::Object *object = report ? report->getAsObject() : nullptr;
  const json::Object *found = object ? object->getObject("found") : nullptr;
  if (!found)
    return complain("the library has no report of its operations", kBadModel);
  outs() << "compiled as a " << object->getString("path").value_or("graph");
  if (std::optional<StringRef> reason = object->getString("graph_reason"))
    outs() << ", as " << *reason;
  outs() << '\n';
  for (StringRef name : {"attentions", "norms", "ropes", "linears",
                         "embeddings", "products_left"})
    outs() << left_justify(name, 24) << found->getInteger(name).value_or(0)
           << '\n';
  const int64_t products = found->getInteger("products").value_or(0);
  const int64_t integers = found->getInteger("integer_products").value_or(0);
  outs() << left_justify("integer products", 24) << integers << " of "
         << products;
  if (products)
    outs() << llvm::format(" (%.1f %%)",
                           100.0 * double(integers) / double(products));
  outs() << "\n\n" << left_justify("operation", 44) << "number\n";
  if (const json::Object *operations = object->getObject("operations"))
    for (const auto &[name, number] : *operations)
      outs() << left_justify(StringRef(name), 44)
             << number.getAsInteger().value_or(0) << '\n';
  return kDone;
}

int main(int argc, char **argv) {
  Flags flags;
  if (const int code = parseFlags(argc, argv, flags.category,
                                  "Shows what a compiled library contains\n"))
    return code;
  llmopt::Result<llmopt::Model> model = flags.model.open(flags.path);
  if (!model)
    return complain(model.error());
  const llmopt_model_info &info = model->info();
  if (flags.report && !info.descriptor->report)
    return complain("the library has no report", kBadModel);
  if (flags.report)
    outs() << info.descriptor->report << '\n';
  else if (flags.graph) {
    if (const int code = printGraph(*info.descriptor))
      return code;
  } else if (flags.json)
    outs() << json::Value(toJSON(info)) << '\n';
  else
    printText(info);
  if (!flags.verify)
    return kDone;
  if (llmopt::Status status = model->verifyWeights(); !status)
    return complain(status.error());
  errs() << "all " << info.descriptor->weight_count
         << " weights are undamaged\n";
  return kDone;
}
