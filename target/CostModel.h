//===- CostModel.h - Predicted time of linear kernels -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The time of a matrix-vector product on one core is the larger of the time to
// read its bytes and the time to execute its instructions:
//
//   t = max(bytes / bandwidth, weights / 64 * cycles / frequency)
//
// Decoding decides, since it is what compression speeds up. A token reads all
// weights once, so they come from the smallest level of the memory that holds
// all of them together.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_COSTMODEL_H
#define LLMOPT_TARGET_COSTMODEL_H

#include "target/Isa.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// Where weights lie when they are read.
enum class Residency { SecondCache, LastCache, Memory };

/// "l2", "l3", "memory".
llvm::StringRef stringify(Residency residency);

/// What the cost model knows about a CPU.
struct MachineModel {
  llvm::StringRef name;
  double hertz; ///< of one core under vector load
  /// Bytes per second of one core with all cores reading, by Residency.
  double bandwidth[3];
  int64_t secondCacheBytes; ///< of a core
  int64_t lastCacheBytes;   ///< of all cores

  /// Where weights of so many bytes lie.
  Residency residencyOf(int64_t bytes) const;
};

/// The table entry of an LLVM CPU name, or the generic one.
const MachineModel &machineModel(llvm::StringRef llvmCpu);

/// Cycles of the instructions of a decode product with a weight [rows, columns]
/// of `bytes` packed bytes, when nothing waits for memory.
double linearCycles(const PackedFormat &format, int64_t rows, int64_t columns,
                    int64_t bytes, Isa isa);

/// Seconds of the product on one core.
double linearSeconds(const PackedFormat &format, int64_t rows, int64_t columns,
                     int64_t bytes, Isa isa, const MachineModel &machine,
                     Residency residency);

/// Packed bytes of an int8 weight with the given fraction of zeros, if they are
/// spread evenly; not for Int8Gather.
int64_t estimatedBytes(PackedLayout layout, int64_t rows, int64_t columns,
                       double zeroFraction);

/// A layout that a weight may have, and its packed bytes.
struct LayoutCandidate {
  PackedLayout layout;
  int64_t bytes;
};

/// A layout and why it was chosen, for the report.
struct LayoutChoice {
  PackedLayout layout;
  std::string reason;
};

/// Chooses the layout of an int8 weight [rows, columns]: the least time summed
/// over `targets`, as one packed weight serves all variants. The first
/// candidate is the dense one; another must promise to gain more than
/// predictions err. `modelBytes` are those of all weights.
LayoutChoice chooseLayout(llvm::ArrayRef<LayoutCandidate> candidates,
                          int64_t rows, int64_t columns, int64_t modelBytes,
                          llvm::ArrayRef<CpuTarget> targets);

} // namespace llmopt

#endif // LLMOPT_TARGET_COSTMODEL_H
