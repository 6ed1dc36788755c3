//===- KernelBuilder.cpp - Vocabulary of the kernel emitters ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;

namespace llmopt {

namespace {

bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

} // namespace

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Type KernelBuilder::ptrType() {
  return LLVM::LLVMPointerType::get(b.getContext());
}

Value KernelBuilder::size(int64_t value) { return constant(i64Type(), value); }

Value KernelBuilder::constant(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  // Byte constants such as 128 are written unsigned.
  APInt bits(64, value, /*isSigned=*/true);
  Attribute scalar =
      b.getIntegerAttr(element, bits.trunc(element.getIntOrFloatBitWidth()));
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(vector, scalar));
  return arith::ConstantOp::create(b, loc, cast<TypedAttr>(scalar));
}

Value KernelBuilder::constantF32(float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

Value KernelBuilder::splat(float value) {
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(floats(), value));
}

Value KernelBuilder::laneIndices() {
  SmallVector<int32_t> lanes(kLanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(ints(), ArrayRef<int32_t>(lanes)));
}

Value KernelBuilder::like(Value value, int64_t constant) {
  return this->constant(value.getType(), constant);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::add(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::AddFOp::create(b, loc, lhs, rhs);
  return arith::AddIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::sub(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::SubFOp::create(b, loc, lhs, rhs);
  return arith::SubIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::mul(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MulFOp::create(b, loc, lhs, rhs);
  return arith::MulIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::div(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::DivFOp::create(b, loc, lhs, rhs);
  return arith::DivUIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::rem(Value lhs, Value rhs) {
  return arith::RemUIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::min(Value lhs, Value rhs) {
  return arith::MinUIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::max(Value lhs, Value rhs) {
  // The form that becomes a single vmaxps.
  return select(less(rhs, lhs), lhs, rhs);
}

Value KernelBuilder::roundUp(Value value, int64_t multiple) {
  return mul(divideCeil(value, multiple), multiple);
}

Value KernelBuilder::divideCeil(Value value, int64_t divisor) {
  return div(add(value, divisor - 1), divisor);
}

Value KernelBuilder::bitAnd(Value lhs, Value rhs) {
  return arith::AndIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::bitXor(Value lhs, Value rhs) {
  return arith::XOrIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::shiftLeft(Value lhs, Value rhs) {
  return arith::ShLIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::shiftRight(Value lhs, Value rhs) {
  return arith::ShRUIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::shiftRightSigned(Value lhs, int64_t bits) {
  return arith::ShRSIOp::create(b, loc, lhs, like(lhs, bits));
}

Value KernelBuilder::popcount(Value value) {
  return math::CtPopOp::create(b, loc, value);
}

Value KernelBuilder::less(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, lhs, rhs);
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, lhs, rhs);
}

Value KernelBuilder::equal(Value lhs, Value rhs) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, lhs, rhs);
}

Value KernelBuilder::notNull(Value pointer) {
  Value null = LLVM::ZeroOp::create(b, loc, ptrType());
  return LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::ne, pointer, null);
}

Value KernelBuilder::either(Value lhs, Value rhs) {
  return arith::OrIOp::create(b, loc, lhs, rhs);
}

Value KernelBuilder::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, loc, condition, yes, no);
}

Value KernelBuilder::truncate(Value value, Type type) {
  return arith::TruncIOp::create(b, loc, type, value);
}

Value KernelBuilder::zeroExtend(Value value, Type type) {
  return arith::ExtUIOp::create(b, loc, type, value);
}

Value KernelBuilder::signExtend(Value value, Type type) {
  return arith::ExtSIOp::create(b, loc, type, value);
}

Value KernelBuilder::bitcast(Value value, Type type) {
  return LLVM::BitcastOp::create(b, loc, type, value);
}

Value KernelBuilder::toFloat(Value value) {
  Type type = f32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(f32Type());
  return arith::SIToFPOp::create(b, loc, type, value);
}

Value KernelBuilder::widenHalves(Value value) {
  Type type = f32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(f32Type());
  return arith::ExtFOp::create(b, loc, type, value);
}

Value KernelBuilder::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, loc, x, y, z);
}

Value KernelBuilder::negate(Value value) {
  return arith::NegFOp::create(b, loc, value);
}

Value KernelBuilder::absolute(Value value) {
  return math::AbsFOp::create(b, loc, value);
}

Value KernelBuilder::squareRoot(Value value) {
  return math::SqrtOp::create(b, loc, value);
}

//===----------------------------------------------------------------------===//
// Reductions and functions
//===----------------------------------------------------------------------===//

Value KernelBuilder::half(Value vector, int64_t which) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements() / 2;
  SmallVector<int64_t> indices(lanes);
  std::iota(indices.begin(), indices.end(), which * lanes);
  return vector::ShuffleOp::create(b, loc, vector, vector, indices);
}

Value KernelBuilder::join(Value low, Value high) {
  int64_t lanes = cast<VectorType>(low.getType()).getNumElements() * 2;
  SmallVector<int64_t> indices(lanes);
  std::iota(indices.begin(), indices.end(), 0);
  return vector::ShuffleOp::create(b, loc, low, high, indices);
}

Value KernelBuilder::reduce(Value vector,
                            function_ref<Value(Value, Value)> combine) {
  while (cast<VectorType>(vector.getType()).getNumElements() > 1)
    vector = combine(half(vector, 0), half(vector, 1));
  return extract(vector, 0);
}

Value KernelBuilder::reduceAdd(Value vector) {
  return reduce(vector, [&](Value x, Value y) { return add(x, y); });
}

Value KernelBuilder::reduceMax(Value vector) {
  return reduce(vector, [&](Value x, Value y) { return max(x, y); });
}

Value KernelBuilder::maxOfLanes(Value vector) {
  for (int64_t distance = kLanes / 2; distance > 0; distance /= 2) {
    SmallVector<int64_t> order;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      order.push_back(lane ^ distance);
    Value other = vector::ShuffleOp::create(b, loc, vector, vector, order);
    vector = max(vector, other);
  }
  return vector;
}

/// 2^exponent for exponents of normal numbers, as floats.
Value KernelBuilder::powerOfTwo(Value exponent) {
  Value biased = add(exponent, 127);
  return bitcast(shiftLeft(biased, like(biased, 23)), floats());
}

/// The rounding operand of AVX-512 intrinsics: as the control register says.
static constexpr int64_t kCurrentRounding = 4;

Value KernelBuilder::exp(Value x) {
  // e^x = 2^n e^r with |r| <= ln(2) / 2. The bounds lie past those of float,
  // where the result is 0 or infinite by the multiplications below; comparisons
  // keep a NaN.
  Value high = splat(89.0f), low = splat(-104.0f);
  x = select(less(high, x), high, x);
  x = select(less(x, low), low, x);

  Value magic = splat(0x1.8p23f);
  Value n = sub(fma(x, splat(0x1.715476p0f), magic), magic);
  Value r = fma(n, splat(-0x1.62e4p-1f), x);
  r = fma(n, splat(-0x1.7f7d1cp-20f), r);

  // The minimax polynomial of Cephes' expf.
  Value p = splat(1.9875691500e-4f);
  for (float coefficient :
       {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
        5.0000001201e-1f})
    p = fma(p, r, splat(coefficient));
  Value y = add(fma(p, mul(r, r), r), splat(1.0f));

  if (hasAvx512())
    return intrinsic("llvm.x86.avx512.mask.scalef.ps.512", floats(),
                     {y, n, y, constant(b.getI16Type(), -1),
                      constant(i32Type(), kCurrentRounding)});
  // Two factors, so that both exponents are those of normal numbers.
  Value exponent = roundToInt(n);
  Value first = arith::ShRSIOp::create(b, loc, exponent, like(exponent, 1));
  Value second = sub(exponent, first);
  return mul(mul(y, powerOfTwo(first)), powerOfTwo(second));
}

Value KernelBuilder::silu(Value x) {
  return div(x, add(exp(negate(x)), splat(1.0f)));
}

Value KernelBuilder::tanh(Value x) {
  // 1 - 2 / (e^2x + 1), with limits at both ends.
  Value one = splat(1.0f), grown = exp(add(x, x));
  return sub(one, div(splat(2.0f), add(grown, one)));
}

/// Coefficients from the highest power on.
static Value polynomial(KernelBuilder &k, Value x, ArrayRef<float> terms) {
  Value sum = k.splat(terms.front());
  for (float term : terms.drop_front())
    sum = k.fma(sum, x, k.splat(term));
  return sum;
}

Value KernelBuilder::gelu(Value x) {
  // erf(t) is t + t p(t^2) near 0 and 1 - e^(t q(t) - t) further out; from 4 on
  // it is 1. `min` is for integers, so the bound is a selection.
  Value t = mul(absolute(x), splat(0.70710678f));
  t = select(less(t, splat(4.0f)), t, splat(4.0f));
  Value square = mul(t, t);
  Value p = fma(splat(-1.72853470e-5f), t, splat(3.83197126e-4f));
  p = fma(p, square, fma(splat(-3.88396438e-3f), t, splat(2.42546219e-2f)));
  for (float term : {-1.06777877e-1f, -6.34846687e-1f, -1.28717512e-1f})
    p = fma(p, t, splat(term));
  Value outer = sub(splat(1.0f), exp(fma(p, t, negate(t))));
  Value inner = polynomial(*this, square,
                           {-5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f,
                            1.12819925e-1f, -3.76125336e-1f, 1.28379166e-1f});
  Value erf = select(less(t, splat(0.927734375f)), fma(inner, t, t), outer);
  // Of x below 0 the error function is -erf(t): x and |x| share a factor.
  Value half = mul(x, splat(0.5f));
  return fma(absolute(half), erf, half);
}

Value KernelBuilder::geluTanh(Value x) {
  // x / 2 * (1 + tanh(u)) = x / (1 + e^-2u)
  constexpr float twice = 1.59576912f; // 2 * sqrt(2 / pi)
  Value u = mul(x, fma(mul(x, x), splat(twice * 0.044715f), splat(twice)));
  return div(x, add(exp(negate(u)), splat(1.0f)));
}

Value KernelBuilder::roundToInt(Value x) {
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
  Value shifted = add(x, splat(0x1.8p23f));
  return sub(bitcast(shifted, ints()), 0x4b400000);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value KernelBuilder::at(Value pointer, Value byteOffset) {
  return LLVM::GEPOp::create(b, loc, ptrType(), i8Type(), pointer,
                             ValueRange{byteOffset});
}

Value KernelBuilder::at(Value pointer, int64_t byteOffset) {
  if (byteOffset == 0)
    return pointer;
  return at(pointer, size(byteOffset));
}

Value KernelBuilder::load(Type type, Value pointer) {
  return LLVM::LoadOp::create(b, loc, type, pointer, /*alignment=*/1);
}

void KernelBuilder::store(Value value, Value pointer) {
  LLVM::StoreOp::create(b, loc, value, pointer, /*alignment=*/1);
}

void KernelBuilder::prefetch(Value pointer, int64_t level) {
  LLVM::Prefetch::create(b, loc, pointer, /*rw=*/0, /*hint=*/4 - level,
                         /*cache=*/1);
}

Value KernelBuilder::laneMask(Value count) {
  Value bounded = truncate(min(count, kLanes), i32Type());
  return less(laneIndices(), broadcast(bounded));
}

Value KernelBuilder::loadFloats(Value pointer, Value count) {
  return LLVM::MaskedLoadOp::create(b, loc, floats(), pointer, laneMask(count),
                                    splat(0.0f), b.getI32IntegerAttr(4));
}

void KernelBuilder::storeFloats(Value value, Value pointer, Value count) {
  LLVM::MaskedStoreOp::create(b, loc, value, pointer, laneMask(count),
                              b.getI32IntegerAttr(4));
}

Value KernelBuilder::loadMasked(Type type, Value pointer, Value mask,
                                Value others) {
  return LLVM::MaskedLoadOp::create(b, loc, type, pointer, mask, others,
                                    b.getI32IntegerAttr(1));
}

Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(
      b, loc, VectorType::get(kLanes, scalar.getType()), scalar);
}

Value KernelBuilder::interleave(Value a, Value x, int64_t which) {
  SmallVector<int64_t> order;
  for (int64_t lane = 0; lane < kLanes / 2; ++lane) {
    int64_t from = which * kLanes / 2 + lane;
    order.append({from, kLanes + from});
  }
  return vector::ShuffleOp::create(b, loc, a, x, order);
}

Value KernelBuilder::evenLanes(Value low, Value high) {
  SmallVector<int64_t> order;
  for (int64_t lane = 0; lane < kLanes; ++lane)
    order.push_back(2 * lane);
  return vector::ShuffleOp::create(b, loc, low, high, order);
}

Value KernelBuilder::extract(Value vector, int64_t lane) {
  return vector::ExtractOp::create(b, loc, vector, lane);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

Values KernelBuilder::loop(Value lower, Value upper, Value step,
                           ValueRange inits, LoopBody body) {
  auto op = scf::ForOp::create(b, loc, lower, upper, step, inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  Values results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, loc, results);
  return Values(op.getResults());
}

void KernelBuilder::loop(Value lower, Value upper, Value step,
                         function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange(), [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

Value KernelBuilder::timeStamp() {
  return intrinsic("llvm.readcyclecounter", i64Type(), {});
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> body) {
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  body();
}

void KernelBuilder::ifElse(Value condition, function_ref<void()> yes,
                           function_ref<void()> no) {
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  yes();
  b.setInsertionPointToStart(op.elseBlock());
  no();
}

void KernelBuilder::switchOn(Value selector, int64_t first, int64_t last,
                             function_ref<void(int64_t)> body) {
  for (int64_t value = first; value <= last; ++value)
    ifThen(equal(selector, value), [&] { body(value); });
}

void KernelBuilder::call(func::FuncOp callee, ValueRange arguments) {
  func::CallOp::create(b, loc, callee, arguments);
}

std::pair<Value, Value> KernelBuilder::partition(Value count, Value thread,
                                                 Value threads) {
  // Rounded up, so that a single unit falls to thread 0.
  auto bound = [&](Value index) {
    return div(add(mul(count, index), sub(threads, 1)), threads);
  };
  return {bound(thread), bound(add(thread, 1))};
}

} // namespace llmopt
