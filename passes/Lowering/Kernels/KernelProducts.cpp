//===- KernelProducts.cpp - Products and look-ups of bytes ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"

using namespace mlir;

namespace llmopt {

Value KernelBuilder::intrinsic(StringRef name, Type result,
                               ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name),
                                       arguments)
      .getResult(0);
}

Value KernelBuilder::dot(Value acc, Value weights, Value x) {
  if (!hasAvx512())
    return dotAvx2(acc, weights, x);
  return intrinsic("llvm.x86.avx512.vpdpbusd.512", ints(),
                   {acc, weights, bitcast(x, bytes())});
}

/// vpmaddubsw multiplies unsigned by signed bytes and saturates pairs at 16
/// bits: |x| times sign(w, x) is exact as long as neither is -128.
Value KernelBuilder::dotAvx2(Value acc, Value weights, Value x) {
  VectorType bytes32 = VectorType::get(32, i8Type());
  VectorType shorts = VectorType::get(16, b.getI16Type());
  VectorType ints8 = VectorType::get(8, i32Type());
  Value codes = bitXor(weights, constant(weights.getType(), 128));
  Value xs = half(bitcast(x, bytes()), 0);
  Value magnitude = math::AbsIOp::create(b, loc, xs);
  Value halves[2];
  for (int64_t which : {0, 1}) {
    Value sign =
        intrinsic("llvm.x86.avx2.psign.b", bytes32, {half(codes, which), xs});
    Value pairs =
        intrinsic("llvm.x86.avx2.pmadd.ub.sw", shorts, {magnitude, sign});
    Value quads = intrinsic("llvm.x86.avx2.pmadd.wd", ints8,
                            {pairs, constant(shorts, 1)});
    halves[which] = add(half(acc, which), quads);
  }
  return join(halves[0], halves[1]);
}

Value KernelBuilder::dotUnsigned(Value acc, Value weights, Value x) {
  if (hasAvx512())
    return dot(acc, weights, x);
  VectorType shorts = VectorType::get(16, b.getI16Type());
  VectorType ints8 = VectorType::get(8, i32Type());
  Value xs = half(bitcast(x, bytes()), 0);
  Value halves[2];
  for (int64_t which : {0, 1}) {
    Value pairs = intrinsic("llvm.x86.avx2.pmadd.ub.sw", shorts,
                            {half(weights, which), xs});
    Value quads = intrinsic("llvm.x86.avx2.pmadd.wd", ints8,
                            {pairs, constant(shorts, 1)});
    halves[which] = add(half(acc, which), quads);
  }
  return join(halves[0], halves[1]);
}

Value KernelBuilder::lookUpBytes(Value table, Value indices) {
  // vpermb takes six bits of an index: the table is repeated, so that the
  // upper two do not matter.
  if (hasAvx512())
    return intrinsic("llvm.x86.avx512.permvar.qi.512", bytes(),
                     {table, indices});
  VectorType bytes32 = VectorType::get(32, i8Type());
  indices = bitAnd(indices, 15);
  Value halves[2];
  for (int64_t which : {0, 1})
    halves[which] = intrinsic("llvm.x86.avx2.pshuf.b", bytes32,
                              {half(table, which), half(indices, which)});
  return join(halves[0], halves[1]);
}

Value KernelBuilder::gatherBytes(Value table, Value indices) {
  assert(hasAvx512() && "needs AVX-512 VBMI");
  return intrinsic("llvm.x86.avx512.permvar.qi.512", bytes(), {table, indices});
}

Value KernelBuilder::shuffleBytes(Value table, Value indices) {
  assert(hasAvx512() && "needs AVX-512 BW");
  return intrinsic("llvm.x86.avx512.pshuf.b.512", bytes(), {table, indices});
}

Value KernelBuilder::shuffle(Value vector, ArrayRef<int64_t> indices) {
  return vector::ShuffleOp::create(b, loc, vector, vector, indices);
}

Value KernelBuilder::loadFourTimes(Value pointer) {
  Value quarter = load(VectorType::get(kLanes, i8Type()), pointer);
  SmallVector<int64_t> indices(kVectorBytes);
  for (int64_t i = 0; i < kVectorBytes; ++i)
    indices[i] = i % kLanes;
  return vector::ShuffleOp::create(b, loc, quarter, quarter, indices);
}

Value KernelBuilder::lookUpFloats(Value table, Value indices) {
  if (hasAvx512())
    return intrinsic("llvm.x86.avx512.permvar.sf.512", floats(),
                     {table, indices});
  VectorType floats8 = VectorType::get(8, f32Type());
  Value halves[2];
  for (int64_t which : {0, 1}) {
    Value lanes = half(indices, which);
    Value low =
        intrinsic("llvm.x86.avx2.permps", floats8, {half(table, 0), lanes});
    Value high =
        intrinsic("llvm.x86.avx2.permps", floats8, {half(table, 1), lanes});
    halves[which] = select(less(lanes, 8), low, high);
  }
  return join(halves[0], halves[1]);
}

Value KernelBuilder::dotPairs(Value acc, Value x, Value y) {
  VectorType shorts = VectorType::get(2 * kLanes, b.getI16Type());
  x = bitcast(x, shorts);
  y = bitcast(y, shorts);
  if (hasAvx512())
    return add(acc, intrinsic("llvm.x86.avx512.pmaddw.d.512", ints(), {x, y}));
  Value halves[2];
  for (int64_t which : {0, 1})
    halves[which] =
        intrinsic("llvm.x86.avx2.pmadd.wd", VectorType::get(8, i32Type()),
                  {half(x, which), half(y, which)});
  return add(acc, join(halves[0], halves[1]));
}

Value KernelBuilder::dotExact(Value acc, Value x, Value y) {
  if (hasAvx512())
    return intrinsic("llvm.x86.avx512.vpdpbusd.512", ints(),
                     {acc, bitcast(x, bytes()), bitcast(y, bytes())});
  // As numbers of 16 bits, the even and the odd bytes.
  VectorType shorts = VectorType::get(2 * kLanes, b.getI16Type());
  x = bitcast(x, shorts);
  y = bitcast(y, shorts);
  Value eight = constant(shorts, 8);
  Value evenY = arith::ShRSIOp::create(b, loc, shiftLeft(y, eight), eight);
  Value oddY = arith::ShRSIOp::create(b, loc, y, eight);
  acc = dotPairs(acc, bitAnd(x, constant(shorts, 255)), evenY);
  return dotPairs(acc, shiftRight(x, eight), oddY);
}

Value KernelBuilder::biasOfSum(Value sum) {
  if (!hasAvx512())
    return constant(ints(), 0);
  return broadcast(mul(sum, -128));
}

Value KernelBuilder::loadBias(Value pointer) {
  if (!hasAvx512())
    return constant(ints(), 0);
  return loadBroadcast(i32Type(), pointer);
}

Value KernelBuilder::expandCodes(Value values, Value mask) {
  assert(hasAvx512() && "expansion needs AVX-512 VBMI2");
  // Merging into a constant avoids vpexpandb's false dependency on its
  // destination.
  Value lanes = bitcast(mask, VectorType::get(kVectorBytes, b.getI1Type()));
  return intrinsic("llvm.x86.avx512.mask.expand", bytes(),
                   {values, constant(bytes(), 128), lanes});
}

} // namespace llmopt
