//===- CompressLayer.cpp - Compression of one product -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/CompressLayer.h"
#include "passes/Calibration/Alps.h"
#include "passes/Calibration/CoordinateDescent.h"
#include "passes/Calibration/Reconstruct.h"
#include "passes/Calibration/Wanda.h"
#include <cassert>

using namespace llmopt;

/// Sweeps after which coordinate descent changes next to nothing.
static constexpr int kSweeps = 5;

LayerSolver::LayerSolver(const LayerStatistics &statistics,
                         const LayerOptions &layerOptions,
                         const ParallelFor &parallel)
    : statistics(statistics), options(layerOptions), parallel(parallel),
      choosesRounding(layerOptions.rounding == RoundingMethod::Auto),
      hessian(statistics.hessian()) {
  if (options.pruning == PruningMethod::Auto)
    options.pruning = PruningMethod::Alps;
  if (!choosesRounding)
    return;
  options.rounding = RoundingMethod::Gptq;
  options.grid.clip |= options.grid.bits < 8;
  if (options.sweeps == 0)
    options.sweeps = kSweeps;
}

const HessianFactor *LayerSolver::getFactor(bool activationOrder) {
  if (!factor || factorHasOrder != activationOrder)
    factor = factorHessian(hessian, options.damping, activationOrder, parallel);
  factorHasOrder = activationOrder;
  if (!factor)
    return nullptr;
  if (damped.size() == 0)
    damped = dampHessian(hessian, factor->damping);
  return &*factor;
}

/// Zeros by the method, and the weights that are kept. False if the method
/// cannot work with this H.
bool LayerSolver::prune(const MatrixF &wanted, CompressedLayer &layer) {
  const SparsityPattern &pattern = options.pattern;
  switch (options.pruning) {
  case PruningMethod::Auto:
  case PruningMethod::Alps: {
    AlpsOptions alps;
    alps.pattern = pattern;
    alps.maximumIterations = options.alpsIterations;
    std::optional<MatrixF> weights =
        solveAlps(wanted, damped, alps, layer.mask, parallel);
    if (!weights)
      return false;
    layer.weights = std::move(*weights);
    return true;
  }
  case PruningMethod::SparseGpt: {
    SurgeonOptions surgeon;
    surgeon.pattern = pattern;
    // Both in one pass, unless the weights change again.
    if (options.rounding == RoundingMethod::Gptq && !options.reconstruct)
      surgeon.grid = options.grid;
    Solution solution =
        solveSurgeon(wanted, *getFactor(false), surgeon, parallel);
    layer.weights = std::move(solution.weights);
    layer.mask = std::move(solution.mask);
    layer.quantized = std::move(solution.quantized);
    break;
  }
  case PruningMethod::Wanda: {
    SparsityPattern rows = pattern;
    rows.perRow = true;
    layer.mask = keepLargest(wandaScores(wanted, statistics.sumOfSquares), rows,
                             parallel);
    layer.weights = layer.mask.select(wanted, 0.0f);
    break;
  }
  case PruningMethod::Magnitude:
    layer.mask = keepLargest(wanted, pattern, parallel);
    layer.weights = layer.mask.select(wanted, 0.0f);
    break;
  }
  if (options.reconstruct)
    layer.weights =
        reconstruct(wanted, damped, layer.mask, layer.weights, parallel);
  return true;
}

/// Weights that are kept become codes.
void LayerSolver::round(const MatrixF &wanted, CompressedLayer &layer) {
  if (options.rounding == RoundingMethod::Nearest) {
    layer.quantized =
        emptyQuantized(options.grid, wanted.rows(), wanted.cols());
    fitScales(options.grid, layer.weights, {}, layer.quantized, parallel);
    roundAll(options.grid, layer.weights, layer.quantized, parallel);
    return;
  }
  if (layer.quantized.empty()) {
    SurgeonOptions surgeon;
    surgeon.grid = options.grid;
    surgeon.mask = layer.mask.size() == 0 ? nullptr : &layer.mask;
    Solution solution = solveSurgeon(
        layer.weights, *getFactor(options.activationOrder), surgeon, parallel);
    layer.quantized = std::move(solution.quantized);
  }
  layer.weights = refineCodes(options.grid, wanted, damped, layer.mask,
                              {options.sweeps, options.sweeps > 0},
                              layer.quantized, parallel);
}

/// Without statistics: magnitudes, and the nearest code of scales that contain
/// all weights.
void LayerSolver::compressSimply(const MatrixF &weights,
                                 CompressedLayer &layer) {
  layer.isSimple = true;
  layer.mask.resize(0, 0);
  layer.weights = weights;
  if (!options.pattern.isDense()) {
    layer.mask = keepLargest(weights, options.pattern, parallel);
    layer.weights = layer.mask.select(weights, 0.0f);
  }
  Grid grid = options.grid;
  grid.clip = false;
  if (grid.isFloat())
    return;
  layer.quantized = emptyQuantized(grid, weights.rows(), weights.cols());
  fitScales(grid, layer.weights, {}, layer.quantized, parallel);
  roundAll(grid, layer.weights, layer.quantized, parallel);
}

/// Weights that lie on a grid already, as those of a model that was quantized
/// before, may be nearer than any that a search finds.
void LayerSolver::takeSimpleIfBetter(const MatrixF &weights,
                                     const MatrixF &wanted,
                                     CompressedLayer &layer) {
  CompressedLayer simple;
  compressSimply(weights, simple);
  simple.error = outputError(simple.weights, wanted, hessian, parallel);
  layer.simpleError = simple.error;
  if (!choosesRounding || options.grid.isFloat() || layer.error <= simple.error)
    return;
  simple.simpleError = simple.error;
  simple.damping = layer.damping;
  layer = std::move(simple);
}

CompressedLayer LayerSolver::solve(const MatrixF &weights,
                                   llvm::ArrayRef<int64_t> parts) {
  assert(weights.cols() == statistics.getColumns() && "columns disagree");
  options.pattern.parts.assign(parts.begin(), parts.end());
  CompressedLayer layer;
  if (statistics.getTokens() == 0)
    layer.fallback = "no calibration token reaches it";
  else if (!getFactor(false))
    layer.fallback = "the second moments of its inputs are not finite";
  if (!layer.fallback.empty()) {
    compressSimply(weights, layer);
    return layer;
  }
  layer.damping = factor->damping;
  MatrixF wanted = weights;
  if (statistics.hasCross() && options.correction > 0)
    wanted = correctedTarget(weights, statistics, options.damping,
                             options.correction, parallel);
  for (int64_t k = 0; k < wanted.cols(); ++k)
    if (factor->dead[k])
      wanted.col(k).setZero();
  layer.weights = wanted;
  if (!options.pattern.isDense() && !prune(wanted, layer)) {
    layer.fallback = "the second moments of its inputs are singular";
    compressSimply(weights, layer);
  } else if (!options.grid.isFloat()) {
    round(wanted, layer);
  }
  layer.error = outputError(layer.weights, wanted, hessian, parallel);
  takeSimpleIfBetter(weights, wanted, layer);
  return layer;
}
