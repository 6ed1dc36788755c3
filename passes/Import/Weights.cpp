//===- Weights.cpp - Constant matrices and vectors as llmopt weights ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/Weights.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "passes/Import/ONNXMatch.h"

using namespace mlir;

namespace llmopt {

/// True when a Transpose node swaps the two axes of a matrix.
static bool swapsTwoAxes(onnx::NodeOp transpose) {
  auto order = transpose.getNodeAttr<DenseI64ArrayAttr>("perm");
  return !order || order.asArrayRef() == ArrayRef<int64_t>{1, 0};
}

FailureOr<ConstantMatrix> matchConstantMatrix(Value value, std::string &reason,
                                              bool anyFloat) {
  bool transposed = false;
  while (true) {
    if (onnx::NodeOp identity = getNode(value, "Identity")) {
      value = getInput(identity, 0);
      continue;
    }
    onnx::NodeOp transpose = getNode(value, "Transpose");
    if (!transpose || !swapsTwoAxes(transpose))
      break;
    transposed = !transposed;
    value = getInput(transpose, 0);
  }
  auto initializer = value ? value.getDefiningOp<onnx::InitializerOp>()
                           : onnx::InitializerOp();
  if (!initializer) {
    reason = "no constant matrix is involved";
    return failure();
  }
  auto type = cast<RankedTensorType>(initializer.getType());
  if (type.getRank() != 2 || !isa<FloatType>(type.getElementType())) {
    reason = "no constant float matrix is involved";
    return failure();
  }
  Type element = type.getElementType();
  bool isHalf = element.isF16() || element.isBF16();
  if (!element.isF32() && !(anyFloat && isHalf)) {
    llvm::raw_string_ostream(reason)
        << "weight '" << initializer.getName() << "' has elements of type "
        << type.getElementType()
        << ", expected f32: export the model in float32";
    return failure();
  }
  ConstantMatrix stored{initializer, false, type.getDimSize(0),
                        type.getDimSize(1)};
  return transposed ? stored.transpose() : stored;
}

/// The transpose of a literal matrix.
static DenseElementsAttr transposeLiteral(DenseElementsAttr literal) {
  ShapedType type = literal.getType();
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  auto transposedType =
      RankedTensorType::get({columns, rows}, type.getElementType());
  if (literal.isSplat())
    return literal.resizeSplat(transposedType);
  SmallVector<APFloat> from(literal.getValues<APFloat>()), to(from);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      to[column * rows + row] = from[row * columns + column];
  return DenseElementsAttr::get(transposedType, to);
}

/// A literal of floats as f32.
static DenseElementsAttr widenLiteral(DenseElementsAttr literal) {
  Type f32 = Float32Type::get(literal.getContext());
  if (literal.getElementType() == f32)
    return literal;
  return llvm::cast<DenseElementsAttr>(
      cast<DenseFPElementsAttr>(literal).mapValues(
          f32, [](const APFloat &value) {
            APFloat wide = value;
            bool losesInfo = false;
            wide.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                         &losesInfo);
            return wide.bitcastToAPInt();
          }));
}

Attribute getWeightSource(onnx::InitializerOp initializer, bool transposed) {
  if (auto blob = dyn_cast<onnx::FileBlobAttr>(initializer.getValue())) {
    Type element = initializer.getType().getElementType();
    return WeightBlobAttr::get(blob.getContext(), blob.getFile(),
                               blob.getOffset(), blob.getBytes(), transposed,
                               element.isF32() ? Type() : element);
  }
  auto literal = widenLiteral(cast<DenseElementsAttr>(initializer.getValue()));
  return transposed ? transposeLiteral(literal) : literal;
}

Value createWeight(OpBuilder &builder, Location location,
                   const ConstantMatrix &matrix) {
  onnx::InitializerOp initializer = matrix.initializer;
  auto type = RankedTensorType::get({matrix.rows, matrix.columns},
                                    builder.getF32Type());
  return WeightOp::create(builder, location, type, initializer.getName(),
                          getWeightSource(initializer, matrix.transposed));
}

FailureOr<Value> createVector(OpBuilder &builder, Location location,
                              Value value, int64_t length,
                              std::string &reason) {
  while (onnx::NodeOp identity = getNode(value, "Identity"))
    value = getInput(identity, 0);
  auto initializer = value ? value.getDefiningOp<onnx::InitializerOp>()
                           : onnx::InitializerOp();
  auto type = RankedTensorType::get({length}, builder.getF32Type());
  if (!initializer || initializer.getType() != type) {
    llvm::raw_string_ostream(reason)
        << "its weight must be a constant of type " << type;
    return failure();
  }
  return Value(WeightOp::create(builder, location, type, initializer.getName(),
                                getWeightSource(initializer, false)));
}

FailureOr<Value> createZeros(OpBuilder &builder, Location location,
                             int64_t length) {
  return createComputedWeight(
      builder, location, "zeros",
      RankedTensorType::get({length}, builder.getF32Type()),
      std::vector<float>(length));
}

FailureOr<Value> createComputedWeight(OpBuilder &builder, Location location,
                                      StringRef name, RankedTensorType type,
                                      ArrayRef<float> values) {
  constexpr size_t literalBytes = 1024;
  Attribute source;
  if (values.size() * sizeof(float) <= literalBytes) {
    source = DenseElementsAttr::get(type, values);
  } else {
    MLIRContext *context = builder.getContext();
    WeightStore &store =
        context->getOrLoadDialect<LLMOptDialect>()->getWeightStore();
    FailureOr<WeightBlobAttr> blob = spillValues<float>(
        store, context, values, [&] { return emitError(location); });
    if (failed(blob))
      return failure();
    source = *blob;
  }
  return Value(WeightOp::create(builder, location, type, name, source));
}

} // namespace llmopt
