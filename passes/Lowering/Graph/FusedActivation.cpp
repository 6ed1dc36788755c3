//===- FusedActivation.cpp - Activations at the end of a product *- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/FusedActivation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/GraphEmitter.h"

using namespace mlir;

namespace llmopt::graph {

/// min(max(x, low), high), bounds may be null; a NaN stays one.
static Value clamped(GraphBuilder &g, Value x, Value low, Value high) {
  auto vector = dyn_cast<VectorType>(x.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  if (low)
    x = arith::MaximumFOp::create(g.b, g.loc, x, g.splat(low, lanes));
  if (high)
    x = arith::MinimumFOp::create(g.b, g.loc, x, g.splat(high, lanes));
  return x;
}

static Activation clampTo(Value low, Value high) {
  return [=](GraphBuilder &g, Value x) { return clamped(g, x, low, high); };
}

/// A bound of Clip: an attribute in old versions, else an input. False if it is
/// not known yet.
static bool readBound(Node &node, onnx::NodeOp clip, StringRef name,
                      unsigned index, Value &bound) {
  GraphBuilder &g = node.g;
  if (auto value = clip.getNodeAttr<FloatAttr>(name)) {
    bound = g.constant(g.b.getF32Type(), value.getValueAsDouble());
    return true;
  }
  if (index >= clip.getInputs().size() ||
      clip.getInputs()[index].getDefiningOp<onnx::NoneOp>())
    return true;
  Tensor *tensor = node.emitter.find(clip.getInputs()[index]);
  if (!tensor || !tensor->hasElements || tensor->elements.size() != 1 ||
      !tensor->elements[0].getType().isF32())
    return false;
  bound = tensor->elements[0];
  return true;
}

Activation absorbActivation(Node &node) {
  Value result = node.op->getResult(0);
  if (!node.input(0).type.get().isF32() || !result.hasOneUse())
    return nullptr;
  Operation *user = *result.getUsers().begin();
  auto reader = dyn_cast<onnx::NodeOp>(user);
  if (!reader || user->getBlock() != node.op->getBlock() ||
      user->getNumResults() != 1 || reader.getInputs()[0] != result ||
      !(reader.getDomain().empty() ||
        reader.getDomain() == onnx::kDefaultDomain))
    return nullptr;
  Value low, high;
  if (reader.getOpType() == "Relu") {
    low = node.g.constant(node.g.b.getF32Type(), 0);
  } else if (reader.getOpType() != "Clip" ||
             !readBound(node, reader, "min", 1, low) ||
             !readBound(node, reader, "max", 2, high)) {
    return nullptr;
  }
  node.emitter.absorb(user);
  return clampTo(low, high);
}

FailureOr<Activation> namedActivation(Node &node) {
  GraphBuilder &g = node.g;
  std::string name = node.attribute("activation", StringRef(""));
  auto params =
      node.floats("activation_params").value_or(SmallVector<double>());
  auto number = [&](double value) {
    return g.constant(g.b.getF32Type(), value);
  };
  auto expectParams = [&](size_t count) -> LogicalResult {
    if (params.size() == count)
      return success();
    return node.refuse("activation_params has " + Twine(params.size()) +
                       " entries, expected " + Twine(count));
  };
  if (name.empty())
    return Activation();
  if (name == "Relu")
    return clampTo(number(0), nullptr);
  if (name == "Sigmoid")
    return Activation([](GraphBuilder &g, Value x) { return sigmoid(g, x); });
  if (name == "Tanh")
    return Activation([](GraphBuilder &g, Value x) { return tanh(g, x); });
  if (name == "Clip") {
    if (failed(expectParams(2)))
      return failure();
    return clampTo(number(params[0]), number(params[1]));
  }
  if (name == "LeakyRelu") {
    if (failed(expectParams(1)))
      return failure();
    double slope = params[0];
    return Activation([=](GraphBuilder &g, Value x) -> Value {
      Value zero = g.constant(x.getType(), 0);
      Value isLow =
          arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OLT, x, zero);
      Value scaled =
          arith::MulFOp::create(g.b, g.loc, x, g.constant(x.getType(), slope));
      return arith::SelectOp::create(g.b, g.loc, isLow, scaled, x);
    });
  }
  if (name == "HardSigmoid") {
    if (failed(expectParams(2)))
      return failure();
    double alpha = params[0], beta = params[1];
    Value zero = number(0), one = number(1);
    return Activation([=](GraphBuilder &g, Value x) -> Value {
      Value y =
          arith::MulFOp::create(g.b, g.loc, x, g.constant(x.getType(), alpha));
      y = arith::AddFOp::create(g.b, g.loc, y, g.constant(x.getType(), beta));
      return clamped(g, y, zero, one);
    });
  }
  return node.refuse("activation '" + name + "' is not supported");
}

} // namespace llmopt::graph
