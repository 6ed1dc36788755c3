//===- LLMOptProducts.cpp - Products with packed weights --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Graph/LLMOptOps.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Quantization/PackedSize.h"
#include "target/PackedFormat.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// A matrix in the weights of the library.
struct PackedMatrix {
  Value data;
  int64_t rows, columns;
  PackedFormat format;
};
} // namespace

static FailureOr<PackedMatrix> findMatrix(GraphEmitter &emitter, Operation *op,
                                          Value weight) {
  auto encoded = weight.getDefiningOp<EncodedWeightOp>();
  if (!encoded)
    return refuse(op, "its weight is not encoded (llmopt-encode)");
  FailureOr<PackedFormat> format = packedFormat(encoded.getType().getFormat());
  if (failed(format))
    return refuse(op, "the layout of its weight is undecided (llmopt-encode)");
  return PackedMatrix{emitter.weightData(encoded), encoded.getType().getRows(),
                      encoded.getType().getColumns(), *format};
}

static void callKernel(GraphBuilder &g, func::FuncOp kernel,
                       ValueRange arguments) {
  func::CallOp::create(g.b, g.loc, kernel, arguments);
}

/// Rows of float activations as int8 records.
static Tensor quantizeRows(GraphBuilder &g, ModuleOp module, const Tensor &x,
                           Value rows, const QuantizedRow &record) {
  Value bytes = g.number(record.bytes()), columns = g.number(record.columns);
  Tensor records = g.allocateTensor(g.b.getI8Type(), {rows, bytes});
  func::FuncOp kernel =
      getOrCreateKernel(module, RowKernelKey{RowKernel::Quantize, record.group,
                                             PackedLayout::F32, g.targetIsa});
  g.parallelFor(rows, g.number(record.columns), [&](Value row) {
    callKernel(g, kernel,
               {g.at(x.buffer->data, g.mul(g.mul(row, columns), 4)), columns,
                g.at(records.buffer->data, g.mul(row, bytes)), bytes,
                g.number(1), columns, g.number(0), g.number(1)});
  });
  return records;
}

/// The same, once for all products that read a value.
static Tensor recordsOf(GraphEmitter &emitter, LinearOp op, const Tensor &x,
                        Value rows, const QuantizedRow &record) {
  Value input = op.getInput();
  auto found = emitter.records.find(input);
  if (found != emitter.records.end() && found->second.group == record.group)
    return found->second.rows;
  Tensor records =
      quantizeRows(emitter.g, op->getParentOfType<ModuleOp>(), x, rows, record);
  // What is computed inside of a region is not valid outside.
  if (input.getParentBlock() == op->getBlock())
    emitter.records[input] = {record.group, records};
  return records;
}

/// The kernel for a number of rows that may be known.
static func::FuncOp kernelFor(GraphBuilder &g, ModuleOp module,
                              LinearKernelKey key, Value rows) {
  std::optional<int64_t> known = g.known(rows);
  if (!known)
    return getOrCreateLinear(module, key);
  key.rows = *known == 1  ? RowRange::Decode
             : *known < 7 ? RowRange::Small
                          : RowRange::Prefill;
  return getOrCreateKernel(module, key);
}

/// y = x * weight, split among the threads by rows of the weight; `x` holds
/// floats, or records for key.group.
static void multiply(GraphBuilder &g, ModuleOp module, LinearKernelKey key,
                     const Tensor &x, const PackedMatrix &weight,
                     const Tensor &y, Value rows) {
  int64_t panels = panelCount(weight.rows);
  // Kernels of few rows do not expect to have none.
  Value tasks = g.select(g.less(g.number(0), rows), g.min(g.threads(), panels),
                         g.number(0));
  int64_t scratchBytes = linearScratchBytes(key, weight.columns);
  scratchBytes = llvm::alignTo(scratchBytes, kAlignment);
  Tensor scratch;
  if (scratchBytes)
    scratch = g.allocateTensor(g.b.getI8Type(),
                               {g.max(tasks, 1), g.number(scratchBytes)});
  int64_t stride = key.group ? QuantizedRow{weight.columns, key.group}.bytes()
                             : weight.columns * int64_t(sizeof(float));
  func::FuncOp kernel = kernelFor(g, module, key, rows);
  // Sixteen products at a time.
  Value work = g.div(g.mul(rows, panels * weight.columns), g.max(tasks, 1));
  g.parallelFor(tasks, work, [&](Value task) {
    Value own = scratchBytes
                    ? g.at(scratch.buffer->data, g.mul(task, scratchBytes))
                    : x.buffer->data;
    callKernel(g, kernel,
               {x.buffer->data, g.number(stride), weight.data, y.buffer->data,
                g.number(weight.rows), rows, g.number(panels),
                g.number(weight.columns), task, tasks, own});
  });
}

LogicalResult emitLinear(GraphEmitter &emitter, LinearOp op) {
  GraphBuilder &g = emitter.g;
  Tensor *input = emitter.findBuffer(op.getInput());
  if (!input)
    return failure(); // it has been reported
  FailureOr<PackedMatrix> weight = findMatrix(emitter, op, op.getWeight());
  if (failed(weight))
    return failure();
  if (!input->type.get().isF32() || input->rank() == 0)
    return refuse(op, "its input must be a float32 tensor of at least one "
                      "dimension");
  Value columns = input->dims.back();
  if (std::optional<int64_t> known = g.known(columns);
      known && *known != weight->columns)
    return refuse(op, "its inputs do not fit: the rows of the first have " +
                          Twine(*known) + " elements, the weight takes " +
                          Twine(weight->columns));
  g.require(g.equal(columns, weight->columns),
            describe(op) + ": the rows of its input must have " +
                Twine(weight->columns) + " elements");
  Values dims(input->dims);
  Value rows = g.product(ArrayRef<Value>(dims).drop_back());
  dims.back() = g.number(weight->rows);
  auto module = op->getParentOfType<ModuleOp>();
  int64_t group = op.getActivationGroup().value_or(0);
  Tensor x = *input;
  if (group)
    x = recordsOf(emitter, op, x, rows, QuantizedRow{weight->columns, group});
  Tensor y = g.allocateTensor(g.b.getF32Type(), dims);
  multiply(
      g, module,
      {weight->format, group, RowRange::Decode, Epilogue::Store, g.targetIsa},
      x, *weight, y, rows);
  emitter.set(op.getResult(), y);
  return success();
}

/// Known indices that are out of range are an error now.
static LogicalResult checkKnownRows(GraphBuilder &g, EmbeddingOp op,
                                    const Tensor &ids, int64_t rows) {
  std::optional<SmallVector<int64_t>> known = g.integersOf(ids);
  if (!known)
    return success();
  for (int64_t index : *known)
    if (index < -rows || index >= rows)
      return refuse(op, "index " + Twine(index) + " is out of range for " +
                            Twine(rows) + " rows");
  return success();
}

LogicalResult emitEmbedding(GraphEmitter &emitter, EmbeddingOp op) {
  GraphBuilder &g = emitter.g;
  Tensor *ids = emitter.find(op.getIds());
  if (!ids)
    return failure(); // it has been reported
  FailureOr<PackedMatrix> table = findMatrix(emitter, op, op.getTable());
  if (failed(table) || failed(checkKnownRows(g, op, *ids, table->rows)))
    return failure();
  ids = emitter.findBuffer(op.getIds());
  if (!ids->type.get().isInteger(64) && !ids->type.get().isInteger(32))
    return refuse(op, "its indices must be int32 or int64");
  Values dims(ids->dims);
  Value count = g.product(dims);
  dims.push_back(g.number(table->columns));
  Tensor y = g.allocateTensor(g.b.getF32Type(), dims);
  Tensor rows = g.allocateTensor(g.b.getI64Type(), {count});
  func::FuncOp kernel = getOrCreateKernel(
      op->getParentOfType<ModuleOp>(),
      RowKernelKey{RowKernel::Embedding, 0, table->format, g.targetIsa});
  Value columns = g.number(table->columns);
  Tensor source = *ids;
  g.parallelFor(count, columns, [&](Value index) {
    Value id = g.loadElement(source, index);
    if (!id.getType().isInteger(64))
      id = arith::ExtSIOp::create(g.b, g.loc, g.b.getI64Type(), id);
    id = g.select(g.less(id, 0), g.add(id, table->rows), id);
    Value isWrong =
        g.logicalOr(g.less(id, 0), g.less(g.number(table->rows - 1), id));
    g.noteError(isWrong, describe(op) + ": an index is out of range for " +
                             Twine(table->rows) + " rows");
    g.storeElement(rows, index, g.select(isWrong, g.number(0), id));
    callKernel(g, kernel,
               {g.at(rows.buffer->data, g.mul(index, 8)), table->data,
                g.at(y.buffer->data, g.mul(g.mul(index, columns), 4)), columns,
                g.number(1), columns, g.number(0), g.number(1)});
  });
  emitter.set(op.getResult(), y);
  return success();
}

} // namespace llmopt::graph
