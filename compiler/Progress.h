//===- Progress.h - What the compiler is doing ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_PROGRESS_H
#define LLMOPT_COMPILER_PROGRESS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace llmopt {

/// Reports the stages of a compilation: on a terminal as one line that changes,
/// otherwise as lines `[STAGE] DONE/TOTAL DETAIL`. Messages come between. May
/// be used from several threads.
class Progress {
public:
  using Clock = std::chrono::steady_clock;

  /// `terminal`: whether `os` is one.
  Progress(llvm::raw_ostream &os, bool terminal);

  /// Number of stages to come, for the display.
  void expect(unsigned count) { stages = count; }

  /// Begins a stage of `total` parts.
  void begin(llvm::StringRef stage, unsigned total = 1);
  /// One more part of the stage is done, named by `detail`.
  void advance(llvm::StringRef detail);
  /// Ends the stage and notes its time.
  void end();

  /// Prints "KIND: TEXT", or "TEXT" if `kind` is empty, on a line of its own.
  void message(llvm::StringRef kind, llvm::StringRef text);

  /// The stages that ended, with their seconds, in order.
  const std::vector<std::pair<std::string, double>> &times() const {
    return seconds;
  }
  /// Seconds since the object was made.
  double total() const;

private:
  void show(llvm::StringRef detail);
  void clear();

  llvm::raw_ostream &os;
  const bool terminal;
  std::mutex mutex;
  std::string stage;
  unsigned stages = 0, index = 0, done = 0, parts = 0;
  bool lineShown = false;
  Clock::time_point start, stageStart, lastShown;
  std::vector<std::pair<std::string, double>> seconds;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_PROGRESS_H
