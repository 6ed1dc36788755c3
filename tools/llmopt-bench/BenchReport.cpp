//===- BenchReport.cpp - Results of llmopt-bench ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-bench/BenchReport.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <sys/resource.h>

using llvm::format;
using llvm::outs;
namespace json = llvm::json;

namespace llmopt::tools {

static uint64_t peakBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static void printMachine(const std::vector<MachineFigures> &machine) {
  outs()
      << "machine   read GB/s   f32 Gop/s  int8 Gop/s  bf16 Gop/s  fork+join "
         "us\n";
  for (const MachineFigures &figures : machine)
    outs() << format("%u thread%s %10.1f %11.1f %11.1f %11.1f %13.2f\n",
                     figures.threads, figures.threads == 1 ? " " : "s",
                     figures.readBytes / 1e9, figures.f32 / 1e9,
                     figures.int8 / 1e9, figures.bf16 / 1e9,
                     figures.forkJoin * 1e6);
}

static void printKernels(const Measurement &test) {
  double total = 0;
  for (const KernelLine &line : test.kernels)
    total += line.seconds;
  outs() << format("%s, per %s:\n", test.test.c_str(),
                   test.test.front() == 'p' ? "prompt" : "token")
         << "   calls         us   share    GB/s  of limit  kernel\n";
  for (const KernelLine &line : test.kernels) {
    outs() << format("%8.1f %10.2f %6.1f%% ", line.calls, line.seconds * 1e6,
                     100 * line.seconds / total);
    if (line.bytes > 0)
      outs() << format("%7.1f", line.bytes / line.seconds / 1e9);
    else
      outs() << "       ";
    if (line.limit > 0)
      outs() << format("  %7.1f%%", 100 * line.limit / line.seconds);
    else
      outs() << "          ";
    outs() << "  " << line.label << '\n';
  }
}

void printText(const BenchReport &report) {
  if (!report.machine.empty())
    printMachine(report.machine);
  if (!report.info)
    return;
  const llmopt_model_info &info = *report.info;
  outs() << format(
      "%s: %.1f MiB of weights, %.1f M parameters, %s, %u threads\n", info.name,
      info.weights_bytes / 1048576.0, info.parameters / 1e6,
      info.variant_reason, info.threads);
  outs() << "test              median        min        max  " << report.unit
         << '\n';
  for (const Measurement &test : report.tests) {
    outs() << format("%-13s %10.3f %10.3f %10.3f", test.test.c_str(),
                     medianOf(test.rates), test.rates.front(),
                     test.rates.back());
    if (test.share)
      outs() << format("  %.1f %% of the machine", *test.share * 100);
    outs() << '\n';
  }
  for (const Measurement &test : report.tests)
    if (!test.kernels.empty())
      printKernels(test);
  outs() << format("peak memory %.1f MiB\n", peakBytes() / 1048576.0);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static json::Object toJSON(const MachineFigures &figures) {
  return json::Object{{"threads", figures.threads},
                      {"read_bytes_per_s", figures.readBytes},
                      {"f32_operations_per_s", figures.f32},
                      {"int8_operations_per_s", figures.int8},
                      {"bf16_operations_per_s", figures.bf16},
                      {"fork_join_s", figures.forkJoin}};
}

static json::Object toJSON(const KernelLine &line) {
  json::Object object{{"kernel", line.label},
                      {"calls", line.calls},
                      {"seconds", line.seconds},
                      {"bytes", line.bytes}};
  if (line.limit > 0)
    object["limit_seconds"] = line.limit;
  return object;
}

static json::Object toJSON(const Measurement &test, llvm::StringRef rates) {
  json::Object object{{"test", test.test},
                      {"median", medianOf(test.rates)},
                      {"min", test.rates.front()},
                      {"max", test.rates.back()},
                      {rates, json::Array(test.rates)}};
  if (test.share)
    object["share_of_machine"] = *test.share;
  if (!test.kernels.empty()) {
    json::Array kernels;
    for (const KernelLine &line : test.kernels)
      kernels.push_back(toJSON(line));
    object["kernels"] = std::move(kernels);
  }
  return object;
}

void printJSON(const BenchReport &report) {
  json::Object object;
  if (!report.machine.empty()) {
    json::Array machine;
    for (const MachineFigures &figures : report.machine)
      machine.push_back(toJSON(figures));
    object["machine"] = std::move(machine);
  }
  if (const llmopt_model_info *info = report.info) {
    const llvm::StringRef rates =
        report.unit == "tokens/s" ? "tokens_per_s" : report.unit;
    json::Array tests;
    for (const Measurement &test : report.tests)
      tests.push_back(toJSON(test, rates));
    object["model"] = info->name;
    object["isa"] = info->isa;
    object["cpu"] = info->cpu;
    object["threads"] = info->threads;
    object["weights_bytes"] = info->weights_bytes;
    object["parameters"] = info->parameters;
    object["tests"] = std::move(tests);
    object["peak_rss_bytes"] = peakBytes();
  }
  outs() << json::Value(std::move(object)) << '\n';
}

} // namespace llmopt::tools
