//===- PruneMagnitude.cpp - The pass llmopt-prune-magnitude -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Threading.h"
#include "passes/Sparsity/Magnitude.h"
#include "passes/Sparsity/Passes.h"
#include "passes/Sparsity/Prunable.h"
#include "llvm/ADT/SetVector.h"

namespace llmopt {
#define GEN_PASS_DEF_PRUNEMAGNITUDEPASS
#include "passes/Sparsity/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// A weight and the place of its pruned values.
struct Job {
  WeightOp weight;
  WeightBlobAttr place;
};

class PruneMagnitudePass
    : public llmopt::impl::PruneMagnitudePassBase<PruneMagnitudePass> {
public:
  using PruneMagnitudePassBase::PruneMagnitudePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    auto emit = [&] { return emitError(UnknownLoc::get(context)); };
    if (!(ratio >= 0 && ratio < 1))
      return emit() << "pruning ratio must be in [0, 1), got " << double(ratio);
    if (of != 0 && (of < 2 || kept < 1 || kept >= of))
      return emit() << "a pattern keeps 1 to m - 1 of every m columns, got "
                    << int64_t(kept) << ":" << int64_t(of);
    return success();
  }

  void runOnOperation() override {
    if (ratio == 0 && of == 0)
      return;
    FailureOr<SmallVector<Job>> jobs = collectJobs();
    if (failed(jobs) ||
        failed(failableParallelForEach(&getContext(), *jobs, [&](Job &job) {
          return prune(job.weight, job.place);
        })))
      signalPassFailure();
  }

private:
  WeightStore &getStore() {
    return getContext().getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  FailureOr<SmallVector<Job>> collectJobs();
  LogicalResult prune(WeightOp weight, WeightBlobAttr place);
  void pruneValues(WeightOp weight, MutableArrayRef<float> values);
};

} // namespace

FailureOr<SmallVector<Job>> PruneMagnitudePass::collectJobs() {
  SetVector<Operation *> weights;
  WalkResult result = getOperation().walk([&](CompressibleOp product) {
    Operation *weight = product.getWeightOperand().get().getDefiningOp();
    if (isa_and_nonnull<WeightOp>(weight)) {
      weights.insert(weight);
      return WalkResult::advance();
    }
    product.emitError("only plain weights can be pruned, got ")
        << product.getWeightOperand().get();
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return failure();
  SmallVector<Job> jobs;
  for (Operation *op : weights) {
    auto weight = cast<WeightOp>(op);
    StringRef reason = includeHead ? StringRef() : whyKept(weight);
    if (!reason.empty())
      weight.emitRemark("weight '")
          << weight.getName() << "' is not pruned: " << reason;
    else
      jobs.push_back({weight, getStore().reserveFor(weight.getSource(),
                                                    weight.getType())});
  }
  return jobs;
}

void PruneMagnitudePass::pruneValues(WeightOp weight,
                                     MutableArrayRef<float> values) {
  int64_t columns = weight.getType().getDimSize(1);
  if (of != 0)
    return pruneGroupsByMagnitude(values, columns, of - kept, of);
  for (int64_t rows : rowParts(weight)) {
    pruneByMagnitude(values.take_front(rows * columns), ratio);
    values = values.drop_front(rows * columns);
  }
}

LogicalResult PruneMagnitudePass::prune(WeightOp weight, WeightBlobAttr place) {
  auto emitError = [&] { return weight.emitError(); };
  FailureOr<std::vector<float>> values =
      getStore().readFloats(weight.getSource(), weight.getType(), emitError);
  if (failed(values))
    return failure();
  pruneValues(weight, *values);
  FailureOr<Attribute> pruned = getStore().store(
      place, weight.getType(), asBytes(ArrayRef<float>(*values)), emitError);
  if (failed(pruned))
    return failure();
  if (!weight.getOriginal())
    weight.setOriginalAttr(weight.getSource());
  weight.setSourceAttr(*pruned);
  numWeights += values->size();
  numZeros += llvm::count(*values, 0.0f);
  return success();
}
