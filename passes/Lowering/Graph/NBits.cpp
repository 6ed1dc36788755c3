//===- NBits.cpp - Products with packed weights -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MatMulNBits: weights of 2 to 8 bits with a scale and a zero point for each
// block along the depth. 16 codes of a column are a whole number of bytes; they
// are unpacked together, wherever they are needed.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GemmTile.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// With fewer rows, weights are not copied to panels.
static constexpr int64_t kFewRows = 3;

namespace {

/// The packed weights of a node.
struct PackedWeights {
  int64_t depth, columns, bits, block;
  Tensor codes, scales;
  std::optional<Tensor> zeros;

  int64_t blocks() const { return llvm::divideCeil(depth, block); }
  int64_t columnBytes() const { return blocks() * block * bits / 8; }
  int64_t zeroBytes() const { return llvm::divideCeil(blocks() * bits, 8); }

  /// The zero point of a block of a column, f32.
  Value zero(GraphBuilder &g, Value column, Value block) const;
  /// 16 weights of a column from a multiple of 16 on.
  Value weights(GraphBuilder &g, Value column, Value first) const;

private:
  Value unpack(GraphBuilder &g, Value pointer) const;
};

} // namespace

Value PackedWeights::zero(GraphBuilder &g, Value column, Value block) const {
  Type f32 = g.b.getF32Type(), i8 = g.b.getI8Type(), i64 = g.b.getI64Type();
  if (!zeros)
    return g.constant(f32, int64_t(1) << (bits - 1));
  if (zeros->type.isFloat())
    return g.loadElement(*zeros, g.add(g.mul(column, blocks()), block));
  Value row = g.at(zeros->buffer->data, g.mul(column, zeroBytes()));
  Value bit = g.mul(block, bits), byte = g.div(bit, 8);
  auto byteAt = [&](Value index) -> Value {
    return arith::ExtUIOp::create(g.b, g.loc, i64,
                                  g.load(i8, g.at(row, index)));
  };
  Value value = byteAt(byte);
  if (8 % bits) {
    Value next = byteAt(g.min(g.add(byte, 1), zeroBytes() - 1));
    value = arith::OrIOp::create(
        g.b, g.loc, value,
        arith::ShLIOp::create(g.b, g.loc, next, g.number(8)));
  }
  value = arith::ShRUIOp::create(g.b, g.loc, value, g.rem(bit, 8));
  value = arith::AndIOp::create(g.b, g.loc, value, g.number((1 << bits) - 1));
  return arith::UIToFPOp::create(g.b, g.loc, f32, value);
}

/// 16 codes as f32: the lanes take their one or two bytes by a fixed shuffle.
Value PackedWeights::unpack(GraphBuilder &g, Value pointer) const {
  int64_t bytes = 2 * bits;
  Type ints = g.withLanes(g.b.getI32Type(), kVectorLanes);
  Value stored = g.load(g.withLanes(g.b.getI8Type(), bytes), pointer);
  SmallVector<int64_t> low, high;
  SmallVector<int32_t> shifts;
  for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
    low.push_back(lane * bits / 8);
    high.push_back(std::min(lane * bits / 8 + 1, bytes - 1));
    shifts.push_back(lane * bits % 8);
  }
  auto lanes = [&](ArrayRef<int64_t> order) -> Value {
    Value taken = vector::ShuffleOp::create(g.b, g.loc, stored, stored, order);
    return arith::ExtUIOp::create(g.b, g.loc, ints, taken);
  };
  Value codes = lanes(low);
  if (8 % bits) {
    Value upper =
        arith::ShLIOp::create(g.b, g.loc, lanes(high), g.integer(ints, 8));
    codes = arith::OrIOp::create(g.b, g.loc, codes, upper);
  }
  if (bits < 8) {
    Value amounts =
        arith::ConstantOp::create(g.b, g.loc, g.b.getI32VectorAttr(shifts));
    codes = arith::ShRUIOp::create(g.b, g.loc, codes, amounts);
    codes = arith::AndIOp::create(g.b, g.loc, codes,
                                  g.integer(ints, (1 << bits) - 1));
  }
  return arith::SIToFPOp::create(
      g.b, g.loc, g.withLanes(g.b.getF32Type(), kVectorLanes), codes);
}

Value PackedWeights::weights(GraphBuilder &g, Value column, Value first) const {
  Value number = g.div(first, block);
  Value place = g.add(g.mul(column, columnBytes()),
                      g.mul(g.div(first, kVectorLanes), 2 * bits));
  Value unpacked = unpack(g, g.at(this->codes.buffer->data, place));
  Value scale = g.loadElement(scales, g.add(g.mul(column, blocks()), number));
  Value offset = g.splat(zero(g, column, number), kVectorLanes);
  Value centred = arith::SubFOp::create(g.b, g.loc, unpacked, offset);
  return arith::MulFOp::create(g.b, g.loc, centred,
                               g.splat(scale, kVectorLanes));
}

/// Checks the number of elements of an input.
static LogicalResult checkCount(Node &node, size_t input, int64_t expected) {
  std::optional<int64_t> have = node.g.knownCount(node.input(input));
  if (have == expected)
    return success();
  if (!have)
    return node.refuse("input " + Twine(input) + " must have a known shape");
  return node.refuse("input " + Twine(input) + " has " + Twine(*have) +
                     " elements, expected " + Twine(expected));
}

static FailureOr<PackedWeights> packedWeights(Node &node) {
  PackedWeights w;
  w.depth = node.attribute("K", int64_t(0));
  w.columns = node.attribute("N", int64_t(0));
  w.bits = node.attribute("bits", int64_t(4));
  w.block = node.attribute("block_size", int64_t(0));
  if (w.depth < 1 || w.columns < 1)
    return node.refuse("K and N must be at least 1");
  if (w.bits < 2 || w.bits > 8)
    return node.refuse("bits is " + Twine(w.bits) + ", expected 2 to 8");
  if (w.block < 16 || !llvm::isPowerOf2_64(w.block) || w.block > (1 << 20))
    return node.refuse("block_size is " + Twine(w.block) +
                       ", expected a power of 2, at least 16");
  if (w.depth > (int64_t(1) << 32) || w.columns > (int64_t(1) << 32))
    return node.refuse("K or N is too large");
  if (node.hasInput(4))
    return node.refuse("g_idx is not supported; quantize without reordering");
  if (node.attribute("weight_prepacked", int64_t(0)))
    return node.refuse("prepacked weights are not supported");
  if (node.input(1).type != ElementType(node.g.b.getIntegerType(8, false)))
    return node.refuse("weights must be of uint8");
  if (!node.input(2).type.compute().isF32())
    return node.refuse("scales must be of f32, f16 or bf16");
  if (failed(checkCount(node, 1, w.columns * w.columnBytes())) ||
      failed(checkCount(node, 2, w.columns * w.blocks())))
    return failure();
  w.codes = node.buffer(1);
  w.scales = node.buffer(2);
  if (node.hasInput(3)) {
    ElementType type = node.input(3).type;
    bool isPacked = type == w.codes.type;
    if (!isPacked && !type.compute().isF32())
      return node.refuse("zero points must be of uint8 or floats");
    int64_t perColumn = isPacked ? w.zeroBytes() : w.blocks();
    if (failed(checkCount(node, 3, w.columns * perColumn)))
      return failure();
    w.zeros = node.buffer(3);
  }
  return w;
}

/// The rows as f32, zeros up to a whole number of vectors.
static Tensor paddedRows(GraphBuilder &g, const Tensor &input, Value rows,
                         int64_t depth, int64_t padded) {
  Tensor floats = productOperand(g, input);
  Tensor source = g.reshaped(floats, {rows, g.number(depth)});
  if (padded == depth)
    return source;
  Tensor wide = makeExpression(
      g.b.getF32Type(), {rows, g.number(padded)}, {source},
      [=](GraphBuilder &g, const Access &access) -> Value {
        Value column = access.indices[1];
        Value value =
            g.element(source, {access.indices[0], g.min(column, depth - 1)});
        return g.select(g.less(column, depth), value,
                        g.constant(g.b.getF32Type(), 0));
      });
  return g.materialize(wide);
}

/// Each row by each column as a dot product.
static void emitDots(GraphBuilder &g, const PackedWeights &w, const Tensor &x,
                     const Tensor &y, Value rows) {
  constexpr int64_t kColumns = 16;
  Type floats = g.withLanes(g.b.getF32Type(), kVectorLanes);
  Value padded = x.dims[1], columns = g.number(w.columns);
  Value tasks = g.divideCeil(columns, g.number(kColumns));
  g.parallelFor(tasks, g.mul(g.mul(rows, padded), kColumns), [&](Value task) {
    Value first = g.mul(task, kColumns);
    Value end = g.min(g.add(first, kColumns), w.columns);
    g.loop(first, end, g.number(1), [&](Value column) {
      g.loop(rows, [&](Value row) {
        Value sum = g.loop(
            g.number(0), padded, g.number(kVectorLanes), g.constant(floats, 0),
            [&](Value k, ValueRange in) -> Values {
              Value weights = w.weights(g, column, k);
              Value inputs =
                  g.loadElement(x, g.add(g.mul(row, padded), k), kVectorLanes);
              return {math::FmaOp::create(g.b, g.loc, weights, inputs, in[0])};
            })[0];
        Value total =
            vector::ReductionOp::create(g.b, g.loc, vector::CombiningKind::ADD,
                                        sum, arith::FastMathFlags::reassoc);
        g.storeElement(y, g.add(g.mul(row, w.columns), column), total);
      });
    });
  });
}

/// Panels of unpacked weights.
static void emitPanels(GraphBuilder &g, const PackedWeights &w, const Tensor &x,
                       const Tensor &y, Value rows) {
  ElementType f32 = g.b.getF32Type();
  Value one = g.number(1), columns = g.number(w.columns), padded = x.dims[1];
  ProductShape shape{one, rows, columns, padded};
  auto copy = [&](const PanelPart &part, Value target) {
    Value lines = g.scratch(kPanelColumns * kPanelDepth * 4);
    Value lineBytes = g.number(kPanelDepth * 4);
    g.loop(part.columns, [&](Value j) {
      Value line = g.at(lines, g.mul(j, lineBytes));
      Value column = g.add(part.firstColumn, j);
      g.loop(g.number(0), part.rows, g.number(kVectorLanes), [&](Value k) {
        g.store(w.weights(g, column, g.add(part.firstRow, k)),
                g.at(line, g.mul(k, 4)));
      });
    });
    func::CallOp::create(
        g.b, g.loc, transposePanel(moduleOf(g), g.targetIsa),
        ValueRange{lines, lineBytes, target, part.rows, part.columns});
  };
  emitPanelProducts(
      g, shape, [&](Value) { return Matrix{x.buffer->data, f32, padded, one}; },
      copy, [&](Value) { return Matrix{y.buffer->data, f32, columns, one}; });
}

static LogicalResult emitMatMulNBits(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  ElementType type = input.type;
  if (!type.compute().isF32() || type.isMiniFloat())
    return node.refuse("expected elements of f32, f16 or bf16");
  FailureOr<PackedWeights> weights = packedWeights(node);
  if (failed(weights))
    return failure();
  const PackedWeights &w = *weights;
  if (input.rank() < 1)
    return node.refuse("input 0 has no dimensions, expected at least 1");
  std::optional<int64_t> width = g.known(input.dims.back());
  if (width && *width != w.depth)
    return node.refuse("input 0 has rows of " + Twine(*width) +
                       " elements, but K is " + Twine(w.depth));
  g.require(g.equal(input.dims.back(), w.depth),
            node.describe() + ": the rows of input 0 do not have K elements");
  Value rows = g.product(ArrayRef(input.dims).drop_back());
  int64_t padded = llvm::alignTo(w.depth, kVectorLanes);
  Tensor x = paddedRows(g, input, rows, w.depth, padded);
  Values dims(ArrayRef(input.dims).drop_back());
  dims.push_back(g.number(w.columns));
  Tensor y = g.allocateTensor(g.b.getF32Type(), dims);
  g.ifElse(
      g.less(rows, kFewRows), {},
      [&] {
        emitDots(g, w, x, y, rows);
        return Values();
      },
      [&] {
        emitPanels(g, w, x, y, rows);
        return Values();
      });
  Tensor result = y;
  if (node.hasInput(5)) {
    if (failed(checkCount(node, 5, w.columns)))
      return failure();
    result = mapElements(
        g, {y, node.input(5)}, y.type,
        [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
          return arith::AddFOp::create(g.b, g.loc, in[0], in[1]);
        },
        node.describe());
  }
  node.setResult(0, convertedTo(g, result, type));
  return success();
}

static const OperatorRow rows[] = {
    {"MatMulNBits", emitMatMulNBits, 3, 6, 1, 1, 1, INT64_MAX, "com.microsoft"},
};

ArrayRef<OperatorRow> nBitsOperators() { return rows; }

} // namespace llmopt::graph
