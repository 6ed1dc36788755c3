//===- RaiseRotary.cpp - Rotary embeddings of any graph ---------------- ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEROTARY
#include "passes/Import/Passes.h.inc"

namespace {
/// -x[half:] followed by x[:half]
struct Turned {
  Value source;
  int64_t axis = -1;
  std::optional<int64_t> half; ///< of the dimension if absent
};

/// x[begin:end] along one axis; a bound that is no constant is a value.
struct Range {
  Value source;
  int64_t axis = 0;
  std::optional<int64_t> begin, end;
  Value beginValue, endValue;
};
} // namespace

static std::optional<int64_t> getOneInteger(Value value) {
  std::optional<SmallVector<int64_t>> numbers = getIntegers(value);
  if (!numbers || numbers->size() != 1)
    return std::nullopt;
  return numbers->front();
}

static std::optional<Range> matchRange(Value value) {
  onnx::NodeOp slice = getNode(value, "Slice");
  if (!slice || !getInput(slice, 1) || !getInput(slice, 2))
    return std::nullopt;
  Range range;
  range.source = getInput(slice, 0);
  range.beginValue = getInput(slice, 1);
  range.endValue = getInput(slice, 2);
  range.begin = getOneInteger(range.beginValue);
  range.end = getOneInteger(range.endValue);
  std::optional<int64_t> axis =
      getInput(slice, 3) ? getOneInteger(getInput(slice, 3)) : std::nullopt;
  Value step = getInput(slice, 4);
  if (!axis || (step && getOneInteger(step) != 1))
    return std::nullopt;
  range.axis = *axis;
  return range;
}

/// What a number is, apart from its type and the shape of its tensor.
static Value lookThrough(Value value) {
  while (value) {
    auto node = value.getDefiningOp<onnx::NodeOp>();
    if (!node || !llvm::is_contained(
                     {"Cast", "Unsqueeze", "Squeeze", "Reshape", "Identity"},
                     node.getOpType()))
      break;
    value = getInput(node, 0);
  }
  return value;
}

/// True when `value` is the shape of a tensor, perhaps written as a permutation
/// of the shape that the tensor is a Transpose of.
static bool isShapeOf(Value value, Value tensor) {
  value = lookThrough(value);
  if (onnx::NodeOp shape = getNode(value, "Shape"))
    return getInput(shape, 0) == tensor;
  onnx::NodeOp gather = getNode(value, "Gather"),
               transpose = getNode(tensor, "Transpose");
  if (!gather || !transpose)
    return false;
  onnx::NodeOp shape = getNode(getInput(gather, 0), "Shape");
  auto order = transpose.getNodeAttr<DenseI64ArrayAttr>("perm");
  std::optional<SmallVector<int64_t>> picked = getIntegers(getInput(gather, 1));
  return shape && order && picked &&
         getInput(shape, 0) == getInput(transpose, 0) &&
         llvm::equal(*picked, order.asArrayRef());
}

/// True when `value` is half of the dimension `axis` of a tensor.
static bool isHalfOf(Value value, Value tensor, int64_t axis) {
  onnx::NodeOp quotient = getNode(lookThrough(value), "Div");
  if (!quotient || getOneInteger(getInput(quotient, 1)) != 2)
    return false;
  onnx::NodeOp gather = getNode(lookThrough(getInput(quotient, 0)), "Gather");
  if (!gather || getOneInteger(getInput(gather, 1)) != axis)
    return false;
  return isShapeOf(getInput(gather, 0), tensor);
}

static std::optional<Turned> matchTurned(Value value) {
  onnx::NodeOp concat = getNode(value, "Concat");
  if (!concat || concat.getInputs().size() != 2)
    return std::nullopt;
  onnx::NodeOp negated = getNode(getInput(concat, 0), "Neg");
  if (!negated)
    return std::nullopt;
  std::optional<Range> high = matchRange(getInput(negated, 0)),
                       low = matchRange(getInput(concat, 1));
  constexpr int64_t kBeyond = 1 << 30; // no tensor has such a dimension
  if (!high || !low || high->source != low->source || high->axis != low->axis ||
      low->begin != 0 || high->end < kBeyond)
    return std::nullopt;
  int64_t axis = getIntAttr(concat, "axis", 0);
  if (axis != high->axis && axis != -1)
    return std::nullopt;
  Turned turned{low->source, high->axis, std::nullopt};
  if (high->begin && high->begin == low->end && *high->begin > 0) {
    turned.half = high->begin;
    return turned;
  }
  if (isHalfOf(high->beginValue, turned.source, turned.axis) &&
      isHalfOf(low->endValue, turned.source, turned.axis))
    return turned;
  return std::nullopt;
}

namespace {
struct RaiseSum : NodePattern {
  RaiseSum(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Add"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (unsigned first : {0, 1}) {
      onnx::NodeOp plain = getNode(getInput(node, first), "Mul");
      onnx::NodeOp other = getNode(getInput(node, 1 - first), "Mul");
      for (unsigned index : {0, 1}) {
        std::optional<Turned> turned =
            plain && other ? matchTurned(getInput(other, index)) : std::nullopt;
        if (!turned || turned->axis < -1)
          continue;
        Value cosine = getInput(plain, 0) == turned->source
                           ? getInput(plain, 1)
                           : getInput(plain, 0);
        if (!llvm::is_contained(plain.getInputs(), turned->source))
          continue;
        rewriter.replaceOpWithNewOp<RotaryOp>(
            node, node.getResult(0).getType(), turned->source, cosine,
            getInput(other, 1 - index),
            rewriter.getI64IntegerAttr(turned->axis),
            turned->half ? rewriter.getI64IntegerAttr(*turned->half)
                         : IntegerAttr());
        ++count;
        return success();
      }
    }
    return rewriter.notifyMatchFailure(node, "no rotary embedding");
  }

  Pass::Statistic &count;
};

struct RaiseRotaryPass : impl::RaiseRotaryBase<RaiseRotaryPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseSum>(&getContext(), raised);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
