//===- Sequences.cpp - Lists of tensors and optional values -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences are resolved while code is generated: how many tensors they hold
// and which of them a node takes has to be known then.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Sequences.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// Sequences of more tensors would make too much code.
static constexpr int64_t kMostParts = 1024;

bool readsSequences(StringRef operatorName) {
  return operatorName.starts_with("Sequence") ||
         operatorName.starts_with("Optional") ||
         operatorName == "ConcatFromSequence" || operatorName == "Identity";
}

static Tensor sequenceOf(GraphBuilder &g, ElementType type,
                         ArrayRef<Tensor> tensors) {
  std::vector<Tensor> list;
  for (const Tensor &tensor : tensors)
    // Perhaps they are read more than once.
    list.push_back(tensor.isExpression() ? g.materialize(tensor) : tensor);
  Tensor sequence;
  sequence.type = type;
  sequence.sequence = std::make_shared<const std::vector<Tensor>>(list);
  return sequence;
}

/// The tensors of an input that has to be a sequence.
static FailureOr<ArrayRef<Tensor>> tensorsOf(Node &node, size_t index) {
  const Tensor &input = node.input(index);
  if (!input.sequence || isAbsent(input))
    return node.refuse("input " + Twine(index) + " must be a sequence");
  return ArrayRef<Tensor>(*input.sequence);
}

/// An input that has to be a tensor of the type of a sequence.
static LogicalResult requireTensor(Node &node, size_t index, ElementType type) {
  if (node.input(index).sequence)
    return node.refuse("input " + Twine(index) + " must be a tensor");
  return node.requireType(index, type);
}

/// A place in a sequence: known, in [-count, count).
static FailureOr<int64_t> positionOf(Node &node, size_t index, int64_t count) {
  if (node.input(index).sequence)
    return node.refuse("its position must be a tensor");
  FailureOr<Value> number = numberOf(node, index, "position");
  if (failed(number))
    return failure();
  std::optional<int64_t> position = node.g.known(*number);
  if (!position)
    return node.refuse("its position is computed while the model runs; "
                       "sequences are resolved while it is compiled");
  if (*position < -count || *position >= count)
    return node.refuse("position " + Twine(*position) +
                       " is out of range for " + Twine(count) + " places");
  return *position < 0 ? *position + count : *position;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

static LogicalResult emitSequenceEmpty(Node &node) {
  ElementType type = node.g.b.getF32Type();
  if (node.hasAttribute("dtype")) {
    int64_t number = node.attribute("dtype", int64_t(0));
    auto wanted = ElementType::fromNumber(number, node.g.b.getContext());
    if (!wanted)
      return node.refuse("cannot hold elements of type " + Twine(number));
    type = *wanted;
  }
  node.setResult(0, sequenceOf(node.g, type, {}));
  return success();
}

static LogicalResult emitSequenceConstruct(Node &node) {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
    if (failed(requireTensor(node, i, node.input(0).type)))
      return failure();
    tensors.push_back(node.input(i));
  }
  node.setResult(0, sequenceOf(node.g, node.input(0).type, tensors));
  return success();
}

static LogicalResult emitSequenceAt(Node &node) {
  FailureOr<ArrayRef<Tensor>> tensors = tensorsOf(node, 0);
  if (failed(tensors))
    return failure();
  FailureOr<int64_t> position = positionOf(node, 1, tensors->size());
  if (failed(position))
    return failure();
  node.setResult(0, (*tensors)[*position]);
  return success();
}

static LogicalResult emitSequenceLength(Node &node) {
  FailureOr<ArrayRef<Tensor>> tensors = tensorsOf(node, 0);
  if (failed(tensors))
    return failure();
  GraphBuilder &g = node.g;
  node.setResult(0, g.scalar(g.b.getI64Type(), g.number(tensors->size())));
  return success();
}

static LogicalResult emitSequenceInsert(Node &node) {
  FailureOr<ArrayRef<Tensor>> tensors = tensorsOf(node, 0);
  if (failed(tensors))
    return failure();
  ElementType type = tensors->empty() ? node.input(1).type : node.input(0).type;
  if (failed(requireTensor(node, 1, type)))
    return failure();
  std::vector<Tensor> list(tensors->begin(), tensors->end());
  int64_t count = list.size(), position = count;
  if (node.hasInput(2)) {
    // The end is a place, too, but -1 is the last tensor.
    FailureOr<int64_t> given = positionOf(node, 2, count + 1);
    if (failed(given))
      return failure();
    FailureOr<Value> number = numberOf(node, 2, "position");
    bool isFromEnd = *node.g.known(*number) < 0;
    position = std::max<int64_t>(*given - isFromEnd, 0);
  }
  list.insert(list.begin() + position, node.input(1));
  node.setResult(0, sequenceOf(node.g, type, list));
  return success();
}

static LogicalResult emitSequenceErase(Node &node) {
  FailureOr<ArrayRef<Tensor>> tensors = tensorsOf(node, 0);
  if (failed(tensors))
    return failure();
  std::vector<Tensor> list(tensors->begin(), tensors->end());
  if (list.empty())
    return node.refuse("the sequence is empty");
  int64_t position = list.size() - 1;
  if (node.hasInput(1)) {
    FailureOr<int64_t> given = positionOf(node, 1, list.size());
    if (failed(given))
      return failure();
    position = *given;
  }
  list.erase(list.begin() + position);
  node.setResult(0, sequenceOf(node.g, node.input(0).type, list));
  return success();
}

//===----------------------------------------------------------------------===//
// Between tensors and sequences
//===----------------------------------------------------------------------===//

/// The lengths of the parts of a dimension.
static FailureOr<Values> partLengths(Node &node, Value dim) {
  GraphBuilder &g = node.g;
  if (node.hasInput(1) && node.input(1).rank() == 1)
    return numbersOf(node, 1, "split");
  int64_t length = 1;
  if (node.hasInput(1)) {
    FailureOr<Value> number = numberOf(node, 1, "split");
    if (failed(number))
      return failure();
    std::optional<int64_t> known = g.known(*number);
    if (!known || *known < 1)
      return node.refuse("split must be a positive constant");
    length = *known;
  }
  std::optional<int64_t> size = g.known(dim);
  if (!size)
    return node.refuse("the dimension that is split is not known, so that the "
                       "number of parts is not known, either");
  if (*size / length >= kMostParts)
    return node.refuse("it makes " + Twine(*size / length) +
                       " parts, expected less than " + Twine(kMostParts));
  Values lengths;
  for (int64_t rest = *size; rest > 0; rest -= length)
    lengths.push_back(g.number(std::min(rest, length)));
  return lengths;
}

static LogicalResult emitSplitToSequence(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(0)), node.input(0).rank());
  if (failed(axis))
    return failure();
  const Tensor &input = node.buffer(0);
  FailureOr<Values> lengths = partLengths(node, input.dims[*axis]);
  if (failed(lengths))
    return failure();
  bool dropsAxis =
      !node.hasInput(1) && node.attribute("keepdims", int64_t(1)) == 0;
  std::vector<Tensor> parts;
  Values starts(input.rank(), g.number(0)), dims = input.dims;
  Value sum = g.number(0);
  for (Value length : *lengths)
    sum = g.add(sum, length);
  g.require(g.equal(sum, input.dims[*axis]),
            node.describe() + ": the lengths do not add up to the dimension");
  for (Value length : *lengths) {
    FailureOr<Value> checked = asDimension(node, length);
    if (failed(checked))
      return failure();
    dims[*axis] = *checked;
    Tensor own = part(g, input, starts, dims);
    if (dropsAxis) {
      Values less = dims;
      less.erase(less.begin() + *axis);
      own = g.reshaped(own, less);
    }
    parts.push_back(own);
    starts[*axis] = g.add(starts[*axis], length);
  }
  node.setResult(0, sequenceOf(g, input.type, parts));
  return success();
}

/// Tensors along a dimension, which have to agree in the others.
static FailureOr<Tensor> joined(Node &node, ArrayRef<Tensor> tensors,
                                int64_t axis) {
  GraphBuilder &g = node.g;
  Values dims = tensors[0].dims, starts(dims.size(), g.number(0));
  dims[axis] = g.number(0);
  for (const Tensor &tensor : tensors) {
    if (tensor.rank() != tensors[0].rank())
      return node.refuse("its tensors have " + Twine(tensors[0].rank()) +
                         " and " + Twine(tensor.rank()) + " dimensions");
    for (int64_t other = 0; other < tensor.rank(); ++other)
      if (other != axis)
        g.require(g.equal(tensor.dims[other], dims[other]),
                  node.describe() + ": dimensions of its tensors differ");
    dims[axis] = g.add(dims[axis], tensor.dims[axis]);
  }
  Tensor result = g.allocateTensor(tensors[0].type, dims);
  for (const Tensor &tensor : tensors) {
    writePart(g, result, tensor, starts);
    starts[axis] = g.add(starts[axis], tensor.dims[axis]);
  }
  return result;
}

static LogicalResult emitConcatFromSequence(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<ArrayRef<Tensor>> given = tensorsOf(node, 0);
  if (failed(given))
    return failure();
  if (given->empty())
    return node.refuse("the sequence is empty");
  if (!node.hasAttribute("axis"))
    return node.refuse("attribute axis is missing");
  bool isNew = node.attribute("new_axis", int64_t(0)) != 0;
  FailureOr<int64_t> axis = node.axis(node.attribute("axis", int64_t(0)),
                                      given->front().rank() + isNew);
  if (failed(axis))
    return failure();
  std::vector<Tensor> tensors;
  for (const Tensor &tensor : *given) {
    Values dims = tensor.dims;
    if (isNew)
      dims.insert(dims.begin() + std::min<int64_t>(*axis, dims.size()),
                  g.number(1));
    tensors.push_back(isNew ? g.reshaped(tensor, dims) : tensor);
  }
  FailureOr<Tensor> result = joined(node, tensors, *axis);
  if (failed(result))
    return failure();
  node.setResult(0, *result);
  return success();
}

static const OperatorRow rows[] = {
    {"ConcatFromSequence", emitConcatFromSequence, 1, 1, 1, 1, 11},
    {"SequenceAt", emitSequenceAt, 2, 2, 1, 1, 11},
    {"SequenceConstruct", emitSequenceConstruct, 1, ~0u, 1, 1, 11},
    {"SequenceEmpty", emitSequenceEmpty, 0, 0, 1, 1, 11},
    {"SequenceErase", emitSequenceErase, 1, 2, 1, 1, 11},
    {"SequenceInsert", emitSequenceInsert, 2, 3, 1, 1, 11},
    {"SequenceLength", emitSequenceLength, 1, 1, 1, 1, 11},
    {"SplitToSequence", emitSplitToSequence, 1, 2, 1, 1, 11},
};

ArrayRef<OperatorRow> sequenceOperators() { return rows; }

} // namespace llmopt::graph
