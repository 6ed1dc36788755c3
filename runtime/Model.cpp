//===- Model.cpp - An open library ------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"

#include "runtime/CPU.h"
#include "runtime/Descriptor.h"
#include "runtime/Error.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace llmopt::runtime {

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

llmopt_status Model::open(const char *path, const llmopt_open_options &options,
                          std::unique_ptr<Model> &result) {
  std::unique_ptr<Model> model(new Model);
  if (const llmopt_status status = model->file.open(path))
    return status;
  if (const llmopt_status status = model->load(path))
    return status;
  const char *forced = options.isa ? options.isa : getenv("LLMOPT_ISA");
  if (const llmopt_status status = chooseVariant(
          model->descriptor(), detectCPUFeatures(), forced, model->choice))
    return status;
  model->threads = std::make_unique<ThreadPool>(
      options.threads ? options.threads : availableCores(),
      std::span(options.affinity, options.affinity_count));
  model->weightsMode = options.weights;
  model->memoryBudget = options.memory_budget;
  model->describe();
  if (options.verify_weights)
    if (const llmopt_status status = model->verifyWeights())
      return status;
  result = std::move(model);
  return LLMOPT_OK;
}

Model::~Model() {
  threads.reset();
  if (library)
    dlclose(library);
}

void Model::release() {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

/// The loader gets an absolute path: it would look for a bare name in the
/// library path of the system, not in the current directory.
llmopt_status Model::load(const char *path) {
  const std::unique_ptr<char, decltype(&free)> absolute(realpath(path, nullptr),
                                                        free);
  if (!absolute)
    return fail(LLMOPT_CANNOT_READ, "cannot open '%s': %s", path,
                strerror(errno));
  library = dlopen(absolute.get(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail(LLMOPT_LOAD_FAILED, "cannot load '%s': %s", path, dlerror());
  facts.descriptor = static_cast<const llmopt_model_descriptor *>(
      dlsym(library, LLMOPT_DESCRIPTOR_SYMBOL));
  return checkDescriptor(path, file.footer(), facts.descriptor);
}

void Model::describe() {
  const llmopt_model_descriptor &model = *facts.descriptor;
  facts.struct_size = sizeof(facts);
  facts.producer = model.producer;
  facts.name = model.model_name;
  facts.cpu = choice.variant->cpu;
  facts.isa = choice.variant->isa;
  facts.variant_reason = choice.reason;
  facts.variant = choice.variant;
  facts.threads = threads->threads();
  facts.kind = model.kind;
  facts.layers = model.layers;
  facts.heads = model.heads;
  facts.kv_heads = model.kv_heads;
  facts.head_dim = model.head_dim;
  facts.vocabulary = model.vocabulary;
  facts.max_positions = model.max_positions;
  facts.max_sequence = model.max_sequence;
  facts.max_batch = model.max_batch;
  facts.padding = model.padding;
  facts.input_count = model.input_count;
  facts.output_count = model.output_count;
  facts.inputs = model.inputs;
  facts.outputs = model.outputs;
  facts.parameters = model.parameters;
  facts.weights_bytes = model.weights_bytes;
  facts.file_bytes = file.footer().file_bytes;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

namespace {
struct CopyJob {
  const ModelFile &file;
  uint8_t *to;
  uint64_t bytes;
  uint32_t threads;
  std::atomic<int> error{0}; ///< errno of a thread that failed

  /// Each thread reads, and so places in its memory node, one contiguous part.
  /// Read, not mapped and copied: the process never holds the weights twice.
  static void execute(void *context, uint32_t thread) {
    auto &job = *static_cast<CopyJob *>(context);
    const uint64_t part = roundUp((job.bytes + job.threads - 1) / job.threads,
                                  LLMOPT_WEIGHTS_ALIGNMENT);
    const uint64_t begin = std::min(job.bytes, part * thread);
    const uint64_t end = std::min(job.bytes, begin + part);
    if (!job.file.readWeights(job.to + begin, begin, end - begin))
      job.error = errno;
  }
};
} // namespace

/// Decoding from huge pages is 1.5 to 6 per cent faster than from the mapped
/// file (docs/Benchmarks.md).
bool Model::shouldCopy() const {
  if (weightsMode != LLMOPT_WEIGHTS_AUTO)
    return weightsMode == LLMOPT_WEIGHTS_COPY;
  const uint64_t budget = memoryBudget ? memoryBudget : availableMemory() / 2;
  return hugePagesAvailable() && facts.weights_bytes <= budget;
}

llmopt_status Model::mapWeights() {
  if (weightMap || facts.weights_bytes == 0)
    return LLMOPT_OK;
  weightMap = file.mapWeights();
  return weightMap ? LLMOPT_OK
                   : fail(LLMOPT_OUT_OF_RESOURCES, "cannot map the weights: %s",
                          strerror(errno));
}

/// Maps the weights where they are not copied, or cannot be for want of memory.
llmopt_status Model::prepareWeights() {
  const std::lock_guard lock(weightsMutex);
  if (weightMap || weightCopy || facts.weights_bytes == 0)
    return LLMOPT_OK;
  Mapping copy =
      shouldCopy() ? Mapping::reserve(facts.weights_bytes) : Mapping();
  if (!copy)
    return mapWeights();
  CopyJob job = {file, copy.as(), facts.weights_bytes, threads->threads()};
  if (const llmopt_status status = threads->run(CopyJob::execute, &job))
    return status;
  if (job.error)
    return fail(LLMOPT_CANNOT_READ, "cannot read the weights: %s",
                strerror(job.error));
  weightCopy = std::move(copy);
  return LLMOPT_OK;
}

llmopt_status Model::verifyWeights() {
  if (facts.weights_bytes == 0)
    return LLMOPT_OK;
  const Mapping map = file.mapWeights();
  if (!map)
    return fail(LLMOPT_OUT_OF_RESOURCES, "cannot map the weights: %s",
                strerror(errno));
  const llmopt_model_descriptor &model = descriptor();
  for (const llmopt_weight_descriptor &weight :
       std::span(model.weights, model.weight_count))
    if (llmopt_checksum(map.as() + weight.offset, weight.bytes) !=
        weight.checksum)
      return fail(LLMOPT_DAMAGED_WEIGHTS,
                  "weight '%s' is damaged (checksum differs); compile or copy "
                  "the model "
                  "again",
                  weight.name);
  return LLMOPT_OK;
}

} // namespace llmopt::runtime
