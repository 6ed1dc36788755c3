//===- MixtureOfExperts.cpp - MoE and QMoE in graphs ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every token chooses k experts; a pair of both is a slot. A loop over blocks
// of rows of all experts finds the slots that want its expert, so that a block
// of weights is read once, however many tokens there are.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ExpertMatrix.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Numbers of the inputs of a fully connected layer; -1: the operator has none.
struct LayerInputs {
  int weights, scales, bias, zeros;
};

enum class Activation { Relu, Gelu, Silu, Swiglu, Identity };

class MoeNode {
public:
  MoeNode(Node &node, bool isQuantized)
      : node(node), g(node.g), isQuantized(isQuantized) {}
  LogicalResult emit();

private:
  LogicalResult checkAttributes();
  LogicalResult checkInputs();
  LogicalResult readLayers();
  LogicalResult readLayer(const LayerInputs &inputs, StringRef bitsAttribute,
                          Value rows, Value columns, ExpertMatrix &matrix);
  void route();
  void choose(Value token, Value scores);
  Value activate(Value gate, Value linear);
  Tensor activateAll(const Tensor &first, const Tensor *third);
  Tensor combine(const Tensor &second);
  void demand(Value condition, const Twine &what) {
    g.require(condition, node.describe() + ": " + what);
  }
  bool has(int input) const { return input >= 0 && node.hasInput(input); }

  Node &node;
  GraphBuilder &g;
  bool isQuantized;
  int64_t k = 1;
  int64_t fusion = 0; ///< 1: gate and linear columns alternate, 2: one by one
  Activation activation = Activation::Relu;
  Value tokens, experts, width, inner;
  ExpertMatrix first, second, third;
  bool hasThird = false;
  Tensor chosen;  ///< int64 [tokens * k]
  Tensor weights; ///< f32 [tokens * k]
};
} // namespace

//===----------------------------------------------------------------------===//
// What the node says
//===----------------------------------------------------------------------===//

LogicalResult MoeNode::checkAttributes() {
  k = node.attribute("k", int64_t(1));
  if (k < 1 || k > 64)
    return node.refuse("k is " + Twine(k) + ", expected 1 to 64");
  if (node.attribute("use_sparse_mixer", int64_t(0)))
    return node.refuse("use_sparse_mixer is not supported");
  if (node.attribute("swiglu_limit_after_activation", int64_t(0)))
    return node.refuse("swiglu_limit_after_activation is not supported");
  std::string name = node.attribute("activation_type", StringRef("relu"));
  auto kind = llvm::StringSwitch<std::optional<Activation>>(name)
                  .Case("relu", Activation::Relu)
                  .Case("gelu", Activation::Gelu)
                  .Case("silu", Activation::Silu)
                  .Case("swiglu", Activation::Swiglu)
                  .Case("identity", Activation::Identity)
                  .Default(std::nullopt);
  if (!kind)
    return node.refuse("activation_type is " + name +
                       ", expected relu, gelu, silu, swiglu or identity");
  activation = *kind;
  fusion = node.attribute("swiglu_fusion", int64_t(0));
  if (fusion < 0 || fusion > 2)
    return node.refuse("swiglu_fusion is " + Twine(fusion) +
                       ", expected 0 to 2");
  if (activation != Activation::Swiglu)
    fusion = 0;
  if (!isQuantized)
    return success();
  std::string type = node.attribute("quant_type", StringRef("int"));
  if (type != "int")
    return node.refuse("quant_type is " + type + ", expected int");
  if (node.attribute("weights_prepacked", int64_t(-1)) > 0)
    return node.refuse("prepacked weights are not supported; expected "
                       "weights_prepacked 0 or -1");
  return success();
}

LogicalResult MoeNode::checkInputs() {
  const Tensor &input = node.input(0), &scores = node.input(1);
  if (input.rank() != 2 && input.rank() != 3)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected 2 or 3");
  if (scores.rank() != 2)
    return node.refuse("router_probs has " + Twine(scores.rank()) +
                       " dimensions, expected 2");
  for (const Tensor *tensor : {&input, &scores})
    if (!tensor->type.isFloat() || tensor->type.get().isF64())
      return node.refuse("its tensors of floats have to be f32, f16 or bf16");
  for (size_t i = 14; i < node.inputCount(); ++i)
    if (node.hasInput(i))
      return node.refuse("input " + Twine(i) + " is not supported");
  width = input.dims.back();
  tokens = g.product(ArrayRef(input.dims).drop_back());
  experts = scores.dims[1];
  demand(g.equal(scores.dims[0], tokens),
         "router_probs has not one row per token");
  std::optional<int64_t> count = g.known(experts);
  if (count && *count < k)
    return node.refuse("chooses " + Twine(k) + " of " + Twine(*count) +
                       " experts");
  demand(g.logicalNot(g.less(experts, k)), "has fewer than k experts");
  return success();
}

LogicalResult MoeNode::readLayer(const LayerInputs &inputs,
                                 StringRef bitsAttribute, Value rows,
                                 Value columns, ExpertMatrix &matrix) {
  matrix.experts = experts;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.weights = node.buffer(inputs.weights);
  if (has(inputs.bias)) {
    matrix.bias = node.buffer(inputs.bias);
    demand(g.equal(g.count(*matrix.bias), g.mul(experts, rows)),
           "the bias in input " + Twine(inputs.bias) + " does not fit");
  }
  Value expected = g.product({experts, rows, columns});
  if (!isQuantized) {
    demand(g.equal(g.count(matrix.weights), expected),
           "the weights in input " + Twine(inputs.weights) + " do not fit");
    return success();
  }
  int64_t bits = node.attribute("expert_weight_bits", int64_t(4));
  matrix.bits = node.attribute(bitsAttribute, bits);
  matrix.block = node.attribute("block_size", int64_t(0));
  if (!llvm::is_contained({2, 4, 8}, matrix.bits))
    return node.refuse("weights of " + Twine(matrix.bits) +
                       " bits are not supported, expected 2, 4 or 8");
  if (matrix.block &&
      (matrix.block < kVectorLanes || !llvm::isPowerOf2_64(matrix.block)))
    return node.refuse("block_size is " + Twine(matrix.block) +
                       ", expected a power of two from 16 on");
  if (!matrix.weights.type.isUnsigned() || matrix.weights.type.bits() != 8)
    return node.refuse("quantized weights have to be uint8");
  if (!has(inputs.scales))
    return node.refuse("input " + Twine(inputs.scales) +
                       " (scales) must not be left out");
  matrix.scales = node.buffer(inputs.scales);
  if (has(inputs.zeros)) {
    matrix.zeros = node.buffer(inputs.zeros);
    if (!matrix.zeros->type.isUnsigned() || matrix.zeros->type.bits() != 8)
      return node.refuse("zero points have to be uint8");
  }
  demand(g.equal(g.mul(g.count(matrix.weights), 8 / matrix.bits), expected),
         "the weights in input " + Twine(inputs.weights) + " do not fit");
  demand(matrix.fits(g), "scales or zero points do not fit the weights in "
                         "input " +
                             Twine(inputs.weights));
  return success();
}

LogicalResult MoeNode::readLayers() {
  LayerInputs one{2, -1, 3, -1}, two{4, -1, 5, -1}, three{6, -1, 7, -1};
  if (isQuantized) {
    one = {2, 3, 4, 11};
    two = {5, 6, 7, 12};
    three = {8, 9, 10, 13};
  }
  for (int i : {one.weights, two.weights, three.weights})
    if (has(i) && node.input(i).rank() != 3)
      return node.refuse("the weights in input " + Twine(i) + " have " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 3");
  hasThird = has(three.weights);
  bool isGated = activation == Activation::Swiglu && fusion == 0;
  if (isGated && !hasThird)
    return node.refuse("swiglu without swiglu_fusion needs the weights of fc3");
  if (hasThird && !isGated && activation != Activation::Silu)
    return node.refuse("fc3 needs silu or swiglu without swiglu_fusion");
  Value rows = node.input(one.weights).dims[1];
  inner = fusion ? g.div(rows, 2) : rows;
  if (fusion)
    demand(g.equal(g.mul(inner, 2), rows), "fc1 has an odd number of rows");
  if (failed(readLayer(one, "fc1_expert_weight_bits", rows, width, first)) ||
      failed(readLayer(two, "fc2_expert_weight_bits", width, inner, second)))
    return failure();
  if (!hasThird)
    return success();
  return readLayer(three, "fc3_expert_weight_bits", inner, width, third);
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// Chooses the experts of a token. Scores become -infinity once chosen.
void MoeNode::choose(Value token, Value scores) {
  Type f32 = g.b.getF32Type();
  Value address = g.at(scores, g.mul(g.mul(token, experts), 4));
  auto score = [&](Value expert) {
    return Real(g, g.load(f32, g.at(address, g.mul(expert, 4))));
  };
  auto isGreater = [&](const Real &x, const Real &y) {
    return x.compare(arith::CmpFPredicate::OGT, y);
  };
  Value firstSlot = g.mul(token, k);
  Value least = g.constant(f32, -INFINITY);
  // The sum is over all experts or the chosen ones, relative to the greatest.
  bool isNormalized = node.attribute("normalize_routing_weights", int64_t(0));
  Value greatest =
      g.loop(experts, {least}, [&](Value expert, ValueRange carried) {
        return Values{
            arith::MaxNumFOp::create(g.b, g.loc, carried[0], score(expert))};
      })[0];
  Real maximum(g, greatest);
  Value sum = g.constant(f32, 0);
  if (!isNormalized)
    sum = g.loop(experts, {sum}, [&](Value expert, ValueRange carried) {
      Real power(g, exp(g, score(expert) - maximum));
      return Values{power + Real(g, carried[0])};
    })[0];
  Values sums = g.loop(g.number(k), {sum}, [&](Value slot, ValueRange outer) {
    Values best = g.loop(experts, {g.number(0), least},
                         [&](Value expert, ValueRange carried) {
                           Real now = score(expert);
                           Value better = isGreater(now, Real(g, carried[1]));
                           return Values{g.select(better, expert, carried[0]),
                                         g.select(better, now, carried[1])};
                         });
    g.store(least, g.at(address, g.mul(best[0], 4)));
    Value number = g.add(firstSlot, slot);
    g.storeElement(chosen, number, best[0]);
    Real power(g, exp(g, Real(g, best[1]) - maximum));
    g.storeElement(weights, number, power);
    return isNormalized ? Values{power + Real(g, outer[0])} : Values{outer[0]};
  });
  g.loop(g.number(k), [&](Value slot) {
    Value number = g.add(firstSlot, slot);
    Real power(g, g.loadElement(weights, number));
    g.storeElement(weights, number, power / Real(g, sums[0]));
  });
}

void MoeNode::route() {
  Value slots = g.mul(tokens, k);
  chosen = g.allocateTensor(g.b.getI64Type(), {slots});
  weights = g.allocateTensor(g.b.getF32Type(), {slots});
  const Tensor &scores = node.buffer(1);
  Tensor left = g.allocateTensor(g.b.getF32Type(), {tokens, experts});
  g.parallelFor(tokens, g.mul(experts, 8 + k), [&](Value token) {
    Value begin = g.mul(token, experts);
    g.loop(experts, [&](Value expert) {
      Value number = g.add(begin, expert);
      g.storeElement(left, number, g.loadElement(scores, number));
    });
    choose(token, left.buffer->data);
  });
}

/// The activation of scalars or vectors; `linear` may be null.
Value MoeNode::activate(Value gate, Value linear) {
  Real x(g, gate);
  switch (activation) {
  case Activation::Relu:
    return x.apply<arith::MaximumFOp>(x.constant(0));
  case Activation::Gelu:
    return geluTanh(g, x);
  case Activation::Silu: {
    Real y(g, silu(g, x));
    return linear ? y * Real(g, linear) : y;
  }
  case Activation::Identity:
    return x;
  case Activation::Swiglu:
    break;
  }
  Real y(g, linear);
  if (node.hasAttribute("swiglu_limit")) {
    double limit = node.attribute("swiglu_limit", 0.0);
    x = x.apply<arith::MinimumFOp>(x.constant(limit));
    y = y.apply<arith::MinimumFOp>(y.constant(limit))
            .apply<arith::MaximumFOp>(y.constant(-limit));
  }
  Real alpha = x.constant(node.attribute("activation_alpha", 1.0));
  Real beta = x.constant(node.attribute("activation_beta", 0.0));
  Real gated = x * Real(g, sigmoid(g, alpha * x));
  return gated * (y + beta);
}

/// [slots, inner] from the results of fc1 and fc3.
Tensor MoeNode::activateAll(const Tensor &first, const Tensor *third) {
  Value slots = first.dims[0];
  Tensor result = g.allocateTensor(g.b.getF32Type(), {slots, inner});
  g.parallelFor(slots, g.mul(inner, 32), [&](Value slot) {
    Value from = g.mul(slot, first.dims[1]), to = g.mul(slot, inner);
    g.vectorLoop(
        g.number(0), inner, fusion != 1, [&](Value column, int64_t lanes) {
          Value gate = g.add(from, fusion == 1 ? g.mul(column, 2) : column);
          Value number = g.add(to, column), linear;
          if (fusion)
            linear = g.loadElement(
                first, fusion == 1 ? g.add(gate, 1) : g.add(gate, inner),
                lanes);
          else if (third)
            linear = g.loadElement(*third, number, lanes);
          g.storeElement(result, number,
                         activate(g.loadElement(first, gate, lanes), linear));
        });
  });
  return result;
}

/// The weighted sum of the slots of each token.
Tensor MoeNode::combine(const Tensor &second) {
  Tensor result = g.allocateTensor(node.input(0).type, node.input(0).dims);
  g.parallelFor(tokens, g.mul(width, k), [&](Value token) {
    Value firstSlot = g.mul(token, k), to = g.mul(token, width);
    g.vectorLoop(g.number(0), width, true, [&](Value column, int64_t lanes) {
      Value zero = g.constant(g.withLanes(g.b.getF32Type(), lanes), 0);
      Values sum =
          g.loop(g.number(k), {zero}, [&](Value slot, ValueRange carried) {
            Value number = g.add(firstSlot, slot);
            Value from = g.add(g.mul(number, width), column);
            Value weight = g.splat(g.loadElement(weights, number), lanes);
            return Values{math::FmaOp::create(
                g.b, g.loc, weight, g.loadElement(second, from, lanes),
                carried[0])};
          });
      g.storeElement(result, g.add(to, column), sum[0]);
    });
  });
  return result;
}

LogicalResult MoeNode::emit() {
  if (failed(checkAttributes()) || failed(checkInputs()) ||
      failed(readLayers()))
    return failure();
  route();
  Tensor input = g.reshaped(node.buffer(0), {tokens, width});
  Tensor one = multiplyExperts(g, first, input, chosen, k);
  std::optional<Tensor> three;
  if (hasThird)
    three = multiplyExperts(g, third, input, chosen, k);
  Tensor activated = activateAll(one, three ? &*three : nullptr);
  node.setResult(0, combine(multiplyExperts(g, second, activated, chosen, 1)));
  return success();
}

static LogicalResult emitMoe(Node &node) { return MoeNode(node, false).emit(); }

static LogicalResult emitQuantizedMoe(Node &node) {
  return MoeNode(node, true).emit();
}

static const OperatorRow rows[] = {
    {"MoE", emitMoe, 3, 8, 1, 1, 1, INT64_MAX, "com.microsoft"},
    {"QMoE", emitQuantizedMoe, 3, 20, 1, 1, 1, INT64_MAX, "com.microsoft"},
};

ArrayRef<OperatorRow> mixtureOperators() { return rows; }

} // namespace llmopt::graph
