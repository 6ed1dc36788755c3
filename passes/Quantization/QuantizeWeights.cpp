//===- QuantizeWeights.cpp - The pass llmopt-quantize-weights ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Threading.h"
#include "passes/Quantization/CodedWeight.h"
#include "passes/Quantization/Passes.h"

namespace llmopt {
#define GEN_PASS_DEF_QUANTIZEWEIGHTSPASS
#include "passes/Quantization/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

class QuantizeWeightsPass
    : public llmopt::impl::QuantizeWeightsPassBase<QuantizeWeightsPass> {
public:
  using QuantizeWeightsPassBase::QuantizeWeightsPassBase;

  LogicalResult initialize(MLIRContext *context) override;

  void runOnOperation() override {
    SmallVector<CodedWeight> weights;
    getOperation().walk([&](WeightOp weight) {
      if (FormatAttr format = formatOf(weight))
        weights.emplace_back(weight, format, getStore());
    });
    if (failed(failableParallelForEach(
            &getContext(), weights,
            [&](CodedWeight &weight) { return roundToNearest(weight); })))
      return signalPassFailure();
    for (CodedWeight &weight : weights)
      replace(weight);
  }

private:
  WeightStore &getStore() {
    return getContext().getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  FormatAttr formatOf(WeightOp weight);
  LogicalResult roundToNearest(CodedWeight &weight);
  void replace(CodedWeight &weight);
};

} // namespace

LogicalResult QuantizeWeightsPass::initialize(MLIRContext *context) {
  auto emit = [&] { return emitError(UnknownLoc::get(context)); };
  if (activationGroup < 0 || activationGroup % 32 != 0)
    return emit() << "activation group must be a multiple of 32, got "
                  << int64_t(activationGroup);
  if (groupSize < 0 || groupSize % 32 != 0)
    return emit() << "group size must be a multiple of 32, got "
                  << int64_t(groupSize);
  if (zeroPoints && !takesZeroPoints(linears))
    return emit() << "zero points need int4, int3 or int2";
  int64_t group = groupSize ? int64_t(groupSize) : defaultGroup(linears);
  if (activationGroup && group % activationGroup != 0)
    return emit() << "activation group must divide the group size, got "
                  << int64_t(activationGroup) << " and " << group;
  return success();
}

FormatAttr QuantizeWeightsPass::formatOf(WeightOp weight) {
  FormatAttr format;
  for (OpOperand &use : weight->getUses()) {
    CompressibleOp product = productOf(use);
    if (isa<EmbeddingOp>(use.getOwner()) || (product && product.isHead()))
      return codedFormat(&getContext(), embedding, /*group=*/0,
                         /*zeroPoints=*/false, halfScales);
    if (product)
      format = codedFormat(&getContext(), linears, groupSize, zeroPoints,
                           halfScales);
  }
  return format;
}

LogicalResult QuantizeWeightsPass::roundToNearest(CodedWeight &weight) {
  FailureOr<std::vector<float>> values = weight.read();
  if (failed(values))
    return failure();
  MatrixCodes codes =
      quantizeMatrix(*values, weight.getWeight().getType().getDimSize(1),
                     schemeOf(weight.getFormat()));
  return weight.storeCodes(codes, *values);
}

void QuantizeWeightsPass::replace(CodedWeight &weight) {
  numWeights += weight.getWeight().getType().getNumElements();
  numZeros += weight.getZeros();
  std::optional<int64_t> group;
  if (activations == ActivationQuantization::Dynamic)
    group = activationGroup;
  weight.replace(group);
}
