//===- GraphMemory.cpp - Memory of the values of a graph --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/GraphMemory.h"

#include <bit>
#include <new>
#include <utility>

namespace llmopt::runtime {

namespace {
/// Nothing so large can be mapped; keeps sums of sizes from overflowing.
constexpr uint64_t kMaxBytes = uint64_t{1} << 48;
/// Larger blocks have a mapping of their own.
constexpr uint64_t kSmallBytes = 1 << 20;
constexpr uint64_t kChunkBytes = 16 << 20;
constexpr uint64_t kUnit = LLMOPT_VECTOR_BYTES;
/// Executions after which an unused large block goes back to the system.
constexpr uint64_t kIdleExecutions = 4;
} // namespace

/// Classes have 4, 5, 6 and 7 units times a power of two.
static uint64_t bytesOf(uint32_t sizeClass) {
  return (uint64_t{4} + sizeClass % 4) * kUnit << (sizeClass / 4);
}

/// The smallest class of at least `bytes`.
static uint32_t classOf(uint64_t bytes) {
  const uint64_t last = (bytes - 1) / kUnit;
  if (last < 4)
    return 0;
  const auto shift = static_cast<uint32_t>(std::bit_width(last)) - 3;
  return 4 * shift + static_cast<uint32_t>(last >> shift) - 3;
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

void GraphMemory::List::push(Block *block) {
  block->previous = nullptr;
  block->next = first;
  if (first)
    first->previous = block;
  first = block;
}

void GraphMemory::List::remove(Block *block) {
  if (block->previous)
    block->previous->next = block->next;
  else
    first = block->next;
  if (block->next)
    block->next->previous = block->previous;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

GraphMemory::~GraphMemory() {
  begin();
  end();
  unmapFree(UINT64_MAX);
}

void *GraphMemory::allocate(uint64_t bytes) {
  static_assert(sizeof(Block) == kUnit, "data follows, aligned");
  if (bytes > kMaxBytes)
    return nullptr;
  const uint32_t sizeClass = classOf(bytes + sizeof(Block) + kUnit);
  Block *block = takeFree(sizeClass);
  if (!block) {
    const uint64_t size = bytesOf(sizeClass);
    Mapping mapping;
    if (size > kSmallBytes)
      mapping = map(size);
    void *memory = size > kSmallBytes ? mapping.as<void>() : carve(size);
    if (!memory)
      return nullptr;
    block = new (memory) Block{.next = nullptr,
                               .previous = nullptr,
                               .sizeClass = sizeClass,
                               .state = BlockState::Free,
                               .lastUse = execution,
                               .mapping = std::move(mapping)};
  }
  block->state = BlockState::Live;
  block->lastUse = execution;
  live.push(block);
  return block + 1;
}

/// A large block may be up to twice as large as needed: its memory is there,
/// new one would have to be cleared by the system.
GraphMemory::Block *GraphMemory::takeFree(uint32_t sizeClass) {
  const uint32_t last =
      bytesOf(sizeClass) > kSmallBytes ? sizeClass + 4 : sizeClass;
  for (uint32_t candidate = sizeClass; candidate <= last; ++candidate)
    if (Block *block = free[candidate].first) {
      free[candidate].remove(block);
      return block;
    }
  return nullptr;
}

void *GraphMemory::carve(uint64_t bytes) {
  if (chunks.empty() || chunkUsed + bytes > kChunkBytes) {
    Mapping chunk = map(kChunkBytes);
    if (!chunk)
      return nullptr;
    chunks.push_back(std::move(chunk));
    chunkUsed = 0;
  }
  uint8_t *memory = chunks.back().as() + chunkUsed;
  chunkUsed += bytes;
  return memory;
}

Mapping GraphMemory::map(uint64_t bytes) {
  if (!fitsBudget(bytes)) {
    unmapFree(UINT64_MAX);
    if (!fitsBudget(bytes))
      return {};
  }
  Mapping mapping = Mapping::reserve(bytes);
  mapped += mapping.size();
  return mapping;
}

bool GraphMemory::fitsBudget(uint64_t bytes) {
  if (budget == 0) {
    const uint64_t available = availableMemory();
    budget = available ? mapped + available : UINT64_MAX;
  }
  return bytes <= budget && mapped <= budget - bytes;
}

void GraphMemory::release(void *data) {
  if (!data)
    return;
  Block *block = blockOf(data);
  if (block->state != BlockState::Live)
    return;
  live.remove(block);
  block->state = BlockState::Free;
  free[block->sizeClass].push(block);
}

bool GraphMemory::keep(void *data) {
  Block *block = blockOf(data);
  if (block->state != BlockState::Live)
    return false;
  live.remove(block);
  block->state = BlockState::Kept;
  kept.push(block);
  return true;
}

//===----------------------------------------------------------------------===//
// Executions
//===----------------------------------------------------------------------===//

void GraphMemory::begin() {
  ++execution;
  budget = 0;
  giveBackAll(keptBefore);
  std::swap(kept, keptBefore);
}

void GraphMemory::end() {
  giveBackAll(live);
  giveBackAll(keptBefore);
  if (execution > kIdleExecutions)
    unmapFree(execution - kIdleExecutions);
}

void GraphMemory::giveBackAll(List &list) {
  while (Block *block = list.first) {
    list.remove(block);
    block->state = BlockState::Free;
    free[block->sizeClass].push(block);
  }
}

void GraphMemory::unmapFree(uint64_t usedBefore) {
  for (uint32_t i = classOf(kSmallBytes) + 1; i < kClasses; ++i)
    for (Block *block = free[i].first; block;) {
      Block *next = block->next;
      if (block->lastUse < usedBefore) {
        free[i].remove(block);
        mapped -= block->mapping.size();
        // The block lies in it.
        const Mapping mapping = std::move(block->mapping);
      }
      block = next;
    }
}

} // namespace llmopt::runtime
