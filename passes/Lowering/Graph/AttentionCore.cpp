//===- AttentionCore.cpp - Softmax attention on buffers ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/AttentionEmitter.h"
#include "passes/Lowering/Graph/Functions.h"

using namespace mlir;

namespace llmopt::graph {

/// Rows that are computed together: they share the loads of keys and values.
static constexpr int64_t kRowsOfBlock = 4;

ScoreBias broadcastBias(GraphBuilder &g, const Tensor &tensor) {
  Values dims(4 - tensor.rank(), g.number(1));
  dims.append(tensor.dims.begin(), tensor.dims.end());
  auto stride = [&](int64_t axis) {
    Value size = g.product(ArrayRef(dims).drop_front(axis + 1));
    return g.select(g.equal(dims[axis], 1), g.number(0), size);
  };
  return {{tensor, g.number(0), stride(0), stride(1), stride(2)}, std::nullopt};
}

Value defaultScale(GraphBuilder &g, Type type, Value columns) {
  if (std::optional<int64_t> known = g.known(columns))
    return g.constant(type,
                      1 / std::sqrt(double(std::max<int64_t>(*known, 1))));
  Value size = arith::SIToFPOp::create(g.b, g.loc, type, g.max(columns, 1));
  return arith::DivFOp::create(g.b, g.loc, g.constant(type, 1),
                               math::SqrtOp::create(g.b, g.loc, size));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

void AttentionEmitter::store(const Tensor &tensor, Value number, Value value) {
  Type wanted = tensor.type.compute();
  if (wanted != a.type)
    value = arith::TruncFOp::create(g.b, g.loc,
                                    g.withLanes(wanted, lanesOf(value)), value);
  g.storeElement(tensor, number, value);
}

void AttentionEmitter::keep(KeptScores kept, const RowBlock &block, int64_t row,
                            Value key, Value score) {
  if (a.kept != kept)
    return;
  Value first =
      a.scores.first(g, block.batch, block.head, g.add(block.row, row));
  store(a.scores.tensor, g.add(first, key), score);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void AttentionEmitter::findVisible(RowBlock &block) {
  block.begin = g.number(0);
  block.limit = a.keys;
  if (!a.visible)
    return;
  for (int64_t row = 0; row < block.count; ++row) {
    auto [first, end] = a.visible(block.batch, g.add(block.row, row));
    block.end.push_back(g.max(g.min(end, a.keys), 0));
    block.first.push_back(g.min(g.max(first, 0), block.end.back()));
  }
  // All scores that are kept have to be computed.
  if (a.kept != KeptScores::None)
    return;
  block.limit = block.end.back();
  block.begin = g.min(block.first.front(), block.limit);
}

/// The products of all rows with one key.
Values AttentionEmitter::products(const RowBlock &block, Value key) {
  Values queries;
  for (int64_t row = 0; row < block.count; ++row)
    queries.push_back(
        a.query.first(g, block.batch, block.head, g.add(block.row, row)));
  return rowProducts(g, a.type, a.query.tensor, queries, a.key.tensor,
                     a.key.first(g, block.batch, block.keyHead, key),
                     a.columns);
}

void AttentionEmitter::computeScores(const RowBlock &block) {
  g.loop(block.begin, block.limit, g.number(1), [&](Value key) {
    for (auto [row, product] : llvm::enumerate(products(block, key))) {
      Value score = arith::MulFOp::create(g.b, g.loc, product, a.scale);
      store(scores, scoreNumber(block, row, key), score);
    }
  });
}

/// -infinity where a row does not see the key.
Value AttentionEmitter::ifVisible(const RowBlock &block, int64_t row, Value key,
                                  Value score) {
  int64_t lanes = lanesOf(score);
  Type type = g.withLanes(g.b.getI64Type(), lanes);
  Value keys = g.splat(key, lanes);
  if (lanes > 1) {
    SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(lanes));
    Value offsets = arith::ConstantOp::create(
        g.b, g.loc,
        DenseElementsAttr::get(cast<VectorType>(type), ArrayRef(numbers)));
    keys = arith::AddIOp::create(g.b, g.loc, keys, offsets);
  }
  auto compare = [&](arith::CmpIPredicate predicate, Value bound) -> Value {
    return arith::CmpIOp::create(g.b, g.loc, predicate, keys,
                                 g.splat(bound, lanes));
  };
  Value isVisible = arith::AndIOp::create(
      g.b, g.loc, compare(arith::CmpIPredicate::sge, block.first[row]),
      compare(arith::CmpIPredicate::slt, block.end[row]));
  return arith::SelectOp::create(g.b, g.loc, isVisible, score,
                                 constant(-INFINITY, lanes));
}

Value AttentionEmitter::biased(const RowBlock &block, int64_t row, Value key,
                               Value score) {
  int64_t lanes = lanesOf(score);
  Value least = constant(-INFINITY, lanes);
  for (const ScoreBias &bias : a.biases) {
    Value number = g.add(
        bias.view.first(g, block.batch, block.head, g.add(block.row, row)),
        key);
    const Tensor &tensor = bias.view.tensor;
    Value term;
    if (bias.masked) {
      Value element = g.loadElement(tensor, number, lanes);
      Value isKept = element;
      if (!tensor.type.isBool())
        isKept =
            arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::ne, element,
                                  g.integer(element.getType(), 0));
      term = arith::SelectOp::create(g.b, g.loc, isKept, constant(0, lanes),
                                     constant(*bias.masked, lanes));
    } else {
      term = load(tensor, number, lanes);
    }
    // A key that is masked counts for nothing, whatever its score is.
    Value isMasked = arith::CmpFOp::create(
        g.b, g.loc, arith::CmpFPredicate::OEQ, term, least);
    Value sum = arith::AddFOp::create(g.b, g.loc, score, term);
    score = arith::SelectOp::create(g.b, g.loc, isMasked, least, sum);
  }
  return score;
}

Value AttentionEmitter::adjusted(const RowBlock &block, int64_t row, Value key,
                                 Value score) {
  int64_t lanes = lanesOf(score);
  if (!block.isScaled)
    score = arith::MulFOp::create(g.b, g.loc, score, g.splat(a.scale, lanes));
  keep(KeptScores::Products, block, row, key, score);
  if (a.softcap != 0) {
    Value cap = constant(a.softcap, lanes);
    Value ratio = arith::DivFOp::create(g.b, g.loc, score, cap);
    score = arith::MulFOp::create(g.b, g.loc, tanh(g, ratio), cap);
  }
  keep(KeptScores::Capped, block, row, key, score);
  score = biased(block, row, key, score);
  bool isExact = block.count == 1 && a.kept == KeptScores::None;
  if (a.visible && !isExact)
    score = ifVisible(block, row, key, score);
  keep(KeptScores::Biased, block, row, key, score);
  return score;
}

/// Applies cap, biases and visibility to the scores of a row.
void AttentionEmitter::adjustScores(const RowBlock &block, int64_t row) {
  g.vectorLoop(block.begin, block.limit, true, [&](Value key, int64_t lanes) {
    Value number = scoreNumber(block, row, key);
    Value score = load(scores, number, lanes);
    store(scores, number, adjusted(block, row, key, score));
  });
}

//===----------------------------------------------------------------------===//
// Probabilities and values
//===----------------------------------------------------------------------===//

/// Makes scores their exponentials.
void AttentionEmitter::softmax(RowBlock &block, int64_t row) {
  // Vectors run over the end.
  Value least = constant(-INFINITY, kVectorLanes);
  store(scores, scoreNumber(block, row, block.limit), least);
  Value end = paddedEnd(block), step = g.number(kVectorLanes);
  Values maxima = g.loop(
      block.begin, end, step, {least}, [&](Value key, ValueRange carried) {
        Value score = load(scores, scoreNumber(block, row, key), kVectorLanes);
        return Values{arith::MaxNumFOp::create(g.b, g.loc, carried[0], score)};
      });
  Value maximum = vector::ReductionOp::create(
      g.b, g.loc, vector::CombiningKind::MAXNUMF, maxima[0]);
  Value sink = a.sink ? a.sink(block.head) : Value();
  if (sink)
    maximum = arith::MaxNumFOp::create(g.b, g.loc, maximum, sink);
  // Where all is masked, -infinity must not be subtracted from itself.
  Value isMasked = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OEQ,
                                         maximum, constant(-INFINITY, 1));
  maximum = g.select(isMasked, constant(0, 1), maximum);
  Value subtrahend = g.splat(maximum, kVectorLanes);
  Values sums = g.loop(
      block.begin, end, step, {constant(0, kVectorLanes)},
      [&](Value key, ValueRange carried) {
        Value number = scoreNumber(block, row, key);
        Value score = load(scores, number, kVectorLanes);
        Value power =
            exp(g, arith::SubFOp::create(g.b, g.loc, score, subtrahend));
        store(scores, number, power);
        return Values{arith::AddFOp::create(g.b, g.loc, carried[0], power)};
      });
  Value sum = sumOfLanes(g, sums[0]);
  if (sink)
    sum = arith::AddFOp::create(
        g.b, g.loc, sum,
        exp(g, arith::SubFOp::create(g.b, g.loc, sink, maximum)));
  Value isZero = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OEQ,
                                       sum, constant(0, 1));
  Value inverse = arith::DivFOp::create(g.b, g.loc, constant(1, 1), sum);
  block.inverse.push_back(g.select(isZero, constant(0, 1), inverse));
  if (a.kept != KeptScores::Probabilities)
    return;
  g.vectorLoop(block.begin, block.limit, true, [&](Value key, int64_t lanes) {
    Value power = load(scores, scoreNumber(block, row, key), lanes);
    Value factor = g.splat(block.inverse.back(), lanes);
    keep(KeptScores::Probabilities, block, row, key,
         arith::MulFOp::create(g.b, g.loc, power, factor));
  });
}

/// The result's columns [column, column + lanes * vectors).
void AttentionEmitter::sumColumns(const RowBlock &block, Value column,
                                  int64_t lanes, int64_t vectors) {
  Values zeros(block.count * vectors, constant(0, lanes));
  Values sums = g.loop(
      block.begin, block.limit, g.number(1), zeros,
      [&](Value key, ValueRange carried) {
        Value first =
            g.add(a.value.first(g, block.batch, block.keyHead, key), column);
        Values values, next(carried.begin(), carried.end());
        for (int64_t i = 0; i < vectors; ++i)
          values.push_back(
              load(a.value.tensor, g.add(first, i * lanes), lanes));
        for (int64_t row = 0; row < block.count; ++row) {
          Value weight =
              g.splat(load(scores, scoreNumber(block, row, key), 1), lanes);
          for (int64_t i = 0; i < vectors; ++i) {
            Value &sum = next[row * vectors + i];
            sum = math::FmaOp::create(g.b, g.loc, weight, values[i], sum);
          }
        }
        return next;
      });
  for (int64_t row = 0; row < block.count; ++row) {
    Value first =
        g.add(a.output.first(g, block.batch, block.head, g.add(block.row, row)),
              column);
    Value factor = g.splat(block.inverse[row], lanes);
    for (int64_t i = 0; i < vectors; ++i)
      store(a.output.tensor, g.add(first, i * lanes),
            arith::MulFOp::create(g.b, g.loc, sums[row * vectors + i], factor));
  }
}

void AttentionEmitter::sumValues(const RowBlock &block) {
  std::optional<int64_t> columns = g.known(a.valueColumns);
  constexpr int64_t kPair = 2 * kVectorLanes;
  if (columns && *columns % kPair == 0) {
    g.loop(g.number(0), a.valueColumns, g.number(kPair),
           [&](Value column) { sumColumns(block, column, kVectorLanes, 2); });
    return;
  }
  g.vectorLoop(g.number(0), a.valueColumns, true,
               [&](Value column, int64_t lanes) {
                 sumColumns(block, column, lanes, 1);
               });
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitRows(Value batch, Value head, Value row,
                                int64_t count, Value scratch) {
  RowBlock block;
  block.batch = batch;
  block.head = head;
  block.keyHead = keyHeadOf(head);
  block.row = row;
  block.count = count;
  block.scratch = scratch;
  findVisible(block);
  computeScores(block);
  for (int64_t i = 0; i < count; ++i) {
    if (a.visible || a.softcap != 0 || !a.biases.empty() ||
        a.kept != KeptScores::None)
      adjustScores(block, i);
    softmax(block, i);
  }
  sumValues(block);
}

Value AttentionEmitter::keyHeadOf(Value head) {
  if (g.same(a.heads, a.keyHeads))
    return head;
  Value group = g.div(a.heads, g.max(a.keyHeads, 1));
  return g.div(head, g.max(group, 1));
}

/// Batch, head and block of rows of the iterations.
Values AttentionEmitter::iterations() {
  return {a.batch, a.heads, g.divideCeil(a.rows, g.number(kRowsOfIteration))};
}

/// One block of a few rows after the other in the same memory.
void AttentionEmitter::emitBlocks() {
  Values dims = iterations();
  std::optional<int64_t> rows = g.known(a.rows);
  Value work = g.mul(g.mul(g.min(a.rows, kRowsOfIteration), a.keys),
                     g.div(g.add(a.columns, a.valueColumns), 8));
  g.parallelFor(g.product(dims), work, [&](Value index) {
    Values at = g.delinearize(index, dims);
    Value first = g.mul(at[2], kRowsOfIteration);
    Value end = g.min(g.add(first, kRowsOfIteration), a.rows);
    Value scratch = g.mul(index, g.mul(scoreStride, kRowsOfBlock));
    Value rest = first;
    if (!rows || *rows >= kRowsOfBlock) {
      rest = g.add(first,
                   g.mul(g.div(g.sub(end, first), kRowsOfBlock), kRowsOfBlock));
      g.loop(first, rest, g.number(kRowsOfBlock), [&](Value row) {
        emitRows(at[0], at[1], row, kRowsOfBlock, scratch);
      });
    }
    if (!rows || *rows % kRowsOfBlock)
      g.loop(rest, end, g.number(1),
             [&](Value row) { emitRows(at[0], at[1], row, 1, scratch); });
  });
}

void AttentionEmitter::emit() {
  // Fewer rows are not worth panels of keys.
  constexpr int64_t kFewRows = 16;
  bool panels =
      canUsePanels() && g.known(a.rows).value_or(kFewRows) >= kFewRows;
  bool blocks = !panels || !g.known(a.rows);
  scoreStride = g.mul(g.add(g.divideCeil(a.keys, g.number(kVectorLanes)), 1),
                      kVectorLanes);
  Value rows = g.mul(g.product(iterations()), kRowsOfBlock);
  if (panels)
    rows = g.max(rows, g.mul(slotsOfPanels(), kRowsOfIteration));
  scores = g.allocateTensor(a.type, {g.mul(rows, scoreStride)});
  if (!panels)
    return emitBlocks();
  if (!blocks)
    return emitPanels();
  g.ifElse(
      g.less(a.rows, kFewRows), {},
      [&] {
        emitBlocks();
        return Values();
      },
      [&] {
        emitPanels();
        return Values();
      });
}

void emitAttention(GraphBuilder &g, const Attention &attention) {
  AttentionEmitter(g, attention).emit();
}

} // namespace llmopt::graph
