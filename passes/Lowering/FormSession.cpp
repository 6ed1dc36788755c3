//===- FormSession.cpp - From functional to stateful ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// [batch, sequence, features] becomes [rows, features]: all operations but
// attention treat rows independently of each other, so that only attention has
// to know which rows belong together.
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Lowering/Passes.h"
#include "passes/Lowering/SessionSignature.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llmopt {
#define GEN_PASS_DEF_FORMSESSION
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// Rebuilds the body of @main over rows in @forward.
class RowRewriter {
public:
  explicit RowRewriter(SessionSignature &signature)
      : signature(signature), builder(signature.main) {}

  LogicalResult run();

private:
  LogicalResult rewrite(Operation &op);
  LogicalResult rewriteAttention(AttentionOp op);
  LogicalResult rotateByNothing(AttentionOp op, Value &query, Value &key);
  LogicalResult rewriteRowPositions(RowPositionsOp op);
  LogicalResult cloneOverRows(Operation &op);
  LogicalResult checkOperand(OpOperand &operand);

  SessionSignature &signature;
  OpBuilder builder;
  IRMapping mapping;
  Value positions;
  Value unrotated; ///< table of rotateByNothing
};

struct FormSession : llmopt::impl::FormSessionBase<FormSession> {
  using FormSessionBase::FormSessionBase;
  void runOnOperation() override;
};

} // namespace

/// [batch, sequence, ...] as [rows, ...]; null where there is no batch and
/// sequence.
static RankedTensorType overRows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return {};
  bool activations = tensor.getElementType().isF32() && tensor.getRank() == 3;
  if (!activations)
    return {};
  return RankedTensorType::get({ShapedType::kDynamic, tensor.getShape().back()},
                               tensor.getElementType());
}

/// True for operations that compute every row from the same row of their
/// operands.
static bool isRowwise(Operation &op) {
  if (isa<EmbeddingOp, LinearOp, RMSNormOp, GluOp, SplitOp, RopeOp, LayerNormOp,
          BiasOp, HeadNormOp, ScaleOp, SoftcapOp, PositionEmbeddingOp>(op))
    return true;
  auto isOverRows = [](Type type) { return static_cast<bool>(overRows(type)); };
  return op.hasTrait<OpTrait::Elementwise>() &&
         llvm::all_of(op.getOperandTypes(), isOverRows) &&
         llvm::all_of(op.getResultTypes(), isOverRows);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Checks that an operand still exists when masks, positions and past are
/// state, and that tokens and positions go only where rows know them.
LogicalResult RowRewriter::checkOperand(OpOperand &operand) {
  Operation *op = operand.getOwner();
  Value value = operand.get();
  bool positional =
      value == signature.positions || value.getDefiningOp<RowPositionsOp>();
  auto rope = dyn_cast<RopeOp>(op);
  if (rope && &operand == &rope.getPositionsMutable())
    return positional ? success()
                      : op->emitOpError("positions must be the positions input "
                                        "or llmopt.row_positions");
  if (isa<PositionEmbeddingOp>(op) && operand.getOperandNumber() == 0)
    return positional ? success()
                      : op->emitOpError("positions must be the positions input "
                                        "or llmopt.row_positions");
  if (isa<EmbeddingOp>(op) && operand.getOperandNumber() == 0)
    return value == signature.tokens
               ? success()
               : op->emitOpError("ids must be the tokens of the model");
  if (mapping.contains(value) && !positional && value != signature.tokens)
    return success();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return op->emitOpError("depends on input '")
           << SessionSignature::argumentName(signature.main,
                                             argument.getArgNumber())
           << "', which becomes state of the session";
  return op->emitOpError("depends on ")
         << value.getDefiningOp()->getName()
         << ", which becomes state of the session";
}

/// Tokens may be as large as the vocabulary, so the table must have a row for
/// each.
static LogicalResult checkTable(EmbeddingOp op, int64_t vocabulary) {
  auto packed = dyn_cast<PackedType>(op.getTable().getType());
  int64_t rows =
      packed ? packed.getRows()
             : cast<RankedTensorType>(op.getTable().getType()).getDimSize(0);
  if (rows < vocabulary)
    return op.emitOpError("table has ")
           << rows << " rows for a vocabulary of " << vocabulary;
  return success();
}

LogicalResult RowRewriter::cloneOverRows(Operation &op) {
  auto embedding = dyn_cast<EmbeddingOp>(op);
  if (embedding &&
      failed(checkTable(embedding, signature.decoder.getVocabulary())))
    return failure();
  for (OpOperand &operand : op.getOpOperands())
    if (failed(checkOperand(operand)))
      return failure();
  Operation *clone = builder.clone(op, mapping);
  for (OpResult result : clone->getResults())
    if (RankedTensorType type = overRows(result.getType()))
      result.setType(type);
  return success();
}

/// Keys come into the cache by the kernel that rotates them. Where a model
/// knows positions otherwise, it rotates by no angle, which changes no bit.
LogicalResult RowRewriter::rotateByNothing(AttentionOp op, Value &query,
                                           Value &key) {
  MLIRContext *context = op.getContext();
  int64_t count = signature.decoder.getMaxPositions(), width = op.getHeadDim();
  if (!unrotated) {
    std::vector<float> table(count * width);
    for (int64_t row = 0; row < count; ++row)
      std::fill_n(table.begin() + row * width, width / 2, 1.0f);
    WeightStore &store =
        context->getOrLoadDialect<LLMOptDialect>()->getWeightStore();
    FailureOr<WeightBlobAttr> blob = spillValues<float>(
        store, context, table, [&] { return op.emitError(); });
    if (failed(blob))
      return failure();
    auto type = RankedTensorType::get({count, width}, builder.getF32Type());
    unrotated =
        WeightOp::create(builder, op.getLoc(), type, "unrotated", *blob);
  }
  query = RopeOp::create(builder, op.getLoc(), query.getType(), query,
                         positions, unrotated, op.getHeads(), width);
  key = RopeOp::create(builder, op.getLoc(), key.getType(), key, positions,
                       unrotated, op.getKvHeads(), width);
  return success();
}

LogicalResult RowRewriter::rewriteAttention(AttentionOp op) {
  for (OpOperand *operand :
       {&op.getQueryMutable(), &op.getKeyMutable(), &op.getValueMutable()})
    if (failed(checkOperand(*operand)))
      return failure();
  Value query = mapping.lookup(op.getQuery());
  Value key = mapping.lookup(op.getKey());
  if (!query.getDefiningOp<RopeOp>() && !key.getDefiningOp<RopeOp>() &&
      failed(rotateByNothing(op, query, key)))
    return failure();
  auto cached = CachedAttentionOp::create(
      builder, op.getLoc(), overRows(op.getResult().getType()), query, key,
      mapping.lookup(op.getValue()), signature.layers[op], op.getHeads(),
      op.getKvHeads(), op.getHeadDim(), op.getScale(), op.getWindow(),
      op.getSoftcap());
  mapping.map(op.getResult(), cached.getResult());
  return success();
}

LogicalResult RowRewriter::rewriteRowPositions(RowPositionsOp op) {
  if (op.getIds() != signature.tokens || op.getMask() != signature.mask)
    return op.emitOpError("must take the tokens and the mask of the model");
  mapping.map(op.getResult(), positions);
  return success();
}

LogicalResult RowRewriter::rewrite(Operation &op) {
  if (auto attention = dyn_cast<AttentionOp>(op))
    return rewriteAttention(attention);
  if (auto rowPositions = dyn_cast<RowPositionsOp>(op))
    return rewriteRowPositions(rowPositions);
  if (isRowwise(op))
    return cloneOverRows(op);
  if (!isa<WeightOp, EncodedWeightOp, ConcatWeightsOp>(op))
    return op.emitOpError("has no meaning over rows of several sequences");
  builder.clone(op, mapping);
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// A product that nothing else reads, perhaps with a bias.
static bool isProduct(Value value) {
  auto bias = value.getDefiningOp<BiasOp>();
  if (bias && !bias.getActivation() && bias->hasOneUse())
    value = bias.getInput();
  return value.hasOneUse() && value.getDefiningOp<LinearOp>();
}

/// Makes `(residual + product) + product` of `(product + product) + residual`,
/// which parallel blocks compute, so that products are what is added to the
/// residual stream.
static void reorderParallelSums(func::FuncOp main) {
  for (arith::AddFOp sum :
       llvm::make_early_inc_range(main.getOps<arith::AddFOp>())) {
    for (unsigned index : {0, 1}) {
      auto products = sum->getOperand(index).getDefiningOp<arith::AddFOp>();
      Value residual = sum->getOperand(1 - index);
      if (!products || !products->hasOneUse() || isProduct(residual) ||
          !isProduct(products.getLhs()) || !isProduct(products.getRhs()))
        continue;
      OpBuilder builder(sum);
      Value first = arith::AddFOp::create(builder, products.getLoc(), residual,
                                          products.getLhs());
      sum->setOperands({first, products.getRhs()});
      products.erase();
      break;
    }
  }
}

/// Adds biases of products after the sums with the residual stream, so that the
/// products are what is added to it.
static void sinkBiases(func::FuncOp main) {
  for (arith::AddFOp sum :
       llvm::make_early_inc_range(main.getOps<arith::AddFOp>())) {
    for (unsigned index : {0, 1}) {
      auto bias = sum->getOperand(index).getDefiningOp<BiasOp>();
      if (!bias || bias.getActivation() || !bias->hasOneUse() ||
          !bias.getInput().getDefiningOp<LinearOp>())
        continue;
      sum->setOperand(index, bias.getInput());
      bias->moveAfter(sum);
      sum.getResult().replaceAllUsesExcept(bias.getResult(), bias);
      bias.getInputMutable().set(sum.getResult());
      break;
    }
  }
}

/// Erases what no output depends on, such as the rest of a mask's computation.
static void eraseDeadOperations(func::FuncOp main) {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(main.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

LogicalResult RowRewriter::run() {
  func::FuncOp main = signature.main;
  MLIRContext *context = main.getContext();
  auto rows = [&](Type type) {
    return RankedTensorType::get({ShapedType::kDynamic}, type);
  };
  RankedTensorType logitsType = overRows(signature.logits.getType());
  auto type = FunctionType::get(
      context, {rows(builder.getI64Type()), rows(builder.getI32Type())},
      {logitsType});
  auto forward = func::FuncOp::create(builder, main.getLoc(), "forward", type);
  Block *body = forward.addEntryBlock();
  positions = body->getArgument(1);
  mapping.map(signature.tokens, body->getArgument(0));
  if (signature.positions)
    mapping.map(signature.positions, positions);

  builder.setInsertionPointToStart(body);
  for (Operation &op : main.getBody().front().without_terminator())
    if (failed(rewrite(op)))
      return failure();
  Value logits = mapping.lookupOrNull(signature.logits);
  if (!logits || logits.getType() != logitsType)
    return main.emitError("logits must be computed by the model");
  func::ReturnOp::create(
      builder, main.getBody().front().getTerminator()->getLoc(), logits);
  return success();
}

void FormSession::runOnOperation() {
  ModuleOp module = getOperation();
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal()) {
    module.emitError("there is no function @main to form a session from");
    return signalPassFailure();
  }
  eraseDeadOperations(main);
  reorderParallelSums(main);
  sinkBiases(main);
  FailureOr<SessionSignature> signature = SessionSignature::analyze(main, kv);
  if (failed(signature) || failed(RowRewriter(*signature).run()))
    return signalPassFailure();
  module->setAttr(kDecoderAttrName, signature->decoder);
  main.erase();
}
