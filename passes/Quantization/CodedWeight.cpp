//===- CodedWeight.cpp - A weight that becomes codes ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/CodedWeight.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Builders.h"
#include "passes/Quantization/WeightError.h"

using namespace llmopt;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

/// Bits of the codes of an encoding.
static int64_t bitsOf(WeightQuantization quantization) {
  switch (quantization) {
  case WeightQuantization::None:
    break;
  case WeightQuantization::Int8:
    return 8;
  case WeightQuantization::Int4:
  case WeightQuantization::NF4:
    return 4;
  case WeightQuantization::Int3:
    return 3;
  case WeightQuantization::Int2:
    return 2;
  }
  llvm_unreachable("no codes");
}

FormatAttr llmopt::codedFormat(MLIRContext *context,
                               WeightQuantization quantization, int64_t group,
                               bool zeroPoints, bool halfScales) {
  if (quantization == WeightQuantization::None)
    return {};
  if (group == 0)
    group = defaultGroup(quantization);
  Builder builder(context);
  Type scale = group && halfScales ? Type(builder.getF16Type())
                                   : Type(builder.getF32Type());
  if (quantization == WeightQuantization::NF4)
    return FormatAttr::get(
        context, Encoding::Table, bitsOf(quantization), group, scale,
        /*zeroPoints=*/false,
        builder.getDenseF32ArrayAttr(FormatAttr::getNormalFloats()));
  return FormatAttr::get(context, Encoding::Int, bitsOf(quantization), group,
                         scale, zeroPoints, DenseF32ArrayAttr());
}

CodeScheme llmopt::schemeOf(FormatAttr format) {
  CodeScheme scheme;
  scheme.bits = format.getBits();
  scheme.group = format.getGroup();
  scheme.halfScales = format.getScale().isF16();
  scheme.zeroPoints = format.getZeroPoints();
  if (DenseF32ArrayAttr table = format.getTable())
    scheme.table = table.asArrayRef();
  return scheme;
}

CompressibleOp llmopt::productOf(OpOperand &use) {
  auto product = dyn_cast<CompressibleOp>(use.getOwner());
  if (product && &product.getWeightOperand() == &use)
    return product;
  return {};
}

int64_t llmopt::activationGroupOf(FormatAttr format, int64_t wanted) {
  if (wanted && format.getGroup() % wanted == 0)
    return wanted;
  return defaultActivationGroup(format.getGroup());
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

CodedWeight::CodedWeight(WeightOp weight, FormatAttr format, WeightStore &store)
    : weight(weight), format(format), weightStore(&store) {
  Builder builder(weight.getContext());
  ArrayRef<int64_t> shape = weight.getType().getShape();
  SmallVector<int64_t> groups = {shape[0]};
  if (format.getGroup())
    groups.push_back(format.getGroups(shape[1]));
  codes = reserve(shape, builder.getI8Type());
  scales = reserve(groups, builder.getF32Type());
  if (format.getZeroPoints())
    zeroPoints = reserve(groups, builder.getI8Type());
}

CodedWeight::Numbers CodedWeight::reserve(ArrayRef<int64_t> shape,
                                          Type element) {
  auto type = RankedTensorType::get(shape, element);
  return {type, weightStore->reserveFor(weight.getSource(), type), {}};
}

LogicalResult CodedWeight::store(Numbers &numbers, ArrayRef<char> bytes) {
  FailureOr<Attribute> source = weightStore->store(
      numbers.place, numbers.type, bytes, [&] { return weight.emitError(); });
  if (failed(source))
    return failure();
  numbers.source = *source;
  return success();
}

FailureOr<std::vector<float>> CodedWeight::read() {
  FailureOr<std::vector<float>> values = weightStore->readFloats(
      weight.getSource(), weight.getType(), [&] { return weight.emitError(); });
  if (failed(values))
    return failure();
  int64_t columns = weight.getType().getDimSize(1);
  if (std::optional<int64_t> index = findNotFinite(*values))
    return weight.emitError("weight '")
           << weight.getName() << "' has the value " << (*values)[*index]
           << " at [" << *index / columns << ", " << *index % columns
           << "]; quantization needs finite weights";
  return values;
}

static LogicalResult checkFinite(WeightOp weight, const CodeScheme &scheme,
                                 ArrayRef<float> scales) {
  int64_t groups = scheme.groups(weight.getType().getDimSize(1));
  if (std::optional<int64_t> index = findNotFinite(scales))
    return weight.emitError("weight '")
           << weight.getName() << "' has values in row " << *index / groups
           << ", group " << *index % groups
           << " that are too large for scales in f16; use f32 "
              "(-scale-type=f32)";
  return success();
}

LogicalResult llmopt::checkScales(WeightOp weight, FormatAttr format,
                                  ArrayRef<float> values) {
  CodeScheme scheme = schemeOf(format);
  std::vector<float> scales;
  int64_t columns = weight.getType().getDimSize(1);
  int64_t width = scheme.group ? scheme.group : columns;
  for (; !values.empty(); values = values.drop_front(columns))
    for (int64_t k = 0; k < columns; k += width)
      scales.push_back(
          fitGroup(values.slice(k, std::min(width, columns - k)), scheme)
              .scale);
  return checkFinite(weight, scheme, scales);
}

LogicalResult CodedWeight::storeCodes(const MatrixCodes &matrix,
                                      ArrayRef<float> values) {
  if (failed(checkFinite(weight, schemeOf(format), matrix.scales)))
    return failure();
  structure = findSparseStructure(values, weight.getType().getDimSize(1));
  std::vector<float> decoded = dequantizeMatrix(matrix, schemeOf(format));
  zeros = llvm::count(decoded, 0.0f);
  error = relativeError(values, decoded);
  if (std::optional<Attribute> original = weight.getOriginal()) {
    FailureOr<std::vector<float>> imported = weightStore->readFloats(
        *original, weight.getType(), [&] { return weight.emitError(); });
    if (failed(imported))
      return failure();
    error = relativeError(*imported, decoded);
  }
  if (failed(store(codes, asBytes(ArrayRef(matrix.codes)))) ||
      failed(store(scales, asBytes(ArrayRef(matrix.scales)))))
    return failure();
  if (!format.getZeroPoints())
    return success();
  return store(zeroPoints, asBytes(ArrayRef(matrix.zeroPoints)));
}

EncodedWeightOp CodedWeight::replace(std::optional<int64_t> activationGroup) {
  OpBuilder builder(weight);
  RankedTensorType shape = weight.getType();
  auto type = PackedType::get(weight.getContext(), shape.getDimSize(0),
                              shape.getDimSize(1), format);
  auto encoded = EncodedWeightOp::create(
      builder, weight.getLoc(), type, weight.getNameAttr(), codes.source,
      scales.source, zeroPoints.source, builder.getI64IntegerAttr(zeros),
      builder.getF64FloatAttr(error), /*reason=*/StringAttr(),
      /*pattern=*/StringAttr(), /*dead_rows=*/IntegerAttr(),
      /*dead_columns=*/IntegerAttr());
  setSparseStructure(encoded, structure);
  for (OpOperand &use : llvm::make_early_inc_range(weight->getUses())) {
    CompressibleOp product = productOf(use);
    if (!product && !isa<EmbeddingOp>(use.getOwner()))
      continue;
    use.set(encoded);
    if (product && activationGroup)
      product.quantizeActivations(activationGroupOf(format, *activationGroup));
  }
  if (weight.use_empty())
    weight.erase();
  return encoded;
}
