//===- embed.cpp - Greedy generation with an embedded model, in C++ -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <llmopt/Runtime.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

static int complain(const llmopt::Error &error) {
  fprintf(stderr, "embed: %s\n", error.message.c_str());
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: embed model.so TOKEN...\n");
    return 2;
  }
  llmopt::Result<llmopt::Model> model = llmopt::Model::open(argv[1]);
  if (!model)
    return complain(model.error());
  llmopt::Result<llmopt::Session> session = model->createSession();
  if (!session)
    return complain(session.error());

  std::vector<int32_t> tokens;
  for (int i = 2; i < argc; ++i)
    tokens.push_back(atoi(argv[i]));
  for (int i = 0; i < 8; ++i) {
    llmopt::Result<std::span<const float>> logits = session->step(0, tokens);
    if (!logits)
      return complain(logits.error());
    const auto best = std::max_element(logits->begin(), logits->end());
    tokens = {static_cast<int32_t>(best - logits->begin())};
    printf("%d ", tokens[0]);
  }
  printf("\n");
  return 0;
}
