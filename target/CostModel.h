//===- CostModel.h - Predicted time of linear kernels -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The time of a matrix-vector product on one core is the larger of the time to
// read its bytes from memory and the time to execute its instructions:
//
//   t = max(bytes / bandwidth, weights / 64 * cycles / frequency)
//
// Decoding decides, since it is what compression speeds up; weights are taken
// to come from memory, as a whole model does not fit a cache.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_COSTMODEL_H
#define LLMOPT_TARGET_COSTMODEL_H

#include "target/Isa.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// What the cost model knows about a CPU.
struct MachineModel {
  llvm::StringRef name;
  double hertz;          ///< of one core under vector load
  double bytesPerSecond; ///< reads from memory, per core with all cores reading
};

/// The table entry of an LLVM CPU name, or the generic one.
const MachineModel &machineModel(llvm::StringRef llvmCpu);

/// Cycles that a decode kernel spends on 64 weights when they are in the cache.
double cyclesPer64Weights(const PackedFormat &format, Isa isa);

/// Seconds of one decode product with a weight [rows, columns] of `bytes`
/// packed bytes.
double linearSeconds(const PackedFormat &format, int64_t rows, int64_t columns,
                     int64_t bytes, Isa isa, const MachineModel &machine);

/// Packed bytes of an int8 weight with the given fraction of zeros.
int64_t estimatedBytes(PackedLayout layout, int64_t rows, int64_t columns,
                       double zeroFraction);

/// A layout and why it was chosen, for the report.
struct LayoutChoice {
  PackedLayout layout;
  std::string reason;
};

/// Chooses between Int8 and Int8Bitmask for a weight with the given fraction of
/// zeros: the least time summed over `targets`, as one packed weight serves all
/// variants.
LayoutChoice chooseInt8Layout(int64_t rows, int64_t columns,
                              double zeroFraction,
                              llvm::ArrayRef<CpuTarget> targets);

} // namespace llmopt

#endif // LLMOPT_TARGET_COSTMODEL_H
