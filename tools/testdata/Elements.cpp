//===- Elements.cpp - Elements of tensors as numbers ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/testdata/Elements.h"
#include "llmopt/ModelABI.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/ADT/STLExtras.h"

using namespace llmopt::tools;
using llvm::APFloat;

namespace {
struct OnnxType {
  int32_t onnx;
  ElementType type;
};

constexpr bool kFloat = true, kInteger = false, kSigned = true,
               kUnsigned = false;

constexpr OnnxType kTypes[] = {
    {1, {LLMOPT_F32, 32, kFloat, kSigned, "f32"}},
    {2, {LLMOPT_U8, 8, kInteger, kUnsigned, "uint8"}},
    {3, {LLMOPT_I8, 8, kInteger, kSigned, "int8"}},
    {4, {LLMOPT_U16, 16, kInteger, kUnsigned, "uint16"}},
    {5, {LLMOPT_I16, 16, kInteger, kSigned, "int16"}},
    {6, {LLMOPT_I32, 32, kInteger, kSigned, "int32"}},
    {7, {LLMOPT_I64, 64, kInteger, kSigned, "int64"}},
    {9, {LLMOPT_BOOL, 8, kInteger, kUnsigned, "bool"}},
    {10, {LLMOPT_F16, 16, kFloat, kSigned, "f16"}},
    {11, {LLMOPT_F64, 64, kFloat, kSigned, "f64"}},
    {12, {LLMOPT_U32, 32, kInteger, kUnsigned, "uint32"}},
    {13, {LLMOPT_U64, 64, kInteger, kUnsigned, "uint64"}},
    {16, {LLMOPT_BF16, 16, kFloat, kSigned, "bf16"}},
    {17, {LLMOPT_F8E4M3FN, 8, kFloat, kSigned, "float8e4m3fn"}},
    {18, {LLMOPT_F8E4M3FNUZ, 8, kFloat, kSigned, "float8e4m3fnuz"}},
    {19, {LLMOPT_F8E5M2, 8, kFloat, kSigned, "float8e5m2"}},
    {20, {LLMOPT_F8E5M2FNUZ, 8, kFloat, kSigned, "float8e5m2fnuz"}},
    {21, {LLMOPT_U4, 4, kInteger, kUnsigned, "uint4"}},
    {22, {LLMOPT_I4, 4, kInteger, kSigned, "int4"}},
    {23, {LLMOPT_F4E2M1, 4, kFloat, kSigned, "float4e2m1"}},
    {24, {LLMOPT_F8E8M0, 8, kFloat, kSigned, "float8e8m0"}},
    {25, {LLMOPT_U2, 2, kInteger, kUnsigned, "uint2"}},
    {26, {LLMOPT_I2, 2, kInteger, kSigned, "int2"}},
};
} // namespace

std::optional<ElementType> llmopt::tools::fromOnnx(int32_t dataType) {
  for (const OnnxType &entry : kTypes)
    if (entry.onnx == dataType)
      return entry.type;
  return std::nullopt;
}

const ElementType &llmopt::tools::describe(int32_t type) {
  const OnnxType *entry = llvm::find_if(
      kTypes, [&](const OnnxType &entry) { return entry.type.type == type; });
  assert(entry != std::end(kTypes) && "not an element type");
  return entry->type;
}

std::vector<char> llmopt::tools::unpack(llvm::StringRef packed, int64_t count,
                                        const ElementType &type) {
  const unsigned perByte = 8 / type.bits;
  std::vector<char> elements(count);
  for (int64_t i = 0; i < count; ++i) {
    unsigned bits =
        static_cast<uint8_t>(packed[i / perByte]) >> (i % perByte * type.bits) &
        ((1u << type.bits) - 1);
    // Signed integers are sign-extended.
    const unsigned sign = 1u << (type.bits - 1);
    const bool extend = !type.isFloat && type.isSigned && (bits & sign);
    elements[i] = static_cast<char>(extend ? bits - 2 * sign : bits);
  }
  return elements;
}

static const llvm::fltSemantics &semanticsOf(int32_t type) {
  switch (type) {
  case LLMOPT_F16:
    return APFloat::IEEEhalf();
  case LLMOPT_BF16:
    return APFloat::BFloat();
  case LLMOPT_F8E4M3FN:
    return APFloat::Float8E4M3FN();
  case LLMOPT_F8E4M3FNUZ:
    return APFloat::Float8E4M3FNUZ();
  case LLMOPT_F8E5M2:
    return APFloat::Float8E5M2();
  case LLMOPT_F8E5M2FNUZ:
    return APFloat::Float8E5M2FNUZ();
  case LLMOPT_F8E8M0:
    return APFloat::Float8E8M0FNU();
  default:
    return APFloat::Float4E2M1FN();
  }
}

static double smallFloat(uint64_t bits, int32_t type) {
  const llvm::fltSemantics &semantics = semanticsOf(type);
  return APFloat(semantics, llvm::APInt(APFloat::getSizeInBits(semantics), bits,
                                        /*isSigned=*/false,
                                        /*implicitTrunc=*/true))
      .convertToDouble();
}

template <typename T> static T at(const void *data, int64_t index) {
  return static_cast<const T *>(data)[index];
}

double llmopt::tools::valueAt(const void *data, int64_t index, int32_t type) {
  switch (type) {
  case LLMOPT_F32:
    return at<float>(data, index);
  case LLMOPT_F64:
    return at<double>(data, index);
  case LLMOPT_I64:
    return at<int64_t>(data, index);
  case LLMOPT_U64:
    return at<uint64_t>(data, index);
  case LLMOPT_I32:
    return at<int32_t>(data, index);
  case LLMOPT_U32:
    return at<uint32_t>(data, index);
  case LLMOPT_I16:
    return at<int16_t>(data, index);
  case LLMOPT_U16:
    return at<uint16_t>(data, index);
  case LLMOPT_I8:
  case LLMOPT_I4:
  case LLMOPT_I2:
    return at<int8_t>(data, index);
  case LLMOPT_BOOL:
  case LLMOPT_U8:
  case LLMOPT_U4:
  case LLMOPT_U2:
    return at<uint8_t>(data, index);
  case LLMOPT_F16:
  case LLMOPT_BF16:
    return smallFloat(at<uint16_t>(data, index), type);
  default:
    return smallFloat(at<uint8_t>(data, index), type);
  }
}
