//===- KernelClasses.cpp - What an entry executes ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelClasses.h"

#include "passes/Lowering/LoweringAttributes.h"
#include "target/CallLayout.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llmopt;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

static kernel::WeightDataOp dataOf(Value weight) {
  auto op = weight.getDefiningOp<kernel::WeightOp>();
  return SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
      op, op.getWeightAttr());
}

static std::string shapeOf(Value weight) {
  auto type = cast<kernel::WeightType>(weight.getType());
  std::string shape =
      llvm::formatv("{0}x{1} {2}", type.getRows(), type.getColumns(),
                    kernel::stringifyPackFormat(type.getFormat()));
  if (type.getGroup() != 0)
    shape += llvm::formatv("({0})", type.getGroup());
  return shape;
}

static std::string groupOf(std::optional<uint64_t> group) {
  return group ? llvm::formatv(" g{0}", *group).str() : "";
}

/// One row of a table.
static uint64_t rowBytesOf(Value table) {
  auto type = cast<kernel::WeightType>(table.getType());
  return dataOf(table).getBytes() / type.getRows();
}

/// What the operation is called before its sizes.
static std::string kindOf(Operation *op) {
  std::string kind = op->getName().stripDialect().str();
  if (auto linear = dyn_cast<kernel::LinearOp>(op))
    kind += (" " + kernel::stringifyEpilogue(linear.getEpilogue())).str();
  return kind;
}

static KernelClass describe(kernel::LinearOp op) {
  auto type = cast<kernel::WeightType>(op.getWeight().getType());
  KernelClass result;
  result.label = " " + shapeOf(op.getWeight()) + groupOf(op.getGroup());
  result.weightBytes = dataOf(op.getWeight()).getBytes();
  result.rowOperations = 2 * uint64_t(type.getRows()) * type.getColumns();
  result.flags = op.getGroup() ? LLMOPT_KERNEL_INT8 : 0;
  return result;
}

static KernelClass describe(kernel::EmbeddingOp op) {
  KernelClass result;
  result.label = " " + shapeOf(op.getTable());
  result.weightBytes = rowBytesOf(op.getTable());
  return result;
}

static KernelClass describe(kernel::RMSNormOp op) {
  auto type = cast<kernel::WeightType>(op.getGamma().getType());
  KernelClass result;
  result.label =
      llvm::formatv(" {0}{1}", type.getColumns(), groupOf(op.getGroup()));
  result.weightBytes = dataOf(op.getGamma()).getBytes();
  return result;
}

static KernelClass describe(kernel::QuantizeOp op) {
  KernelClass result;
  result.label =
      llvm::formatv(" {0}{1}", op.getColumns(), groupOf(op.getGroup()));
  return result;
}

static KernelClass describe(kernel::RopeAppendOp op) {
  KernelClass result;
  result.label = llvm::formatv(" {0}x{1}", op.getHeads(), op.getHeadDim());
  result.weightBytes = rowBytesOf(op.getTable());
  return result;
}

template <typename AttentionOp>
static KernelClass describeAttention(AttentionOp op) {
  constexpr uint64_t kKeyAndValue = 2;
  KernelClass result;
  result.label = llvm::formatv(" {0}x{1}", op.getHeads(), op.getHeadDim());
  if (op.getKv() != kernel::KVFormat::F32)
    result.label += (" " + kernel::stringifyKVFormat(op.getKv())).str();
  if (op.getWindow() > 0)
    result.label += llvm::formatv(" window {0}", op.getWindow());
  else
    result.keyCacheBytes =
        kKeyAndValue * op.getKvHeads() *
        llmopt_page_part_bytes(int32_t(op.getKv()), op.getHeadDim()) /
        LLMOPT_PAGE_TOKENS;
  return result;
}

static KernelClass describe(kernel::AttentionOp op) {
  return describeAttention(op);
}

static KernelClass describe(kernel::AttentionPartsOp op) {
  return describeAttention(op);
}

static KernelClass describe(Operation *op) {
  return llvm::TypeSwitch<Operation *, KernelClass>(op)
      .Case<kernel::LinearOp, kernel::EmbeddingOp, kernel::RMSNormOp,
            kernel::QuantizeOp, kernel::RopeAppendOp, kernel::AttentionOp,
            kernel::AttentionPartsOp>(
          [](auto typed) { return describe(typed); })
      .Default([](Operation *) { return KernelClass(); });
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

unsigned KernelClasses::add(Operation *op, uint32_t flags) {
  KernelClass kernel = describe(op);
  // Who waits longest says how even the work before was divided.
  if (isa<kernel::BarrierOp>(op))
    kernel.label = "barrier after " + previous;
  else
    kernel.label = (previous = kindOf(op)) + kernel.label;
  kernel.flags |= flags;
  std::string key = llvm::formatv("{0} {1}", flags, kernel.label);
  auto [place, isNew] = indices.try_emplace(key, classes.size());
  if (isNew)
    classes.push_back(kernel);
  else {
    classes[place->second].weightBytes += kernel.weightBytes;
    classes[place->second].rowOperations += kernel.rowOperations;
    classes[place->second].keyCacheBytes += kernel.keyCacheBytes;
  }
  ++classes[place->second].calls;
  return place->second;
}

ArrayAttr KernelClasses::attribute(MLIRContext *context) const {
  Builder b(context);
  SmallVector<Attribute> entries;
  for (const KernelClass &kernel : classes)
    entries.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("label", b.getStringAttr(kernel.label)),
         b.getNamedAttr("calls", b.getI64IntegerAttr(kernel.calls)),
         b.getNamedAttr("flags", b.getI64IntegerAttr(kernel.flags)),
         b.getNamedAttr("weight_bytes",
                        b.getI64IntegerAttr(kernel.weightBytes)),
         b.getNamedAttr("row_operations",
                        b.getI64IntegerAttr(kernel.rowOperations)),
         b.getNamedAttr("key_cache_bytes",
                        b.getI64IntegerAttr(kernel.keyCacheBytes))}));
  return b.getArrayAttr(entries);
}

std::vector<KernelClass> llmopt::readKernelClasses(Operation *entry) {
  std::vector<KernelClass> classes;
  auto entries = entry->getAttrOfType<ArrayAttr>(kKernelClassesAttrName);
  if (!entries)
    return classes;
  for (auto values : entries.getAsRange<DictionaryAttr>()) {
    auto number = [&](StringRef name) {
      return uint64_t(values.getAs<IntegerAttr>(name).getInt());
    };
    classes.push_back({values.getAs<StringAttr>("label").str(),
                       uint32_t(number("calls")), uint32_t(number("flags")),
                       number("weight_bytes"), number("row_operations"),
                       number("key_cache_bytes")});
  }
  return classes;
}
