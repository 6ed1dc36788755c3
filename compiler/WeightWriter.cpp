//===- WeightWriter.cpp - Packs the weights of a library --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/WeightWriter.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Threading.h"
#include "passes/Lowering/KernelKeys.h"
#include "passes/Lowering/WeightParts.h"
#include "runtime/include/llmopt/ModelABI.h"
#include "target/PackedFormat.h"
#include <algorithm>
#include <numeric>

using namespace llmopt;
using namespace mlir;

namespace {

/// Packs one weight.
class WeightPacker {
public:
  WeightPacker(kernel::WeightDataOp data, WeightStore &store)
      : data(data), type(cast<kernel::WeightType>(data.getType())),
        store(store) {}

  FailureOr<std::vector<uint8_t>> pack();

private:
  FailureOr<std::vector<uint8_t>> packFloats();
  FailureOr<std::vector<uint8_t>> packCodes();
  FailureOr<std::vector<uint8_t>> packGroupedCodes();
  FailureOr<std::vector<uint8_t>> packBytes();
  FailureOr<std::vector<uint8_t>> packConvolution();
  FailureOr<std::vector<float>> readFloats(DictionaryAttr part, StringRef name,
                                           ArrayRef<int64_t> shape);
  FailureOr<std::vector<int8_t>> readCodes(DictionaryAttr part, StringRef name,
                                           ArrayRef<int64_t> shape);
  FailureOr<Attribute> sourceOf(DictionaryAttr part, StringRef name);
  LogicalResult checkCodes(const PackedFormat &format, ArrayRef<int8_t> codes,
                           ArrayRef<int8_t> zeroPoints);

  /// Reads all parts and puts their rows in order; a row has `width` values.
  template <typename T, typename Read>
  FailureOr<std::vector<T>> gather(int64_t width, Read read);

  kernel::WeightDataOp data;
  kernel::WeightType type;
  WeightStore &store;
};

} // namespace

FailureOr<std::vector<uint8_t>> WeightPacker::pack() {
  switch (type.getFormat()) {
  case kernel::PackFormat::Raw:
  case kernel::PackFormat::F32:
  case kernel::PackFormat::BF16:
    return packFloats();
  case kernel::PackFormat::Int8:
  case kernel::PackFormat::Int8Bitmask:
  case kernel::PackFormat::Int8TwoOfFour:
  case kernel::PackFormat::Int8Gather:
    return packCodes();
  case kernel::PackFormat::Int8Groups:
  case kernel::PackFormat::Int4Groups:
    return packGroupedCodes();
  case kernel::PackFormat::Bytes:
    return packBytes();
  case kernel::PackFormat::ConvF32:
  case kernel::PackFormat::ConvInt8:
  case kernel::PackFormat::DepthwiseF32:
  case kernel::PackFormat::DepthwiseInt8:
    return packConvolution();
  }
  llvm_unreachable("unknown format");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static int64_t rowsOf(Attribute part) {
  return cast<DictionaryAttr>(part).getAs<IntegerAttr>("rows").getInt();
}

FailureOr<Attribute> WeightPacker::sourceOf(DictionaryAttr part,
                                            StringRef name) {
  Attribute source = part.get(name);
  if (isa_and_nonnull<WeightBlobAttr, RandomAttr, ElementsAttr>(source))
    return source;
  data.emitError("weight '")
      << data.getName() << "' cannot be packed: a part has no '" << name << "'";
  return failure();
}

FailureOr<std::vector<float>>
WeightPacker::readFloats(DictionaryAttr part, StringRef name,
                         ArrayRef<int64_t> shape) {
  FailureOr<Attribute> source = sourceOf(part, name);
  if (failed(source))
    return failure();
  auto type = RankedTensorType::get(shape, Float32Type::get(part.getContext()));
  return store.readFloats(*source, type, [&] { return data.emitError(); });
}

FailureOr<std::vector<int8_t>>
WeightPacker::readCodes(DictionaryAttr part, StringRef name,
                        ArrayRef<int64_t> shape) {
  FailureOr<Attribute> source = sourceOf(part, name);
  if (failed(source))
    return failure();
  auto type =
      RankedTensorType::get(shape, IntegerType::get(part.getContext(), 8));
  return store.readCodes(*source, type, [&] { return data.emitError(); });
}

template <typename T, typename Read>
FailureOr<std::vector<T>> WeightPacker::gather(int64_t width, Read read) {
  SmallVector<std::vector<T>> parts;
  for (Attribute part : data.getParts()) {
    FailureOr<std::vector<T>> values = read(cast<DictionaryAttr>(part));
    if (failed(values))
      return failure();
    parts.push_back(std::move(*values));
  }
  if (parts.size() == 1)
    return std::move(parts[0]);
  // One panel of each part in turn, or each part as a whole.
  std::vector<T> rows;
  rows.reserve(type.getRows() * width);
  size_t step = data.getInterleaved() ? kPanelRows * width : SIZE_MAX;
  for (size_t begin = 0; rows.size() < size_t(type.getRows() * width);
       begin += step)
    for (const std::vector<T> &part : parts)
      rows.insert(rows.end(), part.begin() + begin,
                  part.begin() + begin + std::min(step, part.size() - begin));
  return rows;
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

FailureOr<std::vector<uint8_t>> WeightPacker::packFloats() {
  int64_t columns = type.getColumns();
  FailureOr<std::vector<float>> values =
      gather<float>(columns, [&](DictionaryAttr part) {
        return readFloats(part, "codes", {rowsOf(part), columns});
      });
  if (failed(values))
    return failure();
  if (type.getFormat() == kernel::PackFormat::Raw) {
    const auto *begin = reinterpret_cast<const uint8_t *>(values->data());
    return std::vector<uint8_t>(begin, begin + values->size() * sizeof(float));
  }
  bool isBF16 = type.getFormat() == kernel::PackFormat::BF16;
  std::vector<uint8_t> bytes(
      densePackedBytes(isBF16 ? PackedLayout::BF16 : PackedLayout::F32,
                       type.getRows(), columns));
  (isBF16 ? packBF16 : packF32)(*values, type.getRows(), columns, bytes);
  return bytes;
}

/// Elements of a literal, a byte or more each.
static std::vector<uint8_t> literalBytes(DenseElementsAttr literal) {
  unsigned width = literal.getElementType().getIntOrFloatBitWidth();
  size_t size = std::max(width, 8u) / 8;
  std::vector<uint8_t> bytes;
  bytes.reserve(literal.getNumElements() * size);
  auto add = [&](const APInt &value) {
    uint64_t bits = value.getZExtValue();
    bool isSigned = !literal.getElementType().isUnsignedInteger() && width > 1;
    if (width < 8 && isSigned)
      bits = uint64_t(value.getSExtValue());
    for (size_t i = 0; i < size; ++i)
      bytes.push_back(uint8_t(bits >> (8 * i)));
  };
  if (isa<FloatType>(literal.getElementType()))
    for (const APFloat &value : literal.getValues<APFloat>())
      add(value.bitcastToAPInt());
  else
    for (const APInt &value : literal.getValues<APInt>())
      add(value);
  return bytes;
}

FailureOr<std::vector<uint8_t>> WeightPacker::packBytes() {
  FailureOr<Attribute> source =
      sourceOf(cast<DictionaryAttr>(data.getParts()[0]), "codes");
  if (failed(source))
    return failure();
  if (auto literal = dyn_cast<DenseElementsAttr>(*source))
    return literalBytes(literal);
  FailureOr<ArrayRef<char>> bytes = store.read(
      cast<WeightBlobAttr>(*source), [&] { return data.emitError(); });
  if (failed(bytes))
    return failure();
  return std::vector<uint8_t>(bytes->begin(), bytes->end());
}

FailureOr<std::vector<uint8_t>> WeightPacker::packConvolution() {
  FailureOr<std::vector<uint8_t>> source = packBytes();
  if (failed(source))
    return failure();
  auto part = cast<DictionaryAttr>(data.getParts()[0]);
  ConvWeights weights =
      convWeights(type, part.getAs<IntegerAttr>("taps").getInt());
  std::vector<uint8_t> bytes(weights.bytes());
  weights.pack(*source, bytes);
  return bytes;
}

FailureOr<std::vector<uint8_t>> WeightPacker::packCodes() {
  int64_t rows = type.getRows(), columns = type.getColumns();
  FailureOr<std::vector<int8_t>> codes =
      gather<int8_t>(columns, [&](DictionaryAttr part) {
        return readCodes(part, "codes", {rowsOf(part), columns});
      });
  if (failed(codes))
    return failure();
  FailureOr<std::vector<float>> scales =
      gather<float>(1, [&](DictionaryAttr part) {
        return readFloats(part, "scales", {rowsOf(part)});
      });
  if (failed(scales))
    return failure();
  PackedLayout layout = formatOf(type).layout;
  if (!canHold(layout, *codes, columns))
    return data.emitError("weight '")
           << data.getName()
           << "' has more than two codes that are not zero in four columns";
  std::vector<uint8_t> bytes(packedCodesBytes(layout, *codes, rows, columns));
  llmopt::packCodes(layout, *codes, *scales, rows, columns, bytes);
  return bytes;
}

/// Codes that the layout has no bits for would become others.
LogicalResult WeightPacker::checkCodes(const PackedFormat &format,
                                       ArrayRef<int8_t> codes,
                                       ArrayRef<int8_t> zeroPoints) {
  bool isUnsigned = format.zeroPoints || format.table;
  int least = isUnsigned ? 0 : -8, most = isUnsigned ? 15 : 7;
  if (format.layout == PackedLayout::Int8Groups) {
    least = -127;
    most = 127;
  }
  for (ArrayRef<int8_t> values : {codes, zeroPoints})
    for (int8_t value : values)
      if (value < least || value > most)
        return data.emitError("weight '")
               << data.getName() << "' has the code " << int(value)
               << ", but its format holds codes from " << least << " to "
               << most;
  return success();
}

FailureOr<std::vector<uint8_t>> WeightPacker::packGroupedCodes() {
  int64_t rows = type.getRows(), columns = type.getColumns();
  int64_t groups = llvm::divideCeil(columns, type.getGroup());
  PackedFormat format = formatOf(type);
  FailureOr<std::vector<int8_t>> codes =
      gather<int8_t>(columns, [&](DictionaryAttr part) {
        return readCodes(part, "codes", {rowsOf(part), columns});
      });
  if (failed(codes))
    return failure();
  FailureOr<std::vector<float>> scales =
      gather<float>(groups, [&](DictionaryAttr part) {
        return readFloats(part, "scales", {rowsOf(part), groups});
      });
  if (failed(scales))
    return failure();
  FailureOr<std::vector<int8_t>> points = std::vector<int8_t>();
  if (format.zeroPoints)
    points = gather<int8_t>(groups, [&](DictionaryAttr part) {
      return readCodes(part, "zero_points", {rowsOf(part), groups});
    });
  if (failed(points) || failed(checkCodes(format, *codes, *points)))
    return failure();
  std::vector<uint8_t> zeroPoints(points->begin(), points->end());
  GroupCodes weight{*codes, *scales, zeroPoints, {}};
  if (auto table = cast<DictionaryAttr>(data.getParts()[0])
                       .getAs<DenseF32ArrayAttr>("table"))
    weight.table = table.asArrayRef();
  std::vector<uint8_t> bytes(densePackedBytes(format, rows, columns));
  packGroups(format, weight, rows, columns, bytes);
  return bytes;
}

//===----------------------------------------------------------------------===//
// All weights
//===----------------------------------------------------------------------===//

/// What follows an encoding with groups.
static std::string groupName(int64_t group, bool halfScales, bool zeroPoints) {
  return "/g" + std::to_string(group) + (halfScales ? "/f16" : "/f32") +
         (zeroPoints ? "/zero-points" : "");
}

static StringRef baseName(kernel::WeightType type) {
  switch (type.getFormat()) {
  case kernel::PackFormat::F32:
    return "f32";
  case kernel::PackFormat::BF16:
    return "bf16";
  case kernel::PackFormat::Int8:
    return "int8/channel";
  case kernel::PackFormat::Int8Bitmask:
    return "int8/channel/bitmask";
  case kernel::PackFormat::Int8TwoOfFour:
    return "int8/channel/2:4";
  case kernel::PackFormat::Int8Gather:
    return "int8/channel/gather";
  case kernel::PackFormat::Int8Groups:
    return "int8";
  case kernel::PackFormat::Int4Groups:
    return type.getTable() ? "table4" : "int4";
  case kernel::PackFormat::Raw:
    return "f32/raw";
  case kernel::PackFormat::Bytes:
    return "constant";
  case kernel::PackFormat::ConvF32:
  case kernel::PackFormat::DepthwiseF32:
    return "f32/convolution";
  case kernel::PackFormat::ConvInt8:
  case kernel::PackFormat::DepthwiseInt8:
    return "int8/convolution";
  }
  llvm_unreachable("unknown format");
}

std::string llmopt::formatName(kernel::WeightType type) {
  std::string name = baseName(type).str();
  if (type.getGroup())
    name +=
        groupName(type.getGroup(), type.getHalfScales(), type.getZeroPoints());
  return name;
}

std::string llmopt::formatName(FormatAttr format) {
  if (!format.hasCodes())
    return stringifyEncoding(format.getEncoding()).str();
  bool isNormal = format.getTable() && format.getTable().asArrayRef() ==
                                           FormatAttr::getNormalFloats();
  std::string name =
      isNormal
          ? "nf4"
          : (stringifyEncoding(format.getEncoding()) + Twine(format.getBits()))
                .str();
  if (format.getGroup())
    name += groupName(format.getGroup(), format.getScale().isF16(),
                      format.getZeroPoints());
  else
    name += "/channel";
  switch (format.getLayout()) {
  case Layout::Undecided:
  case Layout::Dense:
    return name;
  case Layout::Bitmask:
    return name + "/bitmask";
  case Layout::TwoOfFour:
    return name + "/2:4";
  case Layout::Gather:
    return name + "/gather";
  }
  llvm_unreachable("unknown layout");
}

static LogicalResult packWeight(kernel::WeightDataOp data, WeightStore &store,
                                WeightSink sink,
                                DescriptorContents::Weight &entry) {
  FailureOr<std::vector<uint8_t>> bytes = WeightPacker(data, store).pack();
  if (failed(bytes))
    return failure();
  uint64_t planned = data.getBytes();
  if (bytes->size() != planned)
    return data.emitError("weight '")
           << data.getName() << "' packs to " << bytes->size() << " bytes, but "
           << planned << " are planned";
  if (llvm::Error error = sink(data.getOffset(), *bytes))
    return data.emitError("cannot write weight '")
           << data.getName() << "': " << llvm::toString(std::move(error));
  auto type = cast<kernel::WeightType>(data.getType());
  entry.name = data.getName().str();
  entry.format = formatName(type);
  entry.rows = type.getRows();
  entry.columns = type.getColumns();
  entry.offset = data.getOffset();
  entry.bytes = planned;
  entry.zeros = data.getZeros();
  entry.checksum = llmopt_checksum(bytes->data(), bytes->size());
  return success();
}

uint64_t llmopt::packedWeightsBytes(ModuleOp module) {
  uint64_t end = 0;
  for (auto data : module.getOps<kernel::WeightDataOp>())
    end = std::max<uint64_t>(end, data.getOffset() + data.getBytes());
  return end;
}

FailureOr<WeightTable> llmopt::packWeights(ModuleOp module, WeightSink sink,
                                           WeightProgress progress) {
  MLIRContext *context = module.getContext();
  WeightStore &store =
      context->getOrLoadDialect<LLMOptDialect>()->getWeightStore();
  auto ops = llvm::to_vector(module.getOps<kernel::WeightDataOp>());
  // The largest first, so that none of them is left to the end.
  SmallVector<size_t> order(ops.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::pair(ops[b].getBytes(), a) < std::pair(ops[a].getBytes(), b);
  });
  WeightTable table(ops.size());
  auto packOne = [&](size_t index) {
    if (failed(packWeight(ops[index], store, sink, table[index])))
      return failure();
    if (progress)
      progress(table[index].name);
    return success();
  };
  if (failed(failableParallelForEach(context, order, packOne)))
    return failure();
  return table;
}
