//===- QuantizeWeights.cpp - The pass llmopt-quantize-weights ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Threading.h"
#include "passes/Quantization/Passes.h"
#include "passes/Quantization/RoundToNearest.h"
#include "passes/Quantization/SparseStructure.h"

namespace llmopt {
#define GEN_PASS_DEF_QUANTIZEWEIGHTSPASS
#include "passes/Quantization/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// A weight, the places of its codes and scales, and what was found for it.
struct Job {
  WeightOp weight;
  RankedTensorType codesType, scalesType;
  WeightBlobAttr codesPlace, scalesPlace;
  Attribute codes, scales;
  int64_t zeros = 0;
  double error = 0;
  SparseStructure structure;
};

class QuantizeWeightsPass
    : public llmopt::impl::QuantizeWeightsPassBase<QuantizeWeightsPass> {
public:
  using QuantizeWeightsPassBase::QuantizeWeightsPassBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (activationGroup > 0 && activationGroup % 32 == 0)
      return success();
    return emitError(UnknownLoc::get(context),
                     "activation group must be a positive multiple of 32, got ")
           << int64_t(activationGroup);
  }

  void runOnOperation() override {
    SmallVector<Job> jobs;
    getOperation().walk([&](WeightOp weight) {
      if (encodingOf(weight) == WeightQuantization::Int8)
        jobs.push_back(createJob(weight));
    });
    if (failed(failableParallelForEach(&getContext(), jobs,
                                       [&](Job &job) { return encode(job); })))
      return signalPassFailure();
    for (Job &job : jobs)
      replace(job);
  }

private:
  WeightStore &getStore() {
    return getContext().getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  WeightQuantization encodingOf(WeightOp weight);
  Job createJob(WeightOp weight);
  LogicalResult encode(Job &job);
  void replace(Job &job);
};

} // namespace

/// The product whose weight this use is, if it is one.
static CompressibleOp productOf(OpOperand &use) {
  auto product = dyn_cast<CompressibleOp>(use.getOwner());
  if (product && &product.getWeightOperand() == &use)
    return product;
  return {};
}

WeightQuantization QuantizeWeightsPass::encodingOf(WeightOp weight) {
  WeightQuantization encoding = WeightQuantization::None;
  for (OpOperand &use : weight->getUses()) {
    if (isa<EmbeddingOp>(use.getOwner()))
      return embedding;
    if (productOf(use))
      encoding = linears;
  }
  return encoding;
}

Job QuantizeWeightsPass::createJob(WeightOp weight) {
  Builder builder(&getContext());
  RankedTensorType type = weight.getType();
  Job job;
  job.weight = weight;
  job.codesType = RankedTensorType::get(type.getShape(), builder.getI8Type());
  job.scalesType =
      RankedTensorType::get(type.getShape()[0], builder.getF32Type());
  job.codesPlace = getStore().reserveFor(weight.getSource(), job.codesType);
  job.scalesPlace = getStore().reserveFor(weight.getSource(), job.scalesType);
  return job;
}

LogicalResult QuantizeWeightsPass::encode(Job &job) {
  WeightOp weight = job.weight;
  auto emitError = [&] { return weight.emitError(); };
  RankedTensorType type = weight.getType();
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  FailureOr<std::vector<float>> values =
      getStore().readFloats(weight.getSource(), type, emitError);
  if (failed(values))
    return failure();
  if (std::optional<int64_t> index = findNotFinite(*values))
    return weight.emitError("weight '")
           << weight.getName() << "' has the value " << (*values)[*index]
           << " at [" << *index / columns << ", " << *index % columns
           << "]; int8 needs finite weights";
  job.structure = findSparseStructure(*values, columns);
  std::vector<int8_t> codes(values->size());
  std::vector<float> scales(rows);
  quantizeRowsInt8(*values, columns, codes, scales);
  job.zeros = llvm::count(codes, 0);
  if (std::optional<Attribute> original = weight.getOriginal())
    values = getStore().readFloats(*original, type, emitError);
  if (failed(values))
    return failure();
  job.error = relativeError(*values, codes, scales);
  FailureOr<Attribute> storedCodes =
      getStore().store(job.codesPlace, job.codesType,
                       asBytes(ArrayRef<int8_t>(codes)), emitError);
  FailureOr<Attribute> storedScales =
      getStore().store(job.scalesPlace, job.scalesType,
                       asBytes(ArrayRef<float>(scales)), emitError);
  if (failed(storedCodes) || failed(storedScales))
    return failure();
  job.codes = *storedCodes;
  job.scales = *storedScales;
  return success();
}

void QuantizeWeightsPass::replace(Job &job) {
  OpBuilder builder(job.weight);
  RankedTensorType shape = job.weight.getType();
  auto type = PackedType::get(
      &getContext(), shape.getDimSize(0), shape.getDimSize(1),
      FormatAttr::get(&getContext(), Encoding::Int8, Layout::Undecided));
  auto encoded = EncodedWeightOp::create(
      builder, job.weight.getLoc(), type, job.weight.getNameAttr(), job.codes,
      job.scales, builder.getI64IntegerAttr(job.zeros),
      builder.getF64FloatAttr(job.error), /*reason=*/StringAttr(),
      /*pattern=*/StringAttr(), /*dead_rows=*/IntegerAttr(),
      /*dead_columns=*/IntegerAttr());
  setSparseStructure(encoded, job.structure);
  for (OpOperand &use : llvm::make_early_inc_range(job.weight->getUses())) {
    CompressibleOp product = productOf(use);
    if (!product && !isa<EmbeddingOp>(use.getOwner()))
      continue;
    use.set(encoded);
    if (product && activations == ActivationQuantization::Dynamic)
      product.quantizeActivations(activationGroup);
  }
  numWeights += shape.getNumElements();
  numZeros += job.zeros;
  if (job.weight.use_empty())
    job.weight.erase();
}
