//===- GraphRun.h - Executes a model that is a graph ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_GRAPHRUN_H
#define LLMOPT_RUNTIME_GRAPHRUN_H

#include "runtime/GraphMemory.h"
#include "runtime/ThreadPool.h"

#include "llmopt/Runtime.h"

#include <csetjmp>
#include <span>
#include <vector>

namespace llmopt::runtime {

/// Executes llmopt_run of a graph model: one call of its entry, on the calling
/// thread, with loops on the pool. Memory is kept for the next call.
class GraphRun {
public:
  GraphRun(const llmopt_model_descriptor &model, const llmopt_variant &variant,
           ThreadPool &pool, const uint8_t *weights)
      : model(model), variant(variant), pool(pool), weights(weights) {}

  /// See llmopt_run. Inputs may lie in outputs of the call before.
  llmopt_status run(std::span<const llmopt_tensor> inputs,
                    std::span<llmopt_tensor> outputs);

private:
  llmopt_status checkInputs(std::span<const llmopt_tensor> given);
  llmopt_status execute();
  llmopt_status deliver(std::span<llmopt_tensor> given);
  llmopt_status deliverOne(uint32_t index, llmopt_tensor &given);
  [[noreturn]] void leave(llmopt_status status);

  // What generated code calls.
  static GraphRun &self(llmopt_graph_call *call);
  static void parallel(llmopt_graph_call *call, llmopt_loop_body body,
                       void *context, uint64_t count, uint64_t grain);
  static void *allocate(llmopt_graph_call *call, uint64_t bytes);
  static void release(llmopt_graph_call *call, void *data);
  static void failExecution(llmopt_graph_call *call, const char *message);

  const llmopt_model_descriptor &model;
  const llmopt_variant &variant;
  ThreadPool &pool;
  const uint8_t *weights;

  GraphMemory memory;
  // Of the call in progress.
  std::vector<llmopt_graph_tensor> inputs, outputs;
  llmopt_graph_call call = {};
  jmp_buf returnPoint;
  llmopt_status result = LLMOPT_OK;
  /// Outputs of the last call that are this object's memory, or null.
  std::vector<void *> owned;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_GRAPHRUN_H
