//===- BenchDecoder.cpp - Prefill and decode speed --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-bench/BenchDecoder.h"

#include <algorithm>
#include <chrono>
#include <span>

namespace llmopt::tools {

double medianOf(const std::vector<double> &ascending) {
  const size_t half = ascending.size() / 2;
  return ascending.size() % 2 ? ascending[half]
                              : (ascending[half - 1] + ascending[half]) / 2;
}

static std::span<const llmopt_kernel_class>
kernelsOf(const llmopt_model_info &info) {
  return {info.variant->kernels, info.variant->kernel_count};
}

DecoderBench::DecoderBench(Session &session, const llmopt_model_info &info,
                           Machine *machine, bool profile)
    : session(session), info(info), machine(machine), profile(profile) {
  if (machine)
    limits = machine->measure(info.threads);
}

std::vector<int32_t> DecoderBench::drawTokens(unsigned count) {
  std::vector<int32_t> tokens(count);
  for (int32_t &token : tokens)
    token = static_cast<int32_t>(random() % info.vocabulary);
  return tokens;
}

Status DecoderBench::fill(unsigned count) {
  depth = count;
  if (Status status = session.truncate(0, 0); !status || count == 0)
    return status;
  auto logits = session.step(0, drawTokens(count));
  if (!logits)
    return logits.error();
  return std::monostate{};
}

/// Seconds of one repetition.
Result<double> DecoderBench::time(Test test) {
  const std::vector<int32_t> tokens = drawTokens(test.count);
  if (Status status = session.truncate(0, depth); !status)
    return status.error();
  const auto start = std::chrono::steady_clock::now();
  const size_t stride = test.prompt ? test.count : 1;
  for (size_t first = 0; first < test.count; first += stride) {
    auto logits = session.step(0, std::span(tokens).subspan(first, stride));
    if (!logits)
      return logits.error();
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

Result<Measurement> DecoderBench::measure(bool prompt, unsigned count,
                                          unsigned repetitions) {
  const Test test = {prompt, count};
  Measurement result;
  result.test = (prompt ? "pp" : "tg") + std::to_string(count);
  if (depth != 0)
    result.test += "@d" + std::to_string(depth);
  std::vector<double> shares, reads;
  // The first one warms up: pages, caches, clock rate.
  for (unsigned i = 0; i <= repetitions; ++i) {
    if (machine)
      reads.push_back(machine->measureRead(info.threads));
    Result<double> seconds = time(test);
    if (!seconds)
      return seconds.error();
    if (i == 0) {
      if (Status status = clearProfile(); !status)
        return status.error();
      continue;
    }
    result.rates.push_back(count / *seconds);
    if (machine)
      shares.push_back(leastSeconds(test, reads.back()) / *seconds);
  }
  std::sort(result.rates.begin(), result.rates.end());
  std::sort(shares.begin(), shares.end());
  std::sort(reads.begin(), reads.end());
  if (machine)
    result.share = medianOf(shares);
  if (!profile)
    return result;
  auto kernels =
      takeProfile(test, repetitions, machine ? medianOf(reads) : 0.0);
  if (!kernels)
    return kernels.error();
  result.kernels = std::move(*kernels);
  return result;
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

bool DecoderBench::belongsTo(const llmopt_kernel_class &kernel,
                             Test test) const {
  const bool isOneRow = !test.prompt || test.count == 1;
  return bool(kernel.flags & LLMOPT_KERNEL_ONE_ROW) == isOneRow;
}

/// Bytes of one execution: a token, or a prompt of one chunk.
double DecoderBench::bytesOf(const llmopt_kernel_class &kernel,
                             Test test) const {
  const double keys =
      test.prompt ? depth + test.count : depth + (test.count + 1) / 2.0;
  return static_cast<double>(kernel.weight_bytes) +
         static_cast<double>(kernel.key_cache_bytes) * keys;
}

/// Seconds that one execution of a kernel takes at least.
double DecoderBench::boundOf(const llmopt_kernel_class &kernel, Test test,
                             double readBytes) const {
  const bool isLast = kernel.flags & LLMOPT_KERNEL_LOGITS;
  const double rows = test.prompt && !isLast ? test.count : 1;
  double peak = limits->f32;
  if (kernel.flags & LLMOPT_KERNEL_INT8 && limits->int8 > 0)
    peak = limits->int8;
  if (kernel.flags & LLMOPT_KERNEL_BF16 && limits->bf16 > 0)
    peak = limits->bf16;
  const double products =
      peak > 0 ? rows * static_cast<double>(kernel.row_operations) / peak : 0;
  return std::max(products, bytesOf(kernel, test) / readBytes);
}

/// Seconds of one repetition on a machine that does nothing but read weights
/// and cache, or nothing but multiply.
double DecoderBench::leastSeconds(Test test, double readBytes) const {
  double seconds = 0;
  for (const llmopt_kernel_class &kernel : kernelsOf(info))
    if (belongsTo(kernel, test))
      seconds += boundOf(kernel, test, readBytes);
  return test.prompt ? seconds : seconds * test.count;
}

//===----------------------------------------------------------------------===//
// Profile
//===----------------------------------------------------------------------===//

Status DecoderBench::clearProfile() {
  if (!profile)
    return std::monostate{};
  std::vector<llmopt_kernel_time> times(size_t{info.threads} *
                                        info.variant->kernel_count);
  return session.takeProfile(times);
}

Result<std::vector<KernelLine>>
DecoderBench::takeProfile(Test test, unsigned repetitions, double readBytes) {
  const std::span<const llmopt_kernel_class> kernels = kernelsOf(info);
  std::vector<llmopt_kernel_time> times(info.threads * kernels.size());
  if (Status status = session.takeProfile(times); !status)
    return status.error();
  const double units = double(repetitions) * (test.prompt ? 1 : test.count);
  std::vector<KernelLine> lines;
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (times[i].calls == 0)
      continue;
    KernelLine line;
    line.label = kernels[i].label;
    line.calls = static_cast<double>(times[i].calls) / units;
    for (size_t j = i; j < times.size(); j += kernels.size())
      line.seconds += times[j].seconds / (units * info.threads);
    // Long prompts are executed in chunks, each of which reads the weights.
    const double executions = line.calls / kernels[i].calls;
    line.bytes = bytesOf(kernels[i], test) * executions;
    if (machine)
      line.limit = std::max(boundOf(kernels[i], test, readBytes),
                            line.bytes / readBytes);
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end(),
            [](const KernelLine &a, const KernelLine &b) {
              return a.seconds > b.seconds;
            });
  return lines;
}

} // namespace llmopt::tools
