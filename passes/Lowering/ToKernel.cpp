//===- ToKernel.cpp - From tensors to kernels on buffers --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelPlacement.h"
#include "passes/Lowering/Passes.h"
#include "passes/Lowering/WeightTable.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llmopt {
#define GEN_PASS_DEF_TOKERNEL
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;
using kernel::Epilogue;
using kernel::RowDomain;

namespace {

/// Emits the kernels of @forward, operation by operation. The order of the
/// tensor operations is the order of the kernels, so that a buffer may be
/// overwritten where nothing later reads the tensor that it holds.
class KernelEmitter {
public:
  KernelEmitter(func::FuncOp tensors, func::FuncOp kernels,
                KernelPlacement &placement);

  LogicalResult run();

private:
  LogicalResult emit(Operation &op);
  LogicalResult emit(EmbeddingOp op);
  LogicalResult emit(LinearOp op);
  LogicalResult emit(RMSNormOp op);
  LogicalResult emit(CachedAttentionOp op);
  LogicalResult emit(arith::AddFOp op);
  LogicalResult emitHead();
  LogicalResult emitNorm(RMSNormOp op, Value input, RowDomain rows);
  LogicalResult emitLinear(LinearOp op, Epilogue epilogue, Value output,
                           RowDomain rows = RowDomain::Tokens);

  Value makeBuffer(Location location, StringRef name, int64_t columns,
                   RowDomain rows = RowDomain::Tokens);
  Value makeRecords(Location location, int64_t columns, int64_t group,
                    RowDomain rows);
  Value qkvBuffer(CachedAttentionOp op);
  FailureOr<Value> floatsOf(Value tensor, Operation *user);
  FailureOr<Value> inputOf(LinearOp op, RowDomain rows);

  func::FuncOp tensors;
  KernelPlacement &placement;
  OpBuilder builder;
  WeightTable weights;
  /// Buffers that hold a tensor as floats, or quantized in groups of the given
  /// size.
  DenseMap<Value, Value> floats;
  DenseMap<std::pair<Value, int64_t>, Value> records;
  DenseMap<Operation *, Value> qkvBuffers; ///< by attention
};

struct ToKernel : llmopt::impl::ToKernelBase<ToKernel> {
  void runOnOperation() override;
};

} // namespace

static int64_t columnsOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getShape().back();
}

static OpBuilder atStart(func::FuncOp function) {
  return OpBuilder::atBlockBegin(&function.getBody().front());
}

KernelEmitter::KernelEmitter(func::FuncOp tensors, func::FuncOp kernels,
                             KernelPlacement &placement)
    : tensors(tensors), placement(placement),
      builder(OpBuilder::atBlockEnd(&kernels.getBody().front())),
      weights(OpBuilder(kernels), atStart(kernels)) {}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value KernelEmitter::makeBuffer(Location location, StringRef name,
                                int64_t columns, RowDomain rows) {
  auto type = MemRefType::get(
      {ShapedType::kDynamic, int64_t(llvm::alignTo(columns, 16))},
      builder.getF32Type());
  return kernel::BufferOp::create(builder, location, type, name, rows,
                                  IntegerAttr());
}

Value KernelEmitter::makeRecords(Location location, int64_t columns,
                                 int64_t group, RowDomain rows) {
  auto type = MemRefType::get(
      {ShapedType::kDynamic, kernel::quantizedRowBytes(columns, group)},
      builder.getI8Type());
  return kernel::BufferOp::create(builder, location, type, "records", rows,
                                  IntegerAttr());
}

/// The rows [q | k | v] of an attention whose products are separate.
Value KernelEmitter::qkvBuffer(CachedAttentionOp op) {
  Value &buffer = qkvBuffers[op];
  if (!buffer)
    buffer = makeBuffer(op.getLoc(), "qkv",
                        columnsOf(op.getQuery()) + 2 * columnsOf(op.getKey()));
  return buffer;
}

FailureOr<Value> KernelEmitter::floatsOf(Value tensor, Operation *user) {
  if (Value buffer = floats.lookup(tensor))
    return buffer;
  return user->emitOpError("has no kernel form: no buffer holds ")
         << (tensor.getDefiningOp() ? "the result of "
                                    : "an argument of the function")
         << (tensor.getDefiningOp()
                 ? tensor.getDefiningOp()->getName().getStringRef()
                 : "");
}

/// The buffer that a product reads: floats, or records that are made here where
/// no normalisation made them.
FailureOr<Value> KernelEmitter::inputOf(LinearOp op, RowDomain rows) {
  Value tensor = op.getInput();
  std::optional<int64_t> group = op.getActivationGroup();
  if (!group)
    return floatsOf(tensor, op);
  Value &buffer = records[{tensor, *group}];
  if (buffer)
    return buffer;
  FailureOr<Value> input = floatsOf(tensor, op);
  if (failed(input))
    return failure();
  buffer = makeRecords(op.getLoc(), columnsOf(tensor), *group, rows);
  kernel::QuantizeOp::create(builder, op.getLoc(), *input, buffer,
                             columnsOf(tensor), *group);
  return buffer;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emitLinear(LinearOp op, Epilogue epilogue,
                                        Value output, RowDomain rows) {
  FailureOr<Value> weight = weights.packed(op.getWeight(), op);
  if (failed(weight))
    return failure();
  FailureOr<Value> input = inputOf(op, rows);
  if (failed(input))
    return failure();
  kernel::LinearOp::create(builder, op.getLoc(), *input, *weight, output,
                           epilogue, op.getActivationGroupAttr());
  return success();
}

LogicalResult KernelEmitter::emit(EmbeddingOp op) {
  if (op.getIds() != tensors.getArgument(0))
    return op.emitOpError("has no kernel form: ids must be the tokens");
  FailureOr<Value> table = weights.packed(op.getTable(), op);
  if (failed(table))
    return failure();
  Value output = makeBuffer(op.getLoc(), "hidden", columnsOf(op.getResult()));
  kernel::EmbeddingOp::create(builder, op.getLoc(), *table, output);
  floats[op.getResult()] = output;
  return success();
}

LogicalResult KernelEmitter::emit(LinearOp op) {
  if (GluOp glu = placement.gated.lookup(op)) {
    Value output =
        makeBuffer(glu.getLoc(), "gated", columnsOf(glu.getResult()));
    floats[glu.getResult()] = output;
    return emitLinear(op, Epilogue::SiluMul, output);
  }
  auto columns = placement.columns.find(op);
  if (columns != placement.columns.end()) {
    Value buffer = qkvBuffer(columns->second.attention);
    auto type = kernel::ColumnsOp::viewType(cast<MemRefType>(buffer.getType()),
                                            columns->second.first,
                                            columnsOf(op.getResult()));
    Value view = kernel::ColumnsOp::create(builder, op.getLoc(), type, buffer);
    return emitLinear(op, Epilogue::Store, view);
  }
  Value output = makeBuffer(op.getLoc(), "product", columnsOf(op.getResult()));
  floats[op.getResult()] = output;
  return emitLinear(op, Epilogue::Store, output);
}

/// Adds a product into the buffer of the other term; the placement has seen to
/// it that nothing reads that term any more.
LogicalResult KernelEmitter::emit(arith::AddFOp op) {
  LinearOp product = placement.added.lookup(op);
  if (!product)
    return op.emitOpError("has no kernel form: one term must be a product that "
                          "nothing else reads, the other must not be read "
                          "later");
  Value residual =
      op.getLhs() == product.getResult() ? op.getRhs() : op.getLhs();
  FailureOr<Value> output = floatsOf(residual, op);
  if (failed(output))
    return failure();
  floats[op.getResult()] = *output;
  return emitLinear(product, Epilogue::Add, *output);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Emits a normalisation once for every form in which its result is read.
LogicalResult KernelEmitter::emitNorm(RMSNormOp op, Value input,
                                      RowDomain rows) {
  FailureOr<Value> gamma = weights.raw(op.getGamma(), op);
  if (failed(gamma))
    return failure();
  int64_t columns = columnsOf(op.getResult());
  for (Operation *user : op->getUsers()) {
    auto linear = dyn_cast<LinearOp>(user);
    IntegerAttr group =
        linear ? linear.getActivationGroupAttr() : IntegerAttr();
    Value &output = group ? records[{op.getResult(), group.getInt()}]
                          : floats[op.getResult()];
    if (output)
      continue;
    output = group ? makeRecords(op.getLoc(), columns, group.getInt(), rows)
                   : makeBuffer(op.getLoc(), "norm", columns, rows);
    kernel::RMSNormOp::create(builder, op.getLoc(), input, *gamma, output,
                              op.getEpsilonAttr(), group);
  }
  return success();
}

LogicalResult KernelEmitter::emit(RMSNormOp op) {
  FailureOr<Value> input = floatsOf(op.getInput(), op);
  if (failed(input))
    return failure();
  return emitNorm(op, *input, RowDomain::Tokens);
}

/// Gathers the rows whose logits are wanted; the last norm and the head cover
/// only these.
LogicalResult KernelEmitter::emitHead() {
  LinearOp head = placement.head;
  RMSNormOp norm = placement.finalNorm;
  Value tensor = norm ? norm.getInput() : head.getInput();
  Location location = norm ? norm.getLoc() : head.getLoc();
  FailureOr<Value> input = floatsOf(tensor, norm ? norm.getOperation() : head);
  if (failed(input))
    return failure();
  Value rows =
      makeBuffer(location, "wanted", columnsOf(tensor), RowDomain::Logits);
  kernel::GatherRowsOp::create(builder, location, *input, rows);
  if (norm && failed(emitNorm(norm, rows, RowDomain::Logits)))
    return failure();
  if (!norm) {
    // What holds the rows of all tokens in another form does not serve here.
    floats[tensor] = rows;
    records.clear();
  }
  auto type =
      MemRefType::get({ShapedType::kDynamic, columnsOf(head.getResult())},
                      builder.getF32Type());
  Value logits = kernel::LogitsOp::create(builder, head.getLoc(), type);
  return emitLinear(head, Epilogue::Store, logits, RowDomain::Logits);
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
                               op.getHeads(), op.getKvHeads(), op.getHeadDim());
  Value output = makeBuffer(location, "attention", columnsOf(op.getResult()));
  kernel::AttentionOp::create(builder, location, *qkv, output, op.getLayer(),
                              op.getHeads(), op.getKvHeads(), op.getHeadDim(),
                              op.getScale());
  floats[op.getResult()] = output;
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emit(Operation &op) {
  if (isa<WeightOp, EncodedWeightOp, ConcatWeightsOp>(op) ||
      placement.covered.contains(&op) || &op == placement.head ||
      &op == placement.finalNorm)
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<EmbeddingOp, LinearOp, RMSNormOp, CachedAttentionOp, arith::AddFOp>(
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
  if (failed(emitHead()))
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
