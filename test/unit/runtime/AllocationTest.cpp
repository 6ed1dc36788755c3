//===- AllocationTest.cpp - A step allocates nothing ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Counts every call of malloc, calloc, realloc, aligned_alloc and mmap of the
// process.
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <atomic>
#include <cerrno>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace fake;

static std::atomic<uint64_t> allocations{0};

extern "C" {
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes) {
  ++allocations;
  return __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void *mmap(void *address, size_t bytes, int protection, int flags, int file,
           off_t offset) {
  ++allocations;
  return reinterpret_cast<void *>(
      syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}

namespace {

/// Tokens one by one over several pages, with a page copied on write and
/// truncation.
void decode(const Session &session, const std::vector<int32_t> &tokens) {
  for (uint32_t sequence = 0; sequence < 2; ++sequence)
    llmopt_truncate(session.get(), sequence, 0);
  for (const int32_t &token : tokens) {
    llmopt_piece pieces[2] = {};
    for (uint32_t i = 0; i < 2; ++i) {
      pieces[i].sequence = i;
      pieces[i].tokens = &token;
      pieces[i].count = 1;
      pieces[i].want = LLMOPT_WANT_LAST;
    }
    EXPECT_EQ(llmopt_step(session.get(), pieces, 2), LLMOPT_OK);
    if (llmopt_length(session.get(), 0) == 100)
      llmopt_copy(session.get(), 0, 1);
  }
}

TEST(Allocation, NoneInAStep) {
  const Model model = openModel("fake_left", 3);
  const std::vector<int32_t> tokens = makeTokens(300, 1);
  const Session warmUp = makeSession(model);
  stepAll(warmUp, 0, tokens); // starts the threads
  const Session session = makeSession(model, {.max_batch = 2});
  const uint64_t before = allocations;
  decode(session, tokens);
  decode(session, tokens);
  EXPECT_EQ(allocations, before);
}

TEST(Allocation, TheCounterCounts) {
  const uint64_t before = allocations;
  const Session session = makeSession(openModel("fake_left"));
  EXPECT_GT(allocations, before);
}

} // namespace
