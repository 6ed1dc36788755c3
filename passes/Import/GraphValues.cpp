//===- GraphValues.cpp - Values and nodes of partly raised graphs ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/GraphValues.h"

using namespace mlir;

namespace llmopt {

Value createNode(PatternRewriter &rewriter, onnx::NodeOp origin,
                 StringRef opType, ValueRange inputs,
                 ArrayRef<NamedAttribute> attributes) {
  Type any = onnx::ValueType::get(rewriter.getContext());
  return onnx::NodeOp::create(
             rewriter, origin.getLoc(), TypeRange{any},
             rewriter.getStringAttr(opType), rewriter.getStringAttr(""),
             IntegerAttr(), inputs, rewriter.getDictionaryAttr(attributes),
             ArrayAttr(), rewriter.getArrayAttr({}), /*subgraphsCount=*/0)
      .getResult(0);
}

int64_t onnxTypeNumber(Type element) {
  if (element.isF32())
    return 1;
  if (element.isInteger(64))
    return 7;
  if (element.isF16())
    return 10;
  return element.isBF16() ? 16 : 0;
}

Value castTo(PatternRewriter &rewriter, onnx::NodeOp origin, Value value,
             Type element) {
  Value cast =
      createNode(rewriter, origin, "Cast", {value},
                 {rewriter.getNamedAttr("to", rewriter.getI64IntegerAttr(
                                                  onnxTypeNumber(element)))});
  cast.setType(UnrankedTensorType::get(element));
  return cast;
}

FailureOr<Value> asFloats(PatternRewriter &rewriter, onnx::NodeOp origin,
                          Value value, Type element) {
  auto type = dyn_cast<TensorType>(value.getType());
  if (type && type.getElementType() != element)
    return failure();
  if (!element.isF32())
    return castTo(rewriter, origin, value, rewriter.getF32Type());
  if (type)
    return value;
  if (!value.getDefiningOp<onnx::NodeOp>())
    return withoutShape(rewriter, origin, value);
  value.setType(UnrankedTensorType::get(element));
  return value;
}

Value withoutShape(PatternRewriter &rewriter, onnx::NodeOp origin,
                   Value value) {
  Value same = createNode(rewriter, origin, "Identity", {value});
  same.setType(UnrankedTensorType::get(rewriter.getF32Type()));
  return same;
}

Value createScalar(PatternRewriter &rewriter, onnx::NodeOp origin,
                   float number) {
  auto type = RankedTensorType::get({}, rewriter.getF32Type());
  return onnx::InitializerOp::create(
      rewriter, origin.getLoc(), type, rewriter.getStringAttr("number"),
      cast<TypedAttr>(DenseElementsAttr::get(type, number)));
}

Value scaleBy(PatternRewriter &rewriter, onnx::NodeOp origin, Value value,
              float factor) {
  if (factor == 1)
    return value;
  return createNode(rewriter, origin, "Mul",
                    {value, createScalar(rewriter, origin, factor)});
}

void replaceByFloats(PatternRewriter &rewriter, onnx::NodeOp node, Value value,
                     Type element) {
  if (!element.isF32())
    value = castTo(rewriter, node, value, element);
  // The results of other nodes take any type; so does a return.
  rewriter.replaceAllUsesWith(node.getResult(0), value);
  rewriter.eraseOp(node);
}

} // namespace llmopt
