//===- Einsum.cpp - Sums of products by an equation -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two operands without repeated labels become a stack of products of matrices;
// anything else is summed up element by element.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "llvm/ADT/StringExtras.h"
#include <map>

using namespace mlir;

namespace llmopt::graph {

namespace {

/// Labels are letters; the dimensions of an ellipsis have digits, the last one
/// is 0.
using Labels = std::string;

struct Equation {
  SmallVector<Labels> inputs;
  Labels output;
  std::map<char, Value> dims;
};

} // namespace

/// Labels of a term for a tensor of `rank` dimensions; emits an error where
/// they do not fit.
static FailureOr<Labels> expandTerm(Node &node, StringRef term, int64_t rank,
                                    int64_t ellipsis) {
  Labels labels;
  size_t dots = term.find("...");
  StringRef letters[] = {term.take_front(dots), ""};
  if (dots != StringRef::npos) {
    letters[1] = term.drop_front(dots + 3);
    if (rank >= 0)
      ellipsis = rank - int64_t(letters[0].size() + letters[1].size());
    if (ellipsis > 9)
      return node.refuse("an ellipsis of more than 9 dimensions");
  }
  for (StringRef part : letters)
    if (!llvm::all_of(part, llvm::isAlpha))
      return node.refuse("term '" + term +
                         "' of the equation must consist of "
                         "letters and one ellipsis");
  labels = letters[0].str();
  if (dots != StringRef::npos)
    for (int64_t i = ellipsis - 1; i >= 0; --i)
      labels += char('0' + i);
  labels += letters[1];
  if (rank >= 0 && int64_t(labels.size()) != rank)
    return node.refuse("term '" + term + "' of the equation does not fit " +
                       Twine(rank) + " dimensions");
  return labels;
}

/// The output of an equation without one: labels that occur once, in order,
/// after the ellipsis.
static Labels implicitOutput(const Equation &equation) {
  std::map<char, int> counts;
  for (const Labels &labels : equation.inputs)
    for (char label : labels)
      ++counts[label];
  Labels output;
  for (char digit = '9'; digit >= '0'; --digit)
    if (counts.count(digit))
      output += digit;
  for (auto [label, count] : counts)
    if (llvm::isAlpha(label) && count == 1)
      output += label;
  return output;
}

static FailureOr<Equation> parseEquation(Node &node) {
  std::string text = node.attribute("equation", StringRef(""));
  llvm::erase_if(text, llvm::isSpace);
  auto [left, right] = StringRef(text).split("->");
  bool isExplicit = StringRef(text).contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != node.inputCount())
    return node.refuse("the equation has " + Twine(terms.size()) +
                       " terms for " + Twine(node.inputCount()) + " inputs");
  Equation equation;
  int64_t ellipsis = 0;
  for (auto [index, term] : llvm::enumerate(terms)) {
    const Tensor &input = node.input(index);
    auto labels = expandTerm(node, term, input.rank(), 0);
    if (failed(labels))
      return failure();
    for (auto [label, dim] : llvm::zip_equal(*labels, input.dims)) {
      if (llvm::isDigit(label))
        ellipsis = std::max<int64_t>(ellipsis, label - '0' + 1);
      Value &known = equation.dims[label];
      Tensor old, own;
      own.dims = {dim};
      old.dims = {known ? known : dim};
      known = node.g.broadcast({old, own}, node.describe())[0];
    }
    equation.inputs.push_back(*labels);
  }
  if (!isExplicit) {
    equation.output = implicitOutput(equation);
    return equation;
  }
  auto output = expandTerm(node, right, -1, ellipsis);
  if (failed(output))
    return failure();
  for (auto [index, label] : llvm::enumerate(*output))
    if (!equation.dims.count(label) || output->find(label) != index)
      return node.refuse("label '" + Twine(label) +
                         "' of the output is "
                         "repeated or occurs in no input");
  equation.output = *output;
  return equation;
}

static Values dimsOf(const Equation &equation, StringRef labels) {
  Values dims;
  for (char label : labels)
    dims.push_back(equation.dims.at(label));
  return dims;
}

//===----------------------------------------------------------------------===//
// Products of matrices
//===----------------------------------------------------------------------===//

/// True if no label occurs twice and all dimensions are those of the equation.
static bool isPlain(GraphBuilder &g, const Equation &equation, StringRef labels,
                    const Tensor &tensor) {
  for (auto [index, label] : llvm::enumerate(labels))
    if (labels.find(label) != index ||
        !g.same(tensor.dims[index], equation.dims.at(label)))
      return false;
  return true;
}

/// The tensor with its dimensions in another order.
static Tensor ordered(GraphBuilder &g, const Tensor &tensor, StringRef labels,
                      StringRef order) {
  if (labels == order)
    return tensor;
  Values dims;
  SmallVector<size_t> places;
  for (char label : order)
    dims.push_back(tensor.dims[labels.find(label)]);
  for (char label : labels)
    places.push_back(order.find(label));
  return moved(g, tensor, dims, /*keepsLanes=*/labels.back() == order.back(),
               [=](GraphBuilder &, ArrayRef<Value> indices) {
                 Values source;
                 for (size_t place : places)
                   source.push_back(indices[place]);
                 return source;
               });
}

static FailureOr<Tensor> multiplyPair(Node &node, const Equation &equation) {
  GraphBuilder &g = node.g;
  StringRef left = equation.inputs[0], right = equation.inputs[1];
  Labels batch, rows, columns, depth;
  for (char label : left) {
    bool isShared = right.contains(label);
    bool isKept = StringRef(equation.output).contains(label);
    (isShared ? isKept ? batch : depth : rows) += label;
  }
  for (char label : right)
    if (!left.contains(label))
      columns += label;
  auto stack = [&](size_t input, const Labels &labels, const Labels &first,
                   const Labels &second) {
    Tensor tensor =
        ordered(g, node.input(input), labels, batch + first + second);
    Values dims = dimsOf(equation, batch);
    dims.push_back(g.product(dimsOf(equation, first)));
    dims.push_back(g.product(dimsOf(equation, second)));
    return productOperand(g, g.reshaped(g.materialize(tensor), dims));
  };
  Tensor a = stack(0, equation.inputs[0], rows, depth);
  Tensor b = stack(1, equation.inputs[1], depth, columns);
  FailureOr<Tensor> product = multiply(node, Operand(g, a), Operand(g, b));
  if (failed(product))
    return failure();
  Labels order = batch + rows + columns;
  Tensor result = g.reshaped(*product, dimsOf(equation, order));
  return ordered(g, result, order, equation.output);
}

/// True if the equation is a product of two stacks of matrices: a label of one
/// operand alone is one of the output.
static bool isProduct(Node &node, const Equation &equation) {
  if (equation.inputs.size() != 2)
    return false;
  for (size_t i = 0; i < 2; ++i) {
    if (!isPlain(node.g, equation, equation.inputs[i], node.input(i)))
      return false;
    for (char label : equation.inputs[i])
      if (equation.output.find(label) == Labels::npos &&
          equation.inputs[1 - i].find(label) == Labels::npos)
        return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Anything else
//===----------------------------------------------------------------------===//

static Value multiplied(GraphBuilder &g, Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::MulFOp::create(g.b, g.loc, a, b);
  return arith::MulIOp::create(g.b, g.loc, a, b);
}

static Value summed(GraphBuilder &g, Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::AddFOp::create(g.b, g.loc, a, b);
  return arith::AddIOp::create(g.b, g.loc, a, b);
}

static Tensor sumElements(Node &node, const Equation &equation) {
  GraphBuilder &g = node.g;
  Labels inner;
  for (auto &[label, dim] : equation.dims)
    if (equation.output.find(label) == Labels::npos)
      inner += label;
  Values outerDims = dimsOf(equation, equation.output);
  Values innerDims = dimsOf(equation, inner);
  ElementType type = node.input(0).type;
  for (size_t i = 0; i < node.inputCount(); ++i)
    node.buffer(i);
  Tensor result = g.allocateTensor(type, outerDims);
  Value terms = g.product(innerDims);
  g.parallelFor(g.count(result), terms, [&](Value number) {
    Values outer = g.delinearize(number, outerDims);
    auto term = [&](Value i) {
      Values within = g.delinearize(i, innerDims);
      Value product;
      for (auto [index, labels] : llvm::enumerate(equation.inputs)) {
        const Tensor &input = node.input(index);
        Values indices;
        for (auto [axis, label] : llvm::enumerate(labels)) {
          size_t kept = equation.output.find(label);
          Value at =
              kept == Labels::npos ? within[inner.find(label)] : outer[kept];
          // A dimension of 1 is broadcast.
          indices.push_back(
              g.select(g.equal(input.dims[axis], 1), g.number(0), at));
        }
        Value element = g.element(input, indices);
        product = product ? multiplied(g, product, element) : element;
      }
      return product;
    };
    Type compute = type.compute();
    Value zero = isa<FloatType>(compute) ? g.constant(compute, 0)
                                         : g.integer(compute, 0);
    Value sum = g.loop(terms, {zero}, [&](Value i, ValueRange in) -> Values {
      return {summed(g, in[0], term(i))};
    })[0];
    g.storeElement(result, number, sum);
  });
  return result;
}

static LogicalResult emitEinsum(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  for (size_t i = 0; i < node.inputCount(); ++i)
    if (!node.hasInput(i) || node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  if (type.isBool() || type.isMiniFloat() || type.bits() < 8)
    return node.refuse("products of this element type are not supported");
  FailureOr<Equation> equation = parseEquation(node);
  if (failed(equation))
    return failure();
  bool isWide = type.isFloat() || type.bits() >= 32;
  if (isWide && isProduct(node, *equation)) {
    FailureOr<Tensor> product = multiplyPair(node, *equation);
    if (failed(product))
      return failure();
    node.setResult(0, convertedTo(g, *product, type));
    return success();
  }
  node.setResult(0, sumElements(node, *equation));
  return success();
}

static const OperatorRow rows[] = {
    {"Einsum", emitEinsum, 1, ~0u, 1, 1, 12},
};

ArrayRef<OperatorRow> einsumOperators() { return rows; }

} // namespace llmopt::graph
