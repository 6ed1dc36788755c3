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
constexpr MachineModel kZnver4 = {"znver4", 3.65e9, 30e9};
/// A mid-range core with its share of the memory of a desktop or server part.
constexpr MachineModel kGeneric = {"generic", 3.0e9, 10e9};

double totalSeconds(PackedLayout layout, int64_t rows, int64_t columns,
                    double zeroFraction, ArrayRef<CpuTarget> targets) {
  int64_t bytes = estimatedBytes(layout, rows, columns, zeroFraction);
  double seconds = 0;
  for (const CpuTarget &target : targets)
    seconds += linearSeconds(layout, rows, columns, bytes, target.isa,
                             machineModel(target.llvmCpu));
  return seconds;
}

} // namespace

const MachineModel &machineModel(StringRef llvmCpu) {
  return llvmCpu == kZnver4.name ? kZnver4 : kGeneric;
}

double cyclesPer64Weights(const PackedFormat &format, Isa isa) {
  bool wide = isa == Isa::Avx512Vnni;
  switch (format.layout) {
  case PackedLayout::F32:
    return wide ? 8.2 : 9.0;
  case PackedLayout::BF16:
    // Two products and two instructions that make floats of a vector.
    return wide ? 4.6 : 9.0;
  case PackedLayout::Int8:
    return wide ? 2.05 : 8.0;
  case PackedLayout::Int8Bitmask:
    // The floor of mask move, expand and product; AVX2 expands byte by byte.
    return wide ? 3.4 : 100.0;
  case PackedLayout::Int8TwoOfFour:
    return wide ? 1.4 : 100.0;
  case PackedLayout::Int8Gather:
    return wide ? 3.0 : 100.0;
  case PackedLayout::Int8Groups:
  case PackedLayout::Int4Groups:
    // A group ends with three more instructions.
    return (wide ? 2.0 : 8.0) + (wide ? 48.0 : 96.0) / format.group;
  }
  llvm_unreachable("unknown layout");
}

double linearSeconds(const PackedFormat &format, int64_t rows, int64_t columns,
                     int64_t bytes, Isa isa, const MachineModel &machine) {
  double weights = static_cast<double>(rows) * columns;
  double compute =
      weights / 64 * cyclesPer64Weights(format, isa) / machine.hertz;
  return std::max(bytes / machine.bytesPerSecond, compute);
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

LayoutChoice chooseInt8Layout(int64_t rows, int64_t columns,
                              double zeroFraction,
                              ArrayRef<CpuTarget> targets) {
  double dense =
      totalSeconds(PackedLayout::Int8, rows, columns, zeroFraction, targets);
  double bitmask = totalSeconds(PackedLayout::Int8Bitmask, rows, columns,
                                zeroFraction, targets);
  bool sparse = bitmask < dense;
  std::string reason = formatv(
      "{0:P1} zeros: predicted {1:F1} us with a bitmask, {2:F1} us dense",
      zeroFraction, bitmask * 1e6, dense * 1e6);
  return {sparse ? PackedLayout::Int8Bitmask : PackedLayout::Int8, reason};
}

} // namespace llmopt
