//===- FunctionalRun.cpp - Computes the ONNX signature on the paged cache -===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/FunctionalRun.h"

#include "runtime/Descriptor.h"
#include "runtime/Error.h"
#include "runtime/Tensor.h"

#include <algorithm>
#include <cstring>

namespace llmopt::runtime {

llmopt_status FunctionalRun::run(std::span<const llmopt_tensor> inputs,
                                 std::span<llmopt_tensor> outputs) {
  if (const llmopt_status status = resolveRunShape(model, inputs, shape))
    return status;
  if (const llmopt_status status = checkOutputs(outputs))
    return status;
  if (const llmopt_status status = takePages())
    return status;
  readMask();
  readPositions();
  cacheTensors.clear();
  for (uint32_t i = 0; i < model.input_count; ++i)
    if (model.inputs[i].role == LLMOPT_ROLE_KEY ||
        model.inputs[i].role == LLMOPT_ROLE_VALUE)
      cacheTensors.push_back({static_cast<float *>(inputs[i].data), shape.past,
                              static_cast<uint32_t>(model.inputs[i].layer),
                              model.inputs[i].role == LLMOPT_ROLE_KEY});
  llmopt_status status = moveCache(/*import=*/true);
  if (status == LLMOPT_OK)
    status = ownOutputs(outputs);
  const int logits =
      findRole(model.outputs, model.output_count, LLMOPT_ROLE_LOGITS);
  if (status == LLMOPT_OK)
    status = execute(
        static_cast<float *>(outputs[static_cast<size_t>(logits)].data));
  cacheTensors.clear();
  for (uint32_t i = 0; i < model.output_count; ++i)
    if (model.outputs[i].role != LLMOPT_ROLE_LOGITS)
      cacheTensors.push_back({static_cast<float *>(outputs[i].data),
                              shape.present,
                              static_cast<uint32_t>(model.outputs[i].layer),
                              model.outputs[i].role == LLMOPT_ROLE_KEY});
  if (status == LLMOPT_OK)
    status = moveCache(/*import=*/false);
  releasePages();
  return status;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// Sets the shapes of all outputs, then checks the caller's buffers.
llmopt_status FunctionalRun::checkOutputs(std::span<llmopt_tensor> outputs) {
  if (outputs.size() != model.output_count)
    return fail(LLMOPT_BAD_TENSOR, "%zu outputs are given, the model has %u",
                outputs.size(), model.output_count);
  owned.resize(outputs.size());
  for (uint32_t i = 0; i < model.output_count; ++i) {
    llmopt_tensor tensor = outputTensor(model, model.outputs[i], shape);
    // A structure left from the call before names memory of this session.
    const bool isOwn =
        outputs[i].data && outputs[i].data == owned[i].as<void>();
    tensor.data = isOwn ? nullptr : outputs[i].data;
    tensor.capacity = tensor.data ? outputs[i].capacity : 0;
    outputs[i] = tensor;
  }
  for (uint32_t i = 0; i < model.output_count; ++i) {
    uint64_t bytes;
    if (!tensorBytes(outputs[i], bytes))
      return fail(LLMOPT_OUT_OF_RESOURCES, "output '%s' is too large",
                  model.outputs[i].name);
    if (outputs[i].data && outputs[i].capacity < bytes)
      return fail(LLMOPT_BUFFER_TOO_SMALL,
                  "output '%s' needs %llu bytes, its buffer has %zu",
                  model.outputs[i].name, static_cast<unsigned long long>(bytes),
                  outputs[i].capacity);
  }
  return LLMOPT_OK;
}

llmopt_status FunctionalRun::ownOutputs(std::span<llmopt_tensor> outputs) {
  for (uint32_t i = 0; i < model.output_count; ++i) {
    if (outputs[i].data)
      continue;
    uint64_t bytes;
    tensorBytes(outputs[i], bytes);
    if (owned[i].size() < bytes)
      owned[i] = Mapping::reserve(bytes);
    if (!owned[i])
      return fail(
          LLMOPT_OUT_OF_RESOURCES, "no memory for output '%s' of %llu bytes",
          model.outputs[i].name, static_cast<unsigned long long>(bytes));
    outputs[i].data = owned[i].as<void>();
    outputs[i].capacity = owned[i].size();
  }
  return LLMOPT_OK;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

llmopt_status FunctionalRun::takePages() {
  uint64_t needed = 0;
  for (const RunRow &row : shape.rows)
    needed += pagesFor(row.past + shape.sequence);
  if (needed > storePages) {
    store = {};
    storePages = 0;
    if (!store.create(llmopt_page_bytes(model.kv_format, model.layers,
                                        model.kv_heads, model.head_dim),
                      needed))
      return fail(LLMOPT_OUT_OF_RESOURCES,
                  "no address space for the cache of %llu rows of %llu tokens",
                  static_cast<unsigned long long>(shape.batch),
                  static_cast<unsigned long long>(shape.past + shape.sequence));
    storePages = needed;
  }
  pages.resize(shape.batch);
  for (uint64_t row = 0; row < shape.batch; ++row) {
    pages[row].resize(pagesFor(shape.rows[row].past + shape.sequence));
    for (uint8_t *&page : pages[row])
      page = store.take();
  }
  return LLMOPT_OK;
}

void FunctionalRun::releasePages() {
  for (const std::vector<uint8_t *> &table : pages)
    for (uint8_t *page : table)
      store.release(page);
  pages.clear();
}

void FunctionalRun::readMask() {
  keyMask.clear();
  if (!shape.mask)
    return;
  const uint64_t size =
      shape.batch * static_cast<uint64_t>(shape.mask->dims[1]);
  keyMask.resize(size);
  for (uint64_t i = 0; i < size; ++i)
    keyMask[i] = integerAt(*shape.mask, i) != 0;
}

void FunctionalRun::readPositions() {
  positions.clear();
  if (!shape.positions)
    return;
  positions.resize(shape.batch * shape.sequence);
  for (uint64_t i = 0; i < positions.size(); ++i)
    positions[i] = static_cast<int32_t>(integerAt(*shape.positions, i));
}

llmopt_status FunctionalRun::execute(float *logits) {
  std::vector<SequenceRows> work(shape.batch);
  for (uint64_t row = 0; row < shape.batch; ++row) {
    const uint64_t first = row * shape.sequence;
    SequenceRows &rows = work[row];
    if (shape.tokens->element_type == LLMOPT_I64)
      rows.tokens.wide =
          static_cast<const int64_t *>(shape.tokens->data) + first;
    else
      rows.tokens.narrow =
          static_cast<const int32_t *>(shape.tokens->data) + first;
    rows.count = shape.sequence;
    rows.past = shape.rows[row].past;
    rows.pages = pages[row].data();
    if (shape.rows[row].hasHiddenKeys)
      rows.keyMask = keyMask.data() + row * (shape.past + shape.sequence);
    if (shape.positions)
      rows.positions = positions.data() + first;
    rows.firstLogitRow = 0;
    rows.logits = logits + first * model.vocabulary;
  }
  return executor.execute(work);
}

//===----------------------------------------------------------------------===//
// Past and present tensors
//===----------------------------------------------------------------------===//

PagePart FunctionalRun::partOf(const CacheTensor &tensor, uint64_t row,
                               uint32_t head, uint64_t page) const {
  uint8_t *slice =
      pages[row][page] + llmopt_page_offset(model.kv_format, model.kv_heads,
                                            model.head_dim, tensor.layer, head);
  return {tensor.isKey
              ? slice
              : slice + llmopt_page_part_bytes(model.kv_format, model.head_dim),
          model.kv_format, model.head_dim, tensor.isKey};
}

void FunctionalRun::importTensor(const CacheTensor &tensor, uint64_t row,
                                 uint32_t head) const {
  const uint64_t dim = model.head_dim;
  const float *from =
      tensor.data + (row * model.kv_heads + head) * tensor.tokens * dim;
  for (uint64_t token = 0; token < shape.rows[row].past; ++token)
    partOf(tensor, row, head, token / LLMOPT_PAGE_TOKENS)
        .write(static_cast<uint32_t>(token % LLMOPT_PAGE_TOKENS),
               from + token * dim);
}

void FunctionalRun::exportTensor(const CacheTensor &tensor, uint64_t row,
                                 uint32_t head) const {
  const uint64_t dim = model.head_dim;
  const uint64_t valid = shape.rows[row].present;
  float *to = tensor.data + (row * model.kv_heads + head) * tensor.tokens * dim;
  for (uint64_t token = 0; token < valid; ++token)
    partOf(tensor, row, head, token / LLMOPT_PAGE_TOKENS)
        .read(static_cast<uint32_t>(token % LLMOPT_PAGE_TOKENS),
              to + token * dim);
  memset(to + valid * dim, 0, (tensor.tokens - valid) * dim * sizeof(float));
}

/// Moves all cache tensors, a (tensor, row, head) at a time, on all threads.
llmopt_status FunctionalRun::moveCache(bool import) {
  struct Job {
    const FunctionalRun &run;
    bool import;
    uint32_t threads;
  } job = {*this, import, pool.threads()};
  if (cacheTensors.empty() || (import && shape.past == 0))
    return LLMOPT_OK;
  const ThreadPool::Function body = [](void *context, uint32_t thread) {
    const Job &job = *static_cast<const Job *>(context);
    const FunctionalRun &run = job.run;
    const uint64_t heads = run.model.kv_heads, batch = run.shape.batch;
    const uint64_t count = run.cacheTensors.size() * batch * heads;
    for (uint64_t i = thread; i < count; i += job.threads) {
      const CacheTensor &tensor = run.cacheTensors[i / (batch * heads)];
      const uint64_t row = i / heads % batch;
      const auto head = static_cast<uint32_t>(i % heads);
      if (job.import)
        run.importTensor(tensor, row, head);
      else
        run.exportTensor(tensor, row, head);
    }
  };
  return pool.run(body, &job);
}

} // namespace llmopt::runtime
