//===- CostModel.cpp - Predicted time of linear kernels ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/CostModel.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"
#include <algorithm>

using namespace llvm;

namespace llmopt {

namespace {

/// Measured on 2 cores of a Zen 4 server part; docs/Kernels.md has the figures.
constexpr MachineModel kZnver4 = {
    "znver4", 3.65e9, {110e9, 85e9, 22e9}, 1 << 20, 32 << 20};
/// A mid-range core with its share of the memory of a desktop or server part.
constexpr MachineModel kGeneric = {
    "generic", 3.0e9, {60e9, 30e9, 10e9}, 512 << 10, 16 << 20};

/// What a sparse layout must gain: predictions err.
constexpr double kLeastGain = 1.05;

double totalSeconds(const LayoutCandidate &candidate, int64_t rows,
                    int64_t columns, int64_t modelBytes,
                    ArrayRef<CpuTarget> targets) {
  double seconds = 0;
  for (const CpuTarget &target : targets) {
    const MachineModel &machine = machineModel(target.llvmCpu);
    seconds +=
        linearSeconds(candidate.layout, rows, columns, candidate.bytes,
                      target.isa, machine, machine.residencyOf(modelBytes));
  }
  return seconds;
}

/// What a layout is called in a reason.
StringRef nameOf(PackedLayout layout) {
  switch (layout) {
  case PackedLayout::Int8Bitmask:
    return "with a bitmask";
  case PackedLayout::Int8TwoOfFour:
    return "as 2:4";
  case PackedLayout::Int8Gather:
    return "gathered";
  default:
    return "dense";
  }
}

} // namespace

StringRef stringify(Residency residency) {
  switch (residency) {
  case Residency::SecondCache:
    return "l2";
  case Residency::LastCache:
    return "l3";
  case Residency::Memory:
    return "memory";
  }
  llvm_unreachable("unknown residency");
}

Residency MachineModel::residencyOf(int64_t bytes) const {
  // A part of a cache is taken by activations, the cache of keys and values,
  // and others.
  constexpr double usable = 0.75;
  if (bytes <= usable * secondCacheBytes)
    return Residency::SecondCache;
  return bytes <= usable * lastCacheBytes ? Residency::LastCache
                                          : Residency::Memory;
}

const MachineModel &machineModel(StringRef llvmCpu) {
  return llvmCpu == kZnver4.name ? kZnver4 : kGeneric;
}

/// Cycles that a decode kernel spends on 64 weights.
static double cyclesPer64Weights(const PackedFormat &format, Isa isa) {
  bool wide = isa == Isa::Avx512Vnni;
  switch (format.layout) {
  case PackedLayout::F32:
    return wide ? 8.2 : 9.0;
  case PackedLayout::BF16:
    // Two products and two instructions that make floats of a vector.
    return wide ? 4.6 : 9.0;
  case PackedLayout::Int8:
    return wide ? 1.9 : 8.0;
  case PackedLayout::Int8Bitmask:
    // The floor of mask move, expand and product; AVX2 expands byte by byte.
    return wide ? 3.45 : 100.0;
  case PackedLayout::Int8TwoOfFour:
    return wide ? 1.75 : 20.0;
  case PackedLayout::Int8Gather:
    llvm_unreachable("its steps count");
  case PackedLayout::Int8Groups:
  case PackedLayout::Int4Groups:
    // A group ends with three more instructions.
    return (wide ? 2.0 : 8.0) + (wide ? 48.0 : 96.0) / format.group;
  }
  llvm_unreachable("unknown layout");
}

double linearCycles(const PackedFormat &format, int64_t rows, int64_t columns,
                    int64_t bytes, Isa isa) {
  if (format.layout == PackedLayout::Int8Gather) {
    double steps = static_cast<double>(bytes) / kGatherStepBytes;
    return steps * (isa == Isa::Avx512Vnni ? 4.0 : 200.0);
  }
  double weights = static_cast<double>(rows) * columns;
  return weights / 64 * cyclesPer64Weights(format, isa);
}

double linearSeconds(const PackedFormat &format, int64_t rows, int64_t columns,
                     int64_t bytes, Isa isa, const MachineModel &machine,
                     Residency residency) {
  double read = bytes / machine.bandwidth[static_cast<int>(residency)];
  return std::max(read, linearCycles(format, rows, columns, bytes, isa) /
                            machine.hertz);
}

int64_t estimatedBytes(PackedLayout layout, int64_t rows, int64_t columns,
                       double zeroFraction) {
  if (layout != PackedLayout::Int8Bitmask)
    return densePackedBytes(layout, rows, columns);
  double padded = paddedColumns(layout, columns);
  double panel =
      kPanelRows * (sizeof(float) + padded / 8 + (1 - zeroFraction) * columns);
  return static_cast<int64_t>(panelCount(rows) * (panel + sizeof(uint64_t)));
}

LayoutChoice chooseLayout(ArrayRef<LayoutCandidate> candidates, int64_t rows,
                          int64_t columns, int64_t modelBytes,
                          ArrayRef<CpuTarget> targets) {
  auto secondsOf = [&](const LayoutCandidate &candidate) {
    return totalSeconds(candidate, rows, columns, modelBytes, targets);
  };
  double dense = secondsOf(candidates.front()), least = dense / kLeastGain;
  PackedLayout best = candidates.front().layout;
  std::string reason = "predicted";
  for (const LayoutCandidate &candidate : candidates) {
    double seconds = secondsOf(candidate);
    reason +=
        formatv(" {0:F1} us {1},", seconds * 1e6, nameOf(candidate.layout));
    if (candidate.layout == candidates.front().layout || seconds >= least)
      continue;
    least = seconds;
    best = candidate.layout;
  }
  const MachineModel &machine = machineModel(targets.front().llvmCpu);
  reason +=
      formatv(" weights from {0}", stringify(machine.residencyOf(modelBytes)));
  return {best, reason};
}

} // namespace llmopt
