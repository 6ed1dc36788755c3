//===- InferONNXTypes.cpp - Element types and ranks of values -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_INFERONNXTYPES
#include "passes/Import/Passes.h.inc"

static RankedTensorType getRankedType(Value value) {
  return value ? dyn_cast<RankedTensorType>(value.getType())
               : RankedTensorType();
}

static SmallVector<Type> inferMatMul(onnx::NodeOp node) {
  RankedTensorType left = getRankedType(getInput(node, 0)),
                   right = getRankedType(getInput(node, 1));
  if (!left || !right || left.getRank() < 2 || right.getRank() != 2)
    return {};
  SmallVector<int64_t> shape(left.getShape());
  shape.back() = right.getDimSize(1);
  return {left.clone(shape)};
}

static SmallVector<Type> inferGather(onnx::NodeOp node) {
  RankedTensorType table = getRankedType(getInput(node, 0)),
                   ids = getRankedType(getInput(node, 1));
  if (!table || !ids || getIntAttr(node, "axis", 0) != 0)
    return {};
  SmallVector<int64_t> shape(ids.getShape());
  llvm::append_range(shape, table.getShape().drop_front());
  return {table.clone(shape)};
}

static SmallVector<Type> inferTranspose(onnx::NodeOp node) {
  RankedTensorType type = getRankedType(getInput(node, 0));
  if (!type)
    return {};
  SmallVector<int64_t> shape(llvm::reverse(type.getShape()));
  if (auto order = node.getNodeAttr<DenseI64ArrayAttr>("perm"))
    for (auto [axis, from] : llvm::enumerate(order.asArrayRef()))
      shape[axis] = type.getDimSize(from);
  return {type.clone(shape)};
}

static SmallVector<Type> inferAttention(onnx::NodeOp node) {
  RankedTensorType query = getRankedType(getInput(node, 0));
  int64_t heads = getIntAttr(node, "num_heads", 0),
          kvHeads = getIntAttr(node, "kv_num_heads", 0);
  bool packed = !getInput(node, 1);
  int64_t divisor = packed ? heads + 2 * kvHeads : heads;
  if (!query || query.getRank() != 3 || query.isDynamicDim(2) || divisor <= 0 ||
      query.getDimSize(2) % divisor)
    return {};
  int64_t headDim = query.getDimSize(2) / divisor;
  Type result =
      query.clone({query.getDimSize(0), query.getDimSize(1), heads * headDim});
  Type present = query.clone(
      {query.getDimSize(0), kvHeads, ShapedType::kDynamic, headDim});
  SmallVector<Type> types{result, present, present};
  types.truncate(node.getNumResults());
  return types;
}

static SmallVector<Type> inferTypes(onnx::NodeOp node) {
  StringRef op = node.getOpType();
  if (op == "MatMul")
    return inferMatMul(node);
  if (op == "Gather")
    return inferGather(node);
  if (op == "Transpose")
    return inferTranspose(node);
  if (op == "GroupQueryAttention")
    return inferAttention(node);
  RankedTensorType type = getRankedType(getInput(node, 0));
  if (type && (op == "Sigmoid" || op == "Mul" || op == "Add" ||
               op == "SimplifiedLayerNormalization"))
    return {type};
  if (type && op == "SkipSimplifiedLayerNormalization") {
    SmallVector<Type> types(node.getResultTypes());
    for (unsigned index : {0, 3})
      if (index < types.size())
        types[index] = type;
    return types;
  }
  return {};
}

namespace {
struct InferONNXTypesPass : impl::InferONNXTypesBase<InferONNXTypesPass> {
  void runOnOperation() override {
    for (auto node : getOperation().getBody().front().getOps<onnx::NodeOp>())
      for (auto [result, type] : llvm::zip(node.getResults(), inferTypes(node)))
        if (isa<onnx::ValueType>(result.getType()) &&
            result.getType() != type) {
          result.setType(type);
          ++typed;
        }
    updateFunctionType(getOperation());
  }
};
} // namespace
} // namespace llmopt
