//===- ExpandKernels.cpp - From kernel operations to calls ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/CallFrame.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

namespace llmopt {
#define GEN_PASS_DEF_EXPANDKERNELS
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// Replaces @forward on kernel operations by a function that calls kernels.
class ForwardExpander {
public:
  ForwardExpander(func::FuncOp kernels, Isa isa)
      : kernels(kernels), module(kernels->getParentOfType<ModuleOp>()),
        builder(kernels), targetIsa(isa) {}

  LogicalResult run();

private:
  void findTail();
  LogicalResult checkTail();
  int64_t scratchBytesPerThread();
  LogicalResult expandRange(Block::iterator first, Block::iterator last);
  LogicalResult expand(Operation &op);
  void expandOp(kernel::WeightOp op, KernelBuilder &k);
  void expandOp(kernel::BufferOp op, KernelBuilder &k);
  void expandOp(kernel::ColumnsOp op, KernelBuilder &k);
  void expandOp(kernel::LogitsOp op, KernelBuilder &k);
  void expandOp(kernel::EmbeddingOp op, KernelBuilder &k);
  void expandOp(kernel::LinearOp op, KernelBuilder &k);
  void expandOp(kernel::RMSNormOp op, KernelBuilder &k);
  void expandOp(kernel::QuantizeOp op, KernelBuilder &k);
  void expandOp(kernel::GatherRowsOp op, KernelBuilder &k);
  void expandOp(kernel::RopeAppendOp op, KernelBuilder &k);
  void expandOp(kernel::AttentionOp op, KernelBuilder &k);
  void expandOp(kernel::BarrierOp op, KernelBuilder &k);

  LinearKernelKey keyOf(kernel::LinearOp op);
  template <typename AttentionOp>
  AttentionKernelKey keyOf(AttentionOp op, AttentionKernel kernel, float scale);
  func::FuncOp rowKernel(RowKernel kernel, int64_t group = 0,
                         PackedLayout layout = PackedLayout::F32) {
    return getOrCreateKernel(module,
                             RowKernelKey{kernel, group, layout, targetIsa});
  }
  Value rowsOf(Value memory);
  /// The address of a buffer, a weight, or the logits.
  Value at(Value value) { return addresses.lookup(value); }

  func::FuncOp kernels;
  ModuleOp module;
  OpBuilder builder;
  Isa targetIsa;
  CallFrame frame;
  DenseMap<Value, Value> addresses;
  Block::iterator tail; ///< first operation for rows whose logits are wanted
};

struct ExpandKernels : llmopt::impl::ExpandKernelsBase<ExpandKernels> {
  using ExpandKernelsBase::ExpandKernelsBase;
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static PackedLayout layoutOf(Value weight) {
  switch (cast<kernel::WeightType>(weight.getType()).getFormat()) {
  case kernel::PackFormat::Int8:
    return PackedLayout::Int8;
  case kernel::PackFormat::Int8Bitmask:
    return PackedLayout::Int8Bitmask;
  case kernel::PackFormat::F32:
  case kernel::PackFormat::Raw:
    return PackedLayout::F32;
  }
  llvm_unreachable("all formats are handled");
}

static int64_t columnsOf(Value weight) {
  return cast<kernel::WeightType>(weight.getType()).getColumns();
}

/// Elements from one row to the next.
static int64_t strideOf(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  return type.getStridesAndOffset().first.front();
}

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

Value ForwardExpander::rowsOf(Value memory) {
  return holdsLogitRows(memory) ? frame.logitRows : frame.rows;
}

void ForwardExpander::expandOp(kernel::WeightOp op, KernelBuilder &k) {
  auto data = SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
      op, op.getWeightAttr());
  addresses[op.getResult()] = k.at(frame.weights, int64_t(data.getOffset()));
}

void ForwardExpander::expandOp(kernel::BufferOp op, KernelBuilder &k) {
  addresses[op.getResult()] =
      k.at(frame.arena, k.mul(frame.capacity, int64_t(*op.getOffset())));
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

static Epilogue epilogueOf(kernel::Epilogue epilogue) {
  switch (epilogue) {
  case kernel::Epilogue::Store:
    return Epilogue::Store;
  case kernel::Epilogue::Add:
    return Epilogue::Add;
  case kernel::Epilogue::SiluMul:
    return Epilogue::SiluMul;
  }
  llvm_unreachable("all epilogues are handled");
}

LinearKernelKey ForwardExpander::keyOf(kernel::LinearOp op) {
  return {layoutOf(op.getWeight()), int64_t(op.getGroup().value_or(0)),
          RowRange::Prefill, epilogueOf(op.getEpilogue()), targetIsa};
}

template <typename AttentionOp>
AttentionKernelKey ForwardExpander::keyOf(AttentionOp op,
                                          AttentionKernel kernel, float scale) {
  return {kernel,
          int64_t(op.getHeads()),
          int64_t(op.getKvHeads()),
          int64_t(op.getHeadDim()),
          scale,
          targetIsa};
}

void ForwardExpander::expandOp(kernel::EmbeddingOp op, KernelBuilder &k) {
  func::FuncOp callee =
      rowKernel(RowKernel::Embedding, 0, layoutOf(op.getTable()));
  k.call(callee,
         {frame.tokens, at(op.getTable()), at(op.getOutput()),
          k.size(strideOf(op.getOutput())), frame.rows,
          k.size(columnsOf(op.getTable())), frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::LinearOp op, KernelBuilder &k) {
  auto weight = cast<kernel::WeightType>(op.getWeight().getType());
  k.call(getOrCreateLinear(module, keyOf(op)),
         {at(op.getInput()), k.size(strideBytesOf(op.getInput())),
          at(op.getWeight()), at(op.getOutput()),
          k.size(strideOf(op.getOutput())), rowsOf(op.getOutput()),
          k.size(panelCount(weight.getRows())), k.size(weight.getColumns()),
          frame.thread, frame.threads, frame.scratch});
}

void ForwardExpander::expandOp(kernel::RMSNormOp op, KernelBuilder &k) {
  int64_t group = op.getGroup().value_or(0);
  func::FuncOp callee = group ? rowKernel(RowKernel::RmsNormQuantize, group)
                              : rowKernel(RowKernel::RmsNorm);
  // Records are counted in bytes, rows in floats: both are elements.
  k.call(callee,
         {at(op.getInput()), k.size(strideOf(op.getInput())), at(op.getGamma()),
          at(op.getOutput()), k.size(strideOf(op.getOutput())),
          rowsOf(op.getOutput()), k.size(columnsOf(op.getGamma())),
          k.constantF32(op.getEpsilon().convertToFloat()), frame.thread,
          frame.threads});
}

void ForwardExpander::expandOp(kernel::QuantizeOp op, KernelBuilder &k) {
  k.call(rowKernel(RowKernel::Quantize, op.getGroup()),
         {at(op.getInput()), k.size(strideOf(op.getInput())),
          at(op.getOutput()), k.size(strideOf(op.getOutput())),
          rowsOf(op.getOutput()), k.size(int64_t(op.getColumns())),
          frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::GatherRowsOp op, KernelBuilder &k) {
  auto type = cast<MemRefType>(op.getOutput().getType());
  k.call(rowKernel(RowKernel::GatherRows),
         {at(op.getInput()), k.size(strideOf(op.getInput())),
          frame.logitRowIndex, at(op.getOutput()),
          k.size(strideOf(op.getOutput())), frame.logitRows,
          k.size(type.getDimSize(1)), frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::RopeAppendOp op, KernelBuilder &k) {
  k.call(getOrCreateKernel(module, keyOf(op, AttentionKernel::RopeAppend, 1)),
         {frame.call, at(op.getQkv()), k.size(strideOf(op.getQkv())),
          at(op.getTable()), k.size(int64_t(op.getLayer())), frame.thread,
          frame.threads});
}

void ForwardExpander::expandOp(kernel::AttentionOp op, KernelBuilder &k) {
  AttentionKernelKey key =
      keyOf(op, AttentionKernel::Attention, op.getScale().convertToFloat());
  k.call(getOrCreateKernel(module, key),
         {frame.call, at(op.getQkv()), k.size(strideOf(op.getQkv())),
          at(op.getOutput()), k.size(strideOf(op.getOutput())),
          k.size(int64_t(op.getLayer())), frame.thread, frame.threads,
          frame.scratch});
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

int64_t ForwardExpander::scratchBytesPerThread() {
  int64_t bytes = 0;
  kernels.walk([&](Operation *op) {
    if (auto linear = dyn_cast<kernel::LinearOp>(op))
      bytes =
          std::max(bytes, linearScratchBytes(keyOf(linear),
                                             columnsOf(linear.getWeight())));
    if (auto attention = dyn_cast<kernel::AttentionOp>(op))
      bytes = std::max(
          bytes, scratchBytes(keyOf(attention, AttentionKernel::Attention,
                                    attention.getScale().convertToFloat())));
  });
  return llvm::alignTo(bytes, kAlignment);
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
  if (isa<func::ReturnOp>(op))
    return success();
  auto buffer = dyn_cast<kernel::BufferOp>(op);
  if (buffer && !buffer.getOffset())
    return buffer.emitOpError("has no place in the arena (kernel-plan-memory)");
  KernelBuilder k(builder, op.getLoc(), targetIsa);
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<kernel::WeightOp, kernel::BufferOp, kernel::ColumnsOp,
            kernel::LogitsOp, kernel::EmbeddingOp, kernel::LinearOp,
            kernel::RMSNormOp, kernel::QuantizeOp, kernel::GatherRowsOp,
            kernel::RopeAppendOp, kernel::AttentionOp, kernel::BarrierOp>(
          [&](auto typed) {
            expandOp(typed, k);
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

LogicalResult ForwardExpander::run() {
  Block &body = kernels.getBody().front();
  findTail();
  if (failed(checkTail()))
    return failure();
  Location loc = kernels.getLoc();
  int64_t scratch = scratchBytesPerThread();
  auto type = builder.getFunctionType(
      {LLVM::LLVMPointerType::get(builder.getContext()), builder.getI32Type()},
      {});
  auto entry = func::FuncOp::create(builder, loc, kernel::kForwardName, type);
  entry->setAttr(kArenaBytesPerRowAttrName,
                 kernels->getAttr(kArenaBytesPerRowAttrName));
  entry->setAttr(kScratchBytesAttrName, builder.getI64IntegerAttr(scratch));
  Block *block = entry.addEntryBlock();
  builder.setInsertionPointToStart(block);
  KernelBuilder k(builder, loc, targetIsa);
  frame =
      CallFrame::load(k, block->getArgument(0), block->getArgument(1), scratch);
  if (failed(expandRange(body.begin(), tail)))
    return failure();
  LogicalResult result = success();
  k.ifThen(k.less(k.size(0), frame.logitRows),
           [&] { result = expandRange(tail, body.end()); });
  func::ReturnOp::create(builder, loc);
  return result;
}

void ExpandKernels::runOnOperation() {
  ModuleOp module = getOperation();
  auto kernels = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  if (!kernels || kernels.isExternal() || !kernels.getBody().hasOneBlock() ||
      !kernels->hasAttr(kArenaBytesPerRowAttrName)) {
    module.emitError("there is no function @forward with planned buffers "
                     "(llmopt-bufferize)");
    return signalPassFailure();
  }
  if (failed(ForwardExpander(kernels, isa).run()))
    return signalPassFailure();
  kernels.erase();
  for (auto data :
       llvm::make_early_inc_range(module.getOps<kernel::WeightDataOp>()))
    data.erase();
}
