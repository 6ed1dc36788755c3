//===- Runtime.cpp - The C interface ----------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Checks handles and option structures, then calls the classes that do the
// work.
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/Model.h"
#include "runtime/Session.h"

#include <algorithm>
#include <cstring>
#include <sched.h>

using namespace llmopt::runtime;

// The handles are never defined: they are these classes under another name.
static Model *unwrap(llmopt_model *model) {
  return reinterpret_cast<Model *>(model);
}
static const Model *unwrap(const llmopt_model *model) {
  return reinterpret_cast<const Model *>(model);
}
static Session *unwrap(llmopt_session *session) {
  return reinterpret_cast<Session *>(session);
}
static const Session *unwrap(const llmopt_session *session) {
  return reinterpret_cast<const Session *>(session);
}

namespace {
constexpr uint32_t kMaxThreads = 1024;

/// Holds a session for the duration of a call.
class SessionLock {
public:
  explicit SessionLock(llmopt_session *handle)
      : session(unwrap(handle)), locked(session && session->tryLock()) {}
  SessionLock(const SessionLock &) = delete;
  SessionLock &operator=(const SessionLock &) = delete;
  ~SessionLock() {
    if (locked)
      session->unlock();
  }

  llmopt_status status() const {
    if (locked)
      return LLMOPT_OK;
    return session ? fail(LLMOPT_BUSY,
                          "the session is in use by another thread; make "
                          "one session for each thread")
                   : fail(LLMOPT_INVALID_ARGUMENT, "the session is null");
  }

  Session *operator->() const { return session; }

private:
  Session *session;
  bool locked;
};
} // namespace

/// Reads a structure that starts with its size: null gives the defaults, an
/// older, shorter one has zeros for the rest, a newer one must not use what is
/// unknown here.
template <typename Options>
static llmopt_status readOptions(const Options *given, Options &options) {
  options = {};
  if (!given)
    return LLMOPT_OK;
  const size_t size = given->struct_size;
  if (size < sizeof(size_t) || size > 64 * sizeof(Options))
    return fail(
        LLMOPT_INVALID_ARGUMENT,
        "struct_size of the options is %zu; set it to sizeof the structure",
        size);
  const auto *bytes = reinterpret_cast<const uint8_t *>(given);
  memcpy(&options, bytes, std::min(size, sizeof(Options)));
  const auto isSet = [](uint8_t byte) { return byte != 0; };
  if (size > sizeof(Options) &&
      std::any_of(bytes + sizeof(Options), bytes + size, isSet))
    return fail(
        LLMOPT_INVALID_ARGUMENT,
        "an option is set that this version of the runtime does not have");
  return LLMOPT_OK;
}

static llmopt_status checkOpenOptions(const llmopt_open_options &options) {
  if (options.threads > kMaxThreads)
    return fail(LLMOPT_INVALID_ARGUMENT,
                "threads is %u, at most %u are possible", options.threads,
                kMaxThreads);
  if (options.weights < LLMOPT_WEIGHTS_AUTO ||
      options.weights > LLMOPT_WEIGHTS_COPY)
    return fail(LLMOPT_INVALID_ARGUMENT, "unknown value %d of weights",
                options.weights);
  if (options.affinity_count && !options.affinity)
    return fail(LLMOPT_INVALID_ARGUMENT, "affinity is null, its count is %zu",
                options.affinity_count);
  for (size_t i = 0; i < options.affinity_count; ++i)
    if (options.affinity[i] >= CPU_SETSIZE)
      return fail(LLMOPT_INVALID_ARGUMENT,
                  "affinity names CPU %u, the last possible is "
                  "%d",
                  options.affinity[i], CPU_SETSIZE - 1);
  return LLMOPT_OK;
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

llmopt_status llmopt_open(const char *path, const llmopt_open_options *given,
                          llmopt_model **model) {
  if (!model)
    return fail(LLMOPT_INVALID_ARGUMENT, "the place for the model is null");
  *model = nullptr;
  if (!path)
    return fail(LLMOPT_INVALID_ARGUMENT, "the path of the model is null");
  llmopt_open_options options;
  if (const llmopt_status status = readOptions(given, options))
    return status;
  if (const llmopt_status status = checkOpenOptions(options))
    return status;
  std::unique_ptr<Model> opened;
  const llmopt_status status = Model::open(path, options, opened);
  *model = reinterpret_cast<llmopt_model *>(opened.release());
  return status;
}

void llmopt_close(llmopt_model *model) {
  if (model)
    unwrap(model)->release();
}

const llmopt_model_info *llmopt_info(const llmopt_model *model) {
  return model ? &unwrap(model)->info() : nullptr;
}

llmopt_status llmopt_verify_weights(llmopt_model *model) {
  return model ? unwrap(model)->verifyWeights()
               : fail(LLMOPT_INVALID_ARGUMENT, "the model is null");
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

llmopt_status llmopt_session_create(llmopt_model *model,
                                    const llmopt_session_options *given,
                                    llmopt_session **session) {
  if (!session)
    return fail(LLMOPT_INVALID_ARGUMENT, "the place for the session is null");
  *session = nullptr;
  if (!model)
    return fail(LLMOPT_INVALID_ARGUMENT, "the model is null");
  llmopt_session_options options;
  if (const llmopt_status status = readOptions(given, options))
    return status;
  std::unique_ptr<Session> created;
  const llmopt_status status =
      Session::create(*unwrap(model), options, created);
  *session = reinterpret_cast<llmopt_session *>(created.release());
  return status;
}

void llmopt_session_destroy(llmopt_session *session) { delete unwrap(session); }

llmopt_status llmopt_step(llmopt_session *session, llmopt_piece *pieces,
                          size_t count) {
  const SessionLock lock(session);
  if (const llmopt_status status = lock.status())
    return status;
  if (!pieces || count == 0)
    return fail(LLMOPT_INVALID_ARGUMENT, "the step has no pieces");
  return lock->step(std::span(pieces, count));
}

size_t llmopt_length(const llmopt_session *session, uint32_t sequence) {
  return session ? unwrap(session)->length(sequence) : 0;
}

llmopt_status llmopt_truncate(llmopt_session *session, uint32_t sequence,
                              size_t position) {
  const SessionLock lock(session);
  if (const llmopt_status status = lock.status())
    return status;
  return lock->truncate(sequence, position);
}

llmopt_status llmopt_copy(llmopt_session *session, uint32_t from, uint32_t to) {
  const SessionLock lock(session);
  if (const llmopt_status status = lock.status())
    return status;
  return lock->copy(from, to);
}

llmopt_status llmopt_take_profile(llmopt_session *session,
                                  llmopt_kernel_time *times, size_t count) {
  const SessionLock lock(session);
  if (const llmopt_status status = lock.status())
    return status;
  if (!times)
    return fail(LLMOPT_INVALID_ARGUMENT, "the place for the times is null");
  return lock->takeProfile(std::span(times, count));
}

llmopt_status llmopt_run(llmopt_session *session, const llmopt_tensor *inputs,
                         size_t inputCount, llmopt_tensor *outputs,
                         size_t outputCount) {
  const SessionLock lock(session);
  if (const llmopt_status status = lock.status())
    return status;
  if ((!inputs && inputCount) || (!outputs && outputCount))
    return fail(LLMOPT_INVALID_ARGUMENT, "the tensors are null");
  return lock->run(std::span(inputs, inputCount),
                   std::span(outputs, outputCount));
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

const char *llmopt_last_error(void) { return lastError(); }

const char *llmopt_status_name(llmopt_status status) {
  static constexpr const char *kNames[] = {
      "LLMOPT_OK",
      "LLMOPT_INVALID_ARGUMENT",
      "LLMOPT_CANNOT_READ",
      "LLMOPT_NOT_A_MODEL",
      "LLMOPT_DAMAGED_FOOTER",
      "LLMOPT_ABI_MISMATCH",
      "LLMOPT_TRUNCATED",
      "LLMOPT_DAMAGED_CODE",
      "LLMOPT_BAD_ELF",
      "LLMOPT_LOAD_FAILED",
      "LLMOPT_BAD_DESCRIPTOR",
      "LLMOPT_BUILD_ID_MISMATCH",
      "LLMOPT_UNSUPPORTED_CPU",
      "LLMOPT_UNKNOWN_VARIANT",
      "LLMOPT_DAMAGED_WEIGHTS",
      "LLMOPT_OUT_OF_RESOURCES",
      "LLMOPT_OUT_OF_RANGE",
      "LLMOPT_CONTEXT_FULL",
      "LLMOPT_BAD_TENSOR",
      "LLMOPT_BUFFER_TOO_SMALL",
      "LLMOPT_BUSY",
      "LLMOPT_EXECUTION_FAILED",
  };
  const auto index = static_cast<size_t>(status);
  return index < std::size(kNames) ? kNames[index] : "unknown status";
}
