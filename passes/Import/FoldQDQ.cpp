//===- FoldQDQ.cpp - Integer products of dequantized values -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/GraphValues.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_FOLDQDQ
#include "passes/Import/Passes.h.inc"

namespace {
/// A value that is (codes - zeroPoint) * scale.
struct Quantized {
  Value codes, scale;
  Value zeroPoint;  ///< null: 0
  Type type;        ///< of a code
  int64_t rank = 0; ///< of codes in the file; 0 of computed ones
  bool isPerAxis = false;
  int64_t axis = 0; ///< of the scales, if there are several
};
} // namespace

static RankedTensorType constantType(Value value) {
  auto constant = value ? value.getDefiningOp<onnx::InitializerOp>()
                        : onnx::InitializerOp();
  return constant ? constant.getType() : RankedTensorType();
}

/// True for a constant that holds only zeros.
static bool isZero(Value value) {
  std::optional<SmallVector<int64_t>> numbers = getIntegers(value);
  return numbers && llvm::all_of(*numbers, [](int64_t n) { return n == 0; });
}

/// The codes of a DequantizeLinear that integer products can take.
static std::optional<Quantized> matchQuantized(Value value) {
  onnx::NodeOp dequantize = getNode(value, "DequantizeLinear");
  if (!dequantize || getIntAttr(dequantize, "block_size", 0) != 0)
    return std::nullopt;
  Quantized quantized{getInput(dequantize, 0), getInput(dequantize, 1),
                      getInput(dequantize, 2)};
  RankedTensorType scale = constantType(quantized.scale),
                   codes = constantType(quantized.codes),
                   zero = constantType(quantized.zeroPoint);
  if (!scale || !scale.getElementType().isF32() || scale.getRank() > 1)
    return std::nullopt;
  // The zero point has the type of the codes.
  RankedTensorType known = zero ? zero : codes;
  if (!known || !known.getElementType().isInteger(8))
    return std::nullopt;
  quantized.type = known.getElementType();
  quantized.isPerAxis = scale.getNumElements() != 1;
  if (codes)
    quantized.rank = codes.getRank();
  else if (quantized.isPerAxis)
    return std::nullopt;
  quantized.axis = getIntAttr(dequantize, "axis", 1);
  if (quantized.isPerAxis) {
    std::optional<int64_t> axis = normalizeAxis(quantized.axis, quantized.rank);
    if (!axis)
      return std::nullopt;
    quantized.axis = *axis;
  }
  if (quantized.zeroPoint && isZero(quantized.zeroPoint))
    quantized.zeroPoint = {};
  return quantized;
}

/// Whether the scales of a weight belong to its axis `outputs`.
static bool isPerOutput(const Quantized &weight, int64_t outputs) {
  return !weight.isPerAxis || weight.axis == outputs;
}

namespace {
class QDQPattern : public NodePattern {
public:
  QDQPattern(MLIRContext *context, StringRef opType, Pass::Statistic &count)
      : NodePattern(context, opType), count(count) {}

protected:
  /// Both factors of a node; nullopt if one of them is no integer.
  std::optional<std::pair<Quantized, Quantized>>
  matchFactors(onnx::NodeOp node) const {
    std::optional<Quantized> left = matchQuantized(getInput(node, 0)),
                             right = matchQuantized(getInput(node, 1));
    if (!left || !right || left->isPerAxis)
      return std::nullopt;
    return std::pair(*left, *right);
  }

  /// The integer product of the codes, as f32.
  Value createProduct(PatternRewriter &rewriter, onnx::NodeOp node,
                      StringRef opType, const Quantized &left,
                      const Quantized &right,
                      ArrayRef<NamedAttribute> attributes = {}) const {
    SmallVector<Value> inputs{left.codes, right.codes};
    auto orNone = [&](Value zeroPoint) -> Value {
      return zeroPoint ? zeroPoint
                       : onnx::NoneOp::create(
                             rewriter, node.getLoc(),
                             onnx::ValueType::get(rewriter.getContext()));
    };
    if (left.zeroPoint || right.zeroPoint)
      inputs.push_back(orNone(left.zeroPoint));
    if (right.zeroPoint)
      inputs.push_back(right.zeroPoint);
    Value sums = createNode(rewriter, node, opType, inputs, attributes);
    return castTo(rewriter, node, sums, rewriter.getF32Type());
  }

  /// The product of matrices, as MatMul of the dequantized values has it:
  ///
  ///     Cast(MatMulInteger(codes)) * (scale of left * scale of right * factor)
  Value createScaledProduct(PatternRewriter &rewriter, onnx::NodeOp node,
                            const Quantized &left, const Quantized &right,
                            double factor = 1) const {
    Value product = createProduct(rewriter, node, "MatMulInteger", left, right);
    return createScaled(rewriter, node, product, left, right, factor);
  }

  Value createScaled(PatternRewriter &rewriter, onnx::NodeOp node,
                     Value product, const Quantized &left,
                     const Quantized &right, double factor) const {
    Value scale = createNode(rewriter, node, "Mul", {left.scale, right.scale});
    scale = scaleBy(rewriter, node, scale, factor);
    return createNode(rewriter, node, "Mul", {product, scale});
  }

  Value createShape(PatternRewriter &rewriter, onnx::NodeOp node,
                    ArrayRef<int64_t> shape) const {
    auto type =
        RankedTensorType::get({int64_t(shape.size())}, rewriter.getI64Type());
    return onnx::InitializerOp::create(
        rewriter, node.getLoc(), type, rewriter.getStringAttr("shape"),
        cast<TypedAttr>(DenseElementsAttr::get(type, shape)));
  }

  Pass::Statistic &count;
};

struct FoldMatMul : QDQPattern {
  FoldMatMul(MLIRContext *context, Pass::Statistic &count)
      : QDQPattern(context, "MatMul", count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    auto factors = matchFactors(node);
    if (!factors)
      return rewriter.notifyMatchFailure(node, "no product of int8 values");
    auto [left, right] = *factors;
    // Scales along the last axis are broadcast to the columns of the result.
    if (!isPerOutput(right, right.rank - 1))
      return rewriter.notifyMatchFailure(node, "no scale per column");
    rewriter.replaceOp(node, createScaledProduct(rewriter, node, left, right));
    ++count;
    return success();
  }
};

/// A constant of two dimensions with a third one of size 1, or null.
static TypedAttr withColumnOfOne(Value value) {
  auto constant = value.getDefiningOp<onnx::InitializerOp>();
  auto type = constantType(value);
  if (!constant || type.getRank() != 2)
    return nullptr;
  auto shape = llvm::to_vector(type.getShape());
  shape.push_back(1);
  auto shaped = RankedTensorType::get(shape, type.getElementType());
  if (auto blob = dyn_cast<onnx::FileBlobAttr>(constant.getValue()))
    return onnx::FileBlobAttr::get(value.getContext(), blob.getFile(),
                                   blob.getOffset(), blob.getBytes(), shaped);
  if (auto elements = dyn_cast<DenseElementsAttr>(constant.getValue()))
    return cast<TypedAttr>(elements.reshape(shaped));
  return nullptr;
}

struct FoldGemm : QDQPattern {
  FoldGemm(MLIRContext *context, Pass::Statistic &count)
      : QDQPattern(context, "Gemm", count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    auto factors = matchFactors(node);
    if (!factors || getIntAttr(node, "transA", 0) != 0)
      return rewriter.notifyMatchFailure(node, "no product of int8 values");
    auto [left, right] = *factors;
    bool isTransposed = getIntAttr(node, "transB", 0) != 0;
    if (!isPerOutput(right, isTransposed ? 0 : 1))
      return rewriter.notifyMatchFailure(node, "no scale per column");
    double alpha = getFloatAttr(node, "alpha", 1);
    Value result =
        isTransposed ? createFilters(rewriter, node, left, right) : Value();
    if (result) {
      result = createScaled(rewriter, node, result, left, right, alpha);
    } else {
      if (isTransposed)
        right.codes =
            createNode(rewriter, node, "Transpose", {right.codes},
                       {rewriter.getNamedAttr(
                           "perm", rewriter.getDenseI64ArrayAttr({1, 0}))});
      result = createScaledProduct(rewriter, node, left, right, alpha);
    }
    if (Value addend = getInput(node, 2)) {
      addend = scaleBy(rewriter, node, addend, getFloatAttr(node, "beta", 1));
      result = createNode(rewriter, node, "Add", {result, addend});
    }
    rewriter.replaceOp(node, result);
    ++count;
    return success();
  }

private:
  /// The product by constant rows as a convolution of rows of one pixel, whose
  /// weights are packed; null if they would not be.
  Value createFilters(PatternRewriter &rewriter, onnx::NodeOp node,
                      const Quantized &left, const Quantized &right) const {
    TypedAttr codes = withColumnOfOne(right.codes);
    if (!codes || right.zeroPoint || !right.type.isSignlessInteger(8) ||
        !left.type.isUnsignedInteger(8))
      return nullptr;
    ArrayRef<int64_t> shape = constantType(right.codes).getShape();
    Quantized rows = left, filters = right;
    // Says that codes are unsigned, whatever computes them.
    if (!rows.zeroPoint) {
      auto type = RankedTensorType::get({}, left.type);
      rows.zeroPoint = onnx::InitializerOp::create(
          rewriter, node.getLoc(), type, rewriter.getStringAttr("zero_point"),
          DenseElementsAttr::get(type, APInt(8, 0)));
    }
    filters.codes = onnx::InitializerOp::create(
        rewriter, node.getLoc(), cast<RankedTensorType>(codes.getType()),
        right.codes.getDefiningOp<onnx::InitializerOp>().getNameAttr(), codes);
    rows.codes =
        createNode(rewriter, node, "Reshape",
                   {left.codes, createShape(rewriter, node, {0, shape[1], 1})});
    Value sums = createProduct(rewriter, node, "ConvInteger", rows, filters);
    return createNode(rewriter, node, "Reshape",
                      {sums, createShape(rewriter, node, {0, shape[0]})});
  }
};

struct FoldConv : QDQPattern {
  FoldConv(MLIRContext *context, Pass::Statistic &count)
      : QDQPattern(context, "Conv", count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    auto factors = matchFactors(node);
    // The filters say how many dimensions there are.
    if (!factors || factors->second.rank < 3 ||
        !isPerOutput(factors->second, 0))
      return rewriter.notifyMatchFailure(node, "no convolution of int8 values");
    auto [left, right] = *factors;
    // [channels] as [channels, 1, ...]
    SmallVector<int64_t> shape(right.rank - 1, 1);
    shape[0] = -1;
    Value perChannel = createShape(rewriter, node, shape);
    Value product =
        createProduct(rewriter, node, "ConvInteger", left, right,
                      llvm::to_vector(node.getNodeAttrs().getValue()));
    Value scale = createNode(rewriter, node, "Mul", {left.scale, right.scale});
    scale = createNode(rewriter, node, "Reshape", {scale, perChannel});
    Value result = createNode(rewriter, node, "Mul", {product, scale});
    if (Value bias = getInput(node, 2)) {
      bias = createNode(rewriter, node, "Reshape", {bias, perChannel});
      result = createNode(rewriter, node, "Add", {result, bias});
    }
    rewriter.replaceOp(node, result);
    ++count;
    return success();
  }
};

struct FoldQDQPass : impl::FoldQDQBase<FoldQDQPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldMatMul, FoldGemm, FoldConv>(&getContext(), folded);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
