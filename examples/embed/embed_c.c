//===- embed_c.c - Greedy generation with an embedded model, in C
//-------------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <llmopt/Runtime.h>

#include <stdio.h>
#include <stdlib.h>

/* Appends the tokens and returns the most likely next one, or -1. */
static int32_t next(llmopt_session *session, const int32_t *tokens,
                    size_t count, uint32_t vocabulary) {
  llmopt_piece piece = {
      .tokens = tokens, .count = count, .want = LLMOPT_WANT_LAST};
  if (llmopt_step(session, &piece, 1) != LLMOPT_OK)
    return -1;
  uint32_t best = 0;
  for (uint32_t i = 1; i < vocabulary; ++i)
    if (piece.logits[i] > piece.logits[best])
      best = i;
  return (int32_t)best;
}

static int generate(llmopt_model *model, llmopt_session *session,
                    int32_t *tokens, size_t count) {
  for (int i = 0; i < 8; ++i) {
    tokens[0] = next(session, tokens, count, llmopt_info(model)->vocabulary);
    if (tokens[0] < 0)
      return 1;
    count = 1;
    printf("%d ", tokens[0]);
  }
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: embed_c model.so TOKEN...\n");
    return 2;
  }
  int32_t *tokens = malloc((size_t)argc * sizeof(int32_t));
  for (int i = 2; i < argc; ++i)
    tokens[i - 2] = atoi(argv[i]);
  llmopt_model *model = NULL;
  llmopt_session *session = NULL;
  int failed = llmopt_open(argv[1], NULL, &model) != LLMOPT_OK ||
               llmopt_session_create(model, NULL, &session) != LLMOPT_OK ||
               generate(model, session, tokens, (size_t)argc - 2);
  if (failed)
    fprintf(stderr, "embed_c: %s\n", llmopt_last_error());
  llmopt_session_destroy(session);
  llmopt_close(model);
  free(tokens);
  return failed;
}
