//===- CellFunction.cpp - Activations of recurrent cells --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/CellFunction.h"
#include "passes/Lowering/Graph/Functions.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// A function with its parameters; those without one ignore it.
using Formula = Real (*)(const Real &x, double alpha, double beta);

struct FunctionRow {
  StringLiteral name;
  Formula formula;
  std::optional<double> alpha, beta; ///< defaults of the parameters it takes
};
} // namespace

static Real maximum(const Real &x, double bound) {
  return x.apply<arith::MaximumFOp>(x.constant(bound));
}
static Real minimum(const Real &x, double bound) {
  return x.apply<arith::MinimumFOp>(x.constant(bound));
}
static Real choose(const Real &x, double bound, const Real &above,
                   const Real &otherwise) {
  Value isAbove = x.compare(arith::CmpFPredicate::OGT, x.constant(bound));
  GraphBuilder &g = x.builder();
  return {g, arith::SelectOp::create(g.b, g.loc, isAbove, above, otherwise)};
}

static const FunctionRow functions[] = {
    {"Sigmoid",
     [](const Real &x, double, double) {
       return Real(x.builder(), sigmoid(x.builder(), x));
     },
     std::nullopt, std::nullopt},
    {"Tanh",
     [](const Real &x, double, double) {
       return Real(x.builder(), tanh(x.builder(), x));
     },
     std::nullopt, std::nullopt},
    {"Relu", [](const Real &x, double, double) { return maximum(x, 0); },
     std::nullopt, std::nullopt},
    {"Affine",
     [](const Real &x, double alpha, double beta) { return x * alpha + beta; },
     1.0, 0.0},
    {"LeakyRelu",
     [](const Real &x, double alpha, double) {
       return choose(x, 0, x, x * alpha);
     },
     0.01, std::nullopt},
    {"ThresholdedRelu",
     [](const Real &x, double alpha, double) {
       return choose(x, alpha, x, x.constant(0));
     },
     1.0, std::nullopt},
    {"ScaledTanh",
     [](const Real &x, double alpha, double beta) {
       return Real(x.builder(), tanh(x.builder(), x * beta)) * alpha;
     },
     1.0, 1.0},
    {"HardSigmoid",
     [](const Real &x, double alpha, double beta) {
       return minimum(maximum(x * alpha + beta, 0), 1);
     },
     0.2, 0.5},
    {"Elu",
     [](const Real &x, double alpha, double) {
       return choose(x, 0, x, Real(x.builder(), expm1(x.builder(), x)) * alpha);
     },
     1.0, std::nullopt},
    {"Softsign",
     [](const Real &x, double, double) {
       return x / (x.apply<math::AbsFOp>() + 1);
     },
     std::nullopt, std::nullopt},
    {"Softplus",
     [](const Real &x, double, double) {
       return Real(x.builder(), softplus(x.builder(), x));
     },
     std::nullopt, std::nullopt},
};

static const FunctionRow *findFunction(StringRef name) {
  for (const FunctionRow &row : functions)
    if (name.equals_insensitive(row.name))
      return &row;
  return nullptr;
}

/// The next number of a list that a function takes, or the default.
static double nextParameter(ArrayRef<double> &list,
                            std::optional<double> byDefault) {
  if (!byDefault || list.empty())
    return byDefault.value_or(0);
  double value = list.front();
  list = list.drop_front();
  return value;
}

FailureOr<SmallVector<CellFunction>>
readCellFunctions(Node &node, ArrayRef<StringLiteral> defaults,
                  int64_t directions) {
  SmallVector<std::string> names;
  if (auto given = node.op.getNodeAttr<ArrayAttr>("activations")) {
    for (Attribute name : given)
      names.push_back(cast<StringAttr>(name).str());
  } else {
    for (int64_t i = 0; i < directions; ++i)
      names.append(defaults.begin(), defaults.end());
  }
  if (names.size() != defaults.size() * directions)
    return node.refuse("activations has " + Twine(names.size()) +
                       " entries, expected " +
                       Twine(defaults.size() * directions));
  auto alphas = node.floats("activation_alpha").value_or(SmallVector<double>());
  auto betas = node.floats("activation_beta").value_or(SmallVector<double>());
  ArrayRef<double> alphaRest = alphas, betaRest = betas;
  SmallVector<CellFunction> result;
  for (StringRef name : names) {
    const FunctionRow *row = findFunction(name);
    if (!row)
      return node.refuse("activation '" + name + "' does not exist");
    double alpha = nextParameter(alphaRest, row->alpha),
           beta = nextParameter(betaRest, row->beta);
    result.push_back([=, formula = row->formula](const Real &x) {
      return formula(x, alpha, beta);
    });
  }
  return result;
}

} // namespace llmopt::graph
