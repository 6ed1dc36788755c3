//===- ExternalData.cpp - Tensor data in files beside a model ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
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
/// The entries of `external_data` that matter, as the file spells them.
struct Entries {
  std::optional<StringRef> location, offset, length;
};
} // namespace

/// Collects the known entries; others carry no meaning here.
static FailureOr<Entries> readEntries(const ::onnx::TensorProto &tensor,
                                      StringRef where, Reporter &reporter) {
  Entries entries;
  for (const ::onnx::StringStringEntryProto &entry : tensor.external_data()) {
    std::optional<StringRef> *slot =
        llvm::StringSwitch<std::optional<StringRef> *>(entry.key())
            .Case("location", &entries.location)
            .Case("offset", &entries.offset)
            .Case("length", &entries.length)
            .Default(nullptr);
    if (!slot)
      continue;
    if (*slot)
      return reporter.malformed(where + ": external data has two entries " +
                                quoteName(entry.key()));
    *slot = entry.value();
  }
  if (!entries.location || entries.location->empty())
    return reporter.malformed(where + ": external data has no location");
  return entries;
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
  std::error_code error = fs::real_path(baseDirectory, realBase);
  if (!error)
    error = fs::real_path(joined, real);
  if (error)
    return reporter.unreadable(where + ": cannot open external data " + quoted +
                               ": " + error.message());
  if (!isInside(real, realBase))
    return reporter.malformed(
        where + ": external data " + quoted +
        " is a link out of the directory of the model; copy the file there");
  fs::file_status status;
  if (std::error_code error = fs::status(real, status))
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
  FailureOr<Entries> entries = readEntries(tensor, where, reporter);
  if (failed(entries))
    return failure();
  StringRef location = *entries->location;
  std::string quoted = quoteName(location);
  std::optional<SmallString<128>> normalized = normalize(location);
  if (!normalized)
    return reporter.malformed(where + ": external data " + quoted +
                              " is not a path inside the directory of the "
                              "model");
  if (baseDirectory.empty())
    return reporter.unsupported(where + ": external data " + quoted +
                                " cannot be found: the model has no directory");
  uint64_t offset = 0;
  if (entries->offset && entries->offset->getAsInteger(10, offset))
    return reporter.malformed(where + ": external data has the offset " +
                              quoteName(*entries->offset) +
                              ", which is not a number of bytes");
  uint64_t length = bytes;
  if (entries->length && entries->length->getAsInteger(10, length))
    return reporter.malformed(where + ": external data has the length " +
                              quoteName(*entries->length) +
                              ", which is not a number of bytes");
  if (length != static_cast<uint64_t>(bytes))
    return reporter.malformed(where + ": external data has " + Twine(length) +
                              " bytes, but the tensor takes " + Twine(bytes));
  FailureOr<uint64_t> size = openLocation(*normalized, where);
  if (failed(size))
    return failure();
  if (offset > *size || length > *size - offset)
    return reporter.malformed(where + ": external data " + quoted + " has " +
                              Twine(*size) + " bytes, too few for " +
                              Twine(length) + " bytes at offset " +
                              Twine(offset));
  return ExternalRange{normalized->str().str(), static_cast<int64_t>(offset),
                       bytes};
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
