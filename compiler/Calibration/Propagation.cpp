//===- Propagation.cpp - Samples through a model, block by block *- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/Propagation.h"
#include "mlir/IR/Threading.h"

using namespace llmopt;
using namespace mlir;

LogicalResult Propagation::execute(ModelPart &part, ArrayRef<Attribute> from,
                                   SampleRows &to) {
  part.setSources(from);
  FailureOr<const PartCode *> code = compiler.compile(*part.module);
  if (failed(code))
    return failure();
  FailureOr<AlignedBytes> weights = packForExecution(*part.module);
  if (failed(weights))
    return failure();
  if (llvm::Error error =
          executor.execute(part, **code, weights->data(), samples.tokens, to))
    return part.module->emitError("calibration cannot execute the model: ")
           << llvm::toString(std::move(error));
  return success();
}

LogicalResult Propagation::execute(ModelPart &part) {
  return execute(part, sources, rows);
}

LogicalResult Propagation::executeDense(ModelPart &part) {
  return options.pairs ? execute(part, denseSources, denseRows) : success();
}

/// What the products of a part read of the sample that begins with the token
/// `first`, without the padding of rows to vectors.
ArrayRef<float> Propagation::inputOf(const ModelPart &part, size_t first,
                                     SampleRows &from,
                                     std::vector<float> &buffer) {
  size_t stride = from.stride(part.productInput), columns = part.productColumns;
  auto *values =
      reinterpret_cast<const float *>(from.at(part.productInput, first));
  if (stride == columns)
    return {values, samples.length * columns};
  buffer.resize(samples.length * columns);
  for (size_t row = 0; row < samples.length; ++row)
    std::copy_n(values + row * stride, columns, buffer.begin() + row * columns);
  return buffer;
}

/// Sums over the rows that the products at the beginning of a part read.
FailureOr<LayerStatistics> Propagation::observe(const ModelPart &part) {
  LayerStatistics statistics(part.productColumns);
  MLIRContext *context = sources.front().getContext();
  ParallelFor parallel = [context](int64_t count, auto body) {
    parallelFor(context, 0, count, body);
  };
  std::vector<float> buffer, denseBuffer;
  for (size_t first = 0; first < samples.tokens.size();
       first += samples.length) {
    ArrayRef<float> values = inputOf(part, first, rows, buffer);
    bool isFinite =
        options.pairs
            ? statistics.accumulatePair(
                  values, inputOf(part, first, denseRows, denseBuffer),
                  parallel)
            : statistics.accumulate(values, parallel);
    if (!isFinite)
      break;
  }
  return std::move(statistics);
}

/// Gives back the rows that no part from `next` on reads before it writes them.
void Propagation::dropRows(Iterator next) {
  std::vector<unsigned> needed;
  for (auto part = next; part != parts.end(); ++part) {
    llvm::append_range(needed, part->inputs);
    if (!part->products.empty())
      needed.push_back(part->productInput);
  }
  rows.keepOnly(needed);
  denseRows.keepOnly(needed);
}

/// The buffers that a range of parts reads and does not write before.
static std::vector<unsigned> readFirst(ArrayRef<ModelPart> parts) {
  std::vector<unsigned> read, written;
  auto note = [&](unsigned buffer) {
    if (!llvm::is_contained(written, buffer) &&
        !llvm::is_contained(read, buffer))
      read.push_back(buffer);
  };
  for (const ModelPart &part : parts) {
    if (!part.products.empty())
      note(part.productInput);
    llvm::for_each(part.inputs, note);
    llvm::append_range(written, part.outputs);
  }
  return read;
}

/// Observes a block as a whole, compresses it, and computes what it yields.
LogicalResult Propagation::runBlock(Iterator first, Iterator last,
                                    Compress compress) {
  std::vector<LayerStatistics> statistics;
  std::vector<unsigned> entering =
      readFirst(ArrayRef(&*first, std::distance(first, last)));
  std::vector<AlignedBytes> before;
  // A single part is executed once only.
  if (std::next(first) != last)
    before = rows.copies(entering);
  for (auto part = first; part != last; ++part) {
    FailureOr<LayerStatistics> observed = observe(*part);
    if (failed(observed))
      return failure();
    statistics.push_back(std::move(*observed));
    if (std::next(part) == last)
      break;
    if (failed(execute(*part)) || failed(executeDense(*part)))
      return failure();
  }
  for (auto part = first; part != last; ++part)
    if (failed(
            compress({part->products, statistics[part - first], part->block})))
      return failure();
  if (!before.empty())
    rows.restore(entering, std::move(before));
  for (auto part = first; part != last; ++part) {
    if (std::next(part) == parts.end())
      break;
    if (failed(execute(*part)))
      return failure();
    if (std::next(part) == last && failed(executeDense(*part)))
      return failure();
  }
  dropRows(last);
  return success();
}

LogicalResult Propagation::run(Compress compress) {
  auto part = parts.begin();
  while (part != parts.end()) {
    if (part->products.empty()) {
      if (failed(execute(*part)) || failed(executeDense(*part)))
        return failure();
      ++part;
      continue;
    }
    auto last = std::next(part);
    while (!options.sequential && last != parts.end() &&
           last->block == part->block)
      ++last;
    if (failed(runBlock(part, last, compress)))
      return failure();
    part = last;
  }
  return success();
}
