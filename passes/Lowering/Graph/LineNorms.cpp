//===- LineNorms.cpp - Normalization over the last dimensions ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/NormLine.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// One normalization of lines: what it takes and what it makes.
struct LineNorm {
  GraphBuilder &g;
  bool isCentered;
  double epsilon;
  std::optional<RowFactor> scale, bias;
  Tensor result;
  std::optional<Tensor> mean, inverse; ///< outputs, one element a line

  bool hasLanes() const {
    return canReadLanes(result) && (!scale || scale->hasLanes()) &&
           (!bias || bias->hasLanes());
  }
  /// Code of a line of `length` elements.
  void emitLine(const Line &line, Value length, LineInput &input) const;
};
} // namespace

void LineNorm::emitLine(const Line &line, Value length,
                        LineInput &input) const {
  Moments moments = lineMoments(g, line, length, input, epsilon, isCentered);
  if (mean)
    g.storeElement(*mean, line.lineNumber(),
                   convertFloat(g, moments.mean, mean->type.compute()));
  if (inverse)
    g.storeElement(*inverse, line.lineNumber(),
                   convertFloat(g, moments.inverse, inverse->type.compute()));
  line.each([&](Value i, int64_t lanes) {
    Value x = moments.normalized(g, line, input.read(i, lanes), lanes);
    if (scale)
      x = mulValues(
          g, x, convertFloat(g, scale->read(g, line, i, lanes), input.type));
    if (bias)
      x = addValues(g, x,
                    convertFloat(g, bias->read(g, line, i, lanes), input.type));
    g.storeElement(result, line.number(i),
                   convertFloat(g, x, result.type.compute()));
  });
}

/// The type that sums and statistics have after stash_type (an ONNX number).
static FailureOr<ElementType> stashType(Node &node) {
  OpBuilder &b = node.g.b;
  switch (node.attribute("stash_type", int64_t(1))) {
  case 1:
    return ElementType(b.getF32Type());
  case 10:
    return ElementType(b.getF16Type());
  case 11:
    return ElementType(b.getF64Type());
  case 16:
    return ElementType(b.getBF16Type());
  default:
    return node.refuse("stash_type must be a float type");
  }
}

/// Normalizes `source` along dimensions [axis, rank). Sums are taken in f32 or
/// f64, never less. `stage`: memory for the elements of an expression.
static void normalize(LineNorm &norm, const Tensor &source, int64_t axis,
                      const Tensor &stage) {
  GraphBuilder &g = norm.g;
  LineShape shape = linesAlong(g, source, axis, source.rank());
  bool hasLanes = canReadLanes(source) && norm.hasLanes();
  forLines(g, shape, hasLanes, g.number(4), [&](const Line &line) {
    LineInput input(g, source, line, source.isExpression() ? &stage : nullptr);
    norm.emitLine(line, shape.length, input);
  });
}

/// Statistics of lines have the dimensions before the axis and ones.
static Tensor allocateStatistic(Node &node, ElementType type,
                                ArrayRef<Value> dims, int64_t axis) {
  Values kept(dims);
  for (int64_t i = axis; i < int64_t(dims.size()); ++i)
    kept[i] = node.g.number(1);
  return node.g.allocateTensor(type, kept);
}

/// LayerNormalization, RMSNormalization, SimplifiedLayerNormalization.
template <bool isCentered> static LogicalResult emitLineNorm(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(-1)), input.rank());
  FailureOr<ElementType> stash = stashType(node);
  if (failed(axis) || failed(stash) || failed(node.requireFloat(0)))
    return failure();
  LineNorm norm{g,  isCentered, node.attribute("epsilon", 1e-5), {}, {}, {},
                {}, {}};
  Values dims = input.dims;
  for (size_t i = 1; i < 3; ++i) {
    if (!node.hasInput(i))
      continue;
    FailureOr<RowFactor> factor = RowFactor::make(node, i, dims, *axis);
    if (failed(factor))
      return failure();
    (i == 1 ? norm.scale : norm.bias) = *factor;
  }
  Tensor source = readableLines(g, node.input(0), *axis, dims.size());
  ElementType type = isCentered ? source.type : norm.scale->type();
  norm.result = g.allocateTensor(type, dims);
  // Elements that are kept in the result must not be rounded to its type.
  if (type != source.type)
    source = g.materialize(source);
  if (isCentered && node.needsResult(1))
    norm.mean = allocateStatistic(node, *stash, dims, *axis);
  size_t inverse = isCentered ? 2 : 1;
  if (node.needsResult(inverse))
    norm.inverse = allocateStatistic(node, *stash, dims, *axis);
  normalize(norm, source, *axis, norm.result);
  node.setResult(0, norm.result);
  if (norm.mean)
    node.setResult(1, *norm.mean);
  if (norm.inverse)
    node.setResult(inverse, *norm.inverse);
  return success();
}

/// The element type that all given inputs have.
static LogicalResult requireEqualTypes(Node &node) {
  if (failed(node.requireFloat(0)))
    return failure();
  for (size_t i = 1; i < node.inputCount(); ++i)
    if (node.hasInput(i) && failed(node.requireType(i, node.input(0).type)))
      return failure();
  return success();
}

/// Output 0 normalizes the sum of the input, the skip and a bias; output 3 is
/// the sum.
template <bool isCentered> static LogicalResult emitSkipNorm(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(requireEqualTypes(node)))
    return failure();
  Values dims = node.input(0).dims;
  if (dims.empty())
    return node.refuse("its input has no dimensions");
  int64_t axis = dims.size() - 1;
  ElementType type = node.input(0).type;
  LineNorm norm{g,  isCentered, node.attribute("epsilon", 1e-12), {}, {}, {},
                {}, {}};
  FailureOr<RowFactor> scale = RowFactor::make(node, 2, dims, axis);
  if (failed(scale))
    return failure();
  norm.scale = *scale;
  if (isCentered && node.hasInput(3)) {
    FailureOr<RowFactor> bias = RowFactor::make(node, 3, dims, axis);
    if (failed(bias))
      return failure();
    norm.bias = *bias;
  }
  size_t biasInput = isCentered ? 4 : 3;
  SmallVector<Tensor> summands{node.input(0), node.input(1)};
  if (node.hasInput(biasInput))
    summands.push_back(node.input(biasInput));
  auto sum = [](GraphBuilder &g, ArrayRef<Value> in) {
    Value result = addValues(g, in[0], in[1]);
    return in.size() > 2 ? addValues(g, result, in[2]) : result;
  };
  Tensor source = mapElements(g, summands, type, sum, node.describe());
  if (source.rank() != int64_t(dims.size()))
    return node.refuse("its skip has more dimensions than its input");
  source = readableLines(g, source, axis, dims.size());
  norm.result = g.allocateTensor(type, source.dims);
  Tensor stage = norm.result;
  if (node.needsResult(3)) {
    stage =
        source.isExpression() ? g.allocateTensor(type, source.dims) : source;
    node.setResult(3, stage);
  }
  ElementType statistic = g.b.getF32Type();
  if (isCentered && node.needsResult(1))
    node.setResult(
        1, *(norm.mean = allocateStatistic(node, statistic, dims, axis)));
  if (node.needsResult(2))
    node.setResult(
        2, *(norm.inverse = allocateStatistic(node, statistic, dims, axis)));
  normalize(norm, source, axis, stage);
  node.setResult(0, norm.result);
  return success();
}

//===----------------------------------------------------------------------===//
// EmbedLayerNormalization
//===----------------------------------------------------------------------===//

namespace {
/// A table of embeddings and the input that chooses its rows, or positions.
struct Embedding {
  Tensor table;
  std::optional<Tensor> rows; ///< [batch or 1, length]
};
} // namespace

/// Adds the table at `table`, whose rows are chosen by input `rows`; nothing if
/// there is no table.
static LogicalResult addEmbedding(Node &node, size_t table, size_t rows,
                                  SmallVectorImpl<Embedding> &embeddings) {
  GraphBuilder &g = node.g;
  if (!node.hasInput(table))
    return success();
  Embedding embedding{node.buffer(table), std::nullopt};
  if (failed(node.requireType(table, node.input(2).type)))
    return failure();
  if (embedding.table.rank() != 2)
    return node.refuse("input " + Twine(table) + " has " +
                       Twine(embedding.table.rank()) +
                       " dimensions, expected 2");
  g.require(g.equal(embedding.table.dims[1], node.input(2).dims[1]),
            node.describe() + ": its tables have rows of different sizes");
  g.require(g.less(g.number(0), embedding.table.dims[0]),
            node.describe() + ": a table has no rows");
  if (node.hasInput(rows)) {
    embedding.rows = node.buffer(rows);
    if (embedding.rows->rank() != 2 || !embedding.rows->type.isInteger())
      return node.refuse("input " + Twine(rows) +
                         " must have 2 dimensions of integers");
  } else if (table != 3) {
    return node.refuse("input " + Twine(rows) + " is missing");
  }
  embeddings.push_back(embedding);
  return success();
}

/// The sum of rows of all tables, [batch, length, size of a row].
static Tensor sumOfEmbeddings(Node &node, ArrayRef<Embedding> embeddings,
                              ArrayRef<Value> dims) {
  std::string what = node.describe();
  SmallVector<Embedding, 3> list(embeddings);
  Value rowSize = dims[2];
  for (const Embedding &embedding : list)
    if (embedding.rows)
      node.g.broadcast({*embedding.rows, node.input(0)}, what);
  Values places(dims.take_front(2));
  auto evaluate = [=](GraphBuilder &g, const Access &access) {
    Value sum;
    Access place{Values(ArrayRef(access.indices).take_front(2)), {}, 1};
    for (const Embedding &embedding : list) {
      Value row = access.indices[1];
      if (embedding.rows)
        row = asNumber(g, embedding.rows->type,
                       g.broadcastElement(*embedding.rows, place, places));
      row = checkedIndex(g, row, embedding.table.dims[0], what);
      Value number = g.add(g.mul(row, rowSize), access.indices[2]);
      Value value = g.loadElement(embedding.table, number, access.lanes);
      sum = sum ? addValues(g, sum, value) : value;
    }
    return sum;
  };
  Tensor result = makeExpression(list[0].table.type, dims, {}, evaluate);
  result.hasLanes = llvm::all_of(
      list, [](const Embedding &e) { return canReadLanes(e.table); });
  return result;
}

/// How many elements of each row of the mask are 1; 0 without a mask.
static Tensor maskIndex(Node &node) {
  GraphBuilder &g = node.g;
  Type i32 = g.b.getI32Type();
  Value batch = node.input(0).dims[0];
  if (!node.hasInput(7)) {
    Tensor zeros = makeExpression(
        i32, batch, {}, [i32](GraphBuilder &g, const Access &access) {
          return g.constant(GraphBuilder::withLanes(i32, access.lanes), 0);
        });
    zeros.hasLanes = true;
    return zeros;
  }
  Tensor ones = mapElements(
      g, {node.input(7)}, i32,
      [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
        Type type = in[0].getType();
        Value isOne = arith::CmpIOp::create(
            g.b, g.loc, arith::CmpIPredicate::eq, in[0], g.constant(type, 1));
        return arith::SelectOp::create(g.b, g.loc, isOne, g.constant(type, 1),
                                       g.constant(type, 0));
      },
      "");
  return g.reshaped(reduceTensor(g, ones, 1, 2, ReduceKind::Sum), batch);
}

static LogicalResult emitEmbedNorm(Node &node) {
  GraphBuilder &g = node.g;
  for (size_t i : {2, 3, 5, 6})
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
  SmallVector<Embedding, 3> embeddings;
  if (failed(node.requireFloat(2)) ||
      failed(addEmbedding(node, 2, 0, embeddings)) ||
      failed(addEmbedding(node, 3, 8, embeddings)) ||
      failed(addEmbedding(node, 4, 1, embeddings)))
    return failure();
  if (node.hasInput(7) && (failed(node.requireType(7, g.b.getI32Type())) ||
                           node.input(7).rank() != 2))
    return node.refuse("its mask must have 2 dimensions");
  Values dims = node.input(0).dims;
  dims.push_back(node.input(2).dims[1]);
  FailureOr<RowFactor> scale = RowFactor::make(node, 5, dims, 2);
  FailureOr<RowFactor> bias = RowFactor::make(node, 6, dims, 2);
  if (failed(scale) || failed(bias))
    return failure();
  ElementType type = node.input(2).type;
  double epsilon = node.attribute("epsilon", 1e-12);
  LineNorm norm{g,     /*isCentered=*/true,          epsilon, *scale,
                *bias, g.allocateTensor(type, dims), {},      {}};
  Tensor stage = norm.result;
  if (node.needsResult(2))
    node.setResult(2, stage = g.allocateTensor(type, dims));
  normalize(norm, sumOfEmbeddings(node, embeddings, dims), 2, stage);
  node.setResult(0, norm.result);
  if (node.needsResult(1))
    node.setResult(1, maskIndex(node));
  return success();
}

static const OperatorRow rows[] = {
    {"LayerNormalization", emitLineNorm<true>, 2, 3, 1, 3, 17},
    {"RMSNormalization", emitLineNorm<false>, 2, 2, 1, 1, 23},
    {"SimplifiedLayerNormalization", emitLineNorm<false>, 2, 2, 1, 2},
    {"SkipLayerNormalization", emitSkipNorm<true>, 3, 5, 1, 4, 1, INT64_MAX,
     "com.microsoft"},
    {"SkipSimplifiedLayerNormalization", emitSkipNorm<false>, 3, 4, 1, 4, 1,
     INT64_MAX, "com.microsoft"},
    {"EmbedLayerNormalization", emitEmbedNorm, 1, 9, 1, 3, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> lineNormOperators() { return rows; }

} // namespace llmopt::graph
