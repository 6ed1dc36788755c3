//===- FunctionalRun.h - Computes the ONNX signature on the paged cache ---===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_FUNCTIONALRUN_H
#define LLMOPT_RUNTIME_FUNCTIONALRUN_H

#include "runtime/Executor.h"
#include "runtime/KVCache.h"
#include "runtime/PagePart.h"
#include "runtime/RunShape.h"

#include <span>
#include <vector>

namespace llmopt::runtime {

/// Executes llmopt_run: past tensors are brought into pages of its own, the
/// rows go through the same code as those of a step, and the pages become the
/// present tensors. Buffers are kept for the next call.
class FunctionalRun {
public:
  FunctionalRun(const llmopt_model_descriptor &model, ThreadPool &pool,
                Executor &executor)
      : model(model), pool(pool), executor(executor) {}

  /// See llmopt_run. The past may lie in outputs of the call before: it is read
  /// before any output is written.
  llmopt_status run(std::span<const llmopt_tensor> inputs,
                    std::span<llmopt_tensor> outputs);

private:
  struct CacheTensor {
    float *data;     ///< [batch][kv_heads][tokens][head_dim]
    uint64_t tokens; ///< third dimension
    uint32_t layer;
    bool isKey;
  };

  llmopt_status checkOutputs(std::span<llmopt_tensor> outputs);
  llmopt_status ownOutputs(std::span<llmopt_tensor> outputs);
  llmopt_status takePages();
  void releasePages();
  void readMask();
  void readPositions();
  llmopt_status execute(float *logits);
  llmopt_status moveCache(bool import);
  PagePart partOf(const CacheTensor &tensor, uint64_t row, uint32_t head,
                  uint64_t page) const;
  void importTensor(const CacheTensor &tensor, uint64_t row,
                    uint32_t head) const;
  void exportTensor(const CacheTensor &tensor, uint64_t row,
                    uint32_t head) const;

  const llmopt_model_descriptor &model;
  ThreadPool &pool;
  Executor &executor;

  // Of the call in progress.
  RunShape shape;
  std::vector<CacheTensor> cacheTensors;
  std::vector<std::vector<uint8_t *>> pages; ///< [batch]
  std::vector<uint8_t> keyMask;              ///< [batch][past + sequence]
  std::vector<int32_t> positions;            ///< [batch][sequence]
  // Kept between calls.
  PageStore store;
  uint64_t storePages = 0;
  std::vector<Mapping> owned; ///< memory of outputs without a caller's buffer
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_FUNCTIONALRUN_H
