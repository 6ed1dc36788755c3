//===- KernelOps.cpp - The kernel dialect and its verifiers -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "dialects/Kernel/KernelChecks.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace llmopt::kernel;
using namespace mlir;

#include "dialects/Kernel/KernelDialect.cpp.inc"
#include "dialects/Kernel/KernelEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Kernel/KernelTypes.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Kernel/KernelTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/KernelOps.cpp.inc"
      >();
}

int64_t llmopt::kernel::quantizedRowBytes(int64_t columns, int64_t group) {
  int64_t groups = llvm::divideCeil(columns, group);
  return llvm::alignTo(llvm::alignTo(columns, 32) + 8 * groups, 64);
}

//===----------------------------------------------------------------------===//
// WeightType
//===----------------------------------------------------------------------===//

Type WeightType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  SmallVector<int64_t, 2> shape;
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false,
                                /*withTrailingX=*/false) ||
      parser.parseComma())
    return {};
  FailureOr<PackFormat> format = FieldParser<PackFormat>::parse(parser);
  int64_t group = 0;
  if (failed(format) || (succeeded(parser.parseOptionalLParen()) &&
                         (parser.parseInteger(group) || parser.parseRParen())))
    return {};
  auto parseFlag = [&](StringRef keyword) {
    return succeeded(parser.parseOptionalKeyword(keyword));
  };
  bool halfScales = parseFlag("f16"), zeroPoints = parseFlag("zero_points"),
       table = parseFlag("table");
  if (parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(location) << "a weight has rows and columns, got "
                               << shape.size() << " dimensions";
    return {};
  }
  return getChecked([&] { return parser.emitError(location); },
                    parser.getContext(), shape[0], shape[1], *format, group,
                    halfScales, zeroPoints, table);
}

void WeightType::print(AsmPrinter &printer) const {
  printer << '<' << getRows() << 'x' << getColumns() << ", "
          << stringifyPackFormat(getFormat());
  if (getGroup())
    printer << '(' << getGroup() << ')';
  if (getHalfScales())
    printer << " f16";
  if (getZeroPoints())
    printer << " zero_points";
  if (getTable())
    printer << " table";
  printer << '>';
}

LogicalResult WeightType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t rows, int64_t columns,
                                 PackFormat format, int64_t group,
                                 bool halfScales, bool zeroPoints, bool table) {
  if (rows <= 0 || columns <= 0)
    return emitError() << "rows and columns must be positive, got " << rows
                       << " and " << columns;
  bool isInt4 = format == PackFormat::Int4Groups;
  bool hasGroups = isInt4 || format == PackFormat::Int8Groups;
  if (hasGroups ? group <= 0 || group % 32 : group != 0 || halfScales)
    return emitError() << (hasGroups ? "groups must be of a positive multiple "
                                       "of 32 columns, got "
                                     : "the format has no groups, got ")
                       << group;
  if ((zeroPoints || table) && (!isInt4 || zeroPoints == table))
    return emitError() << "zero points or a table, not both, need int4_groups";
  return success();
}

//===----------------------------------------------------------------------===//
// Weights and buffers
//===----------------------------------------------------------------------===//

LogicalResult WeightDataOp::verify() {
  int64_t offset = getOffset(), bytes = getBytes();
  if (offset < 0 || offset % 64 || bytes <= 0)
    return emitOpError(
               "offset must be a multiple of 64 and bytes positive, got ")
           << offset << " and " << bytes;
  SmallVector<int64_t> rows;
  for (Attribute part : getParts()) {
    auto partRows = cast<DictionaryAttr>(part).getAs<IntegerAttr>("rows");
    if (!partRows || partRows.getInt() <= 0)
      return emitOpError("every part needs 'rows', a positive number");
    rows.push_back(partRows.getInt());
  }
  int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t(0));
  int64_t expected = cast<WeightType>(getType()).getRows();
  if (sum != expected)
    return emitOpError("parts have ")
           << sum << " rows, but the type has " << expected;
  if (getInterleaved() &&
      (rows.size() != 2 || rows[0] != rows[1] || rows[0] % 16))
    return emitOpError("interleaved needs two parts with equal rows, a "
                       "multiple of 16");
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto data =
      symbolTable.lookupNearestSymbolFrom<WeightDataOp>(*this, getWeightAttr());
  if (!data)
    return emitOpError("no kernel.weight_data is named ") << getWeightAttr();
  if (data.getType() != getType())
    return emitOpError("type is ")
           << getType() << ", but the data has " << data.getType();
  return success();
}

int64_t BufferOp::getRowBytes() {
  auto type = cast<MemRefType>(getType());
  return type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
}

LogicalResult BufferOp::verify() {
  auto type = cast<MemRefType>(getType());
  if (!type.isDynamicDim(0) || type.isDynamicDim(1))
    return emitOpError("rows must be dynamic and columns static, got ") << type;
  if (getRowBytes() <= 0 || getRowBytes() % 64)
    return emitOpError("a row must have a positive multiple of 64 bytes, got ")
           << getRowBytes();
  std::optional<int64_t> offset = getOffset();
  if (offset && (*offset < 0 || *offset % 64))
    return emitOpError("offset must be a multiple of 64, got ") << *offset;
  return success();
}

MemRefType ColumnsOp::viewType(MemRefType buffer, int64_t first,
                               int64_t columns) {
  auto layout = StridedLayoutAttr::get(buffer.getContext(), first,
                                       {buffer.getDimSize(1), 1});
  return MemRefType::get({ShapedType::kDynamic, columns},
                         buffer.getElementType(), layout);
}

int64_t ColumnsOp::getFirstColumn() {
  auto type = cast<MemRefType>(getType());
  return cast<StridedLayoutAttr>(type.getLayout()).getOffset();
}

LogicalResult ColumnsOp::verify() {
  auto buffer = cast<MemRefType>(getBuffer().getType());
  auto view = cast<MemRefType>(getType());
  int64_t columns = view.getDimSize(1);
  auto layout = dyn_cast<StridedLayoutAttr>(view.getLayout());
  if (!layout || view != viewType(buffer, layout.getOffset(), columns))
    return emitOpError("result must be strided by the rows of ")
           << buffer << ", got " << view;
  int64_t first = getFirstColumn();
  if (first < 0 || first % 16 || columns <= 0 || columns % 16 ||
      first + columns > buffer.getDimSize(1))
    return emitOpError("columns must be multiples of 16 within ")
           << buffer << ", got " << columns << " from " << first << " on";
  return success();
}

/// The next operation in the direction that touches memory, or null.
static Operation *nextAccess(Operation *op, bool forwards) {
  do
    op = forwards ? op->getNextNode() : op->getPrevNode();
  while (op && isMemoryEffectFree(op));
  return op;
}

LogicalResult KeepOp::verify() {
  bool isLast = getMoment() == KeepMoment::Out;
  if (Operation *other = nextAccess(*this, isLast);
      other && !other->hasTrait<OpTrait::IsTerminator>())
    return emitOpError("must stand ")
           << (isLast ? "after" : "before")
           << " all operations that touch memory, but '" << other->getName()
           << "' " << (isLast ? "follows" : "precedes") << " it";
  llvm::SmallDenseSet<Value> known;
  for (Value buffer : getBuffers()) {
    if (!buffer.getDefiningOp<BufferOp>())
      return emitOpError("keeps buffers of the arena only");
    if (!known.insert(buffer).second)
      return emitOpError("names a buffer twice");
  }
  return success();
}

void KeepOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  for (OpOperand &buffer : getBuffersMutable())
    if (getMoment() == KeepMoment::In)
      effects.emplace_back(MemoryEffects::Write::get(), &buffer);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &buffer);
}

LogicalResult LogitsOp::verify() {
  auto type = cast<MemRefType>(getType());
  if (!type.isDynamicDim(0) || type.isDynamicDim(1) || type.getDimSize(1) == 0)
    return emitOpError("rows must be dynamic and columns static and positive, "
                       "got ")
           << type;
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  WeightType table = weightOf(getTable());
  if (table.getFormat() == PackFormat::Int8TwoOfFour ||
      table.getFormat() == PackFormat::Int8Gather)
    return emitOpError("rows cannot be read from the layout of ") << table;
  return checkColumns(*this, getOutput(), weightOf(getTable()).getColumns(),
                      "output");
}

/// Checks the records that silu_mul_quantize makes, and the floats before.
static LogicalResult checkGatedRecords(LinearOp op, int64_t columns) {
  if (failed(checkGrouped(op, op.getOutput(), columns, op.getOutputGroup(),
                          "output")))
    return failure();
  int64_t group = *op.getOutputGroup();
  int64_t needed = llvm::divideCeil(columns, group) * (group + 2);
  auto floats = cast<MemRefType>(op.getFloats().getType());
  if (floats.getDimSize(1) < needed)
    return op.emitOpError("floats need ")
           << needed << " columns, got " << floats.getDimSize(1);
  return checkSeparate(op, op.getInput(), op.getOutput());
}

LogicalResult LinearOp::verify() {
  WeightType weight = weightOf(getWeight());
  if (weight.getFormat() == PackFormat::Raw)
    return emitOpError("weight must be packed, got ") << weight;
  if (getGroup() && (weight.getFormat() == PackFormat::F32 ||
                     weight.getFormat() == PackFormat::BF16))
    return emitOpError("integer activations need an integer weight, got ")
           << weight;
  if (failed(checkGrouped(*this, getInput(), weight.getColumns(), getGroup(),
                          "input")))
    return failure();
  if (getGroup() && weight.getGroup() % *getGroup())
    return emitOpError("activation group must divide the group of the weight, "
                       "got ")
           << *getGroup() << " and " << weight.getGroup();
  int64_t rows = weight.getRows();
  bool quantizes = getEpilogue() == Epilogue::SiluMulQuantize;
  if (getEpilogue() != Epilogue::Store && getEpilogue() != Epilogue::Add) {
    if (rows % 32)
      return emitOpError() << stringifyEpilogue(getEpilogue())
                           << " needs a multiple of 32 rows, got " << rows;
    rows /= 2;
  }
  if (quantizes != bool(getFloats()) || quantizes != bool(getOutputGroup()) ||
      (quantizes && !getGroup()))
    return emitOpError("exactly silu_mul_quantize has floats, an output group "
                       "and an input of records");
  if (quantizes)
    return checkGatedRecords(*this, rows);
  if (failed(checkGrouped(*this, getOutput(), rows, std::nullopt, "output")))
    return failure();
  return checkSeparate(*this, getInput(), getOutput());
}

//===----------------------------------------------------------------------===//
// ParallelForOp
//===----------------------------------------------------------------------===//

LogicalResult ParallelForOp::verify() {
  Block &body = getBody().front();
  if (body.getNumArguments() != 1 ||
      !body.getArgument(0).getType().isInteger(64))
    return emitOpError("expects a body with one argument of type i64 (F1)");
  if ((*this)->getParentOfType<ParallelForOp>())
    return emitOpError("must not be nested in another one (F2)");
  return success();
}
