//===- TensorReader.cpp - Tensors as attributes -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/TensorReader.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "frontends/onnx/TypeReader.h"
#include <bit>
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
using ::onnx::TensorProto;

static_assert(std::endian::native == std::endian::little,
              "tensors are read as they are stored");

/// Makes elements of less than 8 bits, which MLIR holds as a byte each with
/// zeros in the upper bits, from their packed form.
static TypedAttr makePackedElements(RankedTensorType type,
                                    ArrayRef<char> bytes) {
  unsigned width = getStoredBits(type.getElementType());
  unsigned perByte = 8 / width;
  SmallVector<char> elements(type.getNumElements());
  for (auto [i, element] : llvm::enumerate(elements)) {
    unsigned packed = static_cast<unsigned char>(bytes[i / perByte]);
    element = (packed >> (i % perByte * width)) & ((1u << width) - 1);
  }
  return DenseElementsAttr::getFromRawBuffer(type, elements);
}

/// Makes elements from their stored form: little endian, a byte per bool, the
/// lowest bits of a byte first.
static TypedAttr makeElements(RankedTensorType type, ArrayRef<char> bytes) {
  if (bytes.empty())
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  if (getStoredBits(type.getElementType()) < 8)
    return makePackedElements(type, bytes);
  if (!type.getElementType().isInteger(1))
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  SmallVector<bool> flags =
      llvm::map_to_vector(bytes, [](char byte) { return byte != 0; });
  return DenseElementsAttr::get(type, flags);
}

/// Appends the values of a typed data field as `T`. Fails when a value does not
/// fit.
template <typename T, typename Field>
static LogicalResult appendAs(const Field &field, SmallVectorImpl<char> &out) {
  for (auto value : field) {
    T narrow = static_cast<T>(value);
    bool isNaN = value != value;
    if (!isNaN && static_cast<decltype(value)>(narrow) != value)
      return failure();
    const char *bytes = reinterpret_cast<const char *>(&narrow);
    out.append(bytes, bytes + sizeof(T));
  }
  return success();
}

/// Appends the typed data of `tensor` in stored form.
static LogicalResult appendTypedData(const TensorProto &tensor,
                                     SmallVectorImpl<char> &out) {
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return appendAs<float>(tensor.float_data(), out);
  case TensorProto::DOUBLE:
    return appendAs<double>(tensor.double_data(), out);
  case TensorProto::INT64:
    return appendAs<int64_t>(tensor.int64_data(), out);
  case TensorProto::UINT32:
    return appendAs<uint32_t>(tensor.uint64_data(), out);
  case TensorProto::UINT64:
    return appendAs<uint64_t>(tensor.uint64_data(), out);
  case TensorProto::INT32:
    return appendAs<int32_t>(tensor.int32_data(), out);
  case TensorProto::INT16:
    return appendAs<int16_t>(tensor.int32_data(), out);
  case TensorProto::INT8:
    return appendAs<int8_t>(tensor.int32_data(), out);
  // Two or four packed elements, or the bit pattern of a float, per value.
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::INT2:
  case TensorProto::UINT2:
  case TensorProto::FLOAT4E2M1:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
  case TensorProto::UINT8:
  case TensorProto::BOOL:
    return appendAs<uint8_t>(tensor.int32_data(), out);
  // float16 and bfloat16 stand in int32_data as bit patterns.
  case TensorProto::UINT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return appendAs<uint16_t>(tensor.int32_data(), out);
  default:
    return failure();
  }
}

/// Number of values in all typed data fields.
static int64_t countTypedData(const TensorProto &tensor) {
  return static_cast<int64_t>(tensor.float_data_size()) +
         tensor.int32_data_size() + tensor.string_data_size() +
         tensor.int64_data_size() + tensor.double_data_size() +
         tensor.uint64_data_size();
}

namespace {

/// Reads one tensor.
class TensorReader {
public:
  TensorReader(const TensorProto &tensor, StringRef where, ImportState &state)
      : tensor(tensor), where(where), state(state) {}

  FailureOr<TypedAttr> read();

private:
  LogicalResult checkOneSource();
  FailureOr<TypedAttr> readExternal();
  FailureOr<TypedAttr> readTakenOut();
  FailureOr<TypedAttr> readTyped();
  /// Fails unless the data has the size of the tensor.
  LogicalResult checkSize(uint64_t found);

  const TensorProto &tensor;
  StringRef where;
  ImportState &state;
  RankedTensorType type;
  int64_t bytes = 0;
};

} // namespace

LogicalResult TensorReader::checkOneSource() {
  bool isExternal = tensor.data_location() == TensorProto::EXTERNAL;
  int numSources = isExternal + tensor.has_raw_data() + tensor.has_segment() +
                   (countTypedData(tensor) != 0);
  if (numSources > 1)
    return state.reporter.malformed(where + " has its data twice");
  if (!isExternal && tensor.external_data_size() != 0)
    return state.reporter.malformed(
        where + " names external data, but is not marked as external");
  return success();
}

LogicalResult TensorReader::checkSize(uint64_t found) {
  if (found == static_cast<uint64_t>(bytes))
    return success();
  return state.reporter.malformed(where + " has " + Twine(found) +
                                  " bytes of data, but its shape takes " +
                                  Twine(bytes));
}

FailureOr<TypedAttr> TensorReader::readExternal() {
  FailureOr<ExternalRange> range =
      state.externalData.resolve(tensor, bytes, where);
  if (failed(range))
    return failure();
  if (static_cast<uint64_t>(bytes) > state.options.inlineBytes)
    return cast<TypedAttr>(
        FileBlobAttr::get(type, range->file, range->offset, range->bytes));
  if (bytes == 0)
    return makeElements(type, {});
  FailureOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      state.externalData.read(*range, where);
  if (failed(buffer))
    return failure();
  StringRef data = (*buffer)->getBuffer();
  return makeElements(type, ArrayRef(data.data(), data.size()));
}

FailureOr<TypedAttr> TensorReader::readTakenOut() {
  const DataRange &range = state.ranges[tensor.segment().begin()];
  bool fits = range.field == DataRange::Field::Raw ||
              (range.field == DataRange::Field::Float &&
               tensor.data_type() == TensorProto::FLOAT) ||
              (range.field == DataRange::Field::Double &&
               tensor.data_type() == TensorProto::DOUBLE);
  if (!fits)
    return state.reporter.malformed(
        where + " has its data in a field of another element type");
  if (failed(checkSize(range.bytes)))
    return failure();
  return cast<TypedAttr>(FileBlobAttr::get(type, "", range.offset, bytes));
}

FailureOr<TypedAttr> TensorReader::readTyped() {
  SmallVector<char> data;
  if (failed(appendTypedData(tensor, data)))
    return state.reporter.malformed(
        where + " has data that its element type cannot hold");
  if (data.empty() && countTypedData(tensor) != 0)
    return state.reporter.malformed(
        where + " has its data in a field of another element type");
  if (failed(checkSize(data.size())))
    return failure();
  return makeElements(type, data);
}

FailureOr<TypedAttr> TensorReader::read() {
  FailureOr<Type> elementType =
      readElementType(tensor.data_type(), where, state);
  if (failed(elementType))
    return failure();
  SmallVector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  for (int64_t size : shape)
    if (failed(checkDimension(size, where, state)))
      return failure();
  FailureOr<RankedTensorType> tensorType =
      makeTensorType(shape, *elementType, where, state);
  if (failed(tensorType) || failed(checkOneSource()))
    return failure();
  type = *tensorType;
  bytes = *getStoredBytes(type);
  if (tensor.data_location() == TensorProto::EXTERNAL)
    return readExternal();
  if (tensor.has_segment())
    return readTakenOut();
  if (!tensor.has_raw_data())
    return readTyped();
  if (failed(checkSize(tensor.raw_data().size())))
    return failure();
  return makeElements(
      type, ArrayRef(tensor.raw_data().data(), tensor.raw_data().size()));
}

FailureOr<TypedAttr> llmopt::onnx::readTensor(const TensorProto &tensor,
                                              StringRef where,
                                              ImportState &state) {
  return TensorReader(tensor, where, state).read();
}
