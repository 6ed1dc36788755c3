//===- Model.h - An open library --------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_MODEL_H
#define LLMOPT_RUNTIME_MODEL_H

#include "runtime/Memory.h"
#include "runtime/ModelFile.h"
#include "runtime/ThreadPool.h"
#include "runtime/Variant.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace llmopt::runtime {

/// Checked file, loaded code, weights and threads. Shared by its handle and its
/// sessions, which count as references.
class Model {
public:
  /// See llmopt_open. `options` have been read and are complete.
  static llmopt_status open(const char *path,
                            const llmopt_open_options &options,
                            std::unique_ptr<Model> &model);
  ~Model();

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  /// Deletes the model with the last reference.
  void release();

  const llmopt_model_info &info() const { return facts; }
  const llmopt_model_descriptor &descriptor() const {
    return *facts.descriptor;
  }
  const llmopt_variant &variant() const { return *choice.variant; }
  ThreadPool &pool() { return *threads; }

  /// Makes the weights ready for use, once, as the open options ask.
  llmopt_status prepareWeights();
  /// Null if the model has none; else valid after prepareWeights().
  const uint8_t *weights() const {
    return weightCopy ? weightCopy.as() : weightMap.as();
  }
  /// See llmopt_verify_weights.
  llmopt_status verifyWeights();

private:
  Model() = default;
  llmopt_status load(const char *path);
  void describe();
  bool shouldCopy() const;
  llmopt_status mapWeights();

  ModelFile file;
  void *library = nullptr;
  VariantChoice choice;
  llmopt_model_info facts = {};
  std::unique_ptr<ThreadPool> threads;

  std::mutex weightsMutex;
  int32_t weightsMode = LLMOPT_WEIGHTS_AUTO;
  uint64_t memoryBudget = 0;
  Mapping weightMap, weightCopy;

  std::atomic<uint32_t> references{1};
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_MODEL_H
