//===- TypeReader.cpp - Element types and shapes of values ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/TypeReader.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
using ::onnx::TensorProto;

/// The MLIR type of a data type; null for those that are not supported.
static Type getElementType(int32_t dataType, Builder b) {
  switch (dataType) {
  case TensorProto::FLOAT:
    return b.getF32Type();
  case TensorProto::DOUBLE:
    return b.getF64Type();
  case TensorProto::FLOAT16:
    return b.getF16Type();
  case TensorProto::BFLOAT16:
    return b.getBF16Type();
  case TensorProto::BOOL:
    return b.getI1Type();
  case TensorProto::INT8:
    return b.getI8Type();
  case TensorProto::INT16:
    return b.getIntegerType(16);
  case TensorProto::INT32:
    return b.getI32Type();
  case TensorProto::INT64:
    return b.getI64Type();
  case TensorProto::UINT8:
    return b.getIntegerType(8, /*isSigned=*/false);
  case TensorProto::UINT16:
    return b.getIntegerType(16, /*isSigned=*/false);
  case TensorProto::UINT32:
    return b.getIntegerType(32, /*isSigned=*/false);
  case TensorProto::UINT64:
    return b.getIntegerType(64, /*isSigned=*/false);
  case TensorProto::INT4:
    return b.getI4Type();
  case TensorProto::UINT4:
    return b.getIntegerType(4, /*isSigned=*/false);
  case TensorProto::INT2:
    return b.getI2Type();
  case TensorProto::UINT2:
    return b.getIntegerType(2, /*isSigned=*/false);
  case TensorProto::FLOAT8E4M3FN:
    return b.getType<Float8E4M3FNType>();
  case TensorProto::FLOAT8E4M3FNUZ:
    return b.getType<Float8E4M3FNUZType>();
  case TensorProto::FLOAT8E5M2:
    return b.getType<Float8E5M2Type>();
  case TensorProto::FLOAT8E5M2FNUZ:
    return b.getType<Float8E5M2FNUZType>();
  case TensorProto::FLOAT8E8M0:
    return b.getType<Float8E8M0FNUType>();
  case TensorProto::FLOAT4E2M1:
    return b.getType<Float4E2M1FNType>();
  default:
    return {};
  }
}

FailureOr<Type> llmopt::onnx::readElementType(int32_t dataType, StringRef where,
                                              ImportState &state) {
  if (dataType == TensorProto::UNDEFINED)
    return state.reporter.malformed(where + " has no element type");
  if (!::onnx::TensorProto_DataType_IsValid(dataType))
    return state.reporter.malformed(where + " has the unknown element type " +
                                    Twine(dataType));
  if (Type type = getElementType(dataType, Builder(state.context)))
    return type;
  const std::string &name = ::onnx::TensorProto_DataType_Name(
      static_cast<::onnx::TensorProto_DataType>(dataType));
  return state.reporter.unsupported(where + " has the element type " + name +
                                    ", which is not supported");
}

LogicalResult llmopt::onnx::checkDimension(int64_t size, StringRef where,
                                           ImportState &state) {
  if (size >= 0)
    return success();
  return state.reporter.malformed(where + " has the negative dimension " +
                                  Twine(size));
}

FailureOr<RankedTensorType>
llmopt::onnx::makeTensorType(ArrayRef<int64_t> shape, Type elementType,
                             StringRef where, ImportState &state) {
  if (shape.size() > state.options.maxRank)
    return state.reporter.unsupported(where + " has " + Twine(shape.size()) +
                                      " dimensions, more than the limit of " +
                                      Twine(state.options.maxRank));
  SmallVector<int64_t> staticShape;
  for (int64_t size : shape)
    if (!ShapedType::isDynamic(size))
      staticShape.push_back(size);
  if (!getStoredBytes(RankedTensorType::get(staticShape, elementType)))
    return state.reporter.malformed(
        where + " is too large: its size in bytes does not fit 64 bits");
  return RankedTensorType::get(shape, elementType);
}

/// Reads a shape. Names of dimensions go to `names`, "" where there is none.
static LogicalResult readShape(const ::onnx::TensorShapeProto &proto,
                               SmallVectorImpl<int64_t> &shape,
                               SmallVectorImpl<StringRef> &names,
                               StringRef where, ImportState &state) {
  for (const ::onnx::TensorShapeProto_Dimension &dim : proto.dim()) {
    names.push_back(dim.dim_param());
    if (!dim.has_dim_value()) {
      shape.push_back(ShapedType::kDynamic);
      continue;
    }
    if (failed(checkDimension(dim.dim_value(), where, state)))
      return failure();
    shape.push_back(dim.dim_value());
  }
  return success();
}

FailureOr<DeclaredType> llmopt::onnx::readType(const ::onnx::TypeProto &proto,
                                               StringRef where,
                                               ImportState &state) {
  switch (proto.value_case()) {
  case ::onnx::TypeProto::kTensorType:
    break;
  case ::onnx::TypeProto::VALUE_NOT_SET:
    return state.reporter.malformed(where + " has no type");
  default:
    return state.reporter.unsupported(where +
                                      " is not a tensor; sequences, "
                                      "maps, optional and sparse values "
                                      "are not supported");
  }
  const ::onnx::TypeProto_Tensor &tensor = proto.tensor_type();
  FailureOr<Type> elementType =
      readElementType(tensor.elem_type(), where, state);
  if (failed(elementType))
    return failure();
  if (!tensor.has_shape())
    return DeclaredType{UnrankedTensorType::get(*elementType), {}};
  SmallVector<int64_t> shape;
  SmallVector<StringRef> names;
  if (failed(readShape(tensor.shape(), shape, names, where, state)))
    return failure();
  FailureOr<RankedTensorType> type =
      makeTensorType(shape, *elementType, where, state);
  if (failed(type))
    return failure();
  bool isNamed =
      llvm::any_of(names, [](StringRef name) { return !name.empty(); });
  return DeclaredType{*type, isNamed
                                 ? Builder(state.context).getStrArrayAttr(names)
                                 : ArrayAttr()};
}
