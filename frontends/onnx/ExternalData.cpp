//===- ExternalData.cpp - Tensor data in files beside a model ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/ExternalData.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace {
/// The entries of `external_data` that matter.
struct Entries {
  StringRef location;
  /// In bytes.
  uint64_t offset;
  uint64_t length;
};
} // namespace

/// The value of the entry `key`, or nullopt when there is none.
static FailureOr<std::optional<StringRef>>
findEntry(const ::onnx::TensorProto &tensor, StringRef key, StringRef where,
          Reporter &reporter) {
  std::optional<StringRef> value;
  for (const ::onnx::StringStringEntryProto &entry : tensor.external_data()) {
    if (entry.key() != key)
      continue;
    if (value)
      return reporter.malformed(where + ": external data has two entries " +
                                quoteName(key));
    value = entry.value();
  }
  return value;
}

/// The value of the entry `key` as a number of bytes.
static FailureOr<uint64_t> findBytes(const ::onnx::TensorProto &tensor,
                                     StringRef key, uint64_t defaultValue,
                                     StringRef where, Reporter &reporter) {
  FailureOr<std::optional<StringRef>> text =
      findEntry(tensor, key, where, reporter);
  if (failed(text))
    return failure();
  uint64_t bytes = defaultValue;
  if (*text && (*text)->getAsInteger(10, bytes))
    return reporter.malformed(where + ": external data has the " + key + " " +
                              quoteName(**text) +
                              ", which is not a number of bytes");
  return bytes;
}

/// Reads the entries that matter; others carry no meaning here. `bytes` is the
/// size of the tensor.
static FailureOr<Entries> readEntries(const ::onnx::TensorProto &tensor,
                                      int64_t bytes, StringRef where,
                                      Reporter &reporter) {
  FailureOr<std::optional<StringRef>> location =
      findEntry(tensor, "location", where, reporter);
  if (failed(location))
    return failure();
  if (!*location || (*location)->empty())
    return reporter.malformed(where + ": external data has no location");
  FailureOr<uint64_t> offset = findBytes(tensor, "offset", 0, where, reporter);
  if (failed(offset))
    return failure();
  FailureOr<uint64_t> length =
      findBytes(tensor, "length", bytes, where, reporter);
  if (failed(length))
    return failure();
  if (*length != static_cast<uint64_t>(bytes))
    return reporter.malformed(where + ": external data has " + Twine(*length) +
                              " bytes, but the tensor takes " + Twine(bytes));
  return Entries{**location, *offset, *length};
}

/// The location without dots, or nullopt when it is no path to something below
/// the directory of the model.
static std::optional<SmallString<128>> normalize(StringRef location) {
  if (path::is_absolute(location) || location.contains('\0') ||
      llvm::is_contained(
          llvm::make_range(path::begin(location), path::end(location)), ".."))
    return std::nullopt;
  SmallString<128> normalized(location);
  path::remove_dots(normalized);
  if (normalized.empty())
    return std::nullopt;
  return normalized;
}

/// True if every component of `real` up to the length of `directory` is that
/// of `directory`.
static bool isInside(StringRef real, StringRef directory) {
  path::const_iterator end = path::end(real);
  path::const_iterator it = path::begin(real);
  for (path::const_iterator part = path::begin(directory),
                            partEnd = path::end(directory);
       part != partEnd; ++part, ++it)
    if (it == end || *it != *part)
      return false;
  return it != end;
}

FailureOr<uint64_t> ExternalData::openLocation(StringRef location,
                                               StringRef where) {
  auto knownSize = sizes.find(location);
  if (knownSize != sizes.end())
    return knownSize->second;
  std::string quoted = quoteName(location);
  SmallString<256> joined(baseDirectory);
  path::append(joined, location);
  SmallString<256> real, realBase;
  fs::file_status status;
  std::error_code error = fs::real_path(baseDirectory, realBase);
  if (!error)
    error = fs::real_path(joined, real);
  if (!error && !isInside(real, realBase))
    return reporter.malformed(
        where + ": external data " + quoted +
        " is a link out of the directory of the model; copy the file there");
  if (!error)
    error = fs::status(real, status);
  if (error)
    return reporter.unreadable(where + ": cannot open external data " + quoted +
                               ": " + error.message());
  if (!fs::is_regular_file(status))
    return reporter.unreadable(where + ": external data " + quoted +
                               " is not a regular file");
  sizes[location] = status.getSize();
  return status.getSize();
}

FailureOr<ExternalRange>
ExternalData::resolve(const ::onnx::TensorProto &tensor, int64_t bytes,
                      StringRef where) {
  FailureOr<Entries> entries = readEntries(tensor, bytes, where, reporter);
  if (failed(entries))
    return failure();
  std::string quoted = quoteName(entries->location);
  std::optional<SmallString<128>> normalized = normalize(entries->location);
  if (!normalized)
    return reporter.malformed(where + ": external data " + quoted +
                              " is not a path inside the directory of the "
                              "model");
  if (baseDirectory.empty())
    return reporter.unsupported(where + ": external data " + quoted +
                                " cannot be found: the model has no directory");
  FailureOr<uint64_t> size = openLocation(*normalized, where);
  if (failed(size))
    return failure();
  if (entries->offset > *size || entries->length > *size - entries->offset)
    return reporter.malformed(where + ": external data " + quoted + " has " +
                              Twine(*size) + " bytes, too few for " +
                              Twine(bytes) + " bytes at offset " +
                              Twine(entries->offset));
  return ExternalRange{normalized->str().str(),
                       static_cast<int64_t>(entries->offset), bytes};
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
ExternalData::read(const ExternalRange &range, StringRef where) {
  SmallString<256> joined(baseDirectory);
  path::append(joined, range.file);
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFileSlice(joined, range.bytes, range.offset);
  if (!buffer)
    return reporter.unreadable(where + ": cannot read external data " +
                               quoteName(range.file) + ": " +
                               buffer.getError().message());
  return std::move(*buffer);
}
