//===- Tensor.h - Checks of tensors against a signature ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_TENSOR_H
#define LLMOPT_RUNTIME_TENSOR_H

#include "llmopt/Runtime.h"

namespace llmopt::runtime {

/// Name of an llmopt_element_type, such as "f32".
const char *elementTypeName(int32_t elementType);

/// Bytes of the elements of `tensor`; false if they are not representable or a
/// dimension is negative.
bool tensorBytes(const llmopt_tensor &tensor, uint64_t &bytes);

/// Checks type, rank, dimensions, data and capacity of an input against the
/// signature: LLMOPT_BAD_TENSOR.
llmopt_status checkInput(const llmopt_tensor_descriptor &expected,
                         const llmopt_tensor &given);

/// Checks that the bytes of a checked tensor are values of its element type,
/// where not all of them are: LLMOPT_OUT_OF_RANGE.
llmopt_status checkElements(const llmopt_tensor_descriptor &expected,
                            const llmopt_tensor &given);

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_TENSOR_H
