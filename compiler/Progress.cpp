//===- Progress.cpp - What the compiler is doing ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Progress.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Format.h"

using namespace llmopt;
using llvm::StringRef;

static double secondsSince(Progress::Clock::time_point start) {
  return std::chrono::duration<double>(Progress::Clock::now() - start).count();
}

Progress::Progress(llvm::raw_ostream &os, bool terminal)
    : os(os), terminal(terminal), start(Clock::now()) {}

double Progress::total() const { return secondsSince(start); }

void Progress::begin(StringRef name, unsigned total) {
  std::lock_guard<std::mutex> lock(mutex);
  stage = name.str();
  ++index;
  done = 0;
  parts = total;
  stageStart = lastShown = Clock::now();
  if (terminal)
    show("");
}

void Progress::advance(StringRef detail) {
  std::lock_guard<std::mutex> lock(mutex);
  if (done < parts)
    ++done;
  // The last part is shown by end, others at most ten times in a second on a
  // terminal and once elsewhere.
  double interval = terminal ? 0.1 : 1.0;
  if (done < parts && secondsSince(lastShown) >= interval)
    show(detail);
}

void Progress::end() {
  std::lock_guard<std::mutex> lock(mutex);
  done = parts;
  seconds.emplace_back(stage, secondsSince(stageStart));
  std::string detail;
  llvm::raw_string_ostream(detail)
      << llvm::format("%.2f s", seconds.back().second);
  show(detail);
}

/// Time that the stage will still take, judged by its parts that are done.
static std::string estimate(double elapsed, unsigned done, unsigned parts) {
  if (done == 0 || done >= parts || elapsed < 2)
    return "";
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format(", %.0f s left", elapsed / done * (parts - done));
  return text;
}

void Progress::show(StringRef detail) {
  lastShown = Clock::now();
  if (!terminal) {
    // One write: a thread that runs out of memory may say so at any moment.
    llvm::SmallString<128> line;
    llvm::raw_svector_ostream text(line);
    text << '[' << stage << "] " << done << '/' << parts;
    if (!detail.empty())
      text << ' ' << detail;
    text << '\n';
    os << line;
    os.flush();
    return;
  }
  clear();
  os << '[' << index << '/' << stages << "] " << stage;
  if (parts > 1)
    os << ' ' << done << '/' << parts << " (" << done * 100 / parts << " %"
       << estimate(secondsSince(stageStart), done, parts) << ')';
  if (!detail.empty())
    os << ' ' << detail.take_front(40);
  os.flush();
  lineShown = true;
}

void Progress::clear() {
  if (lineShown)
    os << "\r\x1b[K";
  lineShown = false;
}

void Progress::message(StringRef kind, StringRef text) {
  std::lock_guard<std::mutex> lock(mutex);
  clear();
  if (!kind.empty())
    os << kind << ": ";
  os << text << '\n';
  os.flush();
}
