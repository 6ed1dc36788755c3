//===- Session.h - Sequences in progress ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_SESSION_H
#define LLMOPT_RUNTIME_SESSION_H

#include "runtime/Executor.h"
#include "runtime/FunctionalRun.h"
#include "runtime/GraphRun.h"
#include "runtime/KVCache.h"
#include "runtime/Model.h"

#include <atomic>
#include <memory>

namespace llmopt::runtime {

/// KV cache, buffers and reference to the model. The methods are those of
/// Runtime.h; one thread at a time.
class Session {
public:
  /// `options` have been read and are complete.
  static llmopt_status create(Model &model,
                              const llmopt_session_options &options,
                              std::unique_ptr<Session> &session);
  ~Session();

  llmopt_status step(std::span<llmopt_piece> pieces);
  llmopt_status truncate(uint32_t sequence, size_t position);
  llmopt_status copy(uint32_t from, uint32_t to);
  llmopt_status takeProfile(std::span<llmopt_kernel_time> times) {
    return executor.profile().take(times);
  }
  llmopt_status run(std::span<const llmopt_tensor> inputs,
                    std::span<llmopt_tensor> outputs);
  size_t length(uint32_t sequence) const;

  /// True if the caller may use the session until unlock(); false if another
  /// thread does.
  bool tryLock() { return !busy.exchange(true, std::memory_order_acquire); }
  void unlock() { busy.store(false, std::memory_order_release); }

private:
  explicit Session(Model &model);
  bool isGraph() const;
  llmopt_status refuseSequences() const;
  llmopt_status setUp(const llmopt_session_options &options);
  llmopt_status checkSequence(uint32_t sequence) const;
  llmopt_status checkPiece(size_t index, const llmopt_piece &piece) const;
  llmopt_status checkPieces(std::span<const llmopt_piece> pieces);
  llmopt_status reserveLogits(std::span<const llmopt_piece> pieces);
  SequenceRows beginPiece(llmopt_piece &piece, float *&ownLogits);

  Model &model;
  KVCache cache;
  Executor executor;
  FunctionalRun functional;
  GraphRun graph; ///< all that a session of a graph model uses
  std::vector<SequenceRows>
      work;                ///< of the step in progress, max_batch entries
  std::vector<bool> named; ///< sequences that have a piece, max_batch entries
  Mapping logits;
  std::atomic<bool> busy{false};
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_SESSION_H
