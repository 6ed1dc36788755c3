//===- ComputationRules.cpp - Operators that compute new tensors ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using symbolic::Node;
using Results = SmallVectorImpl<TensorFunction>;

/// A product over an axis of length 1 multiplies elements; any other makes a
/// new tensor.
static bool describeMatMul(onnx::NodeOp node, IndexAnalysis &analysis,
                           Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *left = analysis.lookup(getInput(node, 0));
  const TensorFunction *right = analysis.lookup(getInput(node, 1));
  if (!left || !right || left->shape.size() < 2 || right->shape.size() < 2)
    return false;
  Expr depth = left->shape.back();
  if (depth != right->shape[right->shape.size() - 2])
    return false;
  std::optional<SmallVector<Expr>> shape = analysis.broadcast(
      ArrayRef(left->shape).drop_back(2), ArrayRef(right->shape).drop_back(2));
  if (!shape)
    return false;
  shape->push_back(left->shape[left->shape.size() - 2]);
  shape->push_back(right->shape.back());
  TensorFunction result{left->elementType, *shape, nullptr};
  if (depth == context.constant(1) && left->elementType.isF32()) {
    SmallVector<Expr> rows = analysis.getIndices(*shape), columns = rows;
    rows.back() = context.constant(0);
    columns[columns.size() - 2] = context.constant(0);
    Expr first = analysis.atBroadcast(*left, rows);
    Expr second = analysis.atBroadcast(*right, columns);
    if (first && second &&
        (first->activation == Node::noActivation ||
         second->activation == Node::noActivation))
      result.element = context.floatBinary(Kind::FloatMul, first, second);
  }
  results.push_back(std::move(result));
  return true;
}

static bool describeGemm(onnx::NodeOp node, IndexAnalysis &analysis,
                         Results &results) {
  const TensorFunction *left = analysis.lookup(getInput(node, 0));
  const TensorFunction *right = analysis.lookup(getInput(node, 1));
  if (!left || !right || left->shape.size() != 2 || right->shape.size() != 2)
    return false;
  results.push_back({left->elementType,
                     {left->shape[getIntAttr(node, "transA", 0) ? 1 : 0],
                      right->shape[getIntAttr(node, "transB", 0) ? 0 : 1]},
                     nullptr});
  return true;
}

/// A new tensor of the type and shape of the first input; further results are
/// not described.
static bool describeLikeFirst(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  results.push_back({data->elementType, data->shape, nullptr});
  return true;
}

static bool describeReduction(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  SmallVector<int64_t> axes;
  if (auto attribute = node.getNodeAttr<DenseI64ArrayAttr>("axes"))
    axes = SmallVector<int64_t>(attribute.asArrayRef());
  else if (Value given = getInput(node, 1)) {
    std::optional<SmallVector<int64_t>> numbers = analysis.getNumbers(given);
    if (!numbers)
      return false;
    axes = *numbers;
  }
  if (axes.empty())
    return false;
  for (int64_t &axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(axis, data->shape.size());
    if (!normal)
      return false;
    axis = *normal;
  }
  TensorFunction result{data->elementType, {}, nullptr};
  for (auto [axis, dimension] : llvm::enumerate(data->shape)) {
    if (!llvm::is_contained(axes, int64_t(axis)))
      result.shape.push_back(dimension);
    else if (getIntAttr(node, "keepdims", 1))
      result.shape.push_back(analysis.getContext().constant(1));
  }
  results.push_back(std::move(result));
  return true;
}

/// Normalised, (mean and deviation,) sum.
static bool describeSkipNorm(onnx::NodeOp node, IndexAnalysis &analysis,
                             Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  TensorFunction same{data->elementType, data->shape, nullptr};
  TensorFunction unknown{};
  results.append({same, unknown, unknown, same});
  return true;
}

static bool describeGroupQueryAttention(onnx::NodeOp node,
                                        IndexAnalysis &analysis,
                                        Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *query = analysis.lookup(getInput(node, 0));
  int64_t heads = getIntAttr(node, "num_heads", 0),
          kvHeads = getIntAttr(node, "kv_num_heads", 0);
  constexpr int64_t maxHeads = int64_t(1) << 32;
  if (heads <= 0 || heads > maxHeads || kvHeads <= 0 || kvHeads > maxHeads)
    return false;
  int64_t divisor = getInput(node, 1) ? heads : heads + 2 * kvHeads;
  if (!query || query->shape.size() != 3 ||
      query->shape[2]->kind != Kind::Constant ||
      query->shape[2]->value % divisor)
    return false;
  int64_t headDim = query->shape[2]->value / divisor;
  TensorFunction result{query->elementType, query->shape, nullptr};
  result.shape[2] = context.constant(heads * headDim);
  TensorFunction present{query->elementType,
                         {query->shape[0], context.constant(kvHeads),
                          analysis.getTotal(), context.constant(headDim)},
                         nullptr};
  results.append({result, present, present});
  return true;
}

/// The operator Attention on [batch, heads, tokens, head size].
static bool describeAttention(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results) {
  const TensorFunction *query = analysis.lookup(getInput(node, 0));
  const TensorFunction *value = analysis.lookup(getInput(node, 2));
  if (!query || !value || query->shape.size() != 4 || value->shape.size() != 4)
    return false;
  TensorFunction result{query->elementType, query->shape, nullptr};
  result.shape[3] = value->shape[3];
  results.push_back(std::move(result));
  return true;
}

/// The operator RotaryEmbedding on [batch, heads, tokens, head size], by
/// halves, with factors [batch, tokens, half a head].
static bool describeRotaryEmbedding(onnx::NodeOp node, IndexAnalysis &analysis,
                                    Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  const TensorFunction *cosines = analysis.lookup(getInput(node, 1));
  const TensorFunction *sines = analysis.lookup(getInput(node, 2));
  if (!data || !cosines || !sines || data->shape.size() != 4 ||
      cosines->shape.size() != 3 || sines->shape.size() != 3 ||
      getInput(node, 3) || getIntAttr(node, "interleaved", 0) ||
      getIntAttr(node, "rotary_embedding_dim", 0))
    return false;
  Expr half = cosines->shape[2];
  if (context.mul(half, context.constant(2)) != data->shape[3] ||
      sines->shape[2] != half || data->element->activation < 0)
    return false;
  SmallVector<Expr> indices = analysis.getIndices(data->shape);
  Expr b = indices[0], h = indices[1], s = indices[2], d = indices[3];
  auto rotate = [&](Expr place, Expr own, Expr other, bool isFirst) {
    Expr cosine = analysis.atBroadcast(*cosines, {b, s, place});
    Expr sine = analysis.atBroadcast(*sines, {b, s, place});
    Expr turned = context.floatBinary(
        Kind::FloatMul, analysis.at(*data, {b, h, s, other}), sine);
    return context.floatBinary(
        Kind::FloatAdd,
        context.floatBinary(Kind::FloatMul, analysis.at(*data, {b, h, s, own}),
                            cosine),
        isFirst ? context.floatNeg(turned) : turned);
  };
  Expr back = context.sub(d, half);
  results.push_back({data->elementType, data->shape,
                     context.select(context.less(d, half),
                                    rotate(d, d, context.add(d, half), true),
                                    rotate(back, d, back, false))});
  return true;
}

IndexRule findComputationRule(onnx::NodeOp node) {
  if (node.getDomain() == kMicrosoftDomain)
    return llvm::StringSwitch<IndexRule>(node.getOpType())
        .Case("GroupQueryAttention", describeGroupQueryAttention)
        .Case("SkipSimplifiedLayerNormalization", describeSkipNorm)
        .Default(nullptr);
  if (!node.getDomain().empty())
    return nullptr;
  return llvm::StringSwitch<IndexRule>(node.getOpType())
      .Case("Attention", describeAttention)
      .Case("MatMul", describeMatMul)
      .Case("Gemm", describeGemm)
      .Case("RotaryEmbedding", describeRotaryEmbedding)
      .Cases({"ReduceMean", "ReduceSum"}, describeReduction)
      .Cases({"Softmax", "RMSNormalization", "LayerNormalization",
              "SimplifiedLayerNormalization"},
             describeLikeFirst)
      .Default(nullptr);
}

} // namespace llmopt
