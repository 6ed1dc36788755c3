//===- WeightParts.h - What the packer reads a weight from ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_WEIGHTPARTS_H
#define LLMOPT_PASSES_LOWERING_WEIGHTPARTS_H

#include "dialects/Kernel/KernelOps.h"
#include "mlir/IR/Builders.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// How the packer writes a layout.
inline kernel::PackFormat packFormat(PackedLayout layout) {
  switch (layout) {
  case PackedLayout::F32:
    return kernel::PackFormat::F32;
  case PackedLayout::Int8:
    return kernel::PackFormat::Int8;
  case PackedLayout::Int8Bitmask:
    return kernel::PackFormat::Int8Bitmask;
  }
  llvm_unreachable("all layouts are handled");
}

/// One source of a kernel.weight_data: consecutive rows.
inline mlir::DictionaryAttr makeWeightPart(mlir::Builder builder,
                                           mlir::Attribute codes,
                                           mlir::Attribute scales,
                                           int64_t rows) {
  mlir::NamedAttrList part;
  part.set("codes", codes);
  if (scales)
    part.set("scales", scales);
  part.set("rows", builder.getI64IntegerAttr(rows));
  return part.getDictionary(builder.getContext());
}

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_WEIGHTPARTS_H
