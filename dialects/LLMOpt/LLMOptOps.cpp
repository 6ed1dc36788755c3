//===- LLMOptOps.cpp - Verifiers of the llmopt operations -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/TypeUtilities.h"

using namespace llmopt;
using namespace mlir;

#include "dialects/LLMOpt/LLMOptInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/LLMOpt/LLMOptOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

static int64_t lastDimension(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().back();
}

/// Rows and columns of a plain or packed weight.
static std::pair<int64_t, int64_t> matrixShape(Value matrix) {
  if (auto packed = dyn_cast<PackedType>(matrix.getType()))
    return {packed.getRows(), packed.getColumns()};
  ArrayRef<int64_t> shape = cast<RankedTensorType>(matrix.getType()).getShape();
  return {shape[0], shape[1]};
}

static LogicalResult checkRank(Operation *op, Value value, StringRef what) {
  if (cast<RankedTensorType>(value.getType()).getRank() == 0)
    return op->emitOpError() << what << " must have at least one dimension";
  return success();
}

static LogicalResult checkLastDimension(Operation *op, Value value,
                                        int64_t expected, StringRef what) {
  if (failed(checkRank(op, value, what)))
    return failure();
  if (lastDimension(value) != expected)
    return op->emitOpError() << "last dimension of " << what << " must be "
                             << expected << ", got " << lastDimension(value);
  return success();
}

/// Checks that `shape` is `prefix` followed by exactly one dimension.
static LogicalResult checkLeading(Operation *op, ArrayRef<int64_t> shape,
                                  ArrayRef<int64_t> prefix, StringRef what) {
  if (shape.size() != prefix.size() + 1 || shape.drop_back() != prefix)
    return op->emitOpError() << "leading dimensions of " << what << " disagree";
  return success();
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// Checks that a blob has the bytes of `type`, or a literal exactly this type.
static LogicalResult checkSource(Operation *op, Attribute source,
                                 RankedTensorType type, StringRef what) {
  if (auto blob = dyn_cast<WeightBlobAttr>(source)) {
    Type element =
        blob.getElement() ? blob.getElement() : type.getElementType();
    int64_t bytes = type.getNumElements() * element.getIntOrFloatBitWidth() / 8;
    if (blob.getBytes() != bytes)
      return op->emitOpError() << what << ": blob has " << blob.getBytes()
                               << " bytes, but " << type << " needs " << bytes;
  }
  if (auto elements = dyn_cast<ElementsAttr>(source))
    if (elements.getShapedType() != type)
      return op->emitOpError()
             << what << ": literal has type " << elements.getShapedType()
             << ", expected " << type;
  return success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  RankedTensorType type = getType();
  if (!type.hasStaticShape())
    return emitOpError("shape must be static, got ") << type;
  if (failed(checkSource(*this, getSource(), type, "source")))
    return failure();
  if (std::optional<Attribute> original = getOriginal())
    return checkSource(*this, *original, type, "original");
  return success();
}

RankedTensorType EncodedWeightOp::getCodesType() {
  Builder builder(getContext());
  return RankedTensorType::get({getType().getRows(), getType().getColumns()},
                               getType().getFormat().hasCodes()
                                   ? Type(builder.getI8Type())
                                   : builder.getF32Type());
}

/// Rows, and groups where a row has several scales.
static SmallVector<int64_t> groupShape(PackedType type) {
  if (type.getFormat().getGroup() == 0)
    return {type.getRows()};
  return {type.getRows(), type.getFormat().getGroups(type.getColumns())};
}

RankedTensorType EncodedWeightOp::getScalesType() {
  return RankedTensorType::get(groupShape(getType()),
                               Builder(getContext()).getF32Type());
}

RankedTensorType EncodedWeightOp::getZeroPointsType() {
  return RankedTensorType::get(groupShape(getType()),
                               Builder(getContext()).getI8Type());
}

LogicalResult EncodedWeightOp::verifySources() {
  FormatAttr format = getType().getFormat();
  if (!format.hasCodes() && getScales())
    return emitOpError() << stringifyEncoding(format.getEncoding())
                         << " has no scales";
  if (format.hasCodes() && !getScales())
    return emitOpError() << stringifyEncoding(format.getEncoding())
                         << format.getBits() << " needs scales";
  if (format.getZeroPoints() != getZeroPoints().has_value())
    return emitOpError(format.getZeroPoints()
                           ? "the format needs zero points"
                           : "the format has no zero points");
  if (failed(checkSource(*this, getCodes(), getCodesType(), "codes")))
    return failure();
  if (getScales() &&
      failed(checkSource(*this, *getScales(), getScalesType(), "scales")))
    return failure();
  if (getZeroPoints())
    return checkSource(*this, *getZeroPoints(), getZeroPointsType(),
                       "zero points");
  return success();
}

LogicalResult EncodedWeightOp::verify() {
  if (failed(verifySources()))
    return failure();
  PackedType type = getType();
  int64_t zeros = getZeros(), count = type.getRows() * type.getColumns();
  if (zeros < 0 || zeros > count)
    return emitOpError("zeros must be in [0, ") << count << "], got " << zeros;
  int64_t deadRows = getDeadRows().value_or(0),
          deadColumns = getDeadColumns().value_or(0);
  if (deadRows < 0 || deadRows > type.getRows() || deadColumns < 0 ||
      deadColumns > type.getColumns())
    return emitOpError("dead rows and columns must be among those of ")
           << type << ", got " << deadRows << " and " << deadColumns;
  if (std::optional<APFloat> error = getError())
    if (error->isNegative() || error->isNaN())
      return emitOpError("error must not be negative, got ")
             << error->convertToDouble();
  return success();
}

LogicalResult ConcatWeightsOp::verify() {
  if (getWeights().empty())
    return emitOpError("needs at least one weight");
  PackedType result = getType();
  int64_t rows = 0;
  for (Value weight : getWeights()) {
    auto type = cast<PackedType>(weight.getType());
    if (type.getColumns() != result.getColumns() ||
        type.getFormat() != result.getFormat())
      return emitOpError("weights must have equal columns and formats, got ")
             << type << " for " << result;
    if (type.getRows() % 16)
      return emitOpError("rows of every weight must be a multiple of 16, got ")
             << type.getRows();
    rows += type.getRows();
  }
  if (rows != result.getRows())
    return emitOpError("rows add up to ")
           << rows << ", but the result has " << result.getRows();
  if (getInterleaved() &&
      (getWeights().size() != 2 ||
       getWeights()[0].getType() != getWeights()[1].getType()))
    return emitOpError("interleaved needs two weights with equal rows");
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// False where a graph does not know the shapes of some of its values.
static bool areRanked(ValueRange values) {
  return llvm::all_of(values, [](Value value) {
    return isa<RankedTensorType>(value.getType());
  });
}

LogicalResult EmbeddingOp::verify() {
  if (!areRanked({getIds(), getResult()}))
    return success();
  auto [rows, columns] = matrixShape(getTable());
  if (failed(checkLastDimension(*this, getResult(), columns, "the result")))
    return failure();
  return checkLeading(*this, shapeOf(getResult()), shapeOf(getIds()),
                      "ids and result");
}

OpOperand &LinearOp::getWeightOperand() { return getWeightMutable(); }
OpOperand &LinearOp::getActivationOperand() { return getInputMutable(); }
bool LinearOp::isHead() { return getHead(); }
void LinearOp::quantizeActivations(int64_t group) { setActivationGroup(group); }

LogicalResult LinearOp::verify() {
  auto [rows, columns] = matrixShape(getWeight());
  if (areRanked({getInput(), getResult()}) &&
      (failed(checkLastDimension(*this, getInput(), columns, "the input")) ||
       failed(checkLastDimension(*this, getResult(), rows, "the result")) ||
       failed(checkLeading(*this, shapeOf(getResult()),
                           shapeOf(getInput()).drop_back(),
                           "input and result"))))
    return failure();
  std::optional<int64_t> group = getActivationGroup();
  if (!group)
    return success();
  auto packed = dyn_cast<PackedType>(getWeight().getType());
  if (!packed || !packed.getFormat().hasCodes())
    return emitOpError("integer activations need an integer weight, got ")
           << getWeight().getType();
  if (*group <= 0 || *group % 32)
    return emitOpError(
               "activation group must be a positive multiple of 32, got ")
           << *group;
  if (int64_t weightGroup = packed.getFormat().getGroup();
      weightGroup % *group != 0)
    return emitOpError("activation group must divide the group of the weight, "
                       "got ")
           << *group << " and " << weightGroup;
  return success();
}

//===----------------------------------------------------------------------===//
// The rest of a transformer block
//===----------------------------------------------------------------------===//

template <typename NormOp> static LogicalResult checkEpsilon(NormOp op) {
  if (op.getEpsilon().isNegative())
    return op.emitOpError("epsilon must not be negative, got ")
           << op.getEpsilon().convertToFloat();
  return success();
}

LogicalResult RMSNormOp::verify() {
  if (failed(checkLastDimension(*this, getInput(), shapeOf(getGamma())[0],
                                "the input")))
    return failure();
  return checkEpsilon(*this);
}

LogicalResult LayerNormOp::verify() {
  for (Value vector : {getGamma(), getBeta()})
    if (failed(checkLastDimension(*this, getInput(), shapeOf(vector)[0],
                                  "the input")))
      return failure();
  return checkEpsilon(*this);
}

LogicalResult HeadNormOp::verify() {
  if (failed(checkRank(*this, getInput(), "the input")))
    return failure();
  int64_t length = shapeOf(getGamma())[0], columns = shapeOf(getInput()).back();
  if (length <= 0 || columns % length)
    return emitOpError("the length of gamma must divide the last dimension, "
                       "got ")
           << length << " and " << columns;
  return checkEpsilon(*this);
}

LogicalResult ScaleOp::verify() {
  if (!getFactor().isFinite())
    return emitOpError("factor must be finite, got ")
           << getFactor().convertToFloat();
  return success();
}

LogicalResult SoftcapOp::verify() {
  if (!getCap().isFinite() || getCap().isNegative() || getCap().isZero())
    return emitOpError("cap must be finite and positive, got ")
           << getCap().convertToFloat();
  return success();
}

LogicalResult BiasOp::verify() {
  return checkLastDimension(*this, getInput(), shapeOf(getBias())[0],
                            "the input");
}

LogicalResult PositionEmbeddingOp::verify() {
  int64_t rows = shapeOf(getTable())[0], offset = getOffset();
  if (offset < 0 || offset >= rows)
    return emitOpError("offset must be in [0, ") << rows << "), got " << offset;
  if (failed(checkLastDimension(*this, getResult(), shapeOf(getTable())[1],
                                "the result")))
    return failure();
  return checkLeading(*this, shapeOf(getResult()), shapeOf(getPositions()),
                      "result and positions");
}

LogicalResult SplitOp::verify() {
  if (failed(checkRank(*this, getInput(), "the input")))
    return failure();
  int64_t sum = 0;
  for (Value part : getParts()) {
    if (failed(checkRank(*this, part, "a part")) ||
        failed(checkLeading(*this, shapeOf(part),
                            shapeOf(getInput()).drop_back(),
                            "input and parts")))
      return failure();
    sum += lastDimension(part);
  }
  if (sum != lastDimension(getInput()))
    return emitOpError("parts add up to ")
           << sum << " columns, but the input has "
           << lastDimension(getInput());
  if (getInterleaved() &&
      (getParts().size() != 2 ||
       getParts()[0].getType() != getParts()[1].getType() || sum % 32))
    return emitOpError("interleaved needs two equal parts of a multiple of 16 "
                       "columns");
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim(), heads = getHeads();
  if (headDim <= 0 || headDim % 2 || heads <= 0)
    return emitOpError("head_dim must be even and positive and heads positive, "
                       "got head_dim ")
           << headDim << " and heads " << heads;
  if (failed(
          checkLastDimension(*this, getInput(), heads * headDim, "the input")))
    return failure();
  int64_t rotated = shapeOf(getTable())[1];
  if (rotated <= 0 || rotated % 2 || rotated > headDim)
    return emitOpError("the table must have an even number of columns, at most "
                       "head_dim ")
           << headDim << ", got " << rotated;
  return checkLeading(*this, shapeOf(getInput()), shapeOf(getPositions()),
                      "input and positions");
}

/// Checks that all values have `rank` dimensions, and that all but the last can
/// be equal.
static LogicalResult checkRows(Operation *op, ValueRange values, int64_t rank) {
  ArrayRef<int64_t> first = shapeOf(values.front());
  for (Value value : values) {
    ArrayRef<int64_t> shape = shapeOf(value);
    if (int64_t(shape.size()) != rank)
      return op->emitOpError("query, key, value and result must have ")
             << rank << " dimensions, got " << value.getType();
    if (failed(verifyCompatibleShape(shape.drop_back(), first.drop_back())))
      return op->emitOpError("leading dimensions of query, key, value and "
                             "result disagree: ")
             << values.front().getType() << " and " << value.getType();
  }
  return success();
}

/// Checks what both attention operations share: head counts, ranks and last
/// dimensions.
template <typename AttentionLike>
static LogicalResult verifyGeometry(AttentionLike op, int64_t rank) {
  int64_t heads = op.getHeads(), kvHeads = op.getKvHeads();
  if (heads <= 0 || kvHeads <= 0 || heads % kvHeads)
    return op.emitOpError("heads must be a positive multiple of kv_heads, got ")
           << heads << " and " << kvHeads;
  if (int64_t(op.getHeadDim()) <= 0)
    return op.emitOpError("head_dim must be positive, got ")
           << int64_t(op.getHeadDim());
  if (int64_t(op.getWindow()) < 0)
    return op.emitOpError("window must not be negative, got ")
           << int64_t(op.getWindow());
  if (!op.getSoftcap().isFinite() || op.getSoftcap().isNegative())
    return op.emitOpError("softcap must be finite and not negative, got ")
           << op.getSoftcap().convertToFloat();
  Value rows[] = {op.getQuery(), op.getKey(), op.getValue(), op.getResult()};
  if (failed(checkRows(op, rows, rank)))
    return failure();
  int64_t width = heads * op.getHeadDim(), kvWidth = kvHeads * op.getHeadDim();
  if (failed(checkLastDimension(op, op.getQuery(), width, "the query")) ||
      failed(checkLastDimension(op, op.getKey(), kvWidth, "the key")) ||
      failed(checkLastDimension(op, op.getValue(), kvWidth, "the value")))
    return failure();
  return checkLastDimension(op, op.getResult(), width, "the result");
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyGeometry(*this, /*rank=*/3)))
    return failure();
  if (bool(getPastKey()) != bool(getPastValue()))
    return emitOpError("past keys and values come together");
  for (Value cache :
       {getPastKey(), getPastValue(), getPresentKey(), getPresentValue()}) {
    if (!cache)
      continue;
    ArrayRef<int64_t> shape = shapeOf(cache);
    if (shape[1] != int64_t(getKvHeads()) || shape[3] != int64_t(getHeadDim()))
      return emitOpError("past and present must be [batch, ")
             << getKvHeads() << ", tokens, " << getHeadDim() << "], got "
             << cache.getType();
  }
  if ((getPadding() == Padding::None) != !getMask())
    return emitOpError("padding must be none exactly when there is no mask");
  return success();
}

LogicalResult CachedAttentionOp::verify() {
  if (failed(verifyGeometry(*this, /*rank=*/2)))
    return failure();
  if (int64_t(getLayer()) < 0)
    return emitOpError("layer must not be negative, got ")
           << int64_t(getLayer());
  return success();
}

//===----------------------------------------------------------------------===//
// Parts of graphs
//===----------------------------------------------------------------------===//

/// Checks that what is known to be a tensor is one of floats.
static LogicalResult checkFloats(Operation *op) {
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<TensorType>(operand.getType());
        type && !isa<FloatType>(type.getElementType()))
      return op->emitOpError("needs tensors of floats, got ") << type;
  return success();
}

LogicalResult SdpaOp::verify() {
  if (!getScale().isFinite())
    return emitOpError("scale must be finite, got ")
           << getScale().convertToFloat();
  if (getSoftcap().isNegative() || getSoftcap().isNaN())
    return emitOpError("softcap must not be negative, got ")
           << getSoftcap().convertToFloat();
  return checkFloats(*this);
}

LogicalResult RotaryOp::verify() {
  if (int64_t(getAxis()) < -1)
    return emitOpError("axis must be -1 or not negative, got ")
           << int64_t(getAxis());
  if (std::optional<uint64_t> half = getHalf(); half && int64_t(*half) <= 0)
    return emitOpError("half must be positive, got ") << int64_t(*half);
  return checkFloats(*this);
}
