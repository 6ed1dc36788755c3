//===- ModelParts.cpp - A decoder cut where its products read ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/ModelParts.h"
#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "target/PackedFormat.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llmopt;
using namespace mlir;

namespace {

/// Operations [first, last) of the function.
struct Range {
  size_t first, last;
};

/// What an operation does to a buffer.
struct Touch {
  size_t position;
  bool overwrites; ///< the whole buffer, without reading it
};

class ModelCutter {
public:
  ModelCutter(func::FuncOp forward, const llvm::BitVector &compressible)
      : forward(forward), compressible(compressible) {}

  FailureOr<ModelParts> run();

private:
  LogicalResult collectOperations();
  void noteTouches(Operation *op, size_t position);
  LogicalResult cut();
  bool joinsPart(kernel::LinearOp linear, size_t position);
  FailureOr<SmallVector<unsigned, 3>> weightsOf(kernel::WeightDataOp data);
  FailureOr<SmallVector<unsigned>> productsOf(kernel::LinearOp linear);
  bool isLiveAt(Value buffer, size_t position);
  SmallVector<Value> liveAt(size_t position);
  LogicalResult build(ModelPart &part, Range range);

  func::FuncOp forward;
  const llvm::BitVector &compressible;
  SmallVector<Operation *> operations;
  llvm::MapVector<Value, SmallVector<Touch>> touches;
  DenseMap<Value, unsigned> numbers; ///< of buffers that live between parts
  ModelParts result;
  std::vector<Range> ranges;
};

/// Copies operations into a module of their own.
class PartBuilder {
public:
  PartBuilder(ModelPart &part, func::FuncOp source);

  void keep(kernel::KeepMoment moment, ArrayRef<Value> buffers);
  void clone(Operation *op);
  void finish();
  /// Adds the weight that `weight` refers to.
  void addWeight(kernel::WeightOp weight, kernel::WeightDataOp data,
                 ArrayRef<unsigned> indices);
  bool knows(Value value) { return mapping.contains(value); }
  void addBuffer(Value value);

private:
  ModelPart &part;
  func::FuncOp forward;
  OpBuilder references, body, data;
  IRMapping mapping;
  int64_t nextOffset = 0;
};

} // namespace

/// The buffer itself, of a view of one.
static Value bufferOf(Value memory) {
  auto columns = memory.getDefiningOp<kernel::ColumnsOp>();
  return columns ? columns.getBuffer() : memory;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

PartBuilder::PartBuilder(ModelPart &part, func::FuncOp source)
    : part(part), references(source.getContext()), body(source.getContext()),
      data(source.getContext()) {
  part.module = ModuleOp::create(source.getLoc());
  data.setInsertionPointToStart(part.module->getBody());
  OpBuilder builder = OpBuilder::atBlockEnd(part.module->getBody());
  forward = func::FuncOp::create(builder, source.getLoc(), source.getName(),
                                 builder.getFunctionType({}, {}));
  Block *block = forward.addEntryBlock();
  // References and buffers come first, as nothing else may stand before the
  // first `keep`.
  body.setInsertionPointToEnd(block);
  auto end = func::ReturnOp::create(body, source.getLoc());
  body.setInsertionPoint(end);
  references.setInsertionPointToStart(block);
}

void PartBuilder::addWeight(kernel::WeightOp weight,
                            kernel::WeightDataOp source,
                            ArrayRef<unsigned> indices) {
  std::string symbol = "w" + std::to_string(part.weights.size());
  data.setInsertionPoint(forward);
  auto copy = kernel::WeightDataOp::create(
      data, source.getLoc(), symbol, source.getName(), source.getType(),
      nextOffset, source.getBytes(), source.getParts(), source.getInterleaved(),
      source.getZeros());
  nextOffset = llvm::alignTo(nextOffset + int64_t(copy.getBytes()), kAlignment);
  auto reference = kernel::WeightOp::create(references, weight.getLoc(),
                                            weight.getType(), symbol);
  mapping.map(weight.getResult(), reference.getResult());
  part.weights.emplace_back(indices.begin(), indices.end());
}

void PartBuilder::addBuffer(Value value) {
  auto buffer =
      cast<kernel::BufferOp>(references.clone(*value.getDefiningOp(), mapping));
  // All rows are wanted.
  buffer.setRows(kernel::RowDomain::Tokens);
}

void PartBuilder::keep(kernel::KeepMoment moment, ArrayRef<Value> buffers) {
  SmallVector<Value> mapped;
  for (Value buffer : buffers)
    mapped.push_back(mapping.lookup(buffer));
  kernel::KeepOp::create(body, forward.getLoc(), moment, mapped);
}

void PartBuilder::clone(Operation *op) {
  Operation *copy = body.clone(*op, mapping);
  // A part keeps the cache of its own attention only.
  if (copy->hasAttrOfType<IntegerAttr>("layer"))
    copy->setAttr("layer", body.getI64IntegerAttr(0));
}

void ModelPart::setSources(ArrayRef<Attribute> sources) {
  auto datas = module->getOps<kernel::WeightDataOp>();
  for (auto [data, indices] : llvm::zip_equal(datas, weights)) {
    SmallVector<Attribute> parts;
    for (auto [part, index] : llvm::zip_equal(data.getParts(), indices)) {
      NamedAttrList fields(cast<DictionaryAttr>(part));
      fields.set("codes", sources[index]);
      parts.push_back(fields.getDictionary(data.getContext()));
    }
    data.setPartsAttr(ArrayAttr::get(data.getContext(), parts));
  }
}

//===----------------------------------------------------------------------===//
// Cutting
//===----------------------------------------------------------------------===//

void ModelCutter::noteTouches(Operation *op, size_t position) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects)
    return;
  for (Value operand : op->getOperands()) {
    if (!isa<MemRefType>(operand.getType()))
      continue;
    SmallVector<MemoryEffects::EffectInstance> instances;
    effects.getEffectsOnValue(operand, instances);
    if (instances.empty())
      continue;
    bool reads = llvm::any_of(instances, [](auto &effect) {
      return isa<MemoryEffects::Read>(effect.getEffect());
    });
    Value buffer = bufferOf(operand);
    touches[buffer].push_back({position, !reads && buffer == operand});
  }
}

LogicalResult ModelCutter::collectOperations() {
  for (Operation &op : forward.getBody().front().without_terminator()) {
    if (isa<kernel::WeightOp, kernel::BufferOp, kernel::LogitsOp>(op))
      continue;
    if (!isa<kernel::ColumnsOp>(op) && isMemoryEffectFree(&op))
      return op.emitOpError("cannot be part of a calibration");
    noteTouches(&op, operations.size());
    operations.push_back(&op);
  }
  return success();
}

FailureOr<SmallVector<unsigned, 3>>
ModelCutter::weightsOf(kernel::WeightDataOp data) {
  SmallVector<unsigned, 3> indices;
  for (StringRef name : llvm::split(data.getName(), '+')) {
    unsigned index;
    if (name.getAsInteger(10, index) || index >= compressible.size())
      return data.emitOpError("has no numbered weights");
    indices.push_back(index);
  }
  return indices;
}

FailureOr<SmallVector<unsigned>>
ModelCutter::productsOf(kernel::LinearOp linear) {
  auto weight = linear.getWeight().getDefiningOp<kernel::WeightOp>();
  auto data = SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
      linear, weight.getWeightAttr());
  FailureOr<SmallVector<unsigned, 3>> indices = weightsOf(data);
  if (failed(indices))
    return failure();
  SmallVector<unsigned> products;
  for (unsigned index : *indices)
    if (compressible.test(index))
      products.push_back(index);
  return products;
}

/// True for a product that reads what the products of the last part read.
bool ModelCutter::joinsPart(kernel::LinearOp linear, size_t position) {
  if (ranges.size() < 2)
    return false;
  Value input;
  for (size_t i = ranges.back().first; i < position; ++i) {
    auto first = dyn_cast<kernel::LinearOp>(operations[i]);
    if (!input && first)
      input = first.getInput();
    for (Value operand : operations[i]->getOperands()) {
      if (!input || bufferOf(operand) != bufferOf(input))
        continue;
      auto effects = cast<MemoryEffectOpInterface>(operations[i]);
      SmallVector<MemoryEffects::EffectInstance> instances;
      effects.getEffectsOnValue(operand, instances);
      if (llvm::any_of(instances, [](auto &effect) {
            return isa<MemoryEffects::Write>(effect.getEffect());
          }))
        return false;
    }
  }
  return input == linear.getInput();
}

LogicalResult ModelCutter::cut() {
  result.parts.emplace_back();
  ranges.push_back({0, operations.size()});
  for (auto [position, op] : llvm::enumerate(operations)) {
    if (isa<kernel::AttentionOp>(op))
      result.parts.back().block = result.blocks++;
    auto linear = dyn_cast<kernel::LinearOp>(op);
    if (!linear)
      continue;
    FailureOr<SmallVector<unsigned>> products = productsOf(linear);
    if (failed(products))
      return failure();
    if (products->empty())
      continue;
    if (!joinsPart(linear, position)) {
      // A view of a buffer belongs to the operation that it is made for.
      size_t first = position;
      while (first > 0 && isa<kernel::ColumnsOp>(operations[first - 1]))
        --first;
      ranges.back().last = first;
      ranges.push_back({first, operations.size()});
      result.parts.emplace_back();
      result.parts.back().block = result.blocks - 1;
    }
    llvm::append_range(result.parts.back().products, *products);
  }
  return success();
}

bool ModelCutter::isLiveAt(Value buffer, size_t position) {
  ArrayRef<Touch> all = touches[buffer];
  const Touch *next = llvm::find_if(
      all, [&](const Touch &touch) { return touch.position >= position; });
  return next != all.begin() && next != all.end() && !next->overwrites;
}

SmallVector<Value> ModelCutter::liveAt(size_t position) {
  SmallVector<Value> live;
  for (auto &[buffer, list] : touches)
    if (buffer.getDefiningOp<kernel::BufferOp>() && isLiveAt(buffer, position))
      live.push_back(buffer);
  for (Value buffer : live)
    if (numbers.try_emplace(buffer, result.rowBytes.size()).second)
      result.rowBytes.push_back(
          buffer.getDefiningOp<kernel::BufferOp>().getRowBytes());
  return live;
}

LogicalResult ModelCutter::build(ModelPart &part, Range range) {
  PartBuilder builder(part, forward);
  SmallVector<Value> inputs = liveAt(range.first);
  SmallVector<Value> outputs = liveAt(range.last);
  for (size_t i = range.first; i < range.last; ++i)
    for (Value operand : operations[i]->getOperands()) {
      if (builder.knows(operand))
        continue;
      if (auto weight = operand.getDefiningOp<kernel::WeightOp>()) {
        auto data = SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
            operations[i], weight.getWeightAttr());
        FailureOr<SmallVector<unsigned, 3>> indices = weightsOf(data);
        if (failed(indices))
          return failure();
        builder.addWeight(weight, data, *indices);
      } else if (operand.getDefiningOp<kernel::BufferOp>()) {
        builder.addBuffer(operand);
      }
    }
  // What only passes through a part is no business of its code.
  auto passesThrough = [&](Value buffer) { return !builder.knows(buffer); };
  llvm::erase_if(inputs, passesThrough);
  llvm::erase_if(outputs, passesThrough);
  builder.keep(kernel::KeepMoment::In, inputs);
  for (size_t i = range.first; i < range.last; ++i)
    builder.clone(operations[i]);
  builder.keep(kernel::KeepMoment::Out, outputs);
  for (Value buffer : inputs)
    part.inputs.push_back(numbers[buffer]);
  for (Value buffer : outputs)
    part.outputs.push_back(numbers[buffer]);
  return success();
}

FailureOr<ModelParts> ModelCutter::run() {
  if (failed(collectOperations()) || failed(cut()))
    return failure();
  for (auto [index, part] : llvm::enumerate(result.parts)) {
    if (index + 1 < result.parts.size() && failed(build(part, ranges[index])))
      return failure();
    if (part.products.empty())
      continue;
    size_t first = ranges[index].first;
    while (!isa<kernel::LinearOp>(operations[first]))
      ++first;
    auto linear = cast<kernel::LinearOp>(operations[first]);
    Value input = linear.getInput();
    part.productColumns =
        cast<kernel::WeightType>(linear.getWeight().getType()).getColumns();
    liveAt(ranges[index].first);
    auto number = numbers.find(input);
    if (number == numbers.end())
      return operations[first]->emitOpError(
          "reads rows that no buffer of the arena keeps");
    part.productInput = number->second;
  }
  return std::move(result);
}

FailureOr<ModelParts> llmopt::cutModel(ModuleOp module,
                                       const llvm::BitVector &compressible) {
  auto forward = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  if (!forward || forward.isExternal() || !forward.getBody().hasOneBlock())
    return module.emitError("there is no function @forward on kernel "
                            "operations (llmopt-to-kernel)");
  return ModelCutter(forward, compressible).run();
}
