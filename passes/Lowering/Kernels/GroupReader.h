//===- GroupReader.h - Reading layouts with groups --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_GROUPREADER_H
#define LLMOPT_PASSES_LOWERING_KERNELS_GROUPREADER_H

#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// Addresses and decodes a weight of a layout with groups.
class GroupReader {
public:
  /// `w` is the start of the weight.
  GroupReader(KernelBuilder &k, const PackedFormat &format, mlir::Value w,
              mlir::Value columns);

  const PackedFormat &getFormat() const { return format; }
  const GroupGeometry &getGeometry() const { return geometry; }
  /// True if a byte holds two codes.
  bool hasNibbles() const { return format.layout == PackedLayout::Int4Groups; }

  mlir::Value panelBytes() const { return bytes; }
  mlir::Value panel(mlir::Value index) const;
  mlir::Value groups() const; ///< of a row

  // Of one group of a panel.
  mlir::Value scalesAddress(mlir::Value panel, mlir::Value group) const;
  mlir::Value scales(mlir::Value panel, mlir::Value group) const;
  mlir::Value zeroPointsAddress(mlir::Value panel, mlir::Value group) const;
  mlir::Value zeroPoints(mlir::Value panel, mlir::Value group) const; ///< ints
  mlir::Value codes(mlir::Value panel, mlir::Value group) const; ///< address

  /// The value of one code (i32) of a table.
  mlir::Value tableValue(mlir::Value code) const;
  /// The unit of the table's codes in every lane.
  mlir::Value tableUnit() const;

  /// The code vectors (bytes, as they are stored) of 8 columns in nibbles, or
  /// of 4 columns in bytes: of columns +0..3 and +4..7, or of +0..3.
  Values storedCodes(mlir::Value address, int64_t offset) const;
  /// The codes at `address` as value + 128, in vectors of four columns.
  Values signedCodes(mlir::Value address, int64_t offset,
                     mlir::Value zeroPoints) const;
  /// Values before the scale of the columns of storedCodes, one vector for
  /// each of the 8 or 4.
  Values values(mlir::Value address, int64_t offset,
                mlir::Value zeroPoints) const;

private:
  /// Start of the block of a group, and the group's place in it.
  std::pair<mlir::Value, mlir::Value> blockOf(mlir::Value panel,
                                              mlir::Value group) const;

  KernelBuilder &k;
  PackedFormat format;
  GroupGeometry geometry;
  mlir::Value w, columns, bytes;
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_GROUPREADER_H
