//===- ModelFacts.cpp - Derived facts of a compiled library -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-inspect/ModelFacts.h"

#include "tools/testdata/Elements.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace llmopt::tools {

Totals totalsOf(ArrayRef<llmopt_weight_descriptor> weights) {
  Totals totals;
  for (const llmopt_weight_descriptor &weight : weights)
    totals.add(weight);
  return totals;
}

StringRef nameOfPadding(int32_t padding) {
  return padding == LLMOPT_PADDING_LEFT    ? "left"
         : padding == LLMOPT_PADDING_RIGHT ? "right"
                                           : "none";
}

StringRef nameOfKVFormat(int32_t format) {
  return format == LLMOPT_KV_BF16   ? "bf16"
         : format == LLMOPT_KV_INT8 ? "int8"
                                    : "f32";
}

std::string buildIdOf(const llmopt_model_descriptor &model) {
  return toHex(ArrayRef(model.build_id), /*LowerCase=*/true);
}

std::optional<json::Value> reportOf(const llmopt_model_descriptor &model) {
  if (!model.report)
    return std::nullopt;
  Expected<json::Value> report = json::parse(model.report);
  if (report)
    return std::move(*report);
  consumeError(report.takeError());
  return std::nullopt;
}

StringMap<std::string> kernelsOf(const llmopt_model_descriptor &model) {
  StringMap<std::string> kernels;
  std::optional<json::Value> report = reportOf(model);
  const json::Object *object = report ? report->getAsObject() : nullptr;
  const json::Array *layers = object ? object->getArray("layers") : nullptr;
  if (!layers)
    return kernels;
  for (const json::Value &layer : *layers) {
    const json::Object *entry = layer.getAsObject();
    if (!entry)
      continue;
    const std::optional<StringRef> name = entry->getString("name");
    const std::optional<StringRef> kernel = entry->getString("kernel");
    if (name && kernel)
      kernels[*name] = kernel->str();
  }
  return kernels;
}

static json::Array tensorsToJSON(ArrayRef<llmopt_tensor_descriptor> tensors) {
  json::Array result;
  for (const llmopt_tensor_descriptor &tensor : tensors)
    result.push_back(json::Object{
        {"name", tensor.name},
        {"type", describe(tensor.element_type).name},
        {"dims", json::Array(ArrayRef(tensor.dims,
                                      static_cast<size_t>(tensor.rank)))}});
  return result;
}

static json::Array weightsToJSON(const llmopt_model_descriptor &model) {
  const StringMap<std::string> kernels = kernelsOf(model);
  json::Array result;
  for (const llmopt_weight_descriptor &weight :
       ArrayRef(model.weights, model.weight_count)) {
    const Totals totals = totalsOf(weight);
    result.push_back(json::Object{{"name", weight.name},
                                  {"format", weight.format},
                                  {"kernel", kernels.lookup(weight.name)},
                                  {"rows", weight.rows},
                                  {"columns", weight.columns},
                                  {"zeros", totals.zeroFraction()},
                                  {"bits_per_weight", totals.bitsPerWeight()},
                                  {"bytes", weight.bytes}});
  }
  return result;
}

json::Object toJSON(const llmopt_model_info &info) {
  const llmopt_model_descriptor &model = *info.descriptor;
  const Totals totals = totalsOf({model.weights, model.weight_count});
  json::Array variants;
  for (const llmopt_variant &variant :
       ArrayRef(model.variants, model.variant_count))
    variants.push_back(
        json::Object{{"isa", variant.isa},
                     {"cpu", variant.cpu},
                     {"arena_bytes_per_row", variant.arena_bytes_per_row}});
  return json::Object{
      {"name", info.name},
      {"kind", info.kind == LLMOPT_KIND_GRAPH ? "graph" : "decoder"},
      {"producer", info.producer},
      {"build_id", buildIdOf(model)},
      {"parameters", info.parameters},
      {"file_bytes", info.file_bytes},
      {"weights_bytes", info.weights_bytes},
      {"layers", info.layers},
      {"heads", info.heads},
      {"kv_heads", info.kv_heads},
      {"head_dim", info.head_dim},
      {"vocabulary", info.vocabulary},
      {"max_positions", info.max_positions},
      {"max_sequence", info.max_sequence},
      {"max_batch", info.max_batch},
      {"padding", nameOfPadding(info.padding)},
      {"kv", nameOfKVFormat(info.descriptor->kv_format)},
      {"isa", info.isa},
      {"variant_reason", info.variant_reason},
      {"variants", std::move(variants)},
      {"inputs", tensorsToJSON(ArrayRef(info.inputs, info.input_count))},
      {"outputs", tensorsToJSON(ArrayRef(info.outputs, info.output_count))},
      {"weights", weightsToJSON(model)},
      {"totals", json::Object{{"zeros", totals.zeroFraction()},
                              {"bits_per_weight", totals.bitsPerWeight()},
                              {"bytes", totals.bytes}}}};
}

} // namespace llmopt::tools
