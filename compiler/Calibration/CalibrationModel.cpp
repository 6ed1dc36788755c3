//===- CalibrationModel.cpp - A decoder prepared for calibration *- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/CalibrationModel.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Lowering/Passes.h"
#include "passes/Lowering/Pipelines.h"
#include "passes/Quantization/Pipelines.h"

using namespace llmopt;
using namespace mlir;

static std::vector<WeightOp> weightsOf(ModuleOp module) {
  std::vector<WeightOp> weights;
  module.walk([&](WeightOp weight) { weights.push_back(weight); });
  return weights;
}

static bool isHead(WeightOp weight) {
  return llvm::any_of(weight->getUsers(), [](Operation *user) {
    auto product = dyn_cast<CompressibleOp>(user);
    return product && product.isHead();
  });
}

std::vector<Attribute> CalibrationModel::sources() const {
  std::vector<Attribute> sources;
  for (WeightOp weight : weights)
    sources.push_back(const_cast<WeightOp &>(weight).getSource());
  return sources;
}

FailureOr<CalibrationModel>
llmopt::prepareCalibration(ModuleOp module,
                           llvm::function_ref<bool(WeightOp)> isCompressed) {
  CalibrationModel model;
  model.weights = weightsOf(module);
  llvm::BitVector compressed(model.weights.size());
  for (auto [index, weight] : llvm::enumerate(model.weights))
    compressed[index] = isCompressed(weight);

  OwningOpRef<ModuleOp> copy = module.clone();
  // Numbers survive where weights are joined and get symbols.
  for (auto [index, weight] : llvm::enumerate(weightsOf(*copy)))
    weight.setName(std::to_string(index));
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  populateEncodePipeline(manager, EncodeOptions());
  populateSelectPipeline(manager, SelectOptions());
  manager.addPass(createToKernel());
  if (failed(manager.run(*copy)))
    return failure();
  model.decoder = (*copy)->getAttrOfType<DecoderAttr>(kDecoderAttrName);
  if (!model.decoder)
    return module.emitError("the model has no sessions");
  FailureOr<ModelParts> parts = cutModel(*copy, compressed);
  if (failed(parts))
    return failure();
  model.parts = std::move(*parts);
  // The head is no part of the block before it: it reads what the compressed
  // block yields.
  for (ModelPart &part : model.parts.parts)
    if (llvm::any_of(part.products, [&](unsigned index) {
          return isHead(model.weights[index]);
        }))
      part.block = model.parts.blocks;
  return std::move(model);
}
