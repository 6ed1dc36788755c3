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
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/Builders.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// How the packer writes a layout.
inline kernel::PackFormat packFormat(PackedLayout layout) {
  switch (layout) {
  case PackedLayout::F32:
    return kernel::PackFormat::F32;
  case PackedLayout::BF16:
    return kernel::PackFormat::BF16;
  case PackedLayout::Int8:
    return kernel::PackFormat::Int8;
  case PackedLayout::Int8Bitmask:
    return kernel::PackFormat::Int8Bitmask;
  case PackedLayout::Int8TwoOfFour:
    return kernel::PackFormat::Int8TwoOfFour;
  case PackedLayout::Int8Gather:
    return kernel::PackFormat::Int8Gather;
  case PackedLayout::Int8Groups:
    return kernel::PackFormat::Int8Groups;
  case PackedLayout::Int4Groups:
    return kernel::PackFormat::Int4Groups;
  }
  llvm_unreachable("all layouts are handled");
}

/// The type of a packed weight.
inline kernel::WeightType weightType(PackedType type,
                                     const PackedFormat &format) {
  return kernel::WeightType::get(type.getContext(), type.getRows(),
                                 type.getColumns(), packFormat(format.layout),
                                 format.group, format.scales == ScaleType::F16,
                                 format.zeroPoints, format.table);
}

/// The part of a kernel.weight_data that comes from a row-major float weight.
inline mlir::DictionaryAttr
makeWeightPart(mlir::Builder builder, mlir::Attribute values, int64_t rows) {
  mlir::NamedAttrList part;
  part.set("codes", values);
  part.set("rows", builder.getI64IntegerAttr(rows));
  return part.getDictionary(builder.getContext());
}

/// The part of a kernel.weight_data that comes from an encoded weight.
inline mlir::DictionaryAttr makeWeightPart(EncodedWeightOp weight) {
  mlir::Builder builder(weight.getContext());
  mlir::NamedAttrList part(
      makeWeightPart(builder, weight.getCodes(), weight.getType().getRows()));
  if (weight.getScalesAttr())
    part.set("scales", weight.getScalesAttr());
  if (weight.getZeroPointsAttr())
    part.set("zero_points", weight.getZeroPointsAttr());
  if (mlir::DenseF32ArrayAttr table = weight.getType().getFormat().getTable())
    part.set("table", table);
  return part.getDictionary(builder.getContext());
}

/// What a type with the layout of a convolution describes.
inline ConvWeights convWeights(kernel::WeightType type, int64_t taps) {
  kernel::PackFormat format = type.getFormat();
  bool isDepthwise = format == kernel::PackFormat::DepthwiseF32 ||
                     format == kernel::PackFormat::DepthwiseInt8;
  bool isInt8 = format == kernel::PackFormat::ConvInt8 ||
                format == kernel::PackFormat::DepthwiseInt8;
  return {type.getRows(), type.getColumns() / taps, taps, isDepthwise, isInt8};
}

/// The layout for weights of a convolution.
inline kernel::PackFormat packFormat(const ConvWeights &weights) {
  if (weights.isDepthwise)
    return weights.isInt8 ? kernel::PackFormat::DepthwiseInt8
                          : kernel::PackFormat::DepthwiseF32;
  return weights.isInt8 ? kernel::PackFormat::ConvInt8
                        : kernel::PackFormat::ConvF32;
}

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_WEIGHTPARTS_H
