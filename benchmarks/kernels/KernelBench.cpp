//===- KernelBench.cpp - Micro-benchmark of the kernels ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times the linear and attention kernels of Kernels.inc against what the
// machine can do: decoding against the read bandwidth measured in the same
// minutes by a kernel that only reads, prefill against the rate of its own
// multiply instruction.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/AttentionBench.h"
#include "benchmarks/kernels/LinearBench.h"
#include "compiler/FlagParser.h"

using namespace llmopt;

namespace {

/// More than any cache holds.
constexpr int64_t kPoolBytes = 288 << 20;

/// Parses the command line. Returns the exit code if the program is to end.
std::optional<int> parseOptions(int argc, char **argv, BenchOptions &options) {
  FlagParser parser("llmopt-kernel-bench", "[flags]",
                    "Times the generated kernels.");
  parser.beginGroup("Kernels");
  parser.addText("filter", "TEXT", options.filter,
                 "only kernels whose name contains this");
  parser.addText("mcpu", "CPU", options.cpu, "CPU to compile for");
  parser.beginGroup("Measurements");
  parser.addNumber("threads", 1, 8, options.maxThreads, "most threads to use");
  parser.addNumber("rows", 1, 512, options.rows,
                   "activation rows of kernels that are not for one row");
  parser.addPositive("seconds", options.seconds, "time for one figure");
  parser.addFraction("zeros", options.zeros, "fraction of zeros for bitmasks");
  FlagParser::Result flags = parser.parse({argv + 1, argv + argc});
  for (const std::string &error : flags.errors)
    llvm::errs() << "error: " << error << "\n";
  for (const std::string &argument : flags.positional)
    llvm::errs() << "error: unexpected argument '" << argument << "'\n";
  if (!flags.errors.empty() || !flags.positional.empty())
    return 2;
  if (parser.answer(flags, llvm::outs()))
    return 0;
  return std::nullopt;
}

} // namespace

int main(int argc, char **argv) {
  BenchOptions options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  std::string error;
  std::optional<CpuTarget> target = resolveCpu(options.cpu, error);
  if (!target) {
    llvm::errs() << "error: " << error << "\n";
    return 2;
  }
  auto library = KernelLibrary::build(*target);
  auto yardsticks = KernelLibrary::build(*target, [&](mlir::ModuleOp module) {
    addYardsticks(module, target->isa);
  });
  if (!library || !yardsticks)
    return 1;
  llvm::outs() << "CPU " << target->name << ", kernels "
               << stringify(target->isa)
               << "; again: the same weight each time; memory: another copy "
                  "each time;\nper cent of the time to read the bytes, or of "
                  "the rate of the multiply instruction\n";
  HugeBuffer pool(kPoolBytes);
  for (const LinearKernelKey &key : linearKernels(target->isa))
    if (llvm::StringRef(kernelName(key)).contains(options.filter))
      benchLinear(*library, *yardsticks, key, pool, options);
  for (const AttentionKernelKey &key : attentionKernels(target->isa))
    if (key.kernel == AttentionKernel::Attention &&
        llvm::StringRef(kernelName(key)).contains(options.filter))
      benchAttention(*library, key, options.maxThreads, options.seconds);
  return 0;
}
