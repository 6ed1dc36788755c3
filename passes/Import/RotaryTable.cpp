//===- RotaryTable.cpp - Tables of rotary embeddings ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/RotaryTable.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "passes/Import/Weights.h"

using namespace mlir;

namespace llmopt {

using symbolic::Expr;
using symbolic::Kind;

namespace {
/// Gives numbers to the leaves of rotary factors.
class FactorEvaluator {
public:
  FactorEvaluator(const Rotation &rotation, IndexAnalysis &analysis)
      : rotation(rotation), analysis(analysis) {}

  std::optional<double> evaluate(Expr factor, int64_t position,
                                 int64_t frequency) {
    this->position = position;
    this->frequency = frequency;
    return evaluate(factor);
  }

private:
  std::optional<double> evaluate(Expr expression) {
    return symbolic::evaluate(expression,
                              [&](Expr leaf) { return evaluateLeaf(leaf); });
  }
  std::optional<double> evaluateLeaf(Expr leaf);
  /// The values of a constant; empty when they cannot be read.
  const std::vector<float> &read(Value constant);

  const Rotation &rotation;
  IndexAnalysis &analysis;
  int64_t position = 0, frequency = 0;
  DenseMap<Value, std::vector<float>> constants;
};
} // namespace

const std::vector<float> &FactorEvaluator::read(Value constant) {
  auto [entry, inserted] = constants.try_emplace(constant);
  auto initializer = constant.getDefiningOp<onnx::InitializerOp>();
  if (!inserted || !initializer)
    return entry->second;
  auto type = cast<RankedTensorType>(initializer.getType());
  if (!type.getElementType().isF32())
    return entry->second;
  WeightStore &store = initializer.getContext()
                           ->getOrLoadDialect<LLMOptDialect>()
                           ->getWeightStore();
  FailureOr<std::vector<float>> values =
      store.readFloats(getWeightSource(initializer, false), type,
                       [&] { return initializer.emitError(); });
  if (succeeded(values))
    entry->second = std::move(*values);
  return entry->second;
}

std::optional<double> FactorEvaluator::evaluateLeaf(Expr leaf) {
  if (leaf == rotation.position)
    return double(position);
  if (leaf == rotation.frequency)
    return double(frequency);
  if (leaf->kind != Kind::Load || leaf->type != symbolic::Type::Float)
    return std::nullopt;
  Value base = analysis.getBase(leaf);
  const std::vector<float> &values = read(base);
  int64_t index = 0;
  for (auto [operand, dimension] :
       llvm::zip_equal(leaf->operands, analysis.lookup(base)->shape)) {
    std::optional<double> place = evaluate(operand);
    if (!place || dimension->kind != Kind::Constant)
      return std::nullopt;
    index = index * dimension->value + int64_t(*place);
  }
  if (index < 0 || index >= int64_t(values.size()))
    return std::nullopt;
  return double(values[index]);
}

FailureOr<std::vector<float>> computeRotaryTable(const Rotation &rotation,
                                                 int64_t positions,
                                                 IndexAnalysis &analysis,
                                                 std::string &reason) {
  FactorEvaluator evaluator(rotation, analysis);
  int64_t columns = rotation.rotated, half = columns / 2;
  std::vector<float> table(positions * columns);
  auto fill = [&](Expr first, Expr second, int64_t start) {
    for (int64_t position = 0; position < positions; ++position)
      for (int64_t i = 0; i < half; ++i) {
        std::optional<double> value = evaluator.evaluate(first, position, i);
        if (!value) {
          reason = "its rotary factors are not functions of the position: " +
                   StringRef(symbolic::toString(first)).take_front(200).str();
          return failure();
        }
        if (first != second &&
            evaluator.evaluate(second, position, i) != value) {
          reason = "its rotary factors differ between the halves of a head; "
                   "only the rotation by halves is supported";
          return failure();
        }
        table[position * columns + start + i] = float(*value);
      }
    return success();
  };
  if (failed(fill(rotation.firstCosine, rotation.secondCosine, 0)) ||
      failed(fill(rotation.firstSine, rotation.secondSine, half)))
    return failure();
  return table;
}

} // namespace llmopt
