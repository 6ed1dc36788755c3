//===- ElementType.cpp - Element types of graph tensors ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ElementType.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
struct DataType {
  llvm::StringLiteral name;
  Type (*type)(Builder);
};
} // namespace

template <typename FloatT> static Type floatType(Builder b) {
  return b.getType<FloatT>();
}

template <unsigned bits> static Type signedType(Builder b) {
  return b.getIntegerType(bits);
}

template <unsigned bits> static Type unsignedType(Builder b) {
  return b.getIntegerType(bits, /*isSigned=*/false);
}

/// In the order of their numbers, from 0 on.
static constexpr DataType dataTypes[] = {
    {"UNDEFINED", nullptr},
    {"FLOAT", floatType<Float32Type>},
    {"UINT8", unsignedType<8>},
    {"INT8", signedType<8>},
    {"UINT16", unsignedType<16>},
    {"INT16", signedType<16>},
    {"INT32", signedType<32>},
    {"INT64", signedType<64>},
    {"STRING", nullptr},
    {"BOOL", signedType<1>},
    {"FLOAT16", floatType<Float16Type>},
    {"DOUBLE", floatType<Float64Type>},
    {"UINT32", unsignedType<32>},
    {"UINT64", unsignedType<64>},
    {"COMPLEX64", nullptr},
    {"COMPLEX128", nullptr},
    {"BFLOAT16", floatType<BFloat16Type>},
    {"FLOAT8E4M3FN", floatType<Float8E4M3FNType>},
    {"FLOAT8E4M3FNUZ", floatType<Float8E4M3FNUZType>},
    {"FLOAT8E5M2", floatType<Float8E5M2Type>},
    {"FLOAT8E5M2FNUZ", floatType<Float8E5M2FNUZType>},
    {"UINT4", unsignedType<4>},
    {"INT4", signedType<4>},
    {"FLOAT4E2M1", floatType<Float4E2M1FNType>},
    {"FLOAT8E8M0", floatType<Float8E8M0FNUType>},
    {"UINT2", unsignedType<2>},
    {"INT2", signedType<2>},
};

std::optional<ElementType> ElementType::fromNumber(int64_t dataType,
                                                   MLIRContext *context) {
  if (dataType < 0 || dataType >= int64_t(std::size(dataTypes)) ||
      !dataTypes[dataType].type)
    return std::nullopt;
  return ElementType(dataTypes[dataType].type(Builder(context)));
}

std::optional<ElementType> ElementType::fromName(StringRef name,
                                                 MLIRContext *context) {
  for (auto [number, entry] : llvm::enumerate(dataTypes))
    if (name.equals_insensitive(entry.name))
      return fromNumber(number, context);
  return std::nullopt;
}

Type ElementType::storage() const {
  MLIRContext *context = type.getContext();
  if (isMiniFloat() || bits() < 8)
    return IntegerType::get(context, 8);
  if (isFloat())
    return type;
  return IntegerType::get(context, bits());
}

int64_t ElementType::bytes() const {
  return storage().getIntOrFloatBitWidth() / 8;
}

Type ElementType::compute() const {
  MLIRContext *context = type.getContext();
  if (isBool())
    return IntegerType::get(context, 1);
  if (isSmallFloat())
    return Float32Type::get(context);
  return storage();
}

} // namespace llmopt::graph
