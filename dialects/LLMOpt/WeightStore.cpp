//===- WeightStore.cpp - The bytes behind weight references -- -*- C++ -*--===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for licence information.
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

/// A whole file, mapped read-only. The spill file is mapped in pieces, one per blob.
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

FailureOr<WeightStore::MappedFile *>
WeightStore::map(StringRef file,
                 function_ref<InFlightDiagnostic()> emitError) {
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
    emitError() << "cannot read weights from '" << path
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
    emitError() << "cannot map weights from '" << path
                << "': not a readable regular file";
    return failure();
  }
  slot = std::make_unique<MappedFile>();
  slot->data = static_cast<const char *>(address);
  slot->bytes = status.st_size;
  return slot.get();
}

FailureOr<ArrayRef<char>>
WeightStore::read(WeightBlobAttr blob, function_ref<InFlightDiagnostic()> emitError) {
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t offset = blob.getOffset(), bytes = blob.getBytes();
  if (blob.getFile() == spillName) {
    if (spillDescriptor < 0 || offset > spillBytes ||
        bytes > spillBytes - offset) {
      emitError() << "weight refers to " << bytes << " spilled bytes at "
                  << offset << ", but " << spillBytes << " were written";
      return failure();
    }
    if (bytes == 0)
      return ArrayRef<char>();
    uint64_t page = sysconf(_SC_PAGESIZE), skip = offset % page;
    void *address = mmap(nullptr, bytes + skip, PROT_READ, MAP_SHARED,
                         spillDescriptor, offset - skip);
    if (address == MAP_FAILED) {
      emitError() << "cannot map spilled weights: " << llvm::sys::StrError();
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

/// Normal values with standard deviation 1 / sqrt(K), from a generator that is equal on all
/// platforms (the standard library's distributions are not).
static std::vector<float> drawWeights(uint64_t seed, RankedTensorType type) {
  std::mt19937_64 generator(seed);
  auto uniform = [&] { return ((generator() >> 11) + 0.5) * 0x1p-53; };
  double deviation = 1.0 / std::sqrt(double(std::max<int64_t>(
                               type.getRank() ? type.getShape().back() : 1, 1)));
  std::vector<float> values(type.getNumElements());
  for (float &value : values) {
    double radius = std::sqrt(-2.0 * std::log(uniform()));
    value = float(deviation * radius * std::cos(6.283185307179586 * uniform()));
  }
  return values;
}

static std::vector<float> copyFloats(ArrayRef<char> bytes, int64_t rows,
                                     int64_t columns, bool transposed) {
  std::vector<float> values(rows * columns);
  if (!transposed) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  // In tiles, so that both sides stay in the cache: the source is [columns, rows].
  constexpr int64_t tile = 16;
  for (int64_t row0 = 0; row0 < rows; row0 += tile)
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t row = row0; row < std::min(row0 + tile, rows); ++row)
        std::memcpy(&values[row * columns + column],
                    bytes.data() + (column * rows + row) * sizeof(float),
                    sizeof(float));
  return values;
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
  if (blob.getBytes() != type.getNumElements() * int64_t(sizeof(float))) {
    emitError() << "weight of type " << type << " needs "
                << type.getNumElements() * int64_t(sizeof(float))
                << " bytes, but its blob has " << blob.getBytes();
    return failure();
  }
  FailureOr<ArrayRef<char>> bytes = read(blob, emitError);
  if (failed(bytes))
    return failure();
  int64_t columns = type.getRank() ? type.getShape().back() : 1;
  int64_t rows = columns ? type.getNumElements() / columns : 0;
  return copyFloats(*bytes, rows, columns, blob.getTransposed());
}

FailureOr<WeightBlobAttr>
WeightStore::spill(MLIRContext *context, ArrayRef<char> bytes,
                   function_ref<InFlightDiagnostic()> emitError) {
  std::lock_guard<std::mutex> lock(mutex);
  if (spillDescriptor < 0) {
    SmallString<128> path;
    if (llvm::sys::fs::createTemporaryFile("llmopt-spill", "bin",
                                           spillDescriptor, path)) {
      emitError() << "cannot create a temporary file for weights";
      return failure();
    }
    llvm::sys::fs::remove(path); // unlinked: it lives as long as the descriptor
  }
  uint64_t offset = llvm::alignTo(spillBytes, 64);
  for (uint64_t done = 0; done < bytes.size();) {
    ssize_t written = pwrite(spillDescriptor, bytes.data() + done,
                             bytes.size() - done, offset + done);
    if (written <= 0) {
      emitError() << "cannot write " << bytes.size()
                  << " bytes of weights to a temporary file: "
                  << llvm::sys::StrError();
      return failure();
    }
    done += written;
  }
  spillBytes = offset + bytes.size();
  return WeightBlobAttr::get(context, spillName, offset, bytes.size(), false);
}
