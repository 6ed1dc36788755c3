//===- ExpandKernels.cpp - From kernel operations to calls ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Accesses.h"
#include "passes/Lowering/ForwardExpander.h"
#include "passes/Lowering/KernelKeys.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "target/CallLayout.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

namespace llmopt {
#define GEN_PASS_DEF_EXPANDKERNELS
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

struct ExpandKernels : llmopt::impl::ExpandKernelsBase<ExpandKernels> {
  using ExpandKernelsBase::ExpandKernelsBase;
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static int64_t strideBytesOf(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  return strideOf(memory) * type.getElementTypeBitWidth() / 8;
}

/// True for memory that holds only the rows whose logits are wanted.
static bool holdsLogitRows(Value memory) {
  if (memory.getDefiningOp<kernel::LogitsOp>())
    return true;
  if (auto columns = memory.getDefiningOp<kernel::ColumnsOp>())
    memory = columns.getBuffer();
  auto buffer = memory.getDefiningOp<kernel::BufferOp>();
  return buffer && buffer.getRows() == kernel::RowDomain::Logits;
}

Value ForwardExpander::rowsOf(Value memory, KernelBuilder &k) {
  if (isRow)
    return k.size(1);
  return holdsLogitRows(memory) ? frame.logitRows : frame.rows;
}

std::pair<Value, Value> ForwardExpander::shareOf(Value memory,
                                                 KernelBuilder &k) {
  if (isPrivate(memory))
    return {k.size(0), k.size(1)};
  return {frame.thread, frame.threads};
}

void ForwardExpander::expandOp(kernel::WeightOp op, KernelBuilder &k) {
  auto data = SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
      op, op.getWeightAttr());
  addresses[op.getResult()] = k.at(frame.weights, int64_t(data.getOffset()));
}

void ForwardExpander::expandOp(kernel::BufferOp op, KernelBuilder &k) {
  int64_t offset = *op.getOffset();
  addresses[op.getResult()] =
      op.getIsPrivate() ? k.at(frame.scratch, offset)
                        : k.at(frame.arena, k.mul(frame.capacity, offset));
}

void ForwardExpander::expandOp(kernel::ColumnsOp op, KernelBuilder &k) {
  addresses[op.getResult()] =
      k.at(at(op.getBuffer()), op.getFirstColumn() * int64_t(sizeof(float)));
}

void ForwardExpander::expandOp(kernel::LogitsOp op, KernelBuilder &k) {
  addresses[op.getResult()] = frame.logits;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

void ForwardExpander::expandOp(kernel::EmbeddingOp op, KernelBuilder &k) {
  func::FuncOp callee =
      rowKernel(RowKernel::Embedding, 0, formatOf(op.getTable()));
  k.call(callee,
         {frame.tokens, at(op.getTable()), at(op.getOutput()),
          k.size(strideOf(op.getOutput())), frame.rows,
          k.size(columnsOf(op.getTable())), frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::LinearOp op, KernelBuilder &k) {
  auto weight = cast<kernel::WeightType>(op.getWeight().getType());
  LinearKernelKey key = keyOf(op, context.isa);
  // Records are counted in bytes, rows in floats: both are elements.
  SmallVector<Value> arguments = {at(op.getInput()),
                                  k.size(strideBytesOf(op.getInput())),
                                  at(op.getWeight()),
                                  at(op.getOutput()),
                                  k.size(strideOf(op.getOutput())),
                                  rowsOf(op.getOutput(), k),
                                  k.size(panelCount(weight.getRows())),
                                  k.size(weight.getColumns()),
                                  frame.thread,
                                  frame.threads,
                                  scratch};
  if (op.getFloats())
    arguments.push_back(at(op.getFloats()));
  k.call(isRow ? getOrCreateKernel(module, key)
               : getOrCreateLinear(module, key),
         arguments);
}

void ForwardExpander::expandOp(kernel::RopeAppendOp op, KernelBuilder &k) {
  k.call(getOrCreateKernel(module, keyOf(op, context.isa)),
         {frame.call, at(op.getQkv()), k.size(strideOf(op.getQkv())),
          at(op.getTable()), k.size(int64_t(op.getLayer())), frame.thread,
          frame.threads});
}

void ForwardExpander::expandOp(kernel::AttentionOp op, KernelBuilder &k) {
  k.call(getOrCreateKernel(module, keyOf(op, context.isa)),
         {frame.call, at(op.getQkv()), k.size(strideOf(op.getQkv())),
          at(op.getOutput()), k.size(strideOf(op.getOutput())),
          k.size(int64_t(op.getLayer())), frame.thread, frame.threads,
          scratch});
}

void ForwardExpander::expandOp(kernel::AttentionPartsOp op, KernelBuilder &k) {
  k.call(getOrCreateKernel(module, keyOf(op, context.isa)),
         {frame.call, at(op.getQkv()), k.size(strideOf(op.getQkv())),
          at(op.getParts()), k.size(strideOf(op.getParts())),
          k.size(int64_t(op.getLayer())), frame.thread, frame.threads,
          scratch});
}

void ForwardExpander::expandOp(kernel::MergePartsOp op, KernelBuilder &k) {
  k.call(getOrCreateKernel(module, keyOf(op, context.isa)),
         {frame.call, at(op.getParts()), at(op.getOutput())});
}

void ForwardExpander::expandOp(kernel::BarrierOp op, KernelBuilder &k) {
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(op.getContext()), {k.ptrType(), k.i32Type()});
  LLVM::CallOp::create(builder, op.getLoc(), type,
                       ValueRange{frame.barrier, frame.call, frame.thread32});
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

static int64_t attributeOf(func::FuncOp function, StringRef name) {
  auto value = function->getAttrOfType<IntegerAttr>(name);
  return value ? value.getInt() : 0;
}

/// Bytes of private buffers and of the kernels' scratch that one thread needs.
static int64_t scratchBytesOf(func::FuncOp kernels, Isa isa) {
  int64_t bytes = 0;
  kernels.walk([&](Operation *op) {
    bytes = std::max(bytes, kernelScratchBytes(op, isa));
  });
  return llvm::alignTo(bytes + attributeOf(kernels, kPrivateBytesAttrName),
                       kAlignment);
}

static bool coversLogitRows(Operation &op) {
  return llvm::any_of(op.getOperands(), holdsLogitRows);
}

/// Everything from the first operation on rows whose logits are wanted is
/// skipped when there are none, with the barrier in front of it.
void ForwardExpander::findTail() {
  Block &body = kernels.getBody().front();
  tail = llvm::find_if(body, coversLogitRows);
  if (tail == body.end())
    tail = std::prev(body.end());
  if (tail != body.begin() && isa<kernel::BarrierOp>(*std::prev(tail)))
    --tail;
}

LogicalResult ForwardExpander::checkTail() {
  for (Operation &op : llvm::make_range(tail, kernels.getBody().front().end()))
    if (isa_and_nonnull<kernel::KernelDialect>(op.getDialect()) &&
        op.getNumOperands() && !isa<kernel::ColumnsOp>(op) &&
        !coversLogitRows(op))
      return op.emitOpError(
          "covers all rows, but follows operations on rows of logits");
  return success();
}

LogicalResult ForwardExpander::expand(Operation &op) {
  if (isa<func::ReturnOp, kernel::KeepOp>(op))
    return success();
  auto buffer = dyn_cast<kernel::BufferOp>(op);
  if (buffer && !buffer.getOffset())
    return buffer.emitOpError("has no place in the arena (kernel-plan-memory)");
  KernelBuilder k(builder, op.getLoc(), context.isa);
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<kernel::WeightOp, kernel::BufferOp, kernel::ColumnsOp,
            kernel::LogitsOp, kernel::EmbeddingOp, kernel::LinearOp,
            kernel::RMSNormOp, kernel::LayerNormOp, kernel::BiasOp,
            kernel::HeadNormOp, kernel::ScaleOp, kernel::SoftcapOp,
            kernel::AddOp, kernel::AddPositionsOp, kernel::QuantizeOp,
            kernel::GatherRowsOp, kernel::RopeAppendOp, kernel::AttentionOp,
            kernel::AttentionPartsOp, kernel::MergePartsOp, kernel::BarrierOp>(
          [&](auto typed) {
            expandOp(typed, k);
            if (auto place = context.classOf.find(&op);
                place != context.classOf.end())
              stamps.record(k, place->second);
            return success();
          })
      .Default([](Operation *other) {
        return other->emitOpError("is no kernel operation");
      });
}

LogicalResult ForwardExpander::expandRange(Block::iterator first,
                                           Block::iterator last) {
  for (Operation &op : llvm::make_range(first, last))
    if (failed(expand(op)))
      return failure();
  return success();
}

func::FuncOp ForwardExpander::createEntry() {
  auto type = builder.getFunctionType(
      {LLVM::LLVMPointerType::get(builder.getContext()), builder.getI32Type()},
      {});
  auto entry =
      func::FuncOp::create(builder, kernels.getLoc(), kernels.getName(), type);
  if (isRow) {
    entry.setPrivate();
    entry->setAttr(
        "llvm.linkage",
        LLVM::LinkageAttr::get(builder.getContext(), LLVM::Linkage::Internal));
  }
  return entry;
}

LogicalResult ForwardExpander::expandBody(KernelBuilder &k) {
  Block &body = kernels.getBody().front();
  if (failed(expandRange(body.begin(), tail)))
    return failure();
  LogicalResult result = success();
  k.ifThen(k.less(k.size(0), frame.logitRows),
           [&] { result = expandRange(tail, body.end()); });
  return result;
}

FailureOr<func::FuncOp> ForwardExpander::run() {
  findTail();
  if (!isRow && failed(checkTail()))
    return failure();
  func::FuncOp entry = createEntry();
  Block *block = entry.addEntryBlock();
  Location loc = kernels.getLoc();
  builder.setInsertionPointToStart(block);
  KernelBuilder k(builder, loc, context.isa);
  frame = CallFrame::load(k, block->getArgument(0), block->getArgument(1),
                          context.scratchBytes);
  scratch = k.at(frame.scratch, attributeOf(kernels, kPrivateBytesAttrName));
  if (context.profile)
    stamps = TimeStamps(k, frame, context.classes.size());
  if (context.forwardRow) {
    auto branch = scf::IfOp::create(builder, loc, k.equal(frame.rows, 1),
                                    /*withElseRegion=*/true);
    builder.setInsertionPointToStart(branch.thenBlock());
    k.call(context.forwardRow, block->getArguments());
    builder.setInsertionPointToStart(branch.elseBlock());
  }
  if (failed(expandBody(k)))
    return failure();
  builder.setInsertionPointToEnd(block);
  func::ReturnOp::create(builder, loc);
  return entry;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static bool isPlanned(func::FuncOp function) {
  return function && !function.isExternal() &&
         function.getBody().hasOneBlock() && !function.getNumArguments() &&
         function->hasAttr(kArenaBytesPerRowAttrName);
}

static void classifyKernels(func::FuncOp kernels, bool isRow,
                            ExpandContext &context) {
  for (Operation &op : kernels.getBody().front()) {
    if (!isKernelCall(&op) && !isa<kernel::BarrierOp>(op))
      continue;
    uint32_t flags = isRow ? LLMOPT_KERNEL_ONE_ROW : 0;
    if (coversLogitRows(op))
      flags |= LLMOPT_KERNEL_LOGITS;
    context.classOf[&op] = context.classes.add(&op, flags);
  }
}

void ExpandKernels::runOnOperation() {
  ModuleOp module = getOperation();
  auto kernels = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  auto rowKernels = module.lookupSymbol<func::FuncOp>(kernel::kForwardRowName);
  if (!isPlanned(kernels) || (rowKernels && !isPlanned(rowKernels))) {
    module.emitError("there is no function @forward with planned buffers "
                     "(llmopt-bufferize)");
    return signalPassFailure();
  }
  ExpandContext context(isa, profile);
  context.scratchBytes = scratchBytesOf(kernels, isa);
  if (rowKernels)
    classifyKernels(rowKernels, /*isRow=*/true, context);
  classifyKernels(kernels, /*isRow=*/false, context);
  int64_t arena = attributeOf(kernels, kArenaBytesPerRowAttrName);
  if (rowKernels) {
    context.scratchBytes =
        std::max(context.scratchBytes, scratchBytesOf(rowKernels, isa));
    arena = std::max(arena, attributeOf(rowKernels, kArenaBytesPerRowAttrName));
    FailureOr<func::FuncOp> row = ForwardExpander(rowKernels, context).run();
    if (failed(row))
      return signalPassFailure();
    rowKernels.erase();
    context.forwardRow = *row;
  }
  FailureOr<func::FuncOp> entry = ForwardExpander(kernels, context).run();
  if (failed(entry))
    return signalPassFailure();
  kernels.erase();
  Builder builder(&getContext());
  (*entry)->setAttr(kArenaBytesPerRowAttrName,
                    builder.getI64IntegerAttr(arena));
  (*entry)->setAttr(kScratchBytesAttrName,
                    builder.getI64IntegerAttr(context.scratchBytes));
  (*entry)->setAttr(kKernelClassesAttrName,
                    context.classes.attribute(&getContext()));
  for (auto data :
       llvm::make_early_inc_range(module.getOps<kernel::WeightDataOp>()))
    data.erase();
}
