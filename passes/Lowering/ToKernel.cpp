//===- ToKernel.cpp - From tensors to kernels on buffers --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelEmitter.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Lowering/Passes.h"
#include "target/CallLayout.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llmopt {
#define GEN_PASS_DEF_TOKERNEL
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;
using KernelEpilogue = kernel::Epilogue;
using kernel::RowDomain;

namespace {
struct ToKernel : llmopt::impl::ToKernelBase<ToKernel> {
  void runOnOperation() override;
};

} // namespace

static OpBuilder atStart(func::FuncOp function) {
  return OpBuilder::atBlockBegin(&function.getBody().front());
}

KernelEmitter::KernelEmitter(func::FuncOp tensors, func::FuncOp kernels,
                             KernelPlacement &placement)
    : tensors(tensors), placement(placement),
      builder(OpBuilder::atBlockEnd(&kernels.getBody().front())),
      weights(OpBuilder(kernels), atStart(kernels)) {
  auto module = tensors->getParentOfType<ModuleOp>();
  if (auto decoder = module->getAttrOfType<DecoderAttr>(kDecoderAttrName))
    kv = static_cast<kernel::KVFormat>(decoder.getKv());
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value KernelEmitter::makeBuffer(Location location, StringRef name,
                                int64_t columns, RowDomain rows) {
  auto type = MemRefType::get(
      {ShapedType::kDynamic, int64_t(llvm::alignTo(columns, 16))},
      builder.getF32Type());
  return kernel::BufferOp::create(builder, location, type, name, rows,
                                  /*is_private=*/false, IntegerAttr());
}

Value KernelEmitter::makeRecords(Location location, int64_t columns,
                                 int64_t group, RowDomain rows) {
  auto type = MemRefType::get(
      {ShapedType::kDynamic, kernel::quantizedRowBytes(columns, group)},
      builder.getI8Type());
  return kernel::BufferOp::create(builder, location, type, "records", rows,
                                  /*is_private=*/false, IntegerAttr());
}

/// The rows [q | k | v] of an attention whose products are separate.
Value KernelEmitter::qkvBuffer(CachedAttentionOp op) {
  Value &buffer = qkvBuffers[op];
  if (!buffer)
    buffer = makeBuffer(op.getLoc(), "qkv",
                        columnsOf(op.getQuery()) + 2 * columnsOf(op.getKey()),
                        RowDomain::Tokens);
  return buffer;
}

/// The buffer with the rows that `user` covers; gathers them where only all
/// rows are there.
FailureOr<Value> KernelEmitter::floatsOf(Value tensor, Operation *user) {
  RowDomain rows = rowsOf(user);
  if (Value buffer = formsOf(rows).floats.lookup(tensor))
    return buffer;
  Value all = allRows.floats.lookup(tensor);
  if (all && rows == RowDomain::Logits) {
    Value wanted =
        makeBuffer(user->getLoc(), "wanted", columnsOf(tensor), rows);
    kernel::GatherRowsOp::create(builder, user->getLoc(), all, wanted);
    return wantedRows.floats[tensor] = wanted;
  }
  return user->emitOpError("has no kernel form: no buffer holds ")
         << (tensor.getDefiningOp() ? "the result of "
                                    : "an argument of the function")
         << (tensor.getDefiningOp()
                 ? tensor.getDefiningOp()->getName().getStringRef()
                 : "");
}

/// The buffer that a product reads: floats, or records that are made here where
/// no normalisation made them.
FailureOr<Value> KernelEmitter::inputOf(LinearOp op) {
  Value tensor = op.getInput();
  std::optional<int64_t> group = op.getActivationGroup();
  if (!group)
    return floatsOf(tensor, op);
  if (Value known = formsOf(rowsOf(op)).records.lookup({tensor, *group}))
    return known;
  FailureOr<Value> input = floatsOf(tensor, op);
  if (failed(input))
    return failure();
  Value records =
      makeRecords(op.getLoc(), columnsOf(tensor), *group, rowsOf(op));
  kernel::QuantizeOp::create(builder, op.getLoc(), *input, records,
                             columnsOf(tensor), *group);
  formsOf(rowsOf(op)).records[{tensor, *group}] = records;
  return records;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emitLinear(LinearOp op, KernelEpilogue epilogue,
                                        Value output) {
  FailureOr<Value> weight = weights.packed(op.getWeight(), op);
  if (failed(weight))
    return failure();
  FailureOr<Value> input = inputOf(op);
  if (failed(input))
    return failure();
  kernel::LinearOp::create(builder, op.getLoc(), *input, *weight, output,
                           /*floats=*/Value(), epilogue,
                           op.getActivationGroupAttr(),
                           /*output_group=*/IntegerAttr());
  return success();
}

/// The group of the records that all readers of a gated product want, if its
/// kernel can make them.
std::optional<int64_t> KernelEmitter::outputGroupOf(LinearOp op, GluOp glu) {
  if (!op.getActivationGroup() || glu.getActivation() != GluActivation::Silu)
    return std::nullopt;
  std::optional<int64_t> group;
  for (Operation *user : glu->getUsers()) {
    auto linear = dyn_cast<LinearOp>(user);
    if (!linear || !linear.getActivationGroup() ||
        rowsOf(linear) != rowsOf(op) ||
        (group && group != linear.getActivationGroup()))
      return std::nullopt;
    group = linear.getActivationGroup();
  }
  return group;
}

/// A gated product that only integer products read: it makes their records.
LogicalResult KernelEmitter::emitGated(LinearOp op, GluOp glu, int64_t group) {
  FailureOr<Value> weight = weights.packed(op.getWeight(), op);
  if (failed(weight))
    return failure();
  FailureOr<Value> input = inputOf(op);
  if (failed(input))
    return failure();
  int64_t columns = columnsOf(glu.getResult());
  Value floats =
      makeBuffer(op.getLoc(), "gated", gatedFloats(columns, group), rowsOf(op));
  Value records = makeRecords(op.getLoc(), columns, group, rowsOf(op));
  kernel::LinearOp::create(builder, op.getLoc(), *input, *weight, records,
                           floats, KernelEpilogue::SiluMulQuantize,
                           op.getActivationGroupAttr(),
                           builder.getI64IntegerAttr(group));
  formsOf(rowsOf(op)).records[{glu.getResult(), group}] = records;
  return success();
}

LogicalResult KernelEmitter::emit(EmbeddingOp op) {
  if (op.getIds() != tensors.getArgument(0))
    return op.emitOpError("has no kernel form: ids must be the tokens");
  FailureOr<Value> table = weights.packed(op.getTable(), op);
  if (failed(table))
    return failure();
  Value output = makeBuffer(op.getLoc(), "hidden", columnsOf(op.getResult()),
                            RowDomain::Tokens);
  kernel::EmbeddingOp::create(builder, op.getLoc(), *table, output);
  allRows.floats[op.getResult()] = output;
  return success();
}

/// The columns of an attention's [q | k | v] rows that a product writes.
Value KernelEmitter::columnsFor(LinearOp op,
                                const KernelPlacement::Columns &columns) {
  Value buffer = qkvBuffer(columns.attention);
  auto type =
      kernel::ColumnsOp::viewType(cast<MemRefType>(buffer.getType()),
                                  columns.first, columnsOf(op.getResult()));
  return kernel::ColumnsOp::create(builder, op.getLoc(), type, buffer);
}

static KernelEpilogue epilogueOf(GluOp op) {
  switch (op.getActivation()) {
  case GluActivation::Silu:
    return KernelEpilogue::SiluMul;
  case GluActivation::Gelu:
    return KernelEpilogue::GeluMul;
  case GluActivation::GeluTanh:
    return KernelEpilogue::GeluTanhMul;
  }
  llvm_unreachable("all activations are handled");
}

LogicalResult KernelEmitter::emit(LinearOp op) {
  if (op == placement.head) {
    int64_t stride = llmopt_logit_stride(columnsOf(op.getResult()));
    auto type =
        MemRefType::get({ShapedType::kDynamic, stride}, builder.getF32Type());
    Value logits = kernel::LogitsOp::create(builder, op.getLoc(), type);
    wantedRows.floats[op.getResult()] = logits;
    return emitLinear(op, KernelEpilogue::Store, logits);
  }
  auto columns = placement.columns.find(op);
  if (columns != placement.columns.end())
    return emitLinear(op, KernelEpilogue::Store,
                      allRows.floats[op.getResult()] =
                          columnsFor(op, columns->second));
  GluOp glu = placement.gated.lookup(op);
  if (glu)
    if (std::optional<int64_t> group = outputGroupOf(op, glu))
      return emitGated(op, glu, *group);
  Value result = glu ? glu.getResult() : op.getResult();
  Value output = makeBuffer(op.getLoc(), glu ? "gated" : "product",
                            columnsOf(result), rowsOf(op));
  formsOf(rowsOf(op)).floats[result] = output;
  return emitLinear(op, glu ? epilogueOf(glu) : KernelEpilogue::Store, output);
}

/// Makes the parts of a query, key and value row that are changed in place.
LogicalResult KernelEmitter::emit(SplitOp op) {
  if (!placement.splits.contains(op))
    return op.emitOpError("has no kernel form outside of attention and gated "
                          "units");
  FailureOr<Value> buffer = floatsOf(op.getInput(), op);
  if (failed(buffer))
    return failure();
  int64_t first = 0;
  for (Value part : op.getParts()) {
    auto type = kernel::ColumnsOp::viewType(cast<MemRefType>(buffer->getType()),
                                            first, columnsOf(part));
    allRows.floats[part] =
        kernel::ColumnsOp::create(builder, op.getLoc(), type, *buffer);
    first += columnsOf(part);
  }
  return success();
}

/// Adds a product into the buffer of the other term; the placement has seen to
/// it that nothing reads that term any more.
LogicalResult KernelEmitter::emit(arith::AddFOp op) {
  for (Value term : op.getOperands())
    if (auto positions = term.getDefiningOp<PositionEmbeddingOp>())
      return emitPositions(op, positions);
  LinearOp product = placement.added.lookup(op);
  if (!product)
    return emitSum(op);
  Value residual =
      op.getLhs() == product.getResult() ? op.getRhs() : op.getLhs();
  FailureOr<Value> output = floatsOf(residual, op);
  if (failed(output))
    return failure();
  formsOf(rowsOf(op)).floats[op.getResult()] = *output;
  return emitLinear(product, KernelEpilogue::Add, *output);
}

/// Adds one term into the buffer of another that is not read any more.
LogicalResult KernelEmitter::emitSum(arith::AddFOp op) {
  Value term = placement.overwritten.lookup(op);
  if (!term)
    return op.emitOpError("has no kernel form: the terms must differ, and one "
                          "must not be read later");
  FailureOr<Value> buffer = floatsOf(term, op);
  FailureOr<Value> input =
      floatsOf(op.getLhs() == term ? op.getRhs() : op.getLhs(), op);
  if (failed(buffer) || failed(input))
    return failure();
  kernel::AddOp::create(builder, op.getLoc(), *input, *buffer);
  formsOf(rowsOf(op)).floats[op.getResult()] = *buffer;
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emit(CachedAttentionOp op) {
  KernelPlacement::Qkv source = placement.attentions.lookup(op);
  if (source.rope.getPositions() != tensors.getArgument(1))
    return source.rope.emitOpError(
        "has no kernel form: positions must be those of the function");
  FailureOr<Value> table = weights.raw(source.rope.getTable(), op);
  FailureOr<Value> qkv = source.product ? floatsOf(source.product, op)
                                        : FailureOr<Value>(qkvBuffer(op));
  if (failed(table) || failed(qkv))
    return failure();
  Location location = op.getLoc();
  kernel::RopeAppendOp::create(builder, location, *qkv, *table, op.getLayer(),
                               op.getHeads(), op.getKvHeads(), op.getHeadDim(),
                               kv);
  Value output = makeBuffer(location, "attention", columnsOf(op.getResult()),
                            RowDomain::Tokens);
  kernel::AttentionOp::create(builder, location, *qkv, output, op.getLayer(),
                              op.getHeads(), op.getKvHeads(), op.getHeadDim(),
                              op.getScale(), op.getWindow(), op.getSoftcap(),
                              kv);
  allRows.floats[op.getResult()] = output;
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emit(Operation &op) {
  if (isa<WeightOp, EncodedWeightOp, ConcatWeightsOp>(op) ||
      placement.covered.contains(&op))
    return success();
  // The sum that reads it emits it.
  if (isa<PositionEmbeddingOp>(op) &&
      llvm::all_of(op.getUsers(), llvm::IsaPred<arith::AddFOp>))
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<EmbeddingOp, LinearOp, RMSNormOp, LayerNormOp, BiasOp, HeadNormOp,
            ScaleOp, SoftcapOp, SplitOp, CachedAttentionOp, arith::AddFOp>(
          [&](auto typed) { return emit(typed); })
      .Case([](GluOp glu) {
        return glu.emitOpError(
            "has no kernel form: gate and up must be one product of weights "
            "with equal formats, interleaved by llmopt-fuse-linears");
      })
      .Case([](RopeOp rope) {
        return rope.emitOpError("has no kernel form outside of attention");
      })
      .Default([](Operation *other) {
        return other->emitOpError("has no kernel form");
      });
}

LogicalResult KernelEmitter::run() {
  for (Operation &op : tensors.getBody().front().without_terminator())
    if (failed(emit(op)))
      return failure();
  func::ReturnOp::create(builder, tensors.getLoc());
  return success();
}

void ToKernel::runOnOperation() {
  ModuleOp module = getOperation();
  auto tensors = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  if (!tensors || tensors.isExternal()) {
    module.emitError("there is no function @forward to lower");
    return signalPassFailure();
  }
  FailureOr<KernelPlacement> placement = KernelPlacement::analyze(tensors);
  if (failed(placement))
    return signalPassFailure();
  OpBuilder builder(tensors);
  auto kernels =
      func::FuncOp::create(builder, tensors.getLoc(), kernel::kForwardName,
                           builder.getFunctionType({}, {}));
  kernels.addEntryBlock();
  if (failed(KernelEmitter(tensors, kernels, *placement).run()))
    return signalPassFailure();
  tensors.erase();
}
