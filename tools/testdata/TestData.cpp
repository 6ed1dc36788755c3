//===- TestData.cpp - Data sets of ONNX backend tests -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/testdata/TestData.h"
#include "tools/testdata/Elements.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <onnx-ml.pb.h>

using namespace llmopt::tools;
namespace fs = llvm::sys::fs;

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (int64_t dim : dims)
    count *= dim;
  return count;
}

/// A file that is no tensor, or none that is supported.
static llvm::Error dataError(llvm::StringRef path, const llvm::Twine &reason) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), path + ": " + reason);
}

/// A file that is missing or cannot be read.
static llvm::Error fileError(llvm::StringRef path, const llvm::Twine &reason) {
  return llvm::createStringError(std::make_error_code(std::errc::io_error),
                                 path + ": " + reason);
}

/// Copies raw data of whole bytes, or packed elements.
static llvm::Error copyRaw(llvm::StringRef raw, const ElementType &type,
                           Tensor &tensor, llvm::StringRef path) {
  int64_t count = tensor.elements();
  if (raw.size() != llvm::divideCeil(count * type.bits, 8))
    return dataError(path, "has " + llvm::Twine(raw.size()) + " bytes, but " +
                               llvm::Twine(count) + " elements of type " +
                               type.name);
  if (type.bits < 8)
    tensor.data = unpack(raw, count, type);
  else
    tensor.data.assign(raw.begin(), raw.end());
  return llvm::Error::success();
}

/// Copies a repeated field whose values have the width of T where it matters.
template <typename T, typename FieldT>
static llvm::Error copyValues(const FieldT &field, const ElementType &type,
                              Tensor &tensor, llvm::StringRef path) {
  int64_t count = tensor.elements();
  if (field.size() != count)
    return dataError(path, "has " + llvm::Twine(field.size()) +
                               " values, but " + llvm::Twine(count) +
                               " elements of type " + type.name);
  tensor.data.resize(count * sizeof(T));
  llvm::transform(field, reinterpret_cast<T *>(tensor.data.data()),
                  [](auto value) { return static_cast<T>(value); });
  return llvm::Error::success();
}

/// Small types lie in 32-bit integers, those of less than 8 bits as packed
/// bytes.
static llvm::Error copyInts(const onnx::TensorProto &proto,
                            const ElementType &type, Tensor &tensor,
                            llvm::StringRef path) {
  switch (type.bits) {
  case 32:
    return copyValues<int32_t>(proto.int32_data(), type, tensor, path);
  case 16:
    return copyValues<uint16_t>(proto.int32_data(), type, tensor, path);
  case 8:
    return copyValues<uint8_t>(proto.int32_data(), type, tensor, path);
  default:
    std::string packed(proto.int32_data().begin(), proto.int32_data().end());
    return copyRaw(packed, type, tensor, path);
  }
}

static llvm::Error copyElements(const onnx::TensorProto &proto, Tensor &tensor,
                                llvm::StringRef path) {
  std::optional<ElementType> type = fromOnnx(proto.data_type());
  if (!type)
    return dataError(path, "element type " + llvm::Twine(proto.data_type()) +
                               " is not supported: only tensors of numbers "
                               "are");
  tensor.type = type->type;
  if (proto.has_raw_data())
    return copyRaw(proto.raw_data(), *type, tensor, path);
  switch (type->type) {
  case LLMOPT_F32:
    return copyValues<float>(proto.float_data(), *type, tensor, path);
  case LLMOPT_F64:
    return copyValues<double>(proto.double_data(), *type, tensor, path);
  case LLMOPT_I64:
    return copyValues<int64_t>(proto.int64_data(), *type, tensor, path);
  case LLMOPT_U64:
    return copyValues<uint64_t>(proto.uint64_data(), *type, tensor, path);
  case LLMOPT_U32:
    return copyValues<uint32_t>(proto.uint64_data(), *type, tensor, path);
  default:
    return copyInts(proto, *type, tensor, path);
  }
}

llvm::Expected<Tensor> llmopt::tools::readTensor(llvm::StringRef path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fileError(path, "cannot read it: " + buffer.getError().message());
  onnx::TensorProto proto;
  if (!proto.ParseFromArray((*buffer)->getBufferStart(),
                            (*buffer)->getBufferSize()))
    return dataError(path, "is no TensorProto");
  Tensor tensor;
  tensor.name = proto.name();
  if (proto.dims_size() > LLMOPT_MAX_RANK)
    return dataError(path, "has " + llvm::Twine(proto.dims_size()) +
                               " dimensions, at most " +
                               llvm::Twine(LLMOPT_MAX_RANK) + " are supported");
  int64_t count = 1;
  for (int64_t dim : proto.dims()) {
    if (dim < 0 || llvm::MulOverflow(count, dim, count) ||
        count > INT64_MAX / 64)
      return dataError(path,
                       "dimension " + llvm::Twine(dim) + " is out of range");
    tensor.dims.push_back(dim);
  }
  if (llvm::Error error = copyElements(proto, tensor, path))
    return error;
  return tensor;
}

/// Reads KIND_0.pb, KIND_1.pb, ... of a data set.
static llvm::Error readAll(llvm::StringRef directory, llvm::StringRef kind,
                           std::vector<Tensor> &tensors) {
  for (unsigned index = 0;; ++index) {
    llvm::SmallString<256> path(directory);
    llvm::sys::path::append(path, kind + "_" + llvm::Twine(index) + ".pb");
    if (!fs::exists(path))
      return llvm::Error::success();
    llvm::Expected<Tensor> tensor = readTensor(path);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
}

llvm::Expected<DataSet> llmopt::tools::readDataSet(llvm::StringRef path) {
  DataSet set;
  set.name = llvm::sys::path::filename(path).str();
  if (llvm::Error error = readAll(path, "input", set.inputs))
    return error;
  if (llvm::Error error = readAll(path, "output", set.outputs))
    return error;
  return set;
}

llvm::Expected<std::vector<DataSet>>
llmopt::tools::readDataSets(llvm::StringRef directory) {
  constexpr llvm::StringLiteral kPrefix = "test_data_set_";
  llvm::SmallVector<std::pair<unsigned, std::string>> found;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end;
       it.increment(code)) {
    llvm::StringRef name = llvm::sys::path::filename(it->path());
    unsigned number;
    if (name.consume_front(kPrefix) && !name.getAsInteger(10, number))
      found.emplace_back(number, it->path());
  }
  if (code)
    return fileError(directory, code.message());
  llvm::sort(found);
  std::vector<DataSet> sets;
  for (const auto &[number, path] : found) {
    llvm::Expected<DataSet> set = readDataSet(path);
    if (!set)
      return set.takeError();
    if (set->outputs.empty())
      return fileError(path, "has no output_0.pb");
    sets.push_back(std::move(*set));
  }
  return sets;
}
