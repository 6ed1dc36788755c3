//===- WireScanner.cpp - Takes tensor data out of a model file --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/WireScanner.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

namespace {

/// The messages on the way from a model to its tensors.
enum class Message {
  Model,
  Graph,
  Node,
  Attribute,
  Tensor,
  SparseTensor,
  Training,
  Function,
};

/// A field of a message that leads to tensors.
struct Edge {
  Message parent;
  unsigned field;
  Message child;
};

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

static constexpr Edge kEdges[] = {
    {Message::Model, ::onnx::ModelProto::kGraphFieldNumber, Message::Graph},
    {Message::Model, ::onnx::ModelProto::kTrainingInfoFieldNumber,
     Message::Training},
    {Message::Model, ::onnx::ModelProto::kFunctionsFieldNumber,
     Message::Function},
    {Message::Training, ::onnx::TrainingInfoProto::kInitializationFieldNumber,
     Message::Graph},
    {Message::Training, ::onnx::TrainingInfoProto::kAlgorithmFieldNumber,
     Message::Graph},
    {Message::Function, ::onnx::FunctionProto::kNodeFieldNumber, Message::Node},
    {Message::Function, ::onnx::FunctionProto::kAttributeProtoFieldNumber,
     Message::Attribute},
    {Message::Graph, ::onnx::GraphProto::kNodeFieldNumber, Message::Node},
    {Message::Graph, ::onnx::GraphProto::kInitializerFieldNumber,
     Message::Tensor},
    {Message::Graph, ::onnx::GraphProto::kSparseInitializerFieldNumber,
     Message::SparseTensor},
    {Message::Node, ::onnx::NodeProto::kAttributeFieldNumber,
     Message::Attribute},
    {Message::Attribute, ::onnx::AttributeProto::kTFieldNumber,
     Message::Tensor},
    {Message::Attribute, ::onnx::AttributeProto::kTensorsFieldNumber,
     Message::Tensor},
    {Message::Attribute, ::onnx::AttributeProto::kGFieldNumber, Message::Graph},
    {Message::Attribute, ::onnx::AttributeProto::kGraphsFieldNumber,
     Message::Graph},
    {Message::Attribute, ::onnx::AttributeProto::kSparseTensorFieldNumber,
     Message::SparseTensor},
    {Message::Attribute, ::onnx::AttributeProto::kSparseTensorsFieldNumber,
     Message::SparseTensor},
    {Message::SparseTensor, ::onnx::SparseTensorProto::kValuesFieldNumber,
     Message::Tensor},
    {Message::SparseTensor, ::onnx::SparseTensorProto::kIndicesFieldNumber,
     Message::Tensor},
};

static std::optional<Message> findChild(Message parent, unsigned field) {
  for (const Edge &edge : kEdges)
    if (edge.parent == parent && edge.field == field)
      return edge.child;
  return std::nullopt;
}

/// The kind of data that a field of TensorProto holds, if its packed form is
/// an array of little-endian elements.
static std::optional<DataRange::Field> findDataField(unsigned field) {
  switch (field) {
  case ::onnx::TensorProto::kRawDataFieldNumber:
    return DataRange::Field::Raw;
  case ::onnx::TensorProto::kFloatDataFieldNumber:
    return DataRange::Field::Float;
  case ::onnx::TensorProto::kDoubleDataFieldNumber:
    return DataRange::Field::Double;
  default:
    return std::nullopt;
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

  /// Appends the message that `bytes`, a part of the file, holds to `out`.
  /// `depth` counts the graphs around it.
  LogicalResult scan(Message kind, StringRef bytes, unsigned depth,
                     std::string &out);

  std::vector<DataRange> takeRanges() { return std::move(ranges); }

private:
  /// Consumes one field of any message.
  FailureOr<WireField> consumeField(StringRef &bytes);
  LogicalResult scanChild(Message kind, const WireField &field, unsigned depth,
                          std::string &out);
  /// Copies a field of a TensorProto, or takes its data out.
  LogicalResult scanTensorField(const WireField &field, bool &takenOut,
                                std::string &out);
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

LogicalResult Scanner::scanTensorField(const WireField &field, bool &takenOut,
                                       std::string &out) {
  if (field.number == ::onnx::TensorProto::kSegmentFieldNumber)
    return reporter.unsupported("a tensor is split into segments, which is "
                                "not supported");
  std::optional<DataRange::Field> data = findDataField(field.number);
  if (!data || field.type != WireType::Bytes ||
      field.payload.size() <= options.inlineBytes) {
    out.append(field.whole.data(), field.whole.size());
    return success();
  }
  if (std::exchange(takenOut, true))
    return reporter.malformed("a tensor has its data twice");
  std::string segment;
  appendTag(::onnx::TensorProto_Segment::kBeginFieldNumber, WireType::Varint,
            segment);
  appendVarint(ranges.size(), segment);
  appendBytes(::onnx::TensorProto::kSegmentFieldNumber, segment, out);
  ranges.push_back({*data,
                    static_cast<uint64_t>(field.payload.data() - file.data()),
                    field.payload.size()});
  return success();
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
  std::string child;
  if (failed(scan(kind, field.payload, depth, child)))
    return failure();
  appendBytes(field.number, child, out);
  return success();
}

LogicalResult Scanner::scan(Message kind, StringRef bytes, unsigned depth,
                            std::string &out) {
  bool takenOut = false;
  while (!bytes.empty()) {
    FailureOr<WireField> field = consumeField(bytes);
    if (failed(field))
      return failure();
    if (++numFields > options.maxFields)
      return reporter.unsupported("the model has more than " +
                                  Twine(options.maxFields) + " fields");
    std::optional<Message> child = findChild(kind, field->number);
    if (kind == Message::Tensor) {
      if (failed(scanTensorField(*field, takenOut, out)))
        return failure();
    } else if (child && field->type == WireType::Bytes) {
      if (failed(scanChild(*child, *field, depth, out)))
        return failure();
    } else {
      out.append(field->whole.data(), field->whole.size());
    }
    if (out.size() > options.maxStructureBytes)
      return reporter.unsupported(
          "the model without its large tensors takes more than " +
          Twine(options.maxStructureBytes) + " bytes");
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
