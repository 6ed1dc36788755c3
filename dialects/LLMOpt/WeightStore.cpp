//===- WeightStore.cpp - The bytes behind weight references -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <cstring>
#include <random>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llmopt;
using namespace mlir;

/// A whole file, mapped read-only. The spill file is mapped in pieces, one per
/// blob.
struct WeightStore::MappedFile {
  const char *data = nullptr;
  uint64_t bytes = 0;
  std::vector<std::pair<void *, uint64_t>> pieces;

  ~MappedFile() {
    if (data)
      munmap(const_cast<char *>(data), bytes);
    for (auto [address, length] : pieces)
      munmap(address, length);
  }
};

WeightStore::WeightStore() = default;

WeightStore::~WeightStore() {
  if (spillDescriptor >= 0)
    close(spillDescriptor);
}

void WeightStore::setModelPath(StringRef path) { modelPath = path.str(); }

InFlightDiagnostic
WeightStore::emitSystemError(function_ref<InFlightDiagnostic()> emitError) {
  systemError = true;
  return emitError();
}

FailureOr<WeightStore::MappedFile *>
WeightStore::map(StringRef file, function_ref<InFlightDiagnostic()> emitError) {
  std::unique_ptr<MappedFile> &slot = files[file];
  if (slot)
    return slot.get();
  SmallString<256> path(modelPath);
  if (!file.empty()) {
    llvm::sys::path::remove_filename(path);
    llvm::sys::path::append(path, file);
  }
  llvm::Expected<llvm::sys::fs::file_t> handle =
      llvm::sys::fs::openNativeFileForRead(path);
  if (!handle) {
    emitSystemError(emitError) << "cannot read weights from '" << path
                               << "': " << llvm::toString(handle.takeError());
    return failure();
  }
  struct stat status;
  void *address = MAP_FAILED;
  if (fstat(*handle, &status) == 0 && S_ISREG(status.st_mode))
    address = status.st_size == 0 ? nullptr
                                  : mmap(nullptr, status.st_size, PROT_READ,
                                         MAP_PRIVATE, *handle, 0);
  close(*handle);
  if (address == MAP_FAILED) {
    emitSystemError(emitError) << "cannot map weights from '" << path
                               << "': not a readable regular file";
    return failure();
  }
  slot = std::make_unique<MappedFile>();
  slot->data = static_cast<const char *>(address);
  slot->bytes = status.st_size;
  return slot.get();
}

LogicalResult
WeightStore::checkSpilled(WeightBlobAttr blob,
                          function_ref<InFlightDiagnostic()> emitError) {
  uint64_t offset = blob.getOffset(), bytes = blob.getBytes();
  if (spillDescriptor < 0)
    return emitError() << "weight refers to " << bytes << " spilled bytes at "
                       << offset << ", but none were written";
  if (offset <= spillBytes && bytes <= spillBytes - offset)
    return success();
  return emitError() << "weight refers to " << bytes << " spilled bytes at "
                     << offset << ", but " << spillBytes << " were written";
}

FailureOr<ArrayRef<char>>
WeightStore::read(WeightBlobAttr blob,
                  function_ref<InFlightDiagnostic()> emitError) {
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t offset = blob.getOffset(), bytes = blob.getBytes();
  if (blob.getFile() == spillName) {
    if (failed(checkSpilled(blob, emitError)))
      return failure();
    if (bytes == 0)
      return ArrayRef<char>();
    uint64_t page = sysconf(_SC_PAGESIZE), skip = offset % page;
    void *address = mmap(nullptr, bytes + skip, PROT_READ, MAP_SHARED,
                         spillDescriptor, offset - skip);
    if (address == MAP_FAILED) {
      emitSystemError(emitError)
          << "cannot map spilled weights: " << llvm::sys::StrError();
      return failure();
    }
    std::unique_ptr<MappedFile> &spilled = files[spillName];
    if (!spilled)
      spilled = std::make_unique<MappedFile>();
    spilled->pieces.emplace_back(address, bytes + skip);
    return ArrayRef<char>(static_cast<const char *>(address) + skip, bytes);
  }
  FailureOr<MappedFile *> file = map(blob.getFile(), emitError);
  if (failed(file))
    return failure();
  if (offset > (*file)->bytes || bytes > (*file)->bytes - offset) {
    emitError() << "weight needs bytes " << offset << " to " << offset + bytes
                << " of '" << blob.getFile() << "', which has "
                << (*file)->bytes;
    return failure();
  }
  return ArrayRef<char>((*file)->data + offset, bytes);
}

/// Copies the bytes of a blob. Spilled bytes are read without a mapping, which
/// would stay until the end of the process.
LogicalResult
WeightStore::copyBytes(WeightBlobAttr blob, char *out,
                       function_ref<InFlightDiagnostic()> emitError) {
  if (blob.getFile() != spillName) {
    FailureOr<ArrayRef<char>> bytes = read(blob, emitError);
    if (failed(bytes))
      return failure();
    if (!bytes->empty())
      std::memcpy(out, bytes->data(), bytes->size());
    return success();
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (failed(checkSpilled(blob, emitError)))
      return failure();
  }
  for (int64_t done = 0; done < blob.getBytes();) {
    ssize_t count = pread(spillDescriptor, out + done, blob.getBytes() - done,
                          blob.getOffset() + done);
    if (count <= 0)
      return emitSystemError(emitError)
             << "cannot read spilled weights: "
             << (count < 0 ? llvm::sys::StrError() : "unexpected end of file");
    done += count;
  }
  return success();
}

/// Normal values with standard deviation 1 / sqrt(K), from a generator that is
/// equal on all platforms (the standard library's distributions are not).
static std::vector<float> drawWeights(uint64_t seed, RankedTensorType type) {
  std::mt19937_64 generator(seed);
  auto uniform = [&] { return ((generator() >> 11) + 0.5) * 0x1p-53; };
  double deviation =
      1.0 / std::sqrt(double(std::max<int64_t>(
                type.getRank() ? type.getShape().back() : 1, 1)));
  std::vector<float> values(type.getNumElements());
  for (float &value : values) {
    double radius = std::sqrt(-2.0 * std::log(uniform()));
    value = float(deviation * radius * std::cos(6.283185307179586 * uniform()));
  }
  return values;
}

/// Turns [columns, rows] into [rows, columns], in tiles that stay in the cache;
/// `read` gives a value of the source.
template <typename Read>
static std::vector<float> transposeFloats(int64_t rows, int64_t columns,
                                          Read read) {
  constexpr int64_t tile = 16;
  std::vector<float> values(rows * columns);
  for (int64_t row0 = 0; row0 < rows; row0 += tile)
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t row = row0; row < std::min(row0 + tile, rows); ++row)
        values[row * columns + column] = read(column * rows + row);
  return values;
}

/// A number of 16 bits as f32.
static float widen(uint16_t bits, const llvm::fltSemantics &semantics) {
  llvm::APFloat value(semantics, llvm::APInt(16, bits));
  return value.convertToFloat();
}

/// Reads the values of a blob in the order of the weight.
static std::vector<float> readValues(ArrayRef<char> bytes, WeightBlobAttr blob,
                                     RankedTensorType type) {
  int64_t columns = type.getRank() ? type.getShape().back() : 1;
  int64_t rows = columns ? type.getNumElements() / columns : 0;
  auto place = [&](auto read) {
    if (blob.getTransposed())
      return transposeFloats(rows, columns, read);
    std::vector<float> values(rows * columns);
    for (int64_t i = 0; i < rows * columns; ++i)
      values[i] = read(i);
    return values;
  };
  auto element = dyn_cast_or_null<FloatType>(blob.getElement());
  if (element)
    return place([&](int64_t index) {
      uint16_t bits;
      std::memcpy(&bits, bytes.data() + index * sizeof(bits), sizeof(bits));
      return widen(bits, element.getFloatSemantics());
    });
  return place([&](int64_t index) {
    float value;
    std::memcpy(&value, bytes.data() + index * sizeof(value), sizeof(value));
    return value;
  });
}

FailureOr<std::vector<float>>
WeightStore::readFloats(Attribute source, RankedTensorType type,
                        function_ref<InFlightDiagnostic()> emitError) {
  if (auto random = dyn_cast<RandomAttr>(source))
    return drawWeights(random.getSeed(), type);
  if (auto elements = dyn_cast<ElementsAttr>(source)) {
    auto values = elements.tryGetValues<float>();
    if (!values) {
      emitError() << "literal weight is not of f32 elements";
      return failure();
    }
    return std::vector<float>(values->begin(), values->end());
  }
  auto blob = cast<WeightBlobAttr>(source);
  int64_t needed = type.getNumElements() * (blob.getElement() ? 2 : 4);
  if (blob.getBytes() != needed) {
    emitError() << "weight of type " << type << " needs " << needed
                << " bytes, but its blob has " << blob.getBytes();
    return failure();
  }
  if (!blob.getTransposed() && !blob.getElement()) {
    std::vector<float> values(type.getNumElements());
    if (failed(copyBytes(blob, reinterpret_cast<char *>(values.data()),
                         emitError)))
      return failure();
    return values;
  }
  FailureOr<ArrayRef<char>> bytes = read(blob, emitError);
  if (failed(bytes))
    return failure();
  return readValues(*bytes, blob, type);
}

/// Codes for tests: normally distributed with standard deviation 32, within
/// [-127, 127].
static std::vector<int8_t> drawCodes(uint64_t seed, RankedTensorType type) {
  double scale = 32 * std::sqrt(double(type.getShape().back()));
  std::vector<float> values = drawWeights(seed, type);
  std::vector<int8_t> codes(values.size());
  for (auto [value, code] : llvm::zip_equal(values, codes))
    code = int8_t(std::clamp(std::round(value * scale), -127.0, 127.0));
  return codes;
}

FailureOr<std::vector<int8_t>>
WeightStore::readCodes(Attribute source, RankedTensorType type,
                       function_ref<InFlightDiagnostic()> emitError) {
  if (auto random = dyn_cast<RandomAttr>(source))
    return drawCodes(random.getSeed(), type);
  if (auto elements = dyn_cast<ElementsAttr>(source)) {
    auto values = elements.tryGetValues<int8_t>();
    if (!values) {
      emitError() << "literal codes are not of i8 elements";
      return failure();
    }
    return std::vector<int8_t>(values->begin(), values->end());
  }
  auto blob = cast<WeightBlobAttr>(source);
  if (blob.getBytes() != type.getNumElements() || blob.getTransposed()) {
    emitError() << "codes of type " << type << " need " << type.getNumElements()
                << " bytes in order, got " << blob;
    return failure();
  }
  std::vector<int8_t> codes(type.getNumElements());
  if (failed(
          copyBytes(blob, reinterpret_cast<char *>(codes.data()), emitError)))
    return failure();
  return codes;
}

WeightBlobAttr WeightStore::reserve(MLIRContext *context, uint64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t offset = llvm::alignTo(spillBytes, 64);
  spillBytes = offset + bytes;
  return WeightBlobAttr::get(context, spillName, offset, bytes, false);
}

/// Creates a file that lives as long as its descriptor.
static std::error_code createUnlinkedFile(int &descriptor) {
  SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          "llmopt-spill", "bin", descriptor, path))
    return error;
  return llvm::sys::fs::remove(path);
}

LogicalResult WeightStore::write(WeightBlobAttr blob, ArrayRef<char> bytes,
                                 function_ref<InFlightDiagnostic()> emitError) {
  assert(blob.getFile() == spillName &&
         blob.getBytes() == int64_t(bytes.size()) && "blob was not reserved");
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (spillDescriptor < 0)
      if (std::error_code error = createUnlinkedFile(spillDescriptor))
        return emitSystemError(emitError)
               << "cannot create a temporary file for weights: "
               << error.message();
  }
  for (uint64_t done = 0; done < bytes.size();) {
    ssize_t count = pwrite(spillDescriptor, bytes.data() + done,
                           bytes.size() - done, blob.getOffset() + done);
    if (count <= 0)
      return emitSystemError(emitError)
             << "cannot write " << bytes.size()
             << " bytes of weights to a temporary file: "
             << llvm::sys::StrError();
    done += count;
  }
  return success();
}

WeightBlobAttr WeightStore::reserveFor(Attribute source,
                                       RankedTensorType type) {
  if (isa<ElementsAttr>(source))
    return {};
  return reserve(type.getContext(),
                 type.getNumElements() * type.getElementTypeBitWidth() / 8);
}

FailureOr<Attribute>
WeightStore::store(WeightBlobAttr place, RankedTensorType type,
                   ArrayRef<char> bytes,
                   function_ref<InFlightDiagnostic()> emitError) {
  if (!place)
    return Attribute(DenseElementsAttr::getFromRawBuffer(type, bytes));
  if (failed(write(place, bytes, emitError)))
    return failure();
  return Attribute(place);
}

FailureOr<WeightBlobAttr>
WeightStore::spill(MLIRContext *context, ArrayRef<char> bytes,
                   function_ref<InFlightDiagnostic()> emitError) {
  WeightBlobAttr blob = reserve(context, bytes.size());
  if (failed(write(blob, bytes, emitError)))
    return failure();
  return blob;
}
