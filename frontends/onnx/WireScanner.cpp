//===- WireScanner.cpp - Takes tensor data out of a model file --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/WireScanner.h"
#include "frontends/onnx/WireSchema.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

namespace {

/// Wire types of Protocol Buffers.
enum WireType : unsigned { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

/// One field as it stands in the file.
struct WireField {
  unsigned number;
  unsigned type;
  /// Tag, length and payload.
  StringRef whole;
  /// The payload of a field of type Bytes.
  StringRef payload;
};

} // namespace

/// The kind of data that a field of TensorProto with FieldAction::Data holds.
/// Its packed form is an array of little-endian elements.
static DataRange::Field getDataField(unsigned field) {
  switch (field) {
  case ::onnx::TensorProto::kFloatDataFieldNumber:
    return DataRange::Field::Float;
  case ::onnx::TensorProto::kDoubleDataFieldNumber:
    return DataRange::Field::Double;
  default:
    return DataRange::Field::Raw;
  }
}

/// Consumes a varint. Returns nullopt when it is cut off or does not fit 64
/// bits.
static std::optional<uint64_t> consumeVarint(StringRef &bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    uint8_t byte = bytes.front();
    bytes = bytes.drop_front();
    if (shift == 63 && byte > 1)
      return std::nullopt;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return value;
  }
  return std::nullopt;
}

static void appendVarint(uint64_t value, std::string &out) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

static void appendTag(unsigned field, WireType type, std::string &out) {
  appendVarint(static_cast<uint64_t>(field) << 3 | type, out);
}

static void appendBytes(unsigned field, StringRef payload, std::string &out) {
  appendTag(field, WireType::Bytes, out);
  appendVarint(payload.size(), out);
  out.append(payload.data(), payload.size());
}

namespace {

/// Rewrites one model. Recursion is bounded by the nesting limit.
class Scanner {
public:
  Scanner(StringRef file, const ImportOptions &options, Reporter &reporter)
      : file(file), options(options), reporter(reporter) {}

  /// Appends what the reader uses of the message that `bytes`, a part of the
  /// file, holds to `out`. `depth` counts the graphs around it.
  LogicalResult scan(Message kind, StringRef bytes, unsigned depth,
                     std::string &out);

  std::vector<DataRange> takeRanges() { return std::move(ranges); }

private:
  /// Consumes one field of any message.
  FailureOr<WireField> consumeField(StringRef &bytes);
  LogicalResult scanField(const WireField &field, const FieldRule &rule,
                          unsigned depth, std::string &out);
  LogicalResult scanChild(Message kind, const WireField &field, unsigned depth,
                          std::string &out);
  /// Copies data of a tensor, or takes it out if it is large.
  void scanData(const WireField &field, std::string &out);
  LogicalResult checkLimits(size_t structureBytes);
  LogicalResult truncated(StringRef where);

  StringRef file;
  const ImportOptions &options;
  Reporter &reporter;
  std::vector<DataRange> ranges;
  uint64_t numFields = 0;
  uint64_t numNodes = 0;
};

} // namespace

LogicalResult Scanner::truncated(StringRef where) {
  return reporter.malformed(
      "not a valid Protocol Buffers file: the field at byte " +
      Twine(where.data() - file.data()) +
      " is cut off or longer than the message around it");
}

FailureOr<WireField> Scanner::consumeField(StringRef &bytes) {
  StringRef begin = bytes;
  std::optional<uint64_t> tag = consumeVarint(bytes);
  if (!tag || *tag >> 3 == 0 || *tag >> 32 != 0)
    return truncated(begin);
  WireField field;
  field.number = *tag >> 3;
  field.type = *tag & 7;
  std::optional<uint64_t> length;
  switch (field.type) {
  case WireType::Varint:
    length = consumeVarint(bytes) ? std::optional<uint64_t>(0) : std::nullopt;
    break;
  case WireType::Fixed64:
    length = 8;
    break;
  case WireType::Bytes:
    length = consumeVarint(bytes);
    break;
  case WireType::Fixed32:
    length = 4;
    break;
  default:
    return reporter.malformed("not a valid ONNX file: the field at byte " +
                              Twine(begin.data() - file.data()) +
                              " has the unknown wire type " +
                              Twine(field.type));
  }
  if (!length || *length > bytes.size())
    return truncated(begin);
  field.payload = bytes.take_front(*length);
  bytes = bytes.drop_front(*length);
  field.whole = begin.drop_back(bytes.size());
  return field;
}

void Scanner::scanData(const WireField &field, std::string &out) {
  if (field.type != WireType::Bytes ||
      field.payload.size() <= options.inlineBytes) {
    out.append(field.whole.data(), field.whole.size());
    return;
  }
  std::string segment;
  appendTag(::onnx::TensorProto_Segment::kBeginFieldNumber, WireType::Varint,
            segment);
  appendVarint(ranges.size(), segment);
  appendBytes(::onnx::TensorProto::kSegmentFieldNumber, segment, out);
  ranges.push_back({getDataField(field.number),
                    static_cast<uint64_t>(field.payload.data() - file.data()),
                    field.payload.size()});
}

LogicalResult Scanner::scanChild(Message kind, const WireField &field,
                                 unsigned depth, std::string &out) {
  if (kind == Message::Graph && ++depth > options.maxSubgraphDepth + 1)
    return reporter.unsupported("subgraphs are nested more than " +
                                Twine(options.maxSubgraphDepth) +
                                " levels deep");
  if (kind == Message::Node && ++numNodes > options.maxNodes)
    return reporter.unsupported("the model has more than " +
                                Twine(options.maxNodes) + " nodes");
  size_t numRanges = ranges.size();
  std::string child;
  if (failed(scan(kind, field.payload, depth, child)))
    return failure();
  if (kind == Message::Tensor && ranges.size() > numRanges + 1)
    return reporter.malformed("a tensor has its data twice");
  appendBytes(field.number, child, out);
  return success();
}

LogicalResult Scanner::scanField(const WireField &field, const FieldRule &rule,
                                 unsigned depth, std::string &out) {
  switch (rule.action) {
  case FieldAction::Copy:
    out.append(field.whole.data(), field.whole.size());
    return success();
  case FieldAction::Presence:
    appendBytes(field.number, "", out);
    return success();
  case FieldAction::Descend:
    // A field of another wire type is an unknown field.
    return field.type == WireType::Bytes
               ? scanChild(rule.child, field, depth, out)
               : success();
  case FieldAction::Data:
    scanData(field, out);
    return success();
  case FieldAction::Refuse:
    return reporter.unsupported("a tensor is split into segments, which is "
                                "not supported");
  }
  llvm_unreachable("all actions are listed");
}

LogicalResult Scanner::checkLimits(size_t structureBytes) {
  if (numFields > options.maxFields)
    return reporter.unsupported("the model has more than " +
                                Twine(options.maxFields) + " fields");
  if (structureBytes > options.maxStructureBytes)
    return reporter.unsupported(
        "the model without its large tensors takes more than " +
        Twine(options.maxStructureBytes) + " bytes");
  return success();
}

LogicalResult Scanner::scan(Message kind, StringRef bytes, unsigned depth,
                            std::string &out) {
  ArrayRef<FieldRule> rules = getFieldRules(kind);
  while (!bytes.empty()) {
    FailureOr<WireField> field = consumeField(bytes);
    if (failed(field))
      return failure();
    const FieldRule *rule = llvm::find_if(rules, [&](const FieldRule &rule) {
      return rule.field == field->number;
    });
    ++numFields;
    if (rule != rules.end() && failed(scanField(*field, *rule, depth, out)))
      return failure();
    if (failed(checkLimits(out.size())))
      return failure();
  }
  return success();
}

FailureOr<ScannedModel> llmopt::onnx::scanModel(StringRef file,
                                                const ImportOptions &options,
                                                Reporter &reporter) {
  Scanner scanner(file, options, reporter);
  ScannedModel model;
  if (failed(scanner.scan(Message::Model, file, 0, model.structure)))
    return failure();
  model.ranges = scanner.takeRanges();
  return model;
}
