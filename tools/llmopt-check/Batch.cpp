//===- Batch.cpp - Checks many models, each in a process --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Batch.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <csignal>
#include <map>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llmopt;
using namespace llmopt::check;

llvm::StringRef llmopt::check::nameOf(BatchResult::Verdict verdict) {
  switch (verdict) {
  case BatchResult::Pass:
    return "PASS";
  case BatchResult::Fail:
    return "FAIL";
  case BatchResult::Refused:
    return "REFUSED";
  case BatchResult::NoData:
    return "NODATA";
  case BatchResult::Crash:
    return "CRASH";
  case BatchResult::Timeout:
    return "TIMEOUT";
  }
  llvm_unreachable("a verdict is one of these");
}

namespace {

/// A process that checks one model.
struct Child {
  size_t index;     ///< of the model
  Outcome *outcome; ///< in shared memory
  int output;       ///< file of its standard output and error
  std::string folder;
};

class Batch {
public:
  Batch(llvm::ArrayRef<ModelCase> models, const CompileOptions &options,
        llvm::ArrayRef<CpuTarget> targets, const BatchOptions &batch,
        llvm::StringRef folder)
      : models(models), options(options), targets(targets), batch(batch),
        folder(folder) {}

  std::vector<BatchResult> run();

private:
  bool start(size_t index);
  [[noreturn]] void work(const Child &child);
  bool finishOne();
  BatchResult judge(const Child &child, int status);
  void print(size_t index, const BatchResult &result);

  llvm::ArrayRef<ModelCase> models;
  const CompileOptions &options;
  llvm::ArrayRef<CpuTarget> targets;
  const BatchOptions &batch;
  llvm::StringRef folder;
  std::map<pid_t, Child> children;
  std::map<size_t, BatchResult> results;
};

} // namespace

//===----------------------------------------------------------------------===//
// Processes
//===----------------------------------------------------------------------===//

std::vector<BatchResult> Batch::run() {
  bool isOpen = true;
  for (size_t next = 0;
       (isOpen && next < models.size()) || !children.empty();) {
    if (isOpen && next < models.size() && children.size() < batch.jobs)
      isOpen = start(next++);
    else
      isOpen &= finishOne() || batch.keepGoing;
  }
  std::vector<BatchResult> ordered;
  for (auto &[index, result] : results)
    ordered.push_back(std::move(result));
  return ordered;
}

/// False if the system has no more processes or memory.
bool Batch::start(size_t index) {
  Child child{index, nullptr, -1, (folder + "/" + llvm::Twine(index)).str()};
  void *shared = mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  child.output = memfd_create("llmopt-check", MFD_CLOEXEC);
  if (shared == MAP_FAILED || child.output < 0 ||
      llvm::sys::fs::create_directory(child.folder)) {
    llvm::errs() << "error: cannot start a process for '" << models[index].name
                 << "'\n";
    return false;
  }
  child.outcome = new (shared) Outcome;
  llvm::outs().flush();
  pid_t process = fork();
  if (process == 0)
    work(child);
  if (process < 0) {
    llvm::errs() << "error: cannot start a process for '" << models[index].name
                 << "'\n";
    return false;
  }
  children.emplace(process, std::move(child));
  return true;
}

/// What the child does. The guard of its parent has no thread here; it gets one
/// of its own.
void Batch::work(const Child &child) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(batch.timeout);
  dup2(child.output, STDOUT_FILENO);
  dup2(child.output, STDERR_FILENO);
  llvm::remove_fatal_error_handler();
  llvm::remove_bad_alloc_error_handler();
  ProcessGuard guard;
  checkModel(models[child.index], options, targets, child.folder, guard,
             llvm::errs(), llvm::nulls(), *child.outcome);
  _exit(0);
}

/// Waits for a child. False if its model does not pass.
bool Batch::finishOne() {
  int status = 0;
  pid_t process = waitpid(-1, &status, 0);
  auto found = children.find(process);
  if (found == children.end())
    return true;
  Child child = std::move(found->second);
  children.erase(found);
  BatchResult result = judge(child, status);
  munmap(child.outcome, sizeof(Outcome));
  close(child.output);
  removeTree(child.folder.c_str());
  print(child.index, result);
  bool pass = result.verdict == BatchResult::Pass;
  results.emplace(child.index, std::move(result));
  return pass;
}

/// The line of a crashed child's output that says most: that of a failed
/// assertion, or else the last.
static std::string crashLine(int file) {
  std::string text(16384, 0);
  ssize_t size = pread(file, text.data(), text.size(), 0);
  text.resize(std::max<ssize_t>(size, 0));
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : lines)
    if (line.contains("Assertion `") || line.contains("LLVM ERROR") ||
        line.contains("UNREACHABLE") || line.contains("Sanitizer"))
      return line.str();
  return lines.empty() ? "" : lines.back().str();
}

BatchResult Batch::judge(const Child &child, int status) {
  BatchResult result{BatchResult::Pass, *child.outcome};
  switch (result.outcome.status) {
  case Outcome::Pass:
    result.verdict = BatchResult::Pass;
    return result;
  case Outcome::Fail:
    result.verdict = BatchResult::Fail;
    return result;
  case Outcome::Refused:
    result.verdict = BatchResult::Refused;
    return result;
  case Outcome::NoData:
    result.verdict = BatchResult::NoData;
    return result;
  case Outcome::Started:
    break;
  }
  bool isTimeout = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  result.verdict = isTimeout ? BatchResult::Timeout : BatchResult::Crash;
  std::string reason = result.outcome.stage == Outcome::Compiling
                           ? "while compiling: "
                           : "while running: ";
  if (isTimeout)
    reason += "not done after " + std::to_string(batch.timeout) + " s";
  else if (WIFSIGNALED(status))
    reason += strsignal(WTERMSIG(status));
  std::string line = crashLine(child.output);
  if (!isTimeout && !line.empty())
    reason += (WIFSIGNALED(status) ? ": " : "") + line;
  result.outcome.setReason(reason);
  return result;
}

void Batch::print(size_t index, const BatchResult &result) {
  const Outcome &outcome = result.outcome;
  bool pass = result.verdict == BatchResult::Pass;
  if (pass && batch.brief)
    return;
  llvm::outs() << llvm::left_justify(nameOf(result.verdict), 8)
               << models[index].name;
  if (outcome.compileSeconds > 0)
    llvm::outs() << llvm::format(" compile %.3f s", outcome.compileSeconds);
  if (outcome.runSeconds > 0)
    llvm::outs() << llvm::format(" run %.3f s", outcome.runSeconds);
  if (pass && !models[index].compileOnly)
    llvm::outs() << llvm::format(" error %.2g", outcome.worst);
  if (!pass)
    llvm::outs() << ": " << outcome.reason;
  llvm::outs() << "\n";
  llvm::outs().flush();
}

//===----------------------------------------------------------------------===//
// Summary
//===----------------------------------------------------------------------===//

static void printSummary(llvm::ArrayRef<ModelCase> models,
                         llvm::ArrayRef<BatchResult> results) {
  std::map<BatchResult::Verdict, size_t> counts;
  std::vector<double> seconds;
  double compile = 0, run = 0;
  for (const BatchResult &result : results) {
    ++counts[result.verdict];
    compile += result.outcome.compileSeconds;
    run += result.outcome.runSeconds;
    if (result.outcome.compileSeconds > 0)
      seconds.push_back(result.outcome.compileSeconds);
  }
  llvm::sort(seconds);
  llvm::outs() << counts[BatchResult::Pass] << " of " << models.size()
               << " pass";
  for (auto [verdict, count] : counts)
    if (verdict != BatchResult::Pass)
      llvm::outs() << ", " << count << " " << nameOf(verdict);
  if (results.size() < models.size())
    llvm::outs() << ", " << models.size() - results.size() << " not run";
  llvm::outs() << llvm::format(
      "; compile time: median %.3f s, total %.1f s; run time: total %.1f s\n",
      seconds.empty() ? 0.0 : seconds[seconds.size() / 2], compile, run);
}

std::vector<BatchResult>
llmopt::check::checkBatch(llvm::ArrayRef<ModelCase> models,
                          const CompileOptions &options,
                          llvm::ArrayRef<CpuTarget> targets,
                          const BatchOptions &batch, llvm::StringRef folder) {
  std::vector<BatchResult> results =
      Batch(models, options, targets, batch, folder).run();
  printSummary(models, results);
  return results;
}

void llmopt::check::writeJson(llvm::ArrayRef<ModelCase> models,
                              llvm::ArrayRef<BatchResult> results,
                              llvm::raw_ostream &os) {
  llvm::json::Array array;
  for (auto [model, result] : llvm::zip(models, results)) {
    const Outcome &outcome = result.outcome;
    // JSON has no infinity.
    llvm::json::Value worst = nullptr;
    if (std::isfinite(outcome.worst))
      worst = outcome.worst;
    array.push_back(llvm::json::Object{
        {"model", model.name},
        {"verdict", nameOf(result.verdict)},
        {"stage",
         outcome.stage == Outcome::Compiling ? "compiling" : "running"},
        {"reason", llvm::json::fixUTF8(outcome.reason)},
        {"output", llvm::json::fixUTF8(outcome.output)},
        {"worst", std::move(worst)},
        {"compile_seconds", outcome.compileSeconds},
        {"run_seconds", outcome.runSeconds}});
  }
  os << llvm::formatv("{0:2}", llvm::json::Value(std::move(array))) << "\n";
}
