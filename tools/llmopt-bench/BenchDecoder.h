//===- BenchDecoder.h - Prefill and decode speed ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_BENCH_BENCHDECODER_H
#define LLMOPT_TOOLS_LLMOPT_BENCH_BENCHDECODER_H

#include "llmopt/Runtime.hpp"
#include "tools/llmopt-bench/Machine.h"

#include <optional>
#include <random>
#include <string>

namespace llmopt::tools {

/// The kernels of one class during a test: per token where single tokens were
/// fed, else per prompt.
struct KernelLine {
  std::string label;
  double calls = 0;
  double seconds = 0; ///< mean of the threads
  double bytes = 0;   ///< of weights and cache
  double limit = 0;   ///< seconds that the machine needs at least; 0: unknown
};

/// One line of the result.
struct Measurement {
  std::string test; ///< "pp128" or "tg64@d512", "run" of a graph
  /// Tokens/s (of a graph: ms) of all repetitions, ascending.
  std::vector<double> rates;
  /// Share of what the machine's memory (tg) or multipliers (pp) allow; median
  /// of the repetitions.
  std::optional<double> share;
  std::vector<KernelLine> kernels; ///< longest first
};

double medianOf(const std::vector<double> &ascending);

/// Feeds random tokens to one sequence of a session.
class DecoderBench {
public:
  /// `machine` may be null: shares remain unknown. With `profile` the library
  /// has time stamps.
  DecoderBench(Session &session, const llmopt_model_info &info,
               Machine *machine, bool profile);

  /// Makes a sequence of `count` tokens, after which all measurements start.
  Status fill(unsigned count);

  /// A prompt of `count` tokens, or `count` single tokens.
  Result<Measurement> measure(bool prompt, unsigned count,
                              unsigned repetitions);

  /// The machine with the model's number of threads, as it was at the start.
  const std::optional<MachineFigures> &figures() const { return limits; }

private:
  struct Test {
    bool prompt;
    unsigned count;
  };

  std::vector<int32_t> drawTokens(unsigned count);
  Result<double> time(Test test);
  double boundOf(const llmopt_kernel_class &kernel, Test test,
                 double readBytes) const;
  double bytesOf(const llmopt_kernel_class &kernel, Test test) const;
  double leastSeconds(Test test, double readBytes) const;
  bool belongsTo(const llmopt_kernel_class &kernel, Test test) const;
  Status clearProfile();
  Result<std::vector<KernelLine>> takeProfile(Test test, unsigned repetitions,
                                              double readBytes);

  Session &session;
  const llmopt_model_info &info;
  Machine *machine;
  bool profile;
  std::optional<MachineFigures> limits;
  unsigned depth = 0;
  std::mt19937 random;
};

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_BENCH_BENCHDECODER_H
