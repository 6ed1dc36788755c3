//===- Loop.cpp - Loops of graphs -------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Lowering/Graph/CodeScope.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Subgraph.h"

using namespace mlir;

namespace llmopt::graph {

namespace {

/// A value that goes from one iteration to the next: memory, and dimensions
/// that may change where they are not `fixed`.
struct Carried {
  ElementType type;
  Values initialDims;
  Value initialData;
  SmallVector<bool> fixed; ///< by axis: the initial dimension holds throughout
  Tensor current;          ///< inside of the body
  std::shared_ptr<Buffer> buffer;
};

/// An output that stacks what iterations yield: memory for `capacity` of them.
struct Stacked {
  ElementType type;
  Values dims; ///< of one iteration; numbers of the loop
  Value data, capacity;
};

/// One Loop while its code is made.
///
///   while (i < trips && condition)
///     (condition, carried, yielded) = body(i, condition, carried)
///     stacks += yielded
class LoopEmitter {
public:
  explicit LoopEmitter(Node &node)
      : node(node), g(node.g), body(node.op.getSubgraph("body")->front()) {}

  LogicalResult emit();

private:
  size_t carriedCount() const { return body.getNumArguments() - 2; }
  LogicalResult check();
  void start();
  Values initialValues();
  FailureOr<bool> emitBody(scf::WhileOp loop);
  bool isStable(const SmallVector<Tensor> &results);
  void bindCarried(ValueRange &values);
  void bindArguments(Value index, Value condition);
  LogicalResult checkResults(const SmallVector<Tensor> &results);
  Tensor nextCarried(size_t index, const Tensor &result, Block *code,
                     llvm::SmallDenseSet<Value> &taken);
  void push(Stacked &stack, const Tensor &element, Value index);
  void finish(scf::WhileOp loop);
  Value limit();

  Node &node;
  GraphBuilder &g;
  Block &body;
  std::vector<Carried> carried;
  std::vector<Stacked> stacks;
  /// Dimensions that outputs have when there is no iteration: those that are
  /// known, else 0.
  SmallVector<Values> stackDims;
  Value trips;
};

} // namespace

LogicalResult LoopEmitter::check() {
  size_t given = node.inputCount() < 2 ? 0 : node.inputCount() - 2;
  if (body.getNumArguments() < 2 || carriedCount() != given)
    return node.refuse("its body has " + Twine(body.getNumArguments()) +
                       " inputs, expected " + Twine(given + 2));
  size_t results = body.getTerminator()->getNumOperands();
  if (results != node.resultCount() + 1 || node.resultCount() < given)
    return node.refuse("its body has " + Twine(results) +
                       " outputs, expected " + Twine(node.resultCount() + 1));
  for (size_t i = 0; i < given; ++i)
    if (!node.hasInput(i + 2))
      return node.refuse("input " + Twine(i + 2) + " must not be left out");
  return success();
}

/// Iterations at most.
Value LoopEmitter::limit() {
  return node.hasInput(0) ? g.onlyElement(node.input(0)) : g.number(INT64_MAX);
}

void LoopEmitter::start() {
  trips = limit();
  for (size_t i = 0; i < carriedCount(); ++i) {
    Tensor own = g.copy(node.input(i + 2));
    own.buffer->isOwned = false; // each iteration replaces it
    Carried value{own.type,
                  own.dims,
                  own.buffer->data,
                  SmallVector<bool>(own.rank(), true),
                  {},
                  nullptr};
    carried.push_back(value);
  }
}

/// What the loop starts with: number, condition, carried values, stacks.
Values LoopEmitter::initialValues() {
  Value condition = node.hasInput(1) ? g.onlyElement(node.input(1))
                                     : g.integer(g.b.getI1Type(), 1);
  Values values = {g.number(0), condition};
  for (Carried &value : carried) {
    values.push_back(value.initialData);
    for (auto [axis, dim] : llvm::enumerate(value.initialDims))
      if (!value.fixed[axis])
        values.push_back(dim);
  }
  for (const Values &dims : stackDims) {
    values.push_back(g.allocate(g.number(0)));
    values.push_back(g.number(0)); // capacity
    llvm::append_range(values, dims);
  }
  return values;
}

/// Takes the carried values and stacks from the values of the loop.
void LoopEmitter::bindCarried(ValueRange &values) {
  auto take = [&] {
    Value value = values.front();
    values = values.drop_front();
    return value;
  };
  for (Carried &value : carried) {
    Value data = take();
    Values dims = value.initialDims;
    for (auto [axis, dim] : llvm::enumerate(dims))
      if (!value.fixed[axis]) {
        dim = take();
        g.markDimension(dim);
      }
    value.current = Tensor();
    value.current.type = value.type;
    value.current.dims = dims;
    value.buffer = std::make_shared<Buffer>(data, /*isOwned=*/false);
    value.current.buffer = value.buffer;
  }
  stacks.clear();
  for (const Values &known : stackDims) {
    Stacked stack;
    stack.data = take();
    stack.capacity = take();
    for (size_t axis = 0; axis < known.size(); ++axis) {
      stack.dims.push_back(take());
      g.markDimension(stack.dims.back());
    }
    stacks.push_back(stack);
  }
}

void LoopEmitter::bindArguments(Value index, Value condition) {
  g.markDimension(index);
  node.emitter.set(body.getArgument(0), g.scalar(g.b.getI64Type(), index));
  node.emitter.set(body.getArgument(1), g.scalar(g.b.getI1Type(), condition));
  for (auto [argument, value] :
       llvm::zip(body.getArguments().drop_front(2), carried))
    node.emitter.set(argument, value.current);
}

LogicalResult LoopEmitter::checkResults(const SmallVector<Tensor> &results) {
  if (!results[0].type.isBool() || g.knownCount(results[0]) != 1)
    return node.refuse("the condition that its body returns is not one bool");
  for (auto [index, value] : llvm::enumerate(carried)) {
    const Tensor &next = results[index + 1];
    if (next.type != value.type)
      return node.refuse("carried value " + Twine(index) +
                         " changes its element type");
    if (next.rank() != int64_t(value.initialDims.size()))
      return node.refuse("carried value " + Twine(index) + " changes from " +
                         Twine(value.initialDims.size()) + " to " +
                         Twine(next.rank()) + " dimensions");
  }
  return success();
}

/// Notes which dimensions change and how many dimensions outputs have; true if
/// that is what the code was made for.
bool LoopEmitter::isStable(const SmallVector<Tensor> &results) {
  bool stable = true;
  for (auto [value, next] : llvm::zip(carried, ArrayRef(results).drop_front(1)))
    for (auto [axis, dim] : llvm::enumerate(next.dims))
      if (value.fixed[axis] && !g.same(dim, value.initialDims[axis])) {
        value.fixed[axis] = false;
        stable = false;
      }
  SmallVector<Values> stacked;
  for (const Tensor &tensor :
       ArrayRef(results).drop_front(1 + carriedCount())) {
    Values dims;
    for (Value dim : tensor.dims)
      dims.push_back(g.number(g.known(dim).value_or(0)));
    stacked.push_back(dims);
  }
  if (stacked == stackDims)
    return stable;
  stackDims = stacked;
  return false;
}

/// A carried value for the next iteration; gives back the memory of this one.
Tensor LoopEmitter::nextCarried(size_t index, const Tensor &result, Block *code,
                                llvm::SmallDenseSet<Value> &taken) {
  Carried &value = carried[index];
  if (result.buffer == value.buffer)
    return result; // handed through
  return ownedResult(g, result, code, taken);
}

/// Appends what an iteration yields, in memory that doubles.
void LoopEmitter::push(Stacked &stack, const Tensor &element, Value index) {
  Value isFirst = g.equal(index, 0);
  for (auto [dim, now] : llvm::zip(stack.dims, element.dims)) {
    g.require(g.logicalOr(isFirst, g.equal(dim, now)),
              node.describe() + ": an output changes its shape");
    dim = now;
  }
  stack.type = element.type;
  Value count = g.count(element);
  Type pointer = stack.data.getType();
  Values grown = g.ifElse(
      g.less(index, stack.capacity), TypeRange{pointer, g.b.getI64Type()},
      [&] { return Values{stack.data, stack.capacity}; },
      [&] {
        Value capacity = g.max(g.mul(stack.capacity, 2), 8);
        Tensor larger = g.allocateTensor(stack.type, {g.mul(capacity, count)});
        larger.buffer->isOwned = false;
        Tensor old = adopt(g, stack.type, {g.mul(index, count)}, stack.data);
        old.buffer->isOwned = false;
        g.fill(larger, old);
        g.release(stack.data);
        return Values{larger.buffer->data, capacity};
      });
  stack.data = grown[0];
  stack.capacity = grown[1];
  Value bytes = g.mul(g.mul(index, count), stack.type.bytes());
  Tensor place = adopt(g, stack.type, element.dims, g.at(stack.data, bytes));
  place.buffer->isOwned = false;
  g.fill(place, element);
}

/// Makes the body of the loop; false if it has to be made once more.
FailureOr<bool> LoopEmitter::emitBody(scf::WhileOp loop) {
  Block *before = loop.getBeforeBody(), *after = loop.getAfterBody();
  {
    CodeScope scope(g, before);
    Value more = g.less(before->getArgument(0), trips);
    scf::ConditionOp::create(g.b, g.loc,
                             g.logicalAnd(more, before->getArgument(1)),
                             before->getArguments());
  }
  CodeScope scope(g, after);
  Value index = after->getArgument(0);
  ValueRange values = after->getArguments().drop_front(2);
  bindCarried(values);
  bindArguments(index, after->getArgument(1));
  FailureOr<SmallVector<Tensor>> results = emitSubgraph(node, body);
  if (failed(results) || failed(checkResults(*results)))
    return failure();
  if (!isStable(*results)) {
    results->clear();
    leaveSubgraph(node, body);
    return false;
  }
  Values next = {g.add(index, 1), g.onlyElement((*results)[0])};
  llvm::SmallDenseSet<Value> taken;
  Values replaced;
  for (auto [i, value] : llvm::enumerate(carried)) {
    Tensor tensor = nextCarried(i, (*results)[i + 1], after, taken);
    if (tensor.buffer != value.buffer)
      replaced.push_back(value.buffer->data);
    next.push_back(tensor.buffer->data);
    for (auto [axis, dim] : llvm::enumerate(tensor.dims))
      if (!value.fixed[axis])
        next.push_back(dim);
  }
  for (auto [i, stack] : llvm::enumerate(stacks)) {
    push(stack, (*results)[1 + carriedCount() + i], index);
    llvm::append_range(next, Values{stack.data, stack.capacity});
    llvm::append_range(next, stack.dims);
  }
  results->clear();
  leaveSubgraph(node, body);
  for (Value data : replaced)
    g.release(data);
  scf::YieldOp::create(g.b, g.loc, next);
  return true;
}

/// The results of the node from those of the loop.
void LoopEmitter::finish(scf::WhileOp loop) {
  Value iterations = loop.getResult(0);
  g.markDimension(iterations);
  SmallVector<ElementType> types;
  for (Stacked &stack : stacks)
    types.push_back(stack.type);
  ValueRange values = loop.getResults().drop_front(2);
  bindCarried(values);
  for (auto [index, value] : llvm::enumerate(carried))
    node.setResult(
        index, adopt(g, value.type, value.current.dims, value.buffer->data));
  for (auto [index, stack] : llvm::enumerate(stacks)) {
    Values dims = {iterations};
    llvm::append_range(dims, stack.dims);
    node.setResult(carriedCount() + index,
                   adopt(g, types[index], dims, stack.data));
  }
}

LogicalResult LoopEmitter::emit() {
  if (failed(check()))
    return failure();
  start();
  // Dimensions of carried values are taken as unchanging, and outputs as
  // absent, until the code of the body shows otherwise; then it is made once
  // more.
  Location loc = g.loc;
  while (true) {
    Values initial = initialValues();
    SmallVector<Location> locations(initial.size(), loc);
    TypeRange types = ValueRange(initial).getTypes();
    auto loop = scf::WhileOp::create(g.b, loc, types, initial);
    g.b.createBlock(&loop.getBefore(), {}, types, locations);
    g.b.createBlock(&loop.getAfter(), {}, types, locations);
    g.b.setInsertionPointAfter(loop);
    FailureOr<bool> done = emitBody(loop);
    g.loc = loc;
    if (failed(done))
      return failure();
    if (*done) {
      finish(loop);
      return success();
    }
    g.discard(loop);
  }
}

static LogicalResult emitLoop(Node &node) {
  if (!node.op.getSubgraph("body"))
    return node.refuse("has no body");
  return LoopEmitter(node).emit();
}

static const OperatorRow rows[] = {
    // Trip count and condition may both be left out.
    {"Loop", emitLoop, 0, ~0u, 1, ~0u},
};

ArrayRef<OperatorRow> loopOperators() { return rows; }

} // namespace llmopt::graph
