//===- Scan.cpp - The operator Scan -----------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Subgraph.h"

using namespace mlir;

namespace llmopt::graph {

/// Dimensions that a stack has place for.
static constexpr int64_t kMaxRank = 14;

namespace {
/// An output to which each iteration adds an element. Its memory and shape are
/// known from the first iteration on and stand in memory: pointer, dimensions
/// of an element.
struct Stack {
  Value record;
  ElementType type;
  Values dims; ///< null where only the record knows them
};

class ScanEmitter {
public:
  explicit ScanEmitter(Node &node)
      : node(node), g(node.g), body(node.op.getSubgraph("body")->front()) {}
  LogicalResult emit();

private:
  LogicalResult readAttributes();
  FailureOr<SmallVector<int64_t>> list(StringRef name, size_t size);
  LogicalResult readLengths();
  LogicalResult start();
  Tensor slice(size_t index, Value iteration);
  LogicalResult emitIteration(Value iteration);
  LogicalResult updateStates(ArrayRef<Tensor> results);
  LogicalResult push(size_t index, const Tensor &made, Value iteration);
  FailureOr<Tensor> stacked(size_t index);
  Value field(Value record, int64_t index) {
    return g.at(record, g.number(8 * index));
  }

  Node &node;
  GraphBuilder &g;
  Block &body;
  size_t stateCount = 0, scanned = 0, grown = 0;
  SmallVector<int64_t> inputAxes, inputDirections, outputAxes, outputDirections;
  Value length;
  SmallVector<Tensor> states;
  SmallVector<Stack> stacks;
};
} // namespace

/// An attribute with a number per scanned input or output, 0 by default.
FailureOr<SmallVector<int64_t>> ScanEmitter::list(StringRef name, size_t size) {
  SmallVector<int64_t> values =
      node.integers(name).value_or(SmallVector<int64_t>(size, 0));
  if (values.size() != size)
    return node.refuse(name + " has " + Twine(values.size()) +
                       " entries, expected " + Twine(size));
  return values;
}

LogicalResult ScanEmitter::readAttributes() {
  int64_t inputs = node.attribute("num_scan_inputs", int64_t(0));
  if (inputs < 1 || inputs > int64_t(node.inputCount()))
    return node.refuse("num_scan_inputs is " + Twine(inputs) +
                       ", expected 1 to " + Twine(node.inputCount()));
  scanned = inputs;
  stateCount = node.inputCount() - scanned;
  if (node.resultCount() < stateCount)
    return node.refuse("has fewer outputs than states");
  grown = node.resultCount() - stateCount;
  auto axes = list("scan_input_axes", scanned);
  auto directions = list("scan_input_directions", scanned);
  auto outAxes = list("scan_output_axes", grown);
  auto outDirections = list("scan_output_directions", grown);
  if (failed(axes) || failed(directions) || failed(outAxes) ||
      failed(outDirections))
    return failure();
  inputAxes = *axes;
  inputDirections = *directions;
  outputAxes = *outAxes;
  outputDirections = *outDirections;
  return success();
}

LogicalResult ScanEmitter::readLengths() {
  for (size_t i = 0; i < scanned; ++i) {
    if (!node.hasInput(stateCount + i))
      return node.refuse("input " + Twine(stateCount + i) +
                         " must not be left out");
    const Tensor &input = node.buffer(stateCount + i);
    FailureOr<int64_t> axis = node.axis(inputAxes[i], input.rank());
    if (failed(axis))
      return failure();
    inputAxes[i] = *axis;
    Value size = input.dims[*axis];
    if (!length)
      length = size;
    g.require(g.equal(size, length),
              node.describe() + ": scanned inputs differ in length");
  }
  return success();
}

/// What an iteration sees of a scanned input.
Tensor ScanEmitter::slice(size_t index, Value iteration) {
  Tensor input = node.input(stateCount + index);
  int64_t axis = inputAxes[index];
  if (inputDirections[index])
    iteration = g.sub(g.sub(length, 1), iteration);
  Values dims = input.dims;
  dims.erase(dims.begin() + axis);
  Tensor result = makeExpression(
      input.type, dims, {}, [=](GraphBuilder &g, const Access &access) {
        Access own;
        own.indices = access.indices;
        own.indices.insert(own.indices.begin() + axis, iteration);
        own.lanes = access.lanes;
        return g.element(input, own);
      });
  return g.materialize(result);
}

/// A state keeps its shape, so it keeps its memory.
LogicalResult ScanEmitter::start() {
  if (body.getNumArguments() != node.inputCount() ||
      body.getTerminator()->getNumOperands() != node.resultCount())
    return node.refuse(
        "its body has " + Twine(body.getNumArguments()) + " inputs and " +
        Twine(body.getTerminator()->getNumOperands()) + " outputs, expected " +
        Twine(node.inputCount()) + " and " + Twine(node.resultCount()));
  for (size_t i = 0; i < stateCount; ++i) {
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
    states.push_back(g.copy(node.input(i)));
  }
  for (size_t i = 0; i < grown; ++i) {
    Value record = g.allocate(g.number(8 + 8 * kMaxRank));
    g.store(g.allocate(g.number(64)), record);
    for (int64_t axis = 0; axis < kMaxRank; ++axis)
      g.store(g.number(0), field(record, 1 + axis));
    stacks.push_back({record, {}, {}});
  }
  return success();
}

LogicalResult ScanEmitter::updateStates(ArrayRef<Tensor> results) {
  // A result may be another state, so all are read before any is written.
  SmallVector<Tensor> made;
  for (auto [i, result] : llvm::enumerate(results.take_front(stateCount))) {
    if (result.type != states[i].type || result.rank() != states[i].rank())
      return node.refuse("output " + Twine(i) +
                         " of its body has another element type or number of "
                         "dimensions than the state");
    for (auto [axis, dim] : llvm::enumerate(result.dims))
      g.require(g.equal(dim, states[i].dims[axis]),
                node.describe() + ": dimension " + Twine(axis) + " of state " +
                    Twine(i) + " changes from one iteration to the next");
    made.push_back(g.copy(result));
  }
  for (auto [state, tensor] : llvm::zip_equal(states, made))
    g.fill(state, tensor);
  return success();
}

/// Adds what an iteration has made to a stack, for which the first one
/// allocates the memory.
LogicalResult ScanEmitter::push(size_t index, const Tensor &made,
                                Value iteration) {
  Stack &stack = stacks[index];
  if (made.rank() > kMaxRank)
    return node.refuse("output " + Twine(stateCount + index) +
                       " of its body has " + Twine(made.rank()) +
                       " dimensions; at most " + Twine(kMaxRank) +
                       " are supported");
  stack.type = made.type;
  Value isFirst = g.equal(iteration, 0);
  for (auto [axis, dim] : llvm::enumerate(made.dims)) {
    std::optional<int64_t> known = g.known(dim);
    stack.dims.push_back(known ? g.number(*known) : Value());
    Value kept = field(stack.record, 1 + int64_t(axis));
    Value fits = g.equal(g.load(g.b.getI64Type(), kept), dim);
    if (!known)
      g.require(g.logicalOr(isFirst, fits),
                node.describe() + ": dimension " + Twine(axis) + " of output " +
                    Twine(stateCount + index) +
                    " changes from one iteration to the next");
    g.store(dim, kept);
  }
  Value bytes = g.mul(g.count(made), made.type.bytes());
  g.ifThen(isFirst, [&] {
    g.release(g.load(g.call.getType(), stack.record));
    g.store(g.allocate(g.mul(bytes, length)), stack.record);
  });
  Value pointer = g.load(g.call.getType(), stack.record);
  Tensor target;
  target.type = made.type;
  target.dims = made.dims;
  target.buffer = std::make_shared<Buffer>(
      g.at(pointer, g.mul(iteration, bytes)), /*isOwned=*/false);
  g.fill(target, made);
  return success();
}

LogicalResult ScanEmitter::emitIteration(Value iteration) {
  g.markDimension(iteration);
  for (size_t i = 0; i < stateCount; ++i)
    node.emitter.set(body.getArgument(i), states[i]);
  for (size_t i = 0; i < scanned; ++i)
    node.emitter.set(body.getArgument(stateCount + i), slice(i, iteration));
  {
    FailureOr<SmallVector<Tensor>> results = emitSubgraph(node, body);
    if (failed(results))
      return failure();
    for (size_t i = 0; i < grown; ++i)
      if (failed(push(i, (*results)[stateCount + i], iteration)))
        return failure();
    if (failed(updateStates(*results)))
      return failure();
  }
  leaveSubgraph(node, body);
  return success();
}

/// A stack with the dimension of the iterations where the attributes want it.
FailureOr<Tensor> ScanEmitter::stacked(size_t index) {
  Stack &stack = stacks[index];
  Values dims = {length};
  for (auto [axis, dim] : llvm::enumerate(stack.dims)) {
    Value kept = field(stack.record, 1 + int64_t(axis));
    dims.push_back(dim ? dim : g.load(g.b.getI64Type(), kept));
    g.markDimension(dims.back());
  }
  Tensor tensor =
      adopt(g, stack.type, dims, g.load(g.call.getType(), stack.record));
  g.release(stack.record);
  FailureOr<int64_t> place = node.axis(outputAxes[index], tensor.rank());
  if (failed(place))
    return failure();
  int64_t axis = *place;
  bool isReversed = outputDirections[index] != 0;
  if (axis == 0 && !isReversed)
    return tensor;
  dims.erase(dims.begin());
  dims.insert(dims.begin() + axis, length);
  return makeExpression(
      stack.type, dims, {},
      [=, length = length](GraphBuilder &g, const Access &access) {
        Values indices = access.indices;
        Value iteration = indices[axis];
        if (isReversed)
          iteration = g.sub(g.sub(length, 1), iteration);
        indices.erase(indices.begin() + axis);
        indices.insert(indices.begin(), iteration);
        return g.element(tensor, indices);
      });
}

LogicalResult ScanEmitter::emit() {
  if (failed(readAttributes()) || failed(readLengths()) || failed(start()))
    return failure();
  bool hasFailed = false;
  g.loop(length, [&](Value iteration) {
    hasFailed = failed(emitIteration(iteration));
  });
  if (hasFailed)
    return failure();
  for (size_t i = 0; i < stateCount; ++i)
    node.setResult(i, states[i]);
  for (size_t i = 0; i < grown; ++i) {
    FailureOr<Tensor> tensor = stacked(i);
    if (failed(tensor))
      return failure();
    node.setResult(stateCount + i, *tensor);
  }
  return success();
}

static LogicalResult emitScan(Node &node) {
  if (!node.op.getSubgraph("body"))
    return node.refuse("has no body");
  return ScanEmitter(node).emit();
}

static const OperatorRow rows[] = {
    {"Scan", emitScan, 1, ~0u, 0, ~0u, 9},
};

ArrayRef<OperatorRow> scanOperators() { return rows; }

} // namespace llmopt::graph
