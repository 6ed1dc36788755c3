//===- ShareWeights.cpp - One of the weights with equal content -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "passes/Import/Passes.h"
#include "llvm/ADT/Hashing.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_SHAREWEIGHTS
#include "passes/Import/Passes.h.inc"

namespace {
/// The values of a weight in the file, row-major or column-major.
struct WeightView {
  const char *data;
  int64_t rows, columns;
  bool transposed;

  /// The bits of one value.
  uint32_t at(int64_t row, int64_t column) const {
    int64_t index = transposed ? column * rows + row : row * columns + column;
    uint32_t bits;
    std::memcpy(&bits, data + index * sizeof(bits), sizeof(bits));
    return bits;
  }
};

struct ShareWeightsPass : impl::ShareWeightsBase<ShareWeightsPass> {
  void runOnOperation() override;

private:
  /// The view of a weight whose bytes are in a file or in a literal.
  FailureOr<WeightView> view(WeightOp weight);
};
} // namespace

static WeightView viewBytes(RankedTensorType type, const char *data,
                            bool transposed) {
  int64_t columns = type.getRank() ? type.getShape().back() : 1;
  int64_t rows = columns ? type.getNumElements() / columns : 0;
  return {data, rows, columns, transposed};
}

FailureOr<WeightView> ShareWeightsPass::view(WeightOp weight) {
  RankedTensorType type = weight.getType();
  if (auto literal = dyn_cast<DenseElementsAttr>(weight.getSource())) {
    if (literal.isSplat())
      return failure();
    return viewBytes(type, literal.getRawData().data(), false);
  }
  // Of float16 and bfloat16, only equal references are merged.
  auto blob = dyn_cast<WeightBlobAttr>(weight.getSource());
  if (!blob || blob.getElement())
    return failure();
  WeightStore &store =
      getContext().getLoadedDialect<LLMOptDialect>()->getWeightStore();
  FailureOr<ArrayRef<char>> bytes =
      store.read(blob, [&] { return weight.emitError(); });
  if (failed(bytes)) {
    signalPassFailure();
    return failure();
  }
  return viewBytes(type, bytes->data(), blob.getTransposed());
}

/// A hash of a few values, spread over the matrix: each costs the read of a
/// page of the file.
static uint64_t sample(const WeightView &view) {
  constexpr int64_t count = 8;
  int64_t elements = view.rows * view.columns;
  llvm::hash_code hash = llvm::hash_value(elements);
  for (int64_t i = 0; i < count && elements; ++i) {
    int64_t index = elements / count * i + i * 7919 % elements;
    index %= elements;
    hash = llvm::hash_combine(
        hash, view.at(index / view.columns, index % view.columns));
  }
  return hash;
}

/// Compares all values, in tiles, because one side may be transposed.
static bool equal(const WeightView &left, const WeightView &right) {
  if (left.transposed == right.transposed)
    return std::memcmp(left.data, right.data,
                       left.rows * left.columns * sizeof(float)) == 0;
  constexpr int64_t tile = 32;
  for (int64_t row0 = 0; row0 < left.rows; row0 += tile)
    for (int64_t column0 = 0; column0 < left.columns; column0 += tile)
      for (int64_t row = row0; row < std::min(row0 + tile, left.rows); ++row)
        for (int64_t column = column0;
             column < std::min(column0 + tile, left.columns); ++column)
          if (left.at(row, column) != right.at(row, column))
            return false;
  return true;
}

void ShareWeightsPass::runOnOperation() {
  if (getOperation().isExternal())
    return;
  Block &entry = getOperation().getBody().front();
  SmallVector<WeightOp> kept;
  DenseMap<std::pair<Attribute, Type>, WeightOp> byReference;
  DenseMap<std::pair<uint64_t, Type>, SmallVector<WeightOp>> bySample;
  auto merge = [](WeightOp weight, WeightOp into, Statistic &count) {
    weight.replaceAllUsesWith(into.getResult());
    weight.erase();
    ++count;
  };
  for (WeightOp weight : llvm::make_early_inc_range(entry.getOps<WeightOp>())) {
    WeightOp &same = byReference[{weight.getSource(), weight.getType()}];
    if (same) {
      merge(weight, same, references);
      continue;
    }
    same = weight;
    FailureOr<WeightView> values = view(weight);
    WeightOp copy;
    if (succeeded(values)) {
      SmallVector<WeightOp> &candidates =
          bySample[{sample(*values), weight.getType()}];
      for (WeightOp candidate : candidates)
        if (FailureOr<WeightView> other = view(candidate);
            succeeded(other) && equal(*values, *other))
          copy = candidate;
      if (!copy)
        candidates.push_back(weight);
    }
    if (copy) {
      same = copy;
      merge(weight, copy, copies);
      continue;
    }
    kept.push_back(weight);
  }
  for (WeightOp weight : llvm::reverse(kept))
    weight->moveBefore(&entry, entry.begin());
}
} // namespace llmopt
