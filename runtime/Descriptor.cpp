//===- Descriptor.cpp - Checks of the descriptor of a loaded library ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Descriptor.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace llmopt::runtime {

/// The sizes must be such that no product of them used by the runtime
/// overflows.
static const char *findSizeProblem(const llmopt_model_descriptor &model) {
  const uint32_t shape[] = {model.layers, model.heads, model.kv_heads,
                            model.head_dim, model.max_batch};
  const uint32_t lengths[] = {model.vocabulary, model.max_positions,
                              model.max_sequence};
  const auto within = [](uint32_t limit) {
    return [limit](uint32_t size) { return size > 0 && size <= limit; };
  };
  if (!std::ranges::all_of(shape, within(1u << 14)) ||
      !std::ranges::all_of(lengths, within(1u << 28)))
    return "a size is zero or too large";
  if (model.heads % model.kv_heads != 0)
    return "heads is not a multiple of kv_heads";
  if (model.max_sequence > model.max_positions)
    return "max_sequence exceeds max_positions";
  if (model.padding < LLMOPT_PADDING_NONE ||
      model.padding > LLMOPT_PADDING_RIGHT)
    return "the kind of padding is unknown";
  if (model.kv_format < LLMOPT_KV_F32 || model.kv_format > LLMOPT_KV_INT8)
    return "the format of the cache is unknown";
  // Formats of less than four bytes store components together.
  if (model.kv_format != LLMOPT_KV_F32 && model.head_dim % 4 != 0)
    return "head_dim does not fit the format of the cache";
  return nullptr;
}

/// Sizes of a decoder in a graph would be a mistake of the writer.
static const char *findGraphSizeProblem(const llmopt_model_descriptor &model) {
  const uint32_t sizes[] = {model.layers,
                            model.heads,
                            model.kv_heads,
                            model.head_dim,
                            model.vocabulary,
                            model.max_positions,
                            model.max_sequence,
                            model.max_batch,
                            uint32_t(model.padding),
                            uint32_t(model.kv_format)};
  return std::ranges::all_of(sizes, [](uint32_t size) { return size == 0; })
             ? nullptr
             : "a graph has a size of a decoder";
}

static const char *findTensorProblem(const llmopt_tensor_descriptor *tensors,
                                     uint32_t count) {
  if (count && !tensors)
    return "a table of the signature is missing";
  for (const llmopt_tensor_descriptor &tensor : std::span(tensors, count)) {
    if (!tensor.name || tensor.rank < 0 || tensor.rank > LLMOPT_MAX_RANK)
      return "a tensor of the signature has no name or a bad rank";
    for (const int64_t dim : std::span(tensor.dims, size_t(tensor.rank)))
      if (dim < LLMOPT_DYNAMIC)
        return "a tensor of the signature has a negative dimension";
    if (llmopt_element_bytes(tensor.element_type) == 0)
      return "a tensor of the signature has a bad element type";
  }
  return nullptr;
}

static const char *findRoleProblem(const llmopt_model_descriptor &model,
                                   const llmopt_tensor_descriptor *tensors,
                                   uint32_t count) {
  for (const llmopt_tensor_descriptor &tensor : std::span(tensors, count)) {
    if (model.kind == LLMOPT_KIND_GRAPH) {
      if (tensor.role != LLMOPT_ROLE_NONE)
        return "a tensor of a graph has a role";
      continue;
    }
    const bool isCache =
        tensor.role == LLMOPT_ROLE_KEY || tensor.role == LLMOPT_ROLE_VALUE;
    const int32_t rank = isCache                             ? 4
                         : tensor.role == LLMOPT_ROLE_LOGITS ? 3
                                                             : 2;
    const bool isFloat = isCache || tensor.role == LLMOPT_ROLE_LOGITS;
    if (tensor.role < LLMOPT_ROLE_TOKENS || tensor.role > LLMOPT_ROLE_LOGITS ||
        tensor.rank != rank)
      return "a tensor of the signature has a bad role or rank";
    if (isFloat ? tensor.element_type != LLMOPT_F32
                : tensor.element_type != LLMOPT_I64 &&
                      tensor.element_type != LLMOPT_I32)
      return "a tensor of the signature has a bad element type";
    if (isCache && (tensor.layer < 0 ||
                    static_cast<uint32_t>(tensor.layer) >= model.layers))
      return "a cache tensor of the signature names a layer that does not "
             "exist";
  }
  return nullptr;
}

static const char *findWeightProblem(const llmopt_model_descriptor &model) {
  if (model.weight_count && !model.weights)
    return "the weight table is missing";
  for (const llmopt_weight_descriptor &weight :
       std::span(model.weights, model.weight_count))
    if (!weight.name || !weight.format || weight.bytes > model.weights_bytes ||
        weight.offset > model.weights_bytes - weight.bytes)
      return "a weight has no name or format, or is out of bounds";
  return nullptr;
}

static const char *findKernelProblem(const llmopt_variant &variant) {
  constexpr uint32_t kKernelLimit = 1 << 16;
  if (variant.kernel_count > kKernelLimit ||
      (variant.kernel_count && !variant.kernels))
    return "a variant has no table of kernels, or one that is too large";
  if (variant.has_time_stamps && !variant.kernel_count)
    return "a variant has time stamps, but no table of kernels";
  for (const llmopt_kernel_class &kernel :
       std::span(variant.kernels, variant.kernel_count))
    if (!kernel.label)
      return "a kernel has no label";
  return nullptr;
}

static const char *findVariantProblem(const llmopt_model_descriptor &model) {
  constexpr uint64_t kBytesLimit = uint64_t{1} << 32;
  if (model.variant_count == 0 || !model.variants)
    return "it has no variant";
  const bool isGraph = model.kind == LLMOPT_KIND_GRAPH;
  for (const llmopt_variant &variant :
       std::span(model.variants, model.variant_count))
    if (!variant.cpu || !variant.isa || !variant.forward != isGraph ||
        !variant.graph == isGraph ||
        variant.arena_bytes_per_row > kBytesLimit ||
        variant.scratch_bytes > kBytesLimit ||
        variant.scratch_bytes % LLMOPT_VECTOR_BYTES != 0)
      return "a variant has no name or entry, or a bad buffer size";
  for (const llmopt_variant &variant :
       std::span(model.variants, model.variant_count))
    if (const char *problem = findKernelProblem(variant))
      return problem;
  return nullptr;
}

static const char *findProblem(const llmopt_model_descriptor &model,
                               const llmopt_footer &footer) {
  if (model.weights_bytes != footer.weights_bytes)
    return "its size of the weights differs from the footer's";
  if (!model.producer || !model.model_name)
    return "it has no name";
  const bool isGraph = model.kind == LLMOPT_KIND_GRAPH;
  if (!isGraph && model.kind != LLMOPT_KIND_DECODER)
    return "its kind is unknown";
  if (const char *problem =
          isGraph ? findGraphSizeProblem(model) : findSizeProblem(model))
    return problem;
  for (const auto &[tensors, count] :
       {std::pair(model.inputs, model.input_count),
        std::pair(model.outputs, model.output_count)}) {
    if (const char *problem = findTensorProblem(tensors, count))
      return problem;
    if (const char *problem = findRoleProblem(model, tensors, count))
      return problem;
  }
  if (!isGraph &&
      (findRole(model.inputs, model.input_count, LLMOPT_ROLE_TOKENS) < 0 ||
       findRole(model.outputs, model.output_count, LLMOPT_ROLE_LOGITS) < 0))
    return "its signature has no token input or no logits output";
  if (const char *problem = findWeightProblem(model))
    return problem;
  return findVariantProblem(model);
}

llmopt_status checkDescriptor(const char *path, const llmopt_footer &footer,
                              const llmopt_model_descriptor *descriptor) {
  if (!descriptor)
    return fail(LLMOPT_BAD_DESCRIPTOR, "'%s' does not export '%s'", path,
                LLMOPT_DESCRIPTOR_SYMBOL);
  if (descriptor->abi_version != LLMOPT_ABI_VERSION ||
      descriptor->struct_bytes != sizeof(*descriptor))
    return fail(LLMOPT_BAD_DESCRIPTOR,
                "the descriptor of '%s' has ABI %u and %u bytes, expected ABI "
                "%u and %zu "
                "bytes",
                path, descriptor->abi_version, descriptor->struct_bytes,
                unsigned(LLMOPT_ABI_VERSION), sizeof(*descriptor));
  if (memcmp(descriptor->build_id, footer.build_id, sizeof(footer.build_id)) !=
      0)
    return fail(
        LLMOPT_BUILD_ID_MISMATCH,
        "the loaded code of '%s' is of another build than the file: close the "
        "older model of the same path first, or compile again",
        path);
  if (const char *problem = findProblem(*descriptor, footer))
    return fail(LLMOPT_BAD_DESCRIPTOR,
                "the descriptor of '%s' is inconsistent: %s", path, problem);
  return LLMOPT_OK;
}

int findRole(const llmopt_tensor_descriptor *tensors, uint32_t count,
             llmopt_role role, int32_t layer) {
  for (uint32_t i = 0; i < count; ++i)
    if (tensors[i].role == role && tensors[i].layer == layer)
      return static_cast<int>(i);
  return -1;
}

} // namespace llmopt::runtime
