//===- BenchGraph.cpp - Time of a graph model -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-bench/BenchGraph.h"

#include "tools/testdata/GraphInputs.h"

#include <algorithm>
#include <chrono>

namespace llmopt::tools {

Result<std::vector<double>>
measureGraph(Model &model, std::vector<Tensor> &inputs, unsigned repetitions) {
  // Pages, caches, clock rate.
  constexpr unsigned kWarmUps = 3;
  Result<Session> session = model.createSession();
  if (!session)
    return session.error();
  const std::vector<llmopt_tensor> given = viewsOf(inputs);
  std::vector<llmopt_tensor> outputs(model.info().output_count);
  std::vector<double> seconds;
  for (unsigned i = 0; i < kWarmUps + repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (Status status = session->run(given, outputs); !status)
      return status.error();
    const std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    if (i >= kWarmUps)
      seconds.push_back(time.count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

} // namespace llmopt::tools
