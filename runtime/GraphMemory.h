//===- GraphMemory.h - Memory of the values of a graph ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_GRAPHMEMORY_H
#define LLMOPT_RUNTIME_GRAPHMEMORY_H

#include "runtime/Memory.h"

#include "llmopt/ModelABI.h"

#include <vector>

namespace llmopt::runtime {

/// Blocks of memory that go from value to value and from one execution to the
/// next. Sizes are rounded to classes, four for each power of two; what is
/// given back is taken again by the next value of its class, while it is in the
/// cache. One thread at a time.
class GraphMemory {
public:
  GraphMemory() = default;
  GraphMemory(const GraphMemory &) = delete;
  GraphMemory &operator=(const GraphMemory &) = delete;
  ~GraphMemory();

  /// Begins an execution; takes no more than the memory that the system has at
  /// its first allocation that cannot be served from blocks given back.
  void begin();
  /// A block of `bytes` and LLMOPT_VECTOR_BYTES more, aligned to that; null if
  /// there is no memory.
  void *allocate(uint64_t bytes);
  /// Gives a block back; null is ignored.
  void release(void *data);
  /// Keeps a block of this execution until the next one ends. False if it is
  /// kept already.
  bool keep(void *data);
  /// Ends the execution: gives back what it allocated and did not keep, what
  /// the one before kept, and to the system what several did not need.
  void end();

  /// Bytes that are mapped, used or not.
  uint64_t mappedBytes() const { return mapped; }

private:
  enum class BlockState : uint32_t { Free, Live, Kept };

  /// In front of the data.
  struct alignas(LLMOPT_VECTOR_BYTES) Block {
    Block *next, *previous;
    uint32_t sizeClass;
    BlockState state;
    uint64_t lastUse; ///< number of an execution
    Mapping mapping;  ///< of the block itself, if it is large
  };

  /// Blocks in a row, linked through themselves.
  struct List {
    Block *first = nullptr;
    void push(Block *block);
    void remove(Block *block);
  };

  static constexpr uint32_t kClasses = 192;

  static Block *blockOf(void *data) { return static_cast<Block *>(data) - 1; }
  Block *takeFree(uint32_t sizeClass);
  void *carve(uint64_t bytes);
  Mapping map(uint64_t bytes);
  bool fitsBudget(uint64_t bytes);
  void unmapFree(uint64_t usedBefore);
  void giveBackAll(List &list);

  List free[kClasses];
  List live, kept, keptBefore;
  /// Small blocks are cut from the last of these.
  std::vector<Mapping> chunks;
  uint64_t chunkUsed = 0;
  uint64_t mapped = 0;
  uint64_t budget = 0; ///< 0: not known yet in this execution
  uint64_t execution = 0;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_GRAPHMEMORY_H
