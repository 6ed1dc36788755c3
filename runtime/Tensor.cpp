//===- Tensor.cpp - Checks of tensors against a signature -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tensor.h"

#include "runtime/Error.h"

#include <iterator>
#include <span>

namespace llmopt::runtime {

const char *elementTypeName(int32_t elementType) {
  static constexpr const char *kNames[] = {"no type",      "f32",
                                           "int64",        "int32",
                                           "bool",         "int8",
                                           "uint8",        "int16",
                                           "uint16",       "uint32",
                                           "uint64",       "f16",
                                           "bf16",         "f64",
                                           "int4",         "uint4",
                                           "int2",         "uint2",
                                           "float8e4m3fn", "float8e4m3fnuz",
                                           "float8e5m2",   "float8e5m2fnuz",
                                           "float8e8m0",   "float4e2m1"};
  static_assert(std::size(kNames) == LLMOPT_F4E2M1 + 1);
  return elementType > 0 && elementType <= LLMOPT_F4E2M1 ? kNames[elementType]
                                                         : "an unknown type";
}

bool tensorBytes(const llmopt_tensor &tensor, uint64_t &bytes) {
  bytes = llmopt_element_bytes(tensor.element_type);
  bool isEmpty = false;
  for (int32_t i = 0; i < tensor.rank; ++i) {
    if (tensor.dims[i] < 0)
      return false;
    isEmpty |= tensor.dims[i] == 0;
  }
  for (int32_t i = 0; i < tensor.rank && !isEmpty; ++i)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(tensor.dims[i]),
                               &bytes))
      return false;
  bytes = isEmpty ? 0 : bytes;
  return true;
}

llmopt_status checkInput(const llmopt_tensor_descriptor &expected,
                         const llmopt_tensor &given) {
  if (given.element_type != expected.element_type)
    return fail(LLMOPT_BAD_TENSOR,
                "input '%s' has element type %d (%s), expected %d (%s)",
                expected.name, given.element_type,
                elementTypeName(given.element_type), expected.element_type,
                elementTypeName(expected.element_type));
  if (given.rank != expected.rank)
    return fail(LLMOPT_BAD_TENSOR, "input '%s' has rank %d, expected %d",
                expected.name, given.rank, expected.rank);
  for (int32_t i = 0; i < given.rank; ++i)
    if (expected.dims[i] >= 0 && given.dims[i] != expected.dims[i])
      return fail(LLMOPT_BAD_TENSOR,
                  "dimension %d of input '%s' is %lld, expected %lld", i,
                  expected.name, static_cast<long long>(given.dims[i]),
                  static_cast<long long>(expected.dims[i]));
  uint64_t bytes;
  if (!tensorBytes(given, bytes))
    return fail(LLMOPT_BAD_TENSOR,
                "the dimensions of input '%s' are negative or too "
                "large",
                expected.name);
  if (bytes && !given.data)
    return fail(LLMOPT_BAD_TENSOR, "input '%s' has no data", expected.name);
  if (given.capacity && given.capacity < bytes)
    return fail(LLMOPT_BAD_TENSOR, "input '%s' needs %llu bytes, %zu are given",
                expected.name, static_cast<unsigned long long>(bytes),
                given.capacity);
  return LLMOPT_OK;
}

namespace {
struct ByteRange {
  int first, last;
};
} // namespace

/// The bytes that are elements of a type of less than 8 bits.
static ByteRange rangeOf(int32_t elementType) {
  switch (elementType) {
  case LLMOPT_BOOL:
    return {0, 1};
  case LLMOPT_I4:
    return {-8, 7};
  case LLMOPT_I2:
    return {-2, 1};
  case LLMOPT_U2:
    return {0, 3};
  default:
    return {0, 15};
  }
}

llmopt_status checkElements(const llmopt_tensor_descriptor &expected,
                            const llmopt_tensor &given) {
  const int32_t type = expected.element_type;
  if (type != LLMOPT_BOOL && type != LLMOPT_F4E2M1 &&
      !(type >= LLMOPT_I4 && type <= LLMOPT_U2))
    return LLMOPT_OK;
  uint64_t count;
  tensorBytes(given, count);
  const auto [first, last] = rangeOf(type);
  const auto width = static_cast<uint8_t>(last - first);
  const std::span elements(static_cast<const int8_t *>(given.data), count);
  // Without a branch: a vector loop over what is nearly always right.
  bool isBad = false;
  for (const int8_t element : elements)
    isBad |= static_cast<uint8_t>(element - first) > width;
  for (uint64_t i = 0; isBad && i < count; ++i)
    if (elements[i] < first || elements[i] > last)
      return fail(LLMOPT_OUT_OF_RANGE,
                  "element %llu of input '%s' is the byte %d, elements of type "
                  "%s are %d to %d",
                  static_cast<unsigned long long>(i), expected.name,
                  elements[i], elementTypeName(type), first, last);
  return LLMOPT_OK;
}

} // namespace llmopt::runtime
