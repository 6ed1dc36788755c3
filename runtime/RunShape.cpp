//===- RunShape.cpp - Shapes of a call of the ONNX signature ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/RunShape.h"

#include "runtime/Error.h"
#include "runtime/Tensor.h"

#include <algorithm>

namespace llmopt::runtime {

namespace {
constexpr uint64_t kUnset = UINT64_MAX;
/// Token counts are 32-bit in the generated code.
constexpr uint64_t kMaxTokens = INT32_MAX;

unsigned long long number(uint64_t value) { return value; }
} // namespace

//===----------------------------------------------------------------------===//
// All inputs together
//===----------------------------------------------------------------------===//

/// Sets `size` at its first use, afterwards demands the same.
static llmopt_status agree(const llmopt_tensor_descriptor &input,
                           int32_t dimension, const llmopt_tensor &given,
                           const char *what, uint64_t &size) {
  const auto value = static_cast<uint64_t>(given.dims[dimension]);
  if (size == kUnset)
    size = value;
  if (size == value)
    return LLMOPT_OK;
  return fail(LLMOPT_BAD_TENSOR,
              "dimension %d of input '%s' is %llu, but the %s is %llu",
              dimension, input.name, number(value), what, number(size));
}

static llmopt_status agreeOnInput(const llmopt_model_descriptor &model,
                                  const llmopt_tensor_descriptor &input,
                                  const llmopt_tensor &given, RunShape &shape,
                                  uint64_t &maskTokens) {
  if (const llmopt_status status =
          agree(input, 0, given, "batch size", shape.batch))
    return status;
  switch (input.role) {
  case LLMOPT_ROLE_TOKENS:
    shape.tokens = &given;
    return agree(input, 1, given, "sequence length", shape.sequence);
  case LLMOPT_ROLE_POSITIONS:
    shape.positions = &given;
    return agree(input, 1, given, "sequence length", shape.sequence);
  case LLMOPT_ROLE_MASK:
    shape.mask = &given;
    return agree(input, 1, given, "mask length", maskTokens);
  default: {
    uint64_t heads = model.kv_heads, size = model.head_dim;
    if (const llmopt_status status =
            agree(input, 1, given, "number of heads", heads))
      return status;
    if (const llmopt_status status = agree(input, 3, given, "head size", size))
      return status;
    return agree(input, 2, given, "past length", shape.past);
  }
  }
}

static llmopt_status checkMaskLength(const llmopt_model_descriptor &model,
                                     const RunShape &shape,
                                     uint64_t maskTokens) {
  const uint64_t all = shape.past + shape.sequence;
  const bool right = model.padding == LLMOPT_PADDING_RIGHT;
  if (right ? maskTokens >= shape.sequence && maskTokens <= all
            : maskTokens == all)
    return LLMOPT_OK;
  return fail(
      LLMOPT_BAD_TENSOR,
      "the mask has %llu tokens, expected %s%llu (past %llu + sequence %llu)",
      number(maskTokens), right ? "at most " : "", number(all),
      number(shape.past), number(shape.sequence));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static uint64_t countKept(const llmopt_tensor &mask, uint64_t row) {
  const auto width = static_cast<uint64_t>(mask.dims[1]);
  uint64_t kept = 0;
  for (uint64_t i = 0; i < width; ++i)
    kept += integerAt(mask, row * width + i) != 0;
  return kept;
}

/// The count of a right-padded row says how much of the past is valid; a prompt
/// (nothing but new tokens) starts at 0 and may end in padding.
static llmopt_status resolveRightPadded(uint64_t index, const RunShape &shape,
                                        uint64_t kept, RunRow &row) {
  const auto width = static_cast<uint64_t>(shape.mask->dims[1]);
  row.present = kept;
  if (shape.sequence == width)
    return LLMOPT_OK;
  row.past = kept - shape.sequence;
  if (kept >= shape.sequence && row.past <= shape.past)
    return LLMOPT_OK;
  return fail(LLMOPT_BAD_TENSOR,
              "the mask of row %llu keeps %llu tokens, expected %llu new ones "
              "and at most "
              "%llu of the past",
              number(index), number(kept), number(shape.sequence),
              number(shape.past));
}

static llmopt_status resolveRow(const llmopt_model_descriptor &model,
                                uint64_t index, const RunShape &shape,
                                RunRow &row) {
  row.past = shape.past;
  row.present = shape.past + shape.sequence;
  if (!shape.mask)
    return LLMOPT_OK;
  const uint64_t kept = countKept(*shape.mask, index);
  if (model.padding == LLMOPT_PADDING_RIGHT) {
    row.past = 0;
    return resolveRightPadded(index, shape, kept, row);
  }
  row.hasHiddenKeys = kept != row.present;
  if (row.hasHiddenKeys && model.padding == LLMOPT_PADDING_NONE)
    return fail(
        LLMOPT_BAD_TENSOR,
        "the mask of row %llu hides keys: this model computes full rows only",
        number(index));
  return LLMOPT_OK;
}

static llmopt_status checkValues(const llmopt_model_descriptor &model,
                                 const RunShape &shape) {
  for (uint64_t row = 0; row < shape.batch; ++row)
    for (uint64_t i = 0; i < shape.sequence; ++i) {
      const uint64_t index = row * shape.sequence + i;
      const int64_t token = integerAt(*shape.tokens, index);
      const int64_t position =
          shape.positions ? integerAt(*shape.positions, index)
                          : static_cast<int64_t>(shape.rows[row].past + i);
      if (token < 0 || token >= model.vocabulary)
        return fail(
            LLMOPT_OUT_OF_RANGE,
            "token %llu of row %llu is %lld, outside of the vocabulary of %u",
            number(i), number(row), static_cast<long long>(token),
            model.vocabulary);
      if (position < 0 || position >= model.max_positions)
        return fail(LLMOPT_OUT_OF_RANGE,
                    "token %llu of row %llu is at position %lld, the model has "
                    "positions up to %u",
                    number(i), number(row), static_cast<long long>(position),
                    model.max_positions - 1);
    }
  return LLMOPT_OK;
}

llmopt_status resolveRunShape(const llmopt_model_descriptor &model,
                              std::span<const llmopt_tensor> inputs,
                              RunShape &shape) {
  if (inputs.size() != model.input_count)
    return fail(LLMOPT_BAD_TENSOR, "%zu inputs are given, the model has %u",
                inputs.size(), model.input_count);
  uint64_t maskTokens = kUnset;
  shape.batch = shape.sequence = shape.past = kUnset;
  for (uint32_t i = 0; i < model.input_count; ++i) {
    if (const llmopt_status status = checkInput(model.inputs[i], inputs[i]))
      return status;
    if (const llmopt_status status =
            agreeOnInput(model, model.inputs[i], inputs[i], shape, maskTokens))
      return status;
  }
  shape.past = shape.past == kUnset ? 0 : shape.past;
  if (shape.batch == 0 || shape.sequence == 0)
    return fail(LLMOPT_BAD_TENSOR,
                "batch %llu and sequence %llu must be at least 1",
                number(shape.batch), number(shape.sequence));
  if (shape.past > kMaxTokens || shape.sequence > kMaxTokens - shape.past)
    return fail(LLMOPT_BAD_TENSOR,
                "past %llu and sequence %llu exceed %llu tokens",
                number(shape.past), number(shape.sequence), number(kMaxTokens));
  if (!shape.mask)
    maskTokens = shape.past + shape.sequence;
  if (const llmopt_status status = checkMaskLength(model, shape, maskTokens))
    return status;
  shape.present = std::max(shape.past, maskTokens);
  shape.rows.assign(shape.batch, {});
  for (uint64_t row = 0; row < shape.batch; ++row)
    if (const llmopt_status status =
            resolveRow(model, row, shape, shape.rows[row]))
      return status;
  return checkValues(model, shape);
}

llmopt_tensor outputTensor(const llmopt_model_descriptor &model,
                           const llmopt_tensor_descriptor &output,
                           const RunShape &shape) {
  const auto batch = static_cast<int64_t>(shape.batch);
  llmopt_tensor tensor = {};
  tensor.element_type = LLMOPT_F32;
  tensor.rank = output.rank;
  if (output.role == LLMOPT_ROLE_LOGITS) {
    const int64_t dims[] = {batch, static_cast<int64_t>(shape.sequence),
                            model.vocabulary};
    std::copy(std::begin(dims), std::end(dims), tensor.dims);
  } else {
    const int64_t dims[] = {batch, model.kv_heads,
                            static_cast<int64_t>(shape.present),
                            model.head_dim};
    std::copy(std::begin(dims), std::end(dims), tensor.dims);
  }
  return tensor;
}

} // namespace llmopt::runtime
