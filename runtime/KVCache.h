//===- KVCache.h - Pages of keys and values ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_KVCACHE_H
#define LLMOPT_RUNTIME_KVCACHE_H

#include "runtime/Memory.h"

#include "llmopt/Runtime.h"

#include <vector>

namespace llmopt::runtime {

/// Number of pages that hold `tokens` tokens.
constexpr uint64_t pagesFor(uint64_t tokens) {
  return (tokens + LLMOPT_PAGE_TOKENS - 1) / LLMOPT_PAGE_TOKENS;
}

/// A fixed number of equal pages with reference counts. Address space is
/// reserved at creation; memory is committed when a page is first used. Pages
/// are zero when they are handed out, so that no token of an earlier owner is
/// ever visible.
class PageStore {
public:
  /// `pageBytes` as llmopt_page_bytes. False if the address space cannot be
  /// had.
  bool create(uint64_t pageBytes, uint64_t pageCount);

  /// A page with one reference. The caller knows that one is left.
  uint8_t *take();
  void share(uint8_t *page) { ++references[indexOf(page)]; }
  void release(uint8_t *page);
  bool isShared(const uint8_t *page) const {
    return references[indexOf(page)] > 1;
  }
  /// Gives up one reference to `page` for a private copy of it.
  uint8_t *takeCopy(uint8_t *page);

  uint64_t pagesInUse() const { return used; }

private:
  uint64_t indexOf(const uint8_t *page) const {
    return static_cast<uint64_t>(page - memory.as<uint8_t>()) / pageBytes;
  }

  Mapping memory;
  uint64_t pageBytes = 0;
  uint64_t used = 0;
  uint64_t untouched = 0; ///< index of the first page that was never used
  std::vector<uint32_t> references;
  std::vector<uint8_t *> freed;
};

/// Token sequences whose keys and values are in pages, shared after copy()
/// until one side writes.
class KVCache {
public:
  /// False if the address space for `sequenceCount` sequences of `maxTokens`
  /// cannot be had.
  bool create(uint64_t pageBytes, uint32_t sequenceCount, uint64_t maxTokens);

  uint32_t sequenceCount() const {
    return static_cast<uint32_t>(sequences.size());
  }
  uint64_t maxTokens() const { return tokenLimit; }
  uint64_t length(uint32_t sequence) const {
    return sequences[sequence].tokens;
  }
  /// Page table: entry i holds tokens from i * LLMOPT_PAGE_TOKENS.
  uint8_t *const *pages(uint32_t sequence) const {
    return sequences[sequence].pages.data();
  }
  uint64_t pagesInUse() const { return store.pagesInUse(); }

  /// Makes room for `tokens` more, at most maxTokens() in all, that only this
  /// sequence sees. Never allocates.
  void append(uint32_t sequence, uint64_t tokens);
  /// Drops all tokens from `tokens` on.
  void truncate(uint32_t sequence, uint64_t tokens);
  /// Makes `to` equal to `from` by sharing its pages.
  void copy(uint32_t from, uint32_t to);

private:
  struct Sequence {
    uint64_t tokens = 0;
    std::vector<uint8_t *>
        pages; ///< as many as maxTokens need; null beyond the end
  };

  uint64_t tokenLimit = 0;
  PageStore store;
  std::vector<Sequence> sequences;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_KVCACHE_H
