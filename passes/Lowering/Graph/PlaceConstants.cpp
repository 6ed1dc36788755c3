//===- PlaceConstants.cpp - Give constants of graphs a place ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Lowering/Graph/ElementType.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "passes/Lowering/WeightParts.h"
#include "passes/Quantization/PackedSize.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_PLACECONSTANTS
#include "passes/Lowering/Passes.h.inc"

namespace {
struct PlaceConstantsPass : impl::PlaceConstantsBase<PlaceConstantsPass> {
  void runOnOperation() override;

private:
  void place(onnx::InitializerOp initializer);
  void placeConvolution(onnx::InitializerOp initializer,
                        const ConvWeights &weights);
  LogicalResult place(EncodedWeightOp weight);
  LogicalResult place(WeightOp weight);
  LogicalResult placeMatrix(Operation *weight, StringRef name,
                            kernel::WeightType type, DictionaryAttr part);

  DenseMap<Attribute, FlatSymbolRefAttr> placed; ///< equal constants once
  int64_t nextOffset = 0;
  int64_t weights = 0;      ///< packed ones that are placed
  int64_t convolutions = 0; ///< and those of convolutions
};
} // namespace

/// Bytes of a constant as it is stored: packed below 8 bits if it lies in a
/// file.
static int64_t storedBytes(TypedAttr value) {
  if (auto blob = dyn_cast<onnx::FileBlobAttr>(value))
    return blob.getBytes();
  auto type = cast<ShapedType>(value.getType());
  return type.getNumElements() *
         graph::ElementType(type.getElementType()).bytes();
}

/// What the packer reads a constant from.
static Attribute sourceOf(TypedAttr value) {
  if (auto blob = dyn_cast<onnx::FileBlobAttr>(value))
    return WeightBlobAttr::get(value.getContext(), blob.getFile(),
                               blob.getOffset(), blob.getBytes(),
                               /*transposed=*/false);
  return value;
}

/// True if the node reads a constant as the weights of a convolution in f32, or
/// of unsigned by signed bytes without a zero point of the weights.
static bool takesPackedWeights(onnx::NodeOp node, Value weights, bool isInt8) {
  auto inputs = node.getInputs();
  bool isStandard =
      node.getDomain().empty() || node.getDomain() == onnx::kDefaultDomain;
  if (!isStandard || inputs.size() < 2 || inputs[0] == weights ||
      inputs[1] != weights || llvm::is_contained(inputs.drop_front(2), weights))
    return false;
  if (!isInt8)
    return node.getOpType() == "Conv";
  auto isLeftOut = [&](size_t index) {
    return index >= inputs.size() ||
           inputs[index].getDefiningOp<onnx::NoneOp>();
  };
  if (node.getOpType() != "ConvInteger" || !isLeftOut(3))
    return false;
  // A zero point, of the input or of what has quantized it, says what the input
  // is; it is one number.
  Value zero = isLeftOut(2) ? Value() : inputs[2];
  auto quantize = inputs[0].getDefiningOp<onnx::NodeOp>();
  if (!zero && quantize && quantize.getOpType() == "QuantizeLinear" &&
      quantize.getInputs().size() == 3)
    zero = quantize.getInputs()[2];
  auto constant = zero ? zero.getDefiningOp<onnx::InitializerOp>() : nullptr;
  auto type = constant ? cast<RankedTensorType>(constant.getValue().getType())
                       : nullptr;
  return type && type.getElementType().isUnsignedInteger(8) &&
         type.getNumElements() == 1;
}

/// More places of a kernel are not worth a table of addresses.
static constexpr int64_t kMostTaps = 128;
/// Depthwise kernels are unrolled.
static constexpr int64_t kMostDepthwiseTaps = 25;

/// The weights as convolutions of images with channels last read them; nullopt
/// if something else reads them, too, or if there is no such kernel.
static std::optional<ConvWeights>
convolutionWeights(onnx::InitializerOp initializer) {
  auto type = cast<RankedTensorType>(initializer.getValue().getType());
  bool isInt8 = type.getElementType().isSignlessInteger(8);
  if (!isa<DenseElementsAttr, onnx::FileBlobAttr>(initializer.getValue()) ||
      !(isInt8 || type.getElementType().isF32()) || initializer.use_empty() ||
      type.getRank() < 3 || type.getRank() > 4 || type.getNumElements() == 0)
    return std::nullopt;
  ArrayRef<int64_t> shape = type.getShape();
  ConvWeights weights{shape[0], shape[1], 1, false, isInt8};
  for (int64_t size : shape.drop_front(2))
    weights.taps *= size;
  std::optional<int64_t> groups;
  for (Operation *user : initializer->getUsers()) {
    auto node = dyn_cast<onnx::NodeOp>(user);
    if (!node || !takesPackedWeights(node, initializer.getResult(), isInt8))
      return std::nullopt;
    auto group = node.getNodeAttr<IntegerAttr>("group");
    int64_t own = group ? group.getValue().getSExtValue() : 1;
    if (groups && *groups != own)
      return std::nullopt;
    groups = own;
  }
  weights.isDepthwise = *groups > 1;
  if (!weights.isDepthwise)
    return weights.taps <= kMostTaps ? std::optional(weights) : std::nullopt;
  if (*groups != shape[0] || shape[1] != 1 || shape[0] < kPanelRows ||
      weights.taps > kMostDepthwiseTaps)
    return std::nullopt;
  return weights;
}

void PlaceConstantsPass::placeConvolution(onnx::InitializerOp initializer,
                                          const ConvWeights &weights) {
  OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
  NamedAttribute part[] = {
      b.getNamedAttr("codes", sourceOf(initializer.getValue())),
      b.getNamedAttr("rows", b.getI64IntegerAttr(weights.outputs)),
      b.getNamedAttr("taps", b.getI64IntegerAttr(weights.taps))};
  std::string symbol = "convolution_" + std::to_string(convolutions++);
  auto type = kernel::WeightType::get(&getContext(), weights.outputs,
                                      weights.channels * weights.taps,
                                      packFormat(weights));
  kernel::WeightDataOp::create(
      b, initializer.getLoc(), symbol, initializer.getName(), type, nextOffset,
      weights.bytes(), b.getArrayAttr(b.getDictionaryAttr(part)),
      /*interleaved=*/false, /*zeros=*/0);
  nextOffset = llvm::alignTo(nextOffset + weights.bytes(), kAlignment);
  initializer->setAttr(kPlacedConstantAttrName,
                       FlatSymbolRefAttr::get(&getContext(), symbol));
}

void PlaceConstantsPass::place(onnx::InitializerOp initializer) {
  TypedAttr value = initializer.getValue();
  int64_t bytes = storedBytes(value);
  if (bytes == 0)
    return;
  if (auto weights = convolutionWeights(initializer))
    return placeConvolution(initializer, *weights);
  FlatSymbolRefAttr &symbol = placed[value];
  if (!symbol) {
    MLIRContext *context = &getContext();
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    std::string name = "constant_" + std::to_string(placed.size());
    symbol = FlatSymbolRefAttr::get(context, name);
    NamedAttribute part[] = {b.getNamedAttr("codes", sourceOf(value)),
                             b.getNamedAttr("rows", b.getI64IntegerAttr(1))};
    auto data = kernel::WeightDataOp::create(
        b, initializer.getLoc(), name, initializer.getName(),
        kernel::WeightType::get(context, 1, bytes, kernel::PackFormat::Bytes),
        nextOffset, bytes, b.getArrayAttr(b.getDictionaryAttr(part)),
        /*interleaved=*/false, /*zeros=*/0);
    data->setAttr(kElementsAttrName,
                  b.getI64IntegerAttr(
                      cast<ShapedType>(value.getType()).getNumElements()));
    nextOffset = (nextOffset + bytes + 63) / 64 * 64;
  }
  initializer->setAttr(kPlacedConstantAttrName, symbol);
}

/// Places what is packed as a matrix; it is the only user of its data.
LogicalResult PlaceConstantsPass::placeMatrix(Operation *weight, StringRef name,
                                              kernel::WeightType type,
                                              DictionaryAttr part) {
  FailureOr<int64_t> bytes = packedBytes(weight->getResult(0));
  if (failed(bytes))
    return failure();
  OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
  std::string symbol = "weight_" + std::to_string(weights++);
  kernel::WeightDataOp::create(b, weight->getLoc(), symbol, name, type,
                               nextOffset, *bytes, b.getArrayAttr(part),
                               /*interleaved=*/false,
                               countZeros(weight->getResult(0)));
  nextOffset = llvm::alignTo(nextOffset + *bytes, kAlignment);
  weight->setAttr(kPlacedConstantAttrName,
                  FlatSymbolRefAttr::get(&getContext(), symbol));
  return success();
}

LogicalResult PlaceConstantsPass::place(EncodedWeightOp weight) {
  PackedType type = weight.getType();
  FailureOr<PackedFormat> format = packedFormat(type.getFormat());
  if (failed(format))
    return weight.emitError(
        "weight has no layout yet; run llmopt-encode first");
  return placeMatrix(weight, weight.getName(), weightType(type, *format),
                     makeWeightPart(weight));
}

/// Scales of norms and tables of rotary embeddings are row-major.
LogicalResult PlaceConstantsPass::place(WeightOp weight) {
  RankedTensorType type = weight.getType();
  int64_t columns = type.getRank() ? type.getShape().back() : 1;
  int64_t count = type.getNumElements();
  if (count == 0)
    return weight.emitError("weight '")
           << weight.getName() << "' has no elements";
  Builder b(&getContext());
  return placeMatrix(weight, weight.getName(),
                     kernel::WeightType::get(&getContext(), count / columns,
                                             columns, kernel::PackFormat::Raw),
                     makeWeightPart(b, weight.getSource(), count / columns));
}

/// Constant nodes become initializers.
static void foldConstants(func::FuncOp function) {
  function.walk([](onnx::NodeOp node) {
    TypedAttr value = node.getConstantTensor();
    auto type = value ? dyn_cast<RankedTensorType>(value.getType()) : nullptr;
    if (!type)
      return;
    OpBuilder b(node);
    auto loc = dyn_cast<NameLoc>(node.getLoc());
    bool isNamed = loc && !loc.getName().empty();
    auto constant = onnx::InitializerOp::create(
        b, node.getLoc(), type,
        isNamed ? loc.getName() : b.getStringAttr("constant"), value);
    node.getResult(0).replaceAllUsesWith(constant.getResult());
    node.erase();
  });
  // A constant that is returned has a more precise type now.
  if (function.isExternal())
    return;
  Operation *end = function.front().getTerminator();
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(),
                                     end->getOperandTypes()));
}

void PlaceConstantsPass::runOnOperation() {
  for (auto function : getOperation().getOps<func::FuncOp>())
    foldConstants(function);
  WalkResult result = getOperation().walk([&](Operation *op) {
    LogicalResult placed = success();
    if (auto initializer = dyn_cast<onnx::InitializerOp>(op))
      place(initializer);
    else if (auto encoded = dyn_cast<EncodedWeightOp>(op))
      placed = place(encoded);
    else if (auto weight = dyn_cast<WeightOp>(op))
      placed = place(weight);
    return failed(placed) ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (result.wasInterrupted())
    signalPassFailure();
}

} // namespace llmopt
