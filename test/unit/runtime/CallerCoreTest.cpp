//===- CallerCoreTest.cpp - Workers leave their caller's core ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <thread>

using namespace llmopt::runtime;

namespace {

cpu_set_t allowedCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  EXPECT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  return allowed;
}

std::vector<uint32_t> coresIn(const cpu_set_t &set) {
  std::vector<uint32_t> cores;
  for (uint32_t core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set))
      cores.push_back(core);
  return cores;
}

void goTo(uint32_t core) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  ASSERT_EQ(sched_setaffinity(0, sizeof(only), &only), 0);
}

/// Where the last thread of a pool may run, as it finds in a run.
cpu_set_t coresOfLastWorker(ThreadPool &pool) {
  struct Context {
    uint32_t last;
    cpu_set_t cores;
  } context = {pool.threads() - 1, {}};
  const auto body = [](void *pointer, uint32_t thread) {
    auto &context = *static_cast<Context *>(pointer);
    if (thread == context.last)
      context.cores = allowedCores();
  };
  EXPECT_EQ(pool.run(body, &context), LLMOPT_OK);
  return context.cores;
}

TEST(CallerCore, WorkersLeaveIt) {
  const cpu_set_t allowed = allowedCores();
  const std::vector<uint32_t> cores = coresIn(allowed);
  if (cores.size() < 2)
    GTEST_SKIP() << "there is one core only";
  std::thread([&] {
    ThreadPool pool(cores.size(), {});
    ASSERT_EQ(pool.prepareLoops(), LLMOPT_OK);
    for (const uint32_t core : {cores[0], cores[1], cores[0]}) {
      goTo(core);
      cpu_set_t expected = allowed;
      CPU_CLR(core, &expected);
      const cpu_set_t found = coresOfLastWorker(pool);
      EXPECT_TRUE(CPU_EQUAL(&found, &expected)) << "caller on core " << core;
    }
  }).join();
}

TEST(CallerCore, WorkersThatAreBoundStay) {
  const std::vector<uint32_t> cores = coresIn(allowedCores());
  std::thread([&] {
    ThreadPool pool(2, cores);
    goTo(cores.back());
    const cpu_set_t found = coresOfLastWorker(pool);
    EXPECT_EQ(coresIn(found), std::vector{cores[1 % cores.size()]});
  }).join();
}

TEST(CallerCore, WorkersStayWhereCoresAreTooFewOrMany) {
  const cpu_set_t allowed = allowedCores();
  const auto count = static_cast<uint32_t>(CPU_COUNT(&allowed));
  for (const uint32_t threads : {count + 1, count / 2}) {
    if (threads < 2)
      continue;
    ThreadPool pool(threads, {});
    const cpu_set_t found = coresOfLastWorker(pool);
    EXPECT_TRUE(CPU_EQUAL(&found, &allowed)) << threads << " threads";
  }
}

} // namespace
