//===- PlaceConstants.cpp - Give constants of graphs a place ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Lowering/Graph/ElementType.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_PLACECONSTANTS
#include "passes/Lowering/Passes.h.inc"

namespace {
struct PlaceConstantsPass : impl::PlaceConstantsBase<PlaceConstantsPass> {
  void runOnOperation() override;

private:
  void place(onnx::InitializerOp initializer);

  DenseMap<Attribute, FlatSymbolRefAttr> placed; ///< equal constants once
  int64_t nextOffset = 0;
};
} // namespace

/// Bytes of a constant as it is stored: packed below 8 bits if it lies in a
/// file.
static int64_t storedBytes(TypedAttr value) {
  if (auto blob = dyn_cast<onnx::FileBlobAttr>(value))
    return blob.getBytes();
  auto type = cast<ShapedType>(value.getType());
  return type.getNumElements() *
         graph::ElementType(type.getElementType()).bytes();
}

void PlaceConstantsPass::place(onnx::InitializerOp initializer) {
  TypedAttr value = initializer.getValue();
  int64_t bytes = storedBytes(value);
  if (bytes == 0)
    return;
  FlatSymbolRefAttr &symbol = placed[value];
  if (!symbol) {
    MLIRContext *context = &getContext();
    Attribute source = value;
    if (auto blob = dyn_cast<onnx::FileBlobAttr>(value))
      source = WeightBlobAttr::get(context, blob.getFile(), blob.getOffset(),
                                   blob.getBytes(), /*transposed=*/false);
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    std::string name = "constant_" + std::to_string(placed.size());
    symbol = FlatSymbolRefAttr::get(context, name);
    NamedAttribute part[] = {b.getNamedAttr("codes", source),
                             b.getNamedAttr("rows", b.getI64IntegerAttr(1))};
    auto data = kernel::WeightDataOp::create(
        b, initializer.getLoc(), name, initializer.getName(),
        kernel::WeightType::get(context, 1, bytes, kernel::PackFormat::Bytes),
        nextOffset, bytes, b.getArrayAttr(b.getDictionaryAttr(part)),
        /*interleaved=*/false, /*zeros=*/0);
    data->setAttr(kElementsAttrName,
                  b.getI64IntegerAttr(
                      cast<ShapedType>(value.getType()).getNumElements()));
    nextOffset = (nextOffset + bytes + 63) / 64 * 64;
  }
  initializer->setAttr(kPlacedConstantAttrName, symbol);
}

void PlaceConstantsPass::runOnOperation() {
  getOperation().walk([&](onnx::InitializerOp op) { place(op); });
}

} // namespace llmopt
