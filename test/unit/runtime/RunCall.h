//===- RunCall.h - Tensors of a call of llmopt_run --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_RUNTIME_RUNCALL_H
#define LLMOPT_TEST_UNIT_RUNTIME_RUNCALL_H

#include "TestModel.h"

#include <algorithm>

namespace fake {

/// A tensor with its own elements.
struct Array {
  int32_t type = LLMOPT_F32;
  std::vector<int64_t> dims;
  std::vector<int64_t> integers;
  std::vector<float> floats;

  llmopt_tensor view() {
    llmopt_tensor tensor = {};
    tensor.element_type = type;
    tensor.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), tensor.dims);
    tensor.data = type == LLMOPT_F32 ? static_cast<void *>(floats.data())
                                     : static_cast<void *>(integers.data());
    return tensor;
  }
};

inline Array integers(int64_t rows, int64_t columns,
                      std::vector<int64_t> values) {
  return {LLMOPT_I64, {rows, columns}, std::move(values), {}};
}

inline Array cache(int64_t rows, int64_t tokens) {
  return {LLMOPT_F32,
          {rows, kKVHeads, tokens, kHeadDim},
          {},
          std::vector<float>(
              static_cast<size_t>(rows * kKVHeads * tokens * kHeadDim))};
}

/// Inputs of one call, as the fake models with a cache take them, and its
/// outputs.
struct Call {
  std::vector<Array> inputs; ///< tokens, mask, 4 cache tensors[, positions]
  std::vector<llmopt_tensor> outputs = std::vector<llmopt_tensor>(5);

  std::vector<llmopt_tensor> views() {
    std::vector<llmopt_tensor> tensors;
    for (Array &input : inputs)
      tensors.push_back(input.view());
    return tensors;
  }

  llmopt_status run(const Session &session) {
    const std::vector<llmopt_tensor> tensors = views();
    return llmopt_run(session.get(), tensors.data(), tensors.size(),
                      outputs.data(), outputs.size());
  }

  std::vector<float> output(size_t index) const {
    const llmopt_tensor &tensor = outputs[index];
    size_t count = 1;
    for (int32_t i = 0; i < tensor.rank; ++i)
      count *= static_cast<size_t>(tensor.dims[i]);
    const auto *data = static_cast<const float *>(tensor.data);
    return {data, data + count};
  }

  std::vector<float> logitsOf(size_t row) const {
    const size_t count = static_cast<size_t>(outputs[0].dims[1]) * kVocabulary;
    const auto *data =
        static_cast<const float *>(outputs[0].data) + row * count;
    return {data, data + count};
  }
};

} // namespace fake

#endif // LLMOPT_TEST_UNIT_RUNTIME_RUNCALL_H
