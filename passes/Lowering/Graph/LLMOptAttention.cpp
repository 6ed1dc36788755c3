//===- LLMOptAttention.cpp - Raised attention and rotary embedding --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/AttentionCore.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/LLMOptOps.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// The operands of an attention as [batch, heads, rows, columns].
class SdpaEmitter {
public:
  SdpaEmitter(GraphEmitter &emitter, SdpaOp op)
      : emitter(emitter), g(emitter.g), op(op) {}

  LogicalResult emit();

private:
  FailureOr<Tensor> fourDims(Value value, StringRef what, bool swapped = false);
  Tensor bias(const Tensor &tensor, ArrayRef<Value> scoreDims);
  LogicalResult addBiases();
  void demand(Value condition, const Twine &what) {
    g.require(condition, describe(op) + ": " + what);
  }

  GraphEmitter &emitter;
  GraphBuilder &g;
  SdpaOp op;
  int64_t rank = 0;
  Values leading; ///< dimensions of the query before the last two
  Attention a;
};
} // namespace

/// The tensor with its last two dimensions swapped, in memory.
static Tensor swapLastTwo(GraphBuilder &g, const Tensor &tensor) {
  Values dims(tensor.dims);
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  return g.materialize(makeExpression(
      tensor.type, dims, {tensor},
      [tensor](GraphBuilder &g, const Access &access) {
        Values indices(access.indices);
        std::swap(indices[indices.size() - 1], indices[indices.size() - 2]);
        return g.element(tensor, indices);
      }));
}

FailureOr<Tensor> SdpaEmitter::fourDims(Value value, StringRef what,
                                        bool swapped) {
  Tensor *tensor = swapped ? emitter.find(value) : emitter.findBuffer(value);
  if (!tensor)
    return failure(); // it has been reported
  if (!tensor->type.isFloat())
    return refuse(op, what + " is no tensor of floats");
  if (tensor->rank() < 2 || (rank && tensor->rank() != rank))
    return refuse(op, what + " has " + Twine(tensor->rank()) +
                          " dimensions, expected " +
                          (rank ? Twine(rank).str() : "at least 2"));
  Tensor dense = swapped ? swapLastTwo(g, *tensor) : *tensor;
  ArrayRef<Value> dims(dense.dims);
  Values four;
  // Three dimensions are a batch of single heads.
  ArrayRef<Value> batch = dims.drop_back(dims.size() > 3 ? 3 : 2);
  four.push_back(g.product(batch));
  four.push_back(dims.size() > 3 ? dims[dims.size() - 3] : g.number(1));
  four.append(dims.end() - 2, dims.end());
  return g.reshaped(dense, four);
}

/// A bias as [batch, heads, rows, keys], any of which but the last may be 1.
Tensor SdpaEmitter::bias(const Tensor &tensor, ArrayRef<Value> scoreDims) {
  Values dims(std::max<int64_t>(rank, 2) - tensor.rank(), g.number(1));
  dims.append(tensor.dims.begin(), tensor.dims.end());
  Tensor whole = tensor;
  if (rank > 4 || !g.same(dims.back(), scoreDims.back())) {
    Tensor source = tensor;
    Values all(scoreDims);
    whole =
        makeExpression(tensor.type, all, {source},
                       [source, all](GraphBuilder &g, const Access &access) {
                         return g.broadcastElement(source, access, all);
                       });
    dims = all;
  }
  Tensor dense = g.materialize(whole);
  Values four{rank > 3   ? g.product(ArrayRef<Value>(dims).drop_back(3))
              : rank > 2 ? dims[0]
                         : g.number(1),
              rank > 3 ? dims[rank - 3] : g.number(1)};
  four.append(dims.end() - 2, dims.end());
  return g.reshaped(dense, four);
}

LogicalResult SdpaEmitter::addBiases() {
  Values scoreDims(leading);
  scoreDims.push_back(a.rows);
  scoreDims.push_back(a.keys);
  for (Value value : op.getBiases()) {
    Tensor *tensor = emitter.find(value);
    if (!tensor)
      return failure(); // it has been reported
    if (!tensor->type.isFloat() || tensor->rank() > rank)
      return refuse(op, "a bias must be a tensor of floats with at most " +
                            Twine(rank) + " dimensions");
    for (int64_t i = 1; i <= tensor->rank(); ++i) {
      Value dim = tensor->dims[tensor->rank() - i];
      Value expected = scoreDims[scoreDims.size() - i];
      demand(g.logicalOr(g.equal(dim, 1), g.equal(dim, expected)),
             "a bias does not fit the scores");
    }
    a.biases.push_back(broadcastBias(g, bias(*tensor, scoreDims)));
  }
  return success();
}

LogicalResult SdpaEmitter::emit() {
  Tensor *given = emitter.find(op.getQuery());
  if (!given)
    return failure(); // it has been reported
  FailureOr<Tensor> query = fourDims(op.getQuery(), "the query");
  if (failed(query))
    return failure();
  rank = emitter.find(op.getQuery())->rank();
  leading.assign(emitter.find(op.getQuery())->dims.begin(),
                 emitter.find(op.getQuery())->dims.end() - 2);
  FailureOr<Tensor> key =
      fourDims(op.getKey(), "the key", op.getKeyTransposed());
  FailureOr<Tensor> value =
      failed(key) ? key : fourDims(op.getValue(), "the value");
  if (failed(value))
    return failure();
  a.batch = query->dims[0];
  a.heads = query->dims[1];
  a.rows = query->dims[2];
  a.columns = query->dims[3];
  a.keyHeads = key->dims[1];
  a.keys = key->dims[2];
  a.valueColumns = value->dims[3];
  demand(g.equal(key->dims[3], a.columns),
         "queries and keys differ in their size");
  demand(g.equal(value->dims[2], a.keys), "keys and values differ in number");
  demand(g.logicalAnd(g.equal(key->dims[0], a.batch),
                      g.equal(value->dims[0], a.batch)),
         "queries, keys and values differ in their batch");
  demand(g.logicalAnd(
             g.equal(value->dims[1], a.keyHeads),
             g.logicalOr(g.equal(a.keyHeads, a.heads), g.equal(a.keyHeads, 1))),
         "queries, keys and values differ in their heads");
  if (failed(addBiases()))
    return failure();
  a.type =
      query->type.get().isF64() ? Type(g.b.getF64Type()) : g.b.getF32Type();
  a.scale = g.constant(a.type, op.getScale().convertToDouble());
  a.softcap = op.getSoftcap().convertToDouble();
  Tensor output =
      g.allocateTensor(query->type, {a.batch, a.heads, a.rows, a.valueColumns});
  a.query = viewByHead(g, *query);
  a.key = viewByHead(g, *key);
  a.value = viewByHead(g, *value);
  a.output = viewByHead(g, output);
  emitAttention(g, a);
  Values dims(leading);
  dims.push_back(a.rows);
  dims.push_back(a.valueColumns);
  emitter.set(op.getResult(), g.reshaped(output, dims));
  return success();
}

LogicalResult emitSdpa(GraphEmitter &emitter, SdpaOp op) {
  return SdpaEmitter(emitter, op).emit();
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// x * cosine + turned(x) * sine at an index along the axis.
static Value rotate(GraphBuilder &g, const Tensor &x, const Tensor &cosine,
                    const Tensor &sine, const Access &access, int64_t axis,
                    Value half, ArrayRef<Value> dims) {
  Value index = access.indices[axis], size = dims[axis];
  // The first size - half elements are the high part.
  Value low = g.sub(size, half);
  Value isHigh = g.less(index, low);
  Access other = access;
  other.linear = nullptr;
  other.indices[axis] = g.select(isHigh, g.add(index, half), g.sub(index, low));
  Value straight = g.broadcastElement(x, access, dims);
  Value turned = g.broadcastElement(x, other, dims);
  Value negated = arith::NegFOp::create(g.b, g.loc, turned);
  turned = arith::SelectOp::create(g.b, g.loc, isHigh, negated, turned);
  Value left = arith::MulFOp::create(g.b, g.loc, straight,
                                     g.broadcastElement(cosine, access, dims));
  Value right = arith::MulFOp::create(g.b, g.loc, turned,
                                      g.broadcastElement(sine, access, dims));
  return arith::AddFOp::create(g.b, g.loc, left, right);
}

LogicalResult emitRotary(GraphEmitter &emitter, RotaryOp op) {
  GraphBuilder &g = emitter.g;
  Tensor *input = emitter.findBuffer(op.getInput());
  Tensor *cosine = input ? emitter.findBuffer(op.getCosine()) : nullptr;
  Tensor *sine = cosine ? emitter.findBuffer(op.getSine()) : nullptr;
  if (!sine)
    return failure(); // it has been reported
  Tensor x = *emitter.find(op.getInput()), cos = *emitter.find(op.getCosine()),
         sin = *sine;
  int64_t rank = x.rank();
  int64_t axis = int64_t(op.getAxis()) < 0 ? rank - 1 : int64_t(op.getAxis());
  if (!x.type.isFloat() || cos.type != x.type || sin.type != x.type)
    return refuse(op, "input, cosine and sine must be floats of one type");
  if (axis >= rank || axis < 0 || cos.rank() > rank || sin.rank() > rank)
    return refuse(op, "axis " + Twine(int64_t(op.getAxis())) +
                          " or the factors do not fit an input of " +
                          Twine(rank) + " dimensions");
  Values dims = g.broadcast({x, cos, sin}, describe(op));
  g.require(g.equal(x.dims[axis], dims[axis]),
            describe(op) + ": the factors are larger than the input");
  std::optional<uint64_t> given = op.getHalf();
  Value half = given ? g.min(g.number(int64_t(*given)), dims[axis])
                     : g.div(dims[axis], 2);
  Tensor result = makeExpression(
      x.type, dims, {x, cos, sin}, [=](GraphBuilder &g, const Access &access) {
        return rotate(g, x, cos, sin, access, axis, half, dims);
      });
  // Vectors do not cross from one half to the other.
  std::optional<int64_t> size = g.known(dims[axis]), halfSize = g.known(half);
  result.hasLanes = axis == rank - 1 && size && halfSize &&
                    *size % kVectorLanes == 0 && *halfSize % kVectorLanes == 0;
  emitter.set(op.getResult(), result);
  return success();
}

} // namespace llmopt::graph
