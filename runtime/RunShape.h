//===- RunShape.h - Shapes of a call of the ONNX signature ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_RUNSHAPE_H
#define LLMOPT_RUNTIME_RUNSHAPE_H

#include "llmopt/Runtime.h"

#include <span>
#include <vector>

namespace llmopt::runtime {

/// One row of the batch.
struct RunRow {
  uint64_t past = 0; ///< tokens taken from the past tensors
  uint64_t present =
      0; ///< tokens that the present tensors hold, zero after them
  bool hasHiddenKeys =
      false; ///< its mask hides a key that only the mask can hide
};

/// The sizes on which all inputs agree, and the inputs that are not cache
/// tensors.
struct RunShape {
  uint64_t batch = 0;
  uint64_t sequence = 0; ///< new tokens of each row, padding included
  uint64_t past = 0;     ///< third dimension of the past tensors
  uint64_t present = 0;  ///< third dimension of the present tensors
  const llmopt_tensor *tokens = nullptr;
  const llmopt_tensor *mask = nullptr;      ///< null if the signature has none
  const llmopt_tensor *positions = nullptr; ///< null if the signature has none
  std::vector<RunRow> rows;                 ///< [batch]
};

/// Element `index` of an integer tensor of a checked type.
inline int64_t integerAt(const llmopt_tensor &tensor, uint64_t index) {
  return tensor.element_type == LLMOPT_I64
             ? static_cast<const int64_t *>(tensor.data)[index]
             : static_cast<const int32_t *>(tensor.data)[index];
}

/// Checks types, ranks, dimensions and values of all inputs against the
/// signature and against each other. Every error is LLMOPT_BAD_TENSOR or
/// LLMOPT_OUT_OF_RANGE and names the tensor.
llmopt_status resolveRunShape(const llmopt_model_descriptor &model,
                              std::span<const llmopt_tensor> inputs,
                              RunShape &shape);

/// Shape of an output, without data.
llmopt_tensor outputTensor(const llmopt_model_descriptor &model,
                           const llmopt_tensor_descriptor &output,
                           const RunShape &shape);

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_RUNSHAPE_H
