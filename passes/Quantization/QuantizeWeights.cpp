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
#include "passes/Quantization/MatrixCodes.h"
#include "passes/Quantization/Passes.h"
#include "passes/Quantization/SparseStructure.h"
#include "passes/Quantization/WeightError.h"

namespace llmopt {
#define GEN_PASS_DEF_QUANTIZEWEIGHTSPASS
#include "passes/Quantization/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// Numbers of a new weight: their type, the place that is reserved for them,
/// and where they came to be.
struct Stored {
  RankedTensorType type;
  WeightBlobAttr place;
  Attribute source;
};

/// A weight that becomes codes, and what was found for it.
struct Job {
  WeightOp weight;
  FormatAttr format;
  Stored codes, scales, zeroPoints;
  int64_t zeros = 0;
  double error = 0;
  SparseStructure structure;
};

class QuantizeWeightsPass
    : public llmopt::impl::QuantizeWeightsPassBase<QuantizeWeightsPass> {
public:
  using QuantizeWeightsPassBase::QuantizeWeightsPassBase;

  LogicalResult initialize(MLIRContext *context) override;

  void runOnOperation() override {
    SmallVector<Job> jobs;
    getOperation().walk([&](WeightOp weight) {
      if (FormatAttr format = formatOf(weight))
        jobs.push_back(createJob(weight, format));
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

  FormatAttr makeFormat(WeightQuantization quantization, int64_t group,
                        bool hasZeroPoints);
  FormatAttr formatOf(WeightOp weight);
  int64_t activationGroupOf(FormatAttr format);
  Stored reserve(WeightOp weight, ArrayRef<int64_t> shape, Type element);
  Job createJob(WeightOp weight, FormatAttr format);
  LogicalResult encode(Job &job);
  LogicalResult store(WeightOp weight, Stored &numbers, ArrayRef<char> bytes);
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

/// Bits of the codes of an encoding.
static int64_t bitsOf(WeightQuantization quantization) {
  switch (quantization) {
  case WeightQuantization::None:
    break;
  case WeightQuantization::Int8:
    return 8;
  case WeightQuantization::Int4:
  case WeightQuantization::NF4:
    return 4;
  case WeightQuantization::Int3:
    return 3;
  case WeightQuantization::Int2:
    return 2;
  }
  llvm_unreachable("no codes");
}

/// The format of an encoding, null for none. `group` 0 stands for the default.
FormatAttr QuantizeWeightsPass::makeFormat(WeightQuantization quantization,
                                           int64_t group, bool hasZeroPoints) {
  if (quantization == WeightQuantization::None)
    return {};
  if (group == 0)
    group = defaultGroup(quantization);
  Builder builder(&getContext());
  Type scale = group && halfScales ? Type(builder.getF16Type())
                                   : Type(builder.getF32Type());
  if (quantization == WeightQuantization::NF4)
    return FormatAttr::get(
        &getContext(), Encoding::Table, bitsOf(quantization), group, scale,
        /*zeroPoints=*/false,
        builder.getDenseF32ArrayAttr(FormatAttr::getNormalFloats()));
  return FormatAttr::get(&getContext(), Encoding::Int, bitsOf(quantization),
                         group, scale, hasZeroPoints, DenseF32ArrayAttr());
}

FormatAttr QuantizeWeightsPass::formatOf(WeightOp weight) {
  FormatAttr format;
  for (OpOperand &use : weight->getUses()) {
    if (isa<EmbeddingOp>(use.getOwner()))
      return makeFormat(embedding, /*group=*/0, /*hasZeroPoints=*/false);
    if (productOf(use))
      format = makeFormat(linears, groupSize, zeroPoints);
  }
  return format;
}

/// The group that was asked for where it fits the weight: a tied head may have
/// other groups than the linears.
int64_t QuantizeWeightsPass::activationGroupOf(FormatAttr format) {
  if (activationGroup && format.getGroup() % activationGroup == 0)
    return activationGroup;
  return defaultActivationGroup(format.getGroup());
}

Stored QuantizeWeightsPass::reserve(WeightOp weight, ArrayRef<int64_t> shape,
                                    Type element) {
  auto type = RankedTensorType::get(shape, element);
  return {type, getStore().reserveFor(weight.getSource(), type), {}};
}

Job QuantizeWeightsPass::createJob(WeightOp weight, FormatAttr format) {
  Builder builder(&getContext());
  ArrayRef<int64_t> shape = weight.getType().getShape();
  SmallVector<int64_t> groups = {shape[0]};
  if (format.getGroup())
    groups.push_back(format.getGroups(shape[1]));
  Job job;
  job.weight = weight;
  job.format = format;
  job.codes = reserve(weight, shape, builder.getI8Type());
  job.scales = reserve(weight, groups, builder.getF32Type());
  if (format.getZeroPoints())
    job.zeroPoints = reserve(weight, groups, builder.getI8Type());
  return job;
}

static CodeScheme schemeOf(FormatAttr format) {
  CodeScheme scheme;
  scheme.bits = format.getBits();
  scheme.group = format.getGroup();
  scheme.halfScales = format.getScale().isF16();
  scheme.zeroPoints = format.getZeroPoints();
  if (DenseF32ArrayAttr table = format.getTable())
    scheme.table = table.asArrayRef();
  return scheme;
}

LogicalResult QuantizeWeightsPass::store(WeightOp weight, Stored &numbers,
                                         ArrayRef<char> bytes) {
  FailureOr<Attribute> source = getStore().store(
      numbers.place, numbers.type, bytes, [&] { return weight.emitError(); });
  if (failed(source))
    return failure();
  numbers.source = *source;
  return success();
}

/// Weights and scales that codes cannot stand for are an error.
static LogicalResult checkWeights(WeightOp weight, ArrayRef<float> values) {
  int64_t columns = weight.getType().getDimSize(1);
  if (std::optional<int64_t> index = findNotFinite(values))
    return weight.emitError("weight '")
           << weight.getName() << "' has the value " << values[*index]
           << " at [" << *index / columns << ", " << *index % columns
           << "]; quantization needs finite weights";
  return success();
}

static LogicalResult checkScales(WeightOp weight, const CodeScheme &scheme,
                                 ArrayRef<float> scales) {
  int64_t groups = scheme.groups(weight.getType().getDimSize(1));
  if (std::optional<int64_t> index = findNotFinite(scales))
    return weight.emitError("weight '")
           << weight.getName() << "' has values in row " << *index / groups
           << ", group " << *index % groups
           << " that are too large for scales in f16; use f32 "
              "(-scale-type=f32)";
  return success();
}

LogicalResult QuantizeWeightsPass::encode(Job &job) {
  WeightOp weight = job.weight;
  auto emitError = [&] { return weight.emitError(); };
  RankedTensorType type = weight.getType();
  int64_t columns = type.getDimSize(1);
  FailureOr<std::vector<float>> values =
      getStore().readFloats(weight.getSource(), type, emitError);
  if (failed(values) || failed(checkWeights(weight, *values)))
    return failure();
  job.structure = findSparseStructure(*values, columns);
  CodeScheme scheme = schemeOf(job.format);
  MatrixCodes matrix = quantizeMatrix(*values, columns, scheme);
  if (failed(checkScales(weight, scheme, matrix.scales)))
    return failure();
  std::vector<float> decoded = dequantizeMatrix(matrix, scheme);
  job.zeros = llvm::count(decoded, 0.0f);
  if (std::optional<Attribute> original = weight.getOriginal())
    values = getStore().readFloats(*original, type, emitError);
  if (failed(values))
    return failure();
  job.error = relativeError(*values, decoded);
  if (failed(store(weight, job.codes, asBytes(ArrayRef(matrix.codes)))) ||
      failed(store(weight, job.scales, asBytes(ArrayRef(matrix.scales)))))
    return failure();
  if (!scheme.zeroPoints)
    return success();
  return store(weight, job.zeroPoints, asBytes(ArrayRef(matrix.zeroPoints)));
}

void QuantizeWeightsPass::replace(Job &job) {
  OpBuilder builder(job.weight);
  RankedTensorType shape = job.weight.getType();
  auto type = PackedType::get(&getContext(), shape.getDimSize(0),
                              shape.getDimSize(1), job.format);
  auto encoded = EncodedWeightOp::create(
      builder, job.weight.getLoc(), type, job.weight.getNameAttr(),
      job.codes.source, job.scales.source, job.zeroPoints.source,
      builder.getI64IntegerAttr(job.zeros), builder.getF64FloatAttr(job.error),
      /*reason=*/StringAttr(), /*pattern=*/StringAttr(),
      /*dead_rows=*/IntegerAttr(), /*dead_columns=*/IntegerAttr());
  setSparseStructure(encoded, job.structure);
  for (OpOperand &use : llvm::make_early_inc_range(job.weight->getUses())) {
    CompressibleOp product = productOf(use);
    if (!product && !isa<EmbeddingOp>(use.getOwner()))
      continue;
    use.set(encoded);
    if (product && activations == ActivationQuantization::Dynamic)
      product.quantizeActivations(activationGroupOf(job.format));
  }
  numWeights += shape.getNumElements();
  numZeros += job.zeros;
  if (job.weight.use_empty())
    job.weight.erase();
}
