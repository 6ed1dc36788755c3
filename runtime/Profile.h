//===- Profile.h - Times of kernels -----------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_PROFILE_H
#define LLMOPT_RUNTIME_PROFILE_H

#include "llmopt/Runtime.h"

#include <span>
#include <vector>

namespace llmopt::runtime {

/// Counters of code with time stamps, for all threads of a session.
class Profile {
public:
  /// For `threads` threads and the kernels of `variant`; nothing is counted
  /// unless the variant has time stamps.
  void create(const llmopt_variant &variant, uint32_t threads);

  /// For llmopt_call; null if nothing is counted.
  llmopt_kernel_counter *data() {
    return counters.empty() ? nullptr : counters.data();
  }

  /// Moves the counts to `times`; see llmopt_take_profile.
  llmopt_status take(std::span<llmopt_kernel_time> times);

private:
  double secondsPerTick() const;

  std::vector<llmopt_kernel_counter> counters;
  // Two readings of both clocks say how long a tick is.
  uint64_t firstTick = 0;
  int64_t firstNanosecond = 0;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_PROFILE_H
