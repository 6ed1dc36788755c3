//===- KernelBuilder.h - Vocabulary of the kernel emitters ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer over OpBuilder, so that an emitter reads like the intrinsics
// version of its kernel. Sizes are i64, pointers are !llvm.ptr with offsets in
// bytes. A vector of floats has 16 lanes on every instruction set; LLVM splits
// it into two 256-bit halves for AVX2. Only integer products and expansion
// differ by instruction set.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_KERNELBUILDER_H
#define LLMOPT_PASSES_LOWERING_KERNELS_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "target/Isa.h"

namespace llmopt {

using Values = llvm::SmallVector<mlir::Value, 8>;

/// Lanes of a float vector: the rows of a weight panel.
inline constexpr int64_t kLanes = 16;
/// Bytes of a float vector, and of a vector of codes.
inline constexpr int64_t kVectorBytes = 64;

class KernelBuilder {
public:
  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc, Isa isa)
      : b(builder), loc(loc), targetIsa(isa) {}

  Isa isa() const { return targetIsa; }
  bool hasAvx512() const { return targetIsa == Isa::Avx512Vnni; }

  mlir::Type ptrType();
  mlir::Type i64Type() { return b.getI64Type(); }
  mlir::Type i32Type() { return b.getI32Type(); }
  mlir::Type i16Type() { return b.getI16Type(); }
  mlir::Type i8Type() { return b.getI8Type(); }
  mlir::Type f16Type() { return b.getF16Type(); }
  mlir::Type f32Type() { return b.getF32Type(); }
  /// vector<16xf32>, vector<16xi32>, vector<64xi8>.
  mlir::VectorType floats() { return mlir::VectorType::get(kLanes, f32Type()); }
  mlir::VectorType ints() { return mlir::VectorType::get(kLanes, i32Type()); }
  /// vector<16xf16>.
  mlir::VectorType halves() {
    return mlir::VectorType::get(kLanes, b.getF16Type());
  }
  mlir::VectorType bytes() {
    return mlir::VectorType::get(kVectorBytes, i8Type());
  }

  // Constants.
  mlir::Value size(int64_t value);
  mlir::Value constant(mlir::Type type, int64_t value); ///< scalar or splat
  mlir::Value constantF32(float value);
  mlir::Value splat(float value);
  /// 0, 1, ..., 15 as vector<16xi32>.
  mlir::Value laneIndices();

  // Arithmetic on integers, floats and vectors of them; both operands of one
  // type. Integers are i64 sizes or vectors; division and comparison of sizes
  // is unsigned.
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  /// Larger of two floats (vectors); the second one when either is NaN.
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, int64_t rhs) {
    return add(lhs, like(lhs, rhs));
  }
  mlir::Value sub(mlir::Value lhs, int64_t rhs) {
    return sub(lhs, like(lhs, rhs));
  }
  mlir::Value mul(mlir::Value lhs, int64_t rhs) {
    return mul(lhs, like(lhs, rhs));
  }
  mlir::Value div(mlir::Value lhs, int64_t rhs) {
    return div(lhs, like(lhs, rhs));
  }
  mlir::Value rem(mlir::Value lhs, int64_t rhs) {
    return rem(lhs, like(lhs, rhs));
  }
  mlir::Value min(mlir::Value lhs, int64_t rhs) {
    return min(lhs, like(lhs, rhs));
  }
  /// The smallest multiple of `multiple` that is not less than `value`.
  mlir::Value roundUp(mlir::Value value, int64_t multiple);
  mlir::Value divideCeil(mlir::Value value, int64_t divisor);
  mlir::Value bitAnd(mlir::Value lhs, mlir::Value rhs);
  mlir::Value bitAnd(mlir::Value lhs, int64_t rhs) {
    return bitAnd(lhs, like(lhs, rhs));
  }
  mlir::Value bitXor(mlir::Value lhs, mlir::Value rhs);
  mlir::Value bitXor(mlir::Value lhs, int64_t rhs) {
    return bitXor(lhs, like(lhs, rhs));
  }
  mlir::Value shiftLeft(mlir::Value lhs, mlir::Value rhs);
  mlir::Value shiftRight(mlir::Value lhs, mlir::Value rhs); ///< logical
  mlir::Value shiftRightSigned(mlir::Value lhs, int64_t bits);
  mlir::Value popcount(mlir::Value value);
  mlir::Value less(mlir::Value lhs, mlir::Value rhs); ///< unsigned or ordered
  mlir::Value less(mlir::Value lhs, int64_t rhs) {
    return less(lhs, like(lhs, rhs));
  }
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs);
  mlir::Value equal(mlir::Value lhs, int64_t rhs) {
    return equal(lhs, like(lhs, rhs));
  }
  mlir::Value notNull(mlir::Value pointer);
  mlir::Value either(mlir::Value lhs, mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);

  // Conversions.
  mlir::Value truncate(mlir::Value value, mlir::Type type);
  mlir::Value zeroExtend(mlir::Value value, mlir::Type type);
  mlir::Value signExtend(mlir::Value value, mlir::Type type);
  mlir::Value bitcast(mlir::Value value, mlir::Type type);
  mlir::Value toFloat(mlir::Value value);     ///< signed integers to f32
  mlir::Value widenHalves(mlir::Value value); ///< f16 to f32

  // Floats.
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c); ///< a * b + c
  mlir::Value negate(mlir::Value value);
  mlir::Value absolute(mlir::Value value);
  mlir::Value squareRoot(mlir::Value value);
  /// The lanes combined pairwise, halving the vector: a fixed order.
  mlir::Value reduceAdd(mlir::Value vector);
  mlir::Value reduceMax(mlir::Value vector);
  /// The largest of 16 lanes, in all of them.
  mlir::Value maxOfLanes(mlir::Value vector);
  /// e^x within 2 ulp, lane by lane; 0 for -inf, NaN for NaN.
  mlir::Value exp(mlir::Value x);
  /// x / (1 + e^-x).
  mlir::Value silu(mlir::Value x);
  /// With an error of a few units of 2^-24.
  mlir::Value tanh(mlir::Value x);
  /// x / 2 * (1 + erf(x / sqrt(2))).
  mlir::Value gelu(mlir::Value x);
  /// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
  mlir::Value geluTanh(mlir::Value x);
  /// Nearest int32, ties to even; |x| < 2^22.
  mlir::Value roundToInt(mlir::Value x);

  // Memory. Nothing is assumed about alignment.
  mlir::Value at(mlir::Value pointer, mlir::Value byteOffset);
  mlir::Value at(mlir::Value pointer, int64_t byteOffset);
  mlir::Value load(mlir::Type type, mlir::Value pointer);
  mlir::Value load(mlir::Type type, mlir::Value pointer, int64_t byteOffset) {
    return load(type, at(pointer, byteOffset));
  }
  void store(mlir::Value value, mlir::Value pointer);
  void store(mlir::Value value, mlir::Value pointer, int64_t byteOffset) {
    store(value, at(pointer, byteOffset));
  }
  /// Asks for the line at an address, which need not be mapped, in a level of
  /// the caches.
  void prefetch(mlir::Value pointer, int64_t level = 2);
  /// The first `count` floats of a vector (all when count >= 16), zeros after
  /// them.
  mlir::Value loadFloats(mlir::Value pointer, mlir::Value count);
  void storeFloats(mlir::Value value, mlir::Value pointer, mlir::Value count);
  /// The lanes of `type`, 16 of any element, whose bit of the mask is set;
  /// those of `others` for the rest.
  mlir::Value loadMasked(mlir::Type type, mlir::Value pointer, mlir::Value mask,
                         mlir::Value others);
  mlir::Value broadcast(mlir::Value scalar); ///< to 16 lanes
  mlir::Value loadBroadcast(mlir::Type scalarType, mlir::Value pointer) {
    return broadcast(load(scalarType, pointer));
  }
  mlir::Value loadBroadcast(mlir::Type scalarType, mlir::Value pointer,
                            int64_t byteOffset) {
    return loadBroadcast(scalarType, at(pointer, byteOffset));
  }
  mlir::Value extract(mlir::Value vector, int64_t lane);
  /// Lanes of two vectors of 16 in turn, of their first halves (0) or their
  /// second ones (1).
  mlir::Value interleave(mlir::Value a, mlir::Value b, int64_t which);
  /// Lanes 0, 2, 4, ... of two vectors of 16.
  mlir::Value evenLanes(mlir::Value low, mlir::Value high);

  // Integer products.
  /// acc[lane] += sum over the lane's four bytes of weight code times
  /// activation. `weights` are 64 codes stored with +128, `x` holds the same
  /// four signed activations in every lane. On AVX-512 the +128 stays in the
  /// result and is to be corrected by biasOfSum; on AVX2 the product is of the
  /// signed codes.
  mlir::Value dot(mlir::Value acc, mlir::Value weights, mlir::Value x);
  /// The same for weights from 0 to 127 that are stored as they are, on every
  /// instruction set; on AVX-512, of any unsigned bytes.
  mlir::Value dotUnsigned(mlir::Value acc, mlir::Value weights, mlir::Value x);
  /// The bytes of a table of 16, repeated to 64, whose indices are the low
  /// halves of 64 bytes.
  mlir::Value lookUpBytes(mlir::Value table, mlir::Value indices);
  /// The bytes of a table of 64 at 64 indices from 0 to 63. AVX-512 only.
  mlir::Value gatherBytes(mlir::Value table, mlir::Value indices);
  /// The same within each 16 bytes of both, with indices from 0 to 15. AVX-512
  /// only.
  mlir::Value shuffleBytes(mlir::Value table, mlir::Value indices);
  /// Bytes of a vector of 64 at fixed indices.
  mlir::Value shuffle(mlir::Value vector, llvm::ArrayRef<int64_t> indices);
  /// 16 bytes in memory, four times over.
  mlir::Value loadFourTimes(mlir::Value pointer);
  /// The floats of a table of 16 at the indices 0 to 15 of 16 lanes.
  mlir::Value lookUpFloats(mlir::Value table, mlir::Value indices);
  /// acc[lane] += the sum of products of the lane's two 16-bit numbers.
  mlir::Value dotPairs(mlir::Value acc, mlir::Value x, mlir::Value y);
  /// acc[lane] += sum over the lane's four bytes of x, unsigned, times those of
  /// y, signed; exact.
  mlir::Value dotExact(mlir::Value acc, mlir::Value x, mlir::Value y);
  /// What an accumulator of dot starts with, given the sum (i32) of the
  /// activations, or the bias of a record's group in memory.
  mlir::Value biasOfSum(mlir::Value sum);
  mlir::Value loadBias(mlir::Value pointer);
  /// 64 bytes where a set mask bit takes the next of `values` and a clear one
  /// 128. AVX-512 only.
  mlir::Value expandCodes(mlir::Value values, mlir::Value mask);

  /// The CPU's time stamp counter.
  mlir::Value timeStamp();

  // Control flow.
  using LoopBody =
      llvm::function_ref<Values(mlir::Value index, mlir::ValueRange carried)>;
  Values loop(mlir::Value lower, mlir::Value upper, mlir::Value step,
              mlir::ValueRange inits, LoopBody body);
  void loop(mlir::Value lower, mlir::Value upper, mlir::Value step,
            llvm::function_ref<void(mlir::Value)> body);
  Values loop(mlir::Value upper, int64_t step, mlir::ValueRange inits,
              LoopBody body) {
    return loop(size(0), upper, size(step), inits, body);
  }
  void loop(mlir::Value upper, int64_t step,
            llvm::function_ref<void(mlir::Value)> body) {
    loop(size(0), upper, size(step), body);
  }
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  void ifElse(mlir::Value condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);
  /// Runs body(i) for the one i in first..last that equals `selector`.
  void switchOn(mlir::Value selector, int64_t first, int64_t last,
                llvm::function_ref<void(int64_t)> body);
  void call(mlir::func::FuncOp callee, mlir::ValueRange arguments);
  /// The part [first, last) of `count` units that falls to `thread` of
  /// `threads`.
  std::pair<mlir::Value, mlir::Value>
  partition(mlir::Value count, mlir::Value thread, mlir::Value threads);

private:
  mlir::Value like(mlir::Value value, int64_t constant);
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result,
                        mlir::ValueRange arguments);
  mlir::Value half(mlir::Value vector, int64_t which);
  mlir::Value join(mlir::Value low, mlir::Value high);
  mlir::Value laneMask(mlir::Value count);
  mlir::Value
  reduce(mlir::Value vector,
         llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  mlir::Value powerOfTwo(mlir::Value exponent);
  mlir::Value dotAvx2(mlir::Value acc, mlir::Value weights, mlir::Value x);

  mlir::OpBuilder &b;
  mlir::Location loc;
  Isa targetIsa;
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_KERNELBUILDER_H
