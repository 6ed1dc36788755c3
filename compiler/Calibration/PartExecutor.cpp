//===- PartExecutor.cpp - Executes parts on rows of samples -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/PartExecutor.h"
#include "compiler/WeightWriter.h"
#include "llvm/Support/MathExtras.h"
#include <cstdlib>
#include <cstring>
#include <numeric>

using namespace llmopt;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

AlignedBytes::AlignedBytes(size_t size) : count(size) {
  size_t whole = llvm::alignTo(std::max<size_t>(size, 1), LLMOPT_VECTOR_BYTES);
  bytes.reset(
      static_cast<uint8_t *>(std::aligned_alloc(LLMOPT_VECTOR_BYTES, whole)));
  if (!bytes)
    llvm::report_bad_alloc_error("calibration");
  std::memset(bytes.get(), 0, whole);
}

void AlignedBytes::Free::operator()(uint8_t *pointer) const {
  std::free(pointer);
}

AlignedBytes AlignedBytes::copy() const {
  AlignedBytes result(count);
  std::memcpy(result.data(), data(), count);
  return result;
}

uint8_t *SampleRows::at(unsigned buffer, size_t first) {
  if (!buffers[buffer].data())
    buffers[buffer] = AlignedBytes(rows * rowBytes[buffer]);
  return buffers[buffer].data() + first * rowBytes[buffer];
}

void SampleRows::keepOnly(llvm::ArrayRef<unsigned> needed) {
  for (size_t i = 0; i < buffers.size(); ++i)
    if (!llvm::is_contained(needed, i))
      buffers[i] = AlignedBytes();
}

std::vector<AlignedBytes>
SampleRows::copies(llvm::ArrayRef<unsigned> which) const {
  std::vector<AlignedBytes> result;
  for (unsigned buffer : which)
    result.push_back(buffers[buffer].copy());
  return result;
}

void SampleRows::restore(llvm::ArrayRef<unsigned> which,
                         std::vector<AlignedBytes> contents) {
  for (auto [buffer, bytes] : llvm::zip_equal(which, contents))
    buffers[buffer] = std::move(bytes);
}

mlir::FailureOr<AlignedBytes> llmopt::packForExecution(mlir::ModuleOp module) {
  AlignedBytes bytes(packedWeightsBytes(module));
  auto sink = [&](uint64_t offset, llvm::ArrayRef<uint8_t> weight) {
    std::memcpy(bytes.data() + offset, weight.data(), weight.size());
    return llvm::Error::success();
  };
  if (mlir::failed(packWeights(module, sink)))
    return mlir::failure();
  return std::move(bytes);
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

PartExecutor::PartExecutor(CodeRunner &runner, const CacheGeometry &geometry,
                           uint32_t sampleTokens)
    : runner(runner), sampleTokens(sampleTokens),
      capacity(llvm::alignTo(sampleTokens, LLMOPT_PANEL_ROWS)),
      positions(sampleTokens), allRows(sampleTokens) {
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(allRows.begin(), allRows.end(), 0);
  // A part has one attention at most: one layer.
  size_t pageBytes = llmopt_page_bytes(LLMOPT_KV_F32, /*layers=*/1,
                                       geometry.kvHeads, geometry.headDim);
  size_t count = llvm::divideCeil(sampleTokens, LLMOPT_PAGE_TOKENS);
  pages = AlignedBytes(count * pageBytes);
  for (size_t i = 0; i < count; ++i)
    pageTable.push_back(pages.data() + i * pageBytes);
}

void PartExecutor::reserve(const PartCode &code) {
  size_t arenaBytes = code.arenaBytesPerRow * capacity;
  if (arena.size() < arenaBytes)
    arena = AlignedBytes(arenaBytes);
  size_t scratchBytes = code.scratchBytes * runner.threads();
  if (scratch.size() < scratchBytes)
    scratch = AlignedBytes(scratchBytes);
}

llvm::Error PartExecutor::execute(const ModelPart &part, const PartCode &code,
                                  const uint8_t *weights,
                                  llvm::ArrayRef<int64_t> tokens,
                                  SampleRows &rows) {
  reserve(code);
  for (size_t first = 0; first < tokens.size(); first += sampleTokens) {
    llmopt_segment segment = {};
    segment.rows = sampleTokens;
    segment.pages = pageTable.data();
    llmopt_call call = {};
    call.rows = call.logit_rows = sampleTokens;
    call.capacity = capacity;
    call.segment_count = 1;
    call.tokens = tokens.data() + first;
    call.positions = positions.data();
    call.segments = &segment;
    call.logit_row_index = allRows.data();
    call.arena = arena.data();
    call.scratch = scratch.data();
    call.weights = weights;
    for (auto [buffer, place] : llvm::zip_equal(part.inputs, code.inputs))
      std::memcpy(arena.data() + place * capacity, rows.at(buffer, first),
                  sampleTokens * rows.bytesOfRow(buffer));
    if (llvm::Error error = runner.run(code.entry, call))
      return error;
    for (auto [buffer, place] : llvm::zip_equal(part.outputs, code.outputs))
      std::memcpy(rows.at(buffer, first), arena.data() + place * capacity,
                  sampleTokens * rows.bytesOfRow(buffer));
  }
  return llvm::Error::success();
}
