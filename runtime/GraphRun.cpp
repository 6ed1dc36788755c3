//===- GraphRun.cpp - Executes a model that is a graph ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/GraphRun.h"

#include "runtime/Error.h"
#include "runtime/FloatEnvironment.h"
#include "runtime/Tensor.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace llmopt::runtime {

llmopt_status GraphRun::run(std::span<const llmopt_tensor> givenInputs,
                            std::span<llmopt_tensor> givenOutputs) {
  if (const llmopt_status status = checkInputs(givenInputs))
    return status;
  if (givenOutputs.size() != model.output_count)
    return fail(LLMOPT_BAD_TENSOR, "%zu outputs are given, the model has %u",
                givenOutputs.size(), model.output_count);
  if (const llmopt_status status = pool.prepareLoops())
    return status;
  owned.resize(model.output_count);
  // A structure left from the call before names memory of this session.
  for (uint32_t i = 0; i < model.output_count; ++i)
    if (givenOutputs[i].data && givenOutputs[i].data == owned[i])
      givenOutputs[i].data = nullptr;
  std::ranges::fill(owned, nullptr);
  memory.begin();
  llmopt_status status = execute();
  if (status == LLMOPT_OK)
    status = deliver(givenOutputs);
  memory.end();
  return status;
}

llmopt_status GraphRun::checkInputs(std::span<const llmopt_tensor> given) {
  if (given.size() != model.input_count)
    return fail(LLMOPT_BAD_TENSOR, "%zu inputs are given, the model has %u",
                given.size(), model.input_count);
  inputs.resize(given.size());
  for (uint32_t i = 0; i < model.input_count; ++i) {
    if (const llmopt_status status = checkInput(model.inputs[i], given[i]))
      return status;
    if (const llmopt_status status = checkElements(model.inputs[i], given[i]))
      return status;
    inputs[i].data = given[i].data;
    std::copy(std::begin(given[i].dims), std::end(given[i].dims),
              inputs[i].dims);
  }
  return LLMOPT_OK;
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Generated code has nothing to clean up: errors leave it with a jump back to
/// here.
llmopt_status GraphRun::execute() {
  const DefaultFloatEnvironment environment;
  outputs.assign(model.output_count, {});
  call = {.weights = weights,
          .inputs = inputs.data(),
          .outputs = outputs.data(),
          .parallel = parallel,
          .allocate = allocate,
          .release = release,
          .fail = failExecution,
          .loop_error = nullptr,
          .threads = pool.threads(),
          .reserved = 0,
          .runtime_state = this};
  result = LLMOPT_OK;
  if (_setjmp(returnPoint) == 0)
    variant.graph(&call);
  return result;
}

void GraphRun::leave(llmopt_status status) {
  result = status;
  longjmp(returnPoint, 1);
}

GraphRun &GraphRun::self(llmopt_graph_call *call) {
  return *static_cast<GraphRun *>(call->runtime_state);
}

void GraphRun::parallel(llmopt_graph_call *call, llmopt_loop_body body,
                        void *context, uint64_t count, uint64_t grain) {
  self(call).pool.runLoop(body, context, count, grain);
  if (const char *error = __atomic_load_n(&call->loop_error, __ATOMIC_RELAXED))
    failExecution(call, error);
}

void *GraphRun::allocate(llmopt_graph_call *call, uint64_t bytes) {
  GraphRun &run = self(call);
  if (void *data = run.memory.allocate(bytes))
    return data;
  run.leave(fail(LLMOPT_OUT_OF_RESOURCES,
                 "no memory for a tensor of %llu bytes; %llu bytes are in use",
                 static_cast<unsigned long long>(bytes),
                 static_cast<unsigned long long>(run.memory.mappedBytes())));
}

void GraphRun::release(llmopt_graph_call *call, void *data) {
  self(call).memory.release(data);
}

void GraphRun::failExecution(llmopt_graph_call *call, const char *message) {
  self(call).leave(fail(LLMOPT_EXECUTION_FAILED, "%s", message));
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// Sets the shapes of all outputs, then hands over their elements.
llmopt_status GraphRun::deliver(std::span<llmopt_tensor> given) {
  for (uint32_t i = 0; i < model.output_count; ++i) {
    given[i].element_type = model.outputs[i].element_type;
    given[i].rank = model.outputs[i].rank;
    std::copy_n(outputs[i].dims, LLMOPT_MAX_RANK, given[i].dims);
  }
  for (uint32_t i = 0; i < model.output_count; ++i)
    if (const llmopt_status status = deliverOne(i, given[i]))
      return status;
  return LLMOPT_OK;
}

llmopt_status GraphRun::deliverOne(uint32_t index, llmopt_tensor &given) {
  const char *name = model.outputs[index].name;
  uint64_t bytes;
  if (!tensorBytes(given, bytes) || (bytes && !outputs[index].data))
    return fail(LLMOPT_EXECUTION_FAILED,
                "the model has left output '%s' without data", name);
  if (given.data) {
    if (given.capacity < bytes)
      return fail(LLMOPT_BUFFER_TOO_SMALL,
                  "output '%s' needs %llu bytes, its buffer has %zu", name,
                  static_cast<unsigned long long>(bytes), given.capacity);
    if (bytes)
      memcpy(given.data, outputs[index].data, bytes);
    return LLMOPT_OK;
  }
  if (outputs[index].data && !memory.keep(outputs[index].data))
    return fail(LLMOPT_EXECUTION_FAILED,
                "the model has given the memory of output '%s' to another one",
                name);
  given.data = owned[index] = outputs[index].data;
  given.capacity = bytes;
  return LLMOPT_OK;
}

} // namespace llmopt::runtime
