//===- Runtime.hpp - Run compiled models (C++ interface) --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Header-only wrapper of Runtime.h: handles with owners, results instead of
// statuses, no exceptions. Link the same library.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_HPP
#define LLMOPT_RUNTIME_HPP

#include "llmopt/Runtime.h"

#include <cassert>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace llmopt {

/// Why a call failed.
struct Error {
  llmopt_status status = LLMOPT_OK;
  std::string message; ///< one line, says what to do

  /// The error of the last failed call of this thread.
  static Error last(llmopt_status status) {
    return {status, llmopt_last_error()};
  }
};

/// A value or the reason why there is none:
/// \code
///   llmopt::Result<llmopt::Model> model = llmopt::Model::open("model.so");
///   if (!model)
///     return complain(model.error().message);
///   llmopt::Result<llmopt::Session> session = model->createSession();
///   if (!session)
///     return complain(session.error().message);
///   // [vocabulary] logits of what follows the prompt:
///   llmopt::Result<std::span<const float>> logits = session->step(0, prompt);
/// \endcode
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::move(value)) {}
  Result(Error error) : state(std::move(error)) {}

  explicit operator bool() const { return std::holds_alternative<T>(state); }
  T &operator*() { return value(); }
  T *operator->() { return &value(); }
  /// Only if there is an error.
  const Error &error() const {
    assert(!*this && "a result with a value has no error");
    return *std::get_if<Error>(&state);
  }

private:
  T &value() {
    assert(*this && "check the result before its value is used");
    return *std::get_if<T>(&state);
  }

  std::variant<T, Error> state;
};

/// Success or the reason for the failure.
using Status = Result<std::monostate>;

namespace detail {
inline Status toStatus(llmopt_status status) {
  if (status != LLMOPT_OK)
    return Error::last(status);
  return std::monostate{};
}

struct Release {
  void operator()(llmopt_model *model) const { llmopt_close(model); }
  void operator()(llmopt_session *session) const {
    llmopt_session_destroy(session);
  }
};
} // namespace detail

/// Options of Model::open; see llmopt_open_options.
struct OpenOptions {
  std::string isa; ///< empty: LLMOPT_ISA or the best
  uint32_t threads = 0;
  std::vector<uint32_t> affinity;
  llmopt_weights_mode weights = LLMOPT_WEIGHTS_AUTO;
  bool verifyWeights = false;
  uint64_t memoryBudget = 0;
};

/// Options of Model::createSession; see llmopt_session_options.
struct SessionOptions {
  uint32_t maxBatch = 0;
  uint32_t maxSequence = 0;
  uint32_t maxRows = 0;
};

/// Sequences in progress on a model. One thread at a time.
class Session {
public:
  /// Appends `tokens` to `sequence`; the logits [vocabulary] of the last one,
  /// valid until the next call.
  Result<std::span<const float>> step(uint32_t sequence,
                                      std::span<const int32_t> tokens) {
    return step(sequence, tokens, LLMOPT_WANT_LAST);
  }

  /// The same for the logits that `want` names, [rows][vocabulary].
  Result<std::span<const float>>
  step(uint32_t sequence, std::span<const int32_t> tokens, llmopt_want want) {
    llmopt_piece piece = {};
    piece.sequence = sequence;
    piece.tokens = tokens.data();
    piece.count = tokens.size();
    piece.want = want;
    if (const llmopt_status status = llmopt_step(handle.get(), &piece, 1))
      return Error::last(status);
    return std::span(piece.logits, piece.logit_rows * vocabulary);
  }

  /// Several sequences in one pass; see llmopt_step.
  Status step(std::span<llmopt_piece> pieces) {
    return detail::toStatus(
        llmopt_step(handle.get(), pieces.data(), pieces.size()));
  }

  /// See llmopt_run.
  Status run(std::span<const llmopt_tensor> inputs,
             std::span<llmopt_tensor> outputs) {
    return detail::toStatus(llmopt_run(handle.get(), inputs.data(),
                                       inputs.size(), outputs.data(),
                                       outputs.size()));
  }

  /// Tokens that `sequence` holds.
  size_t length(uint32_t sequence) const {
    return llmopt_length(handle.get(), sequence);
  }
  /// Shortens `sequence` to its first `position` tokens.
  Status truncate(uint32_t sequence, size_t position) {
    return detail::toStatus(llmopt_truncate(handle.get(), sequence, position));
  }
  /// Makes `to` equal to `from`; pages are shared until one side writes.
  Status copy(uint32_t from, uint32_t to) {
    return detail::toStatus(llmopt_copy(handle.get(), from, to));
  }

  /// Logits of a row.
  uint32_t vocabularySize() const { return vocabulary; }

  /// See llmopt_take_profile; `times` has an element for each thread and
  /// kernel class.
  Status takeProfile(std::span<llmopt_kernel_time> times) {
    return detail::toStatus(
        llmopt_take_profile(handle.get(), times.data(), times.size()));
  }

  llmopt_session *get() const { return handle.get(); }

private:
  friend class Model;
  Session(llmopt_session *session, uint32_t vocabulary)
      : handle(session), vocabulary(vocabulary) {}

  std::unique_ptr<llmopt_session, detail::Release> handle;
  uint32_t vocabulary;
};

/// An open model. May be used from many threads.
class Model {
public:
  static Result<Model> open(const std::string &path,
                            const OpenOptions &options = {}) {
    llmopt_open_options raw = {};
    raw.struct_size = sizeof(raw);
    raw.isa = options.isa.empty() ? nullptr : options.isa.c_str();
    raw.threads = options.threads;
    raw.affinity = options.affinity.data();
    raw.affinity_count = options.affinity.size();
    raw.weights = options.weights;
    raw.verify_weights = options.verifyWeights;
    raw.memory_budget = options.memoryBudget;
    llmopt_model *model = nullptr;
    if (const llmopt_status status = llmopt_open(path.c_str(), &raw, &model))
      return Error::last(status);
    return Model(model);
  }

  const llmopt_model_info &info() const { return *llmopt_info(handle.get()); }

  /// The session may outlive this object.
  Result<Session> createSession(const SessionOptions &options = {}) {
    llmopt_session_options raw = {};
    raw.struct_size = sizeof(raw);
    raw.max_batch = options.maxBatch;
    raw.max_sequence = options.maxSequence;
    raw.max_rows = options.maxRows;
    llmopt_session *session = nullptr;
    if (const llmopt_status status =
            llmopt_session_create(handle.get(), &raw, &session))
      return Error::last(status);
    return Session(session, info().vocabulary);
  }

  /// See llmopt_verify_weights.
  Status verifyWeights() {
    return detail::toStatus(llmopt_verify_weights(handle.get()));
  }

  llmopt_model *get() const { return handle.get(); }

private:
  explicit Model(llmopt_model *model) : handle(model) {}

  std::unique_ptr<llmopt_model, detail::Release> handle;
};

} // namespace llmopt

#endif // LLMOPT_RUNTIME_HPP
