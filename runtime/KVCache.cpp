//===- KVCache.cpp - Pages of keys and values -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/KVCache.h"

#include <cstring>
#include <utility>

namespace llmopt::runtime {

//===----------------------------------------------------------------------===//
// PageStore
//===----------------------------------------------------------------------===//

bool PageStore::create(uint64_t newPageBytes, uint64_t pageCount) {
  uint64_t bytes;
  if (__builtin_mul_overflow(newPageBytes, pageCount, &bytes))
    return false;
  memory = Mapping::reserve(bytes);
  pageBytes = newPageBytes;
  if (!memory)
    return false;
  references.assign(pageCount, 0);
  freed.reserve(pageCount);
  return true;
}

uint8_t *PageStore::take() {
  uint8_t *page;
  if (!freed.empty()) {
    page = freed.back();
    freed.pop_back();
    memset(page, 0, pageBytes);
  } else {
    page = memory.as<uint8_t>() + untouched++ * pageBytes;
  }
  references[indexOf(page)] = 1;
  ++used;
  return page;
}

void PageStore::release(uint8_t *page) {
  if (--references[indexOf(page)] != 0)
    return;
  freed.push_back(page);
  --used;
}

uint8_t *PageStore::takeCopy(uint8_t *page) {
  uint8_t *copy = take();
  memcpy(copy, page, pageBytes);
  release(page);
  return copy;
}

//===----------------------------------------------------------------------===//
// KVCache
//===----------------------------------------------------------------------===//

bool KVCache::create(uint64_t pageBytes, uint32_t sequenceCount,
                     uint64_t maxTokens) {
  const uint64_t pagesEach = pagesFor(maxTokens);
  // Every page in use is an entry of some table, and a page that is about to be
  // copied is an entry of two: so this many are enough.
  if (!store.create(pageBytes, pagesEach * sequenceCount))
    return false;
  tokenLimit = maxTokens;
  sequences.resize(sequenceCount);
  for (Sequence &sequence : sequences)
    sequence.pages.assign(pagesEach, nullptr);
  return true;
}

void KVCache::append(uint32_t index, uint64_t tokens) {
  Sequence &sequence = sequences[index];
  const uint64_t before = pagesFor(sequence.tokens);
  const bool lastPageIsPartial = sequence.tokens % LLMOPT_PAGE_TOKENS != 0;
  if (lastPageIsPartial && store.isShared(sequence.pages[before - 1]))
    sequence.pages[before - 1] = store.takeCopy(sequence.pages[before - 1]);
  sequence.tokens += tokens;
  for (uint64_t page = before; page < pagesFor(sequence.tokens); ++page)
    sequence.pages[page] = store.take();
}

void KVCache::truncate(uint32_t index, uint64_t tokens) {
  Sequence &sequence = sequences[index];
  for (uint64_t page = pagesFor(tokens); page < pagesFor(sequence.tokens);
       ++page)
    store.release(std::exchange(sequence.pages[page], nullptr));
  sequence.tokens = tokens;
}

void KVCache::copy(uint32_t from, uint32_t to) {
  if (from == to)
    return;
  truncate(to, 0);
  const uint64_t count = pagesFor(sequences[from].tokens);
  for (uint64_t page = 0; page < count; ++page) {
    store.share(sequences[from].pages[page]);
    sequences[to].pages[page] = sequences[from].pages[page];
  }
  sequences[to].tokens = sequences[from].tokens;
}

} // namespace llmopt::runtime
