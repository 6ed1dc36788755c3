//===- EncodeWeights.cpp - The pass llmopt-encode-weights -------*- C++ -*-===//
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
#include "passes/Quantization/PackedSize.h"
#include "passes/Quantization/Passes.h"
#include "passes/Quantization/SparseLayouts.h"
#include "passes/Quantization/SparseStructure.h"
#include "passes/Quantization/WeightError.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmopt {
#define GEN_PASS_DEF_ENCODEWEIGHTSPASS
#include "passes/Quantization/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// A plain weight and what was found in its values.
struct Job {
  WeightOp weight;
  FormatAttr format;
  int64_t zeros = 0;
  std::optional<double> error = std::nullopt;
  SparseStructure structure = {};
};

class EncodeWeightsPass
    : public llmopt::impl::EncodeWeightsPassBase<EncodeWeightsPass> {
public:
  using EncodeWeightsPassBase::EncodeWeightsPassBase;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  /// Weights whose layouts are chosen together.
  using WeightGroup = SmallVector<EncodedWeightOp>;

  WeightStore &getStore() {
    return getContext().getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  LogicalResult encodePlainWeights();
  LogicalResult inspect(Job &job);
  void replace(Job &job);
  LogicalResult chooseLayouts();
  FailureOr<SmallVector<WeightGroup>> groupByInput(ArrayRef<EncodedWeightOp>);
  int64_t denseModelBytes();
  LogicalResult chooseLayout(ArrayRef<EncodedWeightOp> group,
                             int64_t modelBytes);
  FailureOr<LayoutChoice> overrideLayout(const LayoutOverride &wanted,
                                         ArrayRef<LayoutCandidate> layouts,
                                         ArrayRef<EncodedWeightOp> group);
  void setLayout(EncodedWeightOp weight, Layout layout, const Twine &reason);

  SmallVector<CpuTarget> targets;
  SmallVector<LayoutOverride> overrides;
};

} // namespace

LogicalResult EncodeWeightsPass::initialize(MLIRContext *context) {
  SmallVector<std::string> names(cpus.begin(), cpus.end());
  if (names.empty())
    names.push_back("native");
  targets.clear();
  for (const std::string &name : names) {
    std::string reason;
    std::optional<CpuTarget> target = resolveCpu(name, reason);
    if (!target)
      return emitError(UnknownLoc::get(context), reason);
    targets.push_back(*target);
  }
  overrides.clear();
  for (const std::string &text : formats) {
    std::string reason;
    std::optional<LayoutOverride> wanted = parseLayoutOverride(text, reason);
    if (!wanted)
      return emitError(UnknownLoc::get(context), "'formats' ") << reason;
    overrides.push_back(*wanted);
  }
  return success();
}

void EncodeWeightsPass::runOnOperation() {
  if (failed(encodePlainWeights()) || failed(chooseLayouts()))
    signalPassFailure();
}

//===----------------------------------------------------------------------===//
// Plain weights
//===----------------------------------------------------------------------===//

static bool isTable(OpOperand &use) { return isa<EmbeddingOp>(use.getOwner()); }

/// True where the use may hold an encoded weight.
static bool takesEncoded(OpOperand &use) {
  auto product = dyn_cast<CompressibleOp>(use.getOwner());
  return isTable(use) || (product && &product.getWeightOperand() == &use);
}

LogicalResult EncodeWeightsPass::encodePlainWeights() {
  SmallVector<Job> jobs;
  getOperation().walk([&](WeightOp weight) {
    if (!llvm::any_of(weight->getUses(), takesEncoded))
      return;
    bool isBF16 =
        llvm::any_of(weight->getUses(), isTable) ? bf16Tables : bf16Linears;
    jobs.push_back({weight, isBF16 ? FormatAttr::getBF16(&getContext())
                                   : FormatAttr::getF32(&getContext())});
  });
  if (failed(failableParallelForEach(&getContext(), jobs,
                                     [&](Job &job) { return inspect(job); })))
    return failure();
  for (Job &job : jobs)
    replace(job);
  return success();
}

LogicalResult EncodeWeightsPass::inspect(Job &job) {
  WeightOp weight = job.weight;
  auto emitError = [&] { return weight.emitError(); };
  FailureOr<std::vector<float>> values =
      getStore().readFloats(weight.getSource(), weight.getType(), emitError);
  if (failed(values))
    return failure();
  job.zeros = llvm::count(*values, 0.0f);
  job.structure = findSparseStructure(*values, weight.getType().getDimSize(1));
  bool rounds = job.format.getEncoding() == Encoding::BF16;
  std::optional<Attribute> source = weight.getOriginal();
  // An encoding of unchanged values has no error.
  if (!source && !rounds)
    return success();
  std::vector<float> stored = *values;
  for (float &value : stored)
    if (rounds)
      value = fromBF16(toBF16(value));
  if (!source) {
    job.error = relativeError(*values, stored);
    return success();
  }
  FailureOr<std::vector<float>> original =
      getStore().readFloats(*source, weight.getType(), emitError);
  if (failed(original))
    return failure();
  job.error = relativeError(*original, stored);
  return success();
}

void EncodeWeightsPass::replace(Job &job) {
  OpBuilder builder(job.weight);
  RankedTensorType shape = job.weight.getType();
  auto type = PackedType::get(&getContext(), shape.getDimSize(0),
                              shape.getDimSize(1), job.format);
  auto encoded = EncodedWeightOp::create(
      builder, job.weight.getLoc(), type, job.weight.getNameAttr(),
      job.weight.getSource(), /*scales=*/Attribute(),
      /*zero_points=*/Attribute(), builder.getI64IntegerAttr(job.zeros),
      builder.getF64FloatAttr(job.error.value_or(0)), /*reason=*/StringAttr(),
      /*pattern=*/StringAttr(), /*dead_rows=*/IntegerAttr(),
      /*dead_columns=*/IntegerAttr());
  setSparseStructure(encoded, job.structure);
  job.weight.getResult().replaceUsesWithIf(encoded, takesEncoded);
  if (job.weight.use_empty())
    job.weight.erase();
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

LogicalResult EncodeWeightsPass::chooseLayouts() {
  SmallVector<EncodedWeightOp> open;
  getOperation().walk([&](EncodedWeightOp weight) {
    FormatAttr format = weight.getType().getFormat();
    if (format.getLayout() != Layout::Undecided)
      return;
    if (!format.hasCodes())
      setLayout(weight, Layout::Dense, "float weight");
    else if (format.getGroup())
      setLayout(weight, Layout::Dense,
                "codes with a scale per group are always dense");
    else if (llvm::any_of(weight->getUses(), isTable))
      setLayout(weight, Layout::Dense,
                "embedding table, rows are read one at a time");
    else
      open.push_back(weight);
  });
  FailureOr<SmallVector<WeightGroup>> groups = groupByInput(open);
  if (failed(groups))
    return failure();
  int64_t modelBytes = denseModelBytes();
  for (const WeightGroup &group : *groups)
    if (failed(chooseLayout(group, modelBytes)))
      return failure();
  return success();
}

/// What a token reads when all weights are dense.
int64_t EncodeWeightsPass::denseModelBytes() {
  int64_t bytes = 0;
  getOperation().walk([&](EncodedWeightOp weight) {
    if (llvm::all_of(weight->getUses(), isTable))
      return;
    PackedType type = weight.getType();
    FailureOr<PackedFormat> format =
        packedFormat(type.getFormat().withLayout(Layout::Dense));
    if (succeeded(format))
      bytes += densePackedBytes(*format, type.getRows(), type.getColumns());
  });
  return bytes;
}

/// Groups weights whose products share their input, in program order.
FailureOr<SmallVector<EncodeWeightsPass::WeightGroup>>
EncodeWeightsPass::groupByInput(ArrayRef<EncodedWeightOp> weights) {
  llvm::EquivalenceClasses<Operation *> classes;
  DenseMap<Value, Operation *> firstWithInput;
  for (EncodedWeightOp weight : weights) {
    classes.insert(weight);
    for (OpOperand &use : weight->getUses()) {
      if (!takesEncoded(use)) {
        weight.emitError("the layout must be chosen before '")
            << use.getOwner()->getName() << "' uses the weight";
        return failure();
      }
      Value input =
          cast<CompressibleOp>(use.getOwner()).getActivationOperand().get();
      auto [entry, isNew] = firstWithInput.try_emplace(input, weight);
      if (!isNew)
        classes.unionSets(entry->second, weight);
    }
  }
  llvm::MapVector<Operation *, WeightGroup> groups;
  for (EncodedWeightOp weight : weights)
    groups[classes.getLeaderValue(weight)].push_back(weight);
  return llvm::map_to_vector(groups, [](auto &group) { return group.second; });
}

/// Chooses for the rows of all weights together, as for one fused product.
LogicalResult EncodeWeightsPass::chooseLayout(ArrayRef<EncodedWeightOp> group,
                                              int64_t modelBytes) {
  int64_t rows = 0, columns = 0, zeros = 0;
  for (EncodedWeightOp weight : group) {
    rows += weight.getType().getRows();
    columns = weight.getType().getColumns();
    zeros += weight.getZeros();
  }
  FailureOr<SmallVector<LayoutCandidate>> layouts = findLayouts(group);
  if (failed(layouts))
    return failure();
  FailureOr<LayoutChoice> choice =
      llmopt::chooseLayout(*layouts, rows, columns, modelBytes, targets);
  if (const LayoutOverride *wanted = findOverride(overrides, group))
    choice = overrideLayout(*wanted, *layouts, group);
  if (failed(choice))
    return failure();
  std::string reason = llvm::formatv(
      "{0:P1} zeros: {1}", static_cast<double>(zeros) / (rows * columns),
      choice->reason);
  if (group.size() > 1)
    reason +=
        " (for " + std::to_string(group.size()) + " weights of one input)";
  for (EncodedWeightOp weight : group)
    setLayout(weight, layoutOf(choice->layout), reason);
  return success();
}

FailureOr<LayoutChoice>
EncodeWeightsPass::overrideLayout(const LayoutOverride &wanted,
                                  ArrayRef<LayoutCandidate> layouts,
                                  ArrayRef<EncodedWeightOp> group) {
  auto isWanted = [&](const LayoutCandidate &each) {
    return each.layout == wanted.layout;
  };
  if (llvm::any_of(layouts, isWanted))
    return LayoutChoice{wanted.layout, "asked for by '" + wanted.pattern + "'"};
  EncodedWeightOp weight = group.front();
  weight.emitError("weight '")
      << weight.getName() << "' cannot have the format "
      << stringify(wanted.layout) << ", which '" << wanted.pattern
      << "' asks for: " << reasonAgainst(wanted.layout, group);
  return failure();
}

void EncodeWeightsPass::setLayout(EncodedWeightOp weight, Layout layout,
                                  const Twine &reason) {
  PackedType type = weight.getType();
  weight.getResult().setType(
      PackedType::get(&getContext(), type.getRows(), type.getColumns(),
                      type.getFormat().withLayout(layout)));
  weight.setReasonAttr(StringAttr::get(&getContext(), reason));
  switch (layout) {
  case Layout::Bitmask:
    ++numBitmask;
    break;
  case Layout::TwoOfFour:
    ++numTwoOfFour;
    break;
  case Layout::Gather:
    ++numGather;
    break;
  case Layout::Undecided:
  case Layout::Dense:
    ++numDense;
    break;
  }
}
