//===- Session.cpp - Sequences in progress ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"

#include "runtime/Error.h"

#include <algorithm>

namespace llmopt::runtime {

//===----------------------------------------------------------------------===//
// Creation
//===----------------------------------------------------------------------===//

Session::Session(Model &model)
    : model(model), executor(model.descriptor(), model.variant(), model.pool(),
                             model.weights()),
      functional(model.descriptor(), model.pool(), executor),
      graph(model.descriptor(), model.variant(), model.pool(),
            model.weights()) {
  model.retain();
}

Session::~Session() { model.release(); }

llmopt_status Session::create(Model &model,
                              const llmopt_session_options &options,
                              std::unique_ptr<Session> &result) {
  const llmopt_model_info &info = model.info();
  if (info.kind == LLMOPT_KIND_GRAPH &&
      (options.max_batch || options.max_sequence || options.max_rows))
    return fail(LLMOPT_INVALID_ARGUMENT,
                "the model is a graph and has no sequences: leave max_batch, "
                "max_sequence and max_rows at 0");
  if (options.max_batch > info.max_batch ||
      options.max_sequence > info.max_sequence)
    return fail(
        LLMOPT_OUT_OF_RANGE,
        "session of %u sequences of %u tokens: the model allows %u of %u; "
        "compile it with a larger -max-batch or -max-seq",
        options.max_batch, options.max_sequence, info.max_batch,
        info.max_sequence);
  if (const llmopt_status status = model.prepareWeights())
    return status;
  std::unique_ptr<Session> session(new Session(model));
  if (!session->isGraph())
    if (const llmopt_status status = session->setUp(options))
      return status;
  result = std::move(session);
  return LLMOPT_OK;
}

llmopt_status Session::setUp(const llmopt_session_options &options) {
  constexpr uint32_t kDefaultRows = 512, kMaxRows = 1 << 16, kRowUnit = 16;
  const llmopt_model_descriptor &facts = model.descriptor();
  const uint32_t batch =
      options.max_batch ? options.max_batch : facts.max_batch;
  const uint32_t tokens =
      options.max_sequence ? options.max_sequence : facts.max_sequence;
  if (options.max_rows > kMaxRows)
    return fail(LLMOPT_OUT_OF_RANGE, "max_rows is %u, at most %u is possible",
                options.max_rows, kMaxRows);
  const uint32_t rows = options.max_rows
                            ? options.max_rows
                            : static_cast<uint32_t>(std::min<uint64_t>(
                                  kDefaultRows, uint64_t{batch} * tokens));
  if (const llmopt_status status =
          executor.create(static_cast<uint32_t>(roundUp(rows, kRowUnit))))
    return status;
  const uint64_t pageBytes = llmopt_page_bytes(facts.kv_format, facts.layers,
                                               facts.kv_heads, facts.head_dim);
  logits = Mapping::reserve(uint64_t{std::max(batch, executor.capacity())} *
                            facts.vocabulary * sizeof(float));
  if (!cache.create(pageBytes, batch, tokens) || !logits)
    return fail(
        LLMOPT_OUT_OF_RESOURCES,
        "no address space for a cache of %u sequences of %u tokens; use a "
        "smaller max_batch or max_sequence",
        batch, tokens);
  work.resize(batch);
  named.resize(batch);
  return LLMOPT_OK;
}

bool Session::isGraph() const { return model.info().kind == LLMOPT_KIND_GRAPH; }

llmopt_status Session::refuseSequences() const {
  return isGraph() ? fail(LLMOPT_INVALID_ARGUMENT,
                          "the model is a graph and has no sequences; only "
                          "llmopt_run executes it")
                   : LLMOPT_OK;
}

//===----------------------------------------------------------------------===//
// Step
//===----------------------------------------------------------------------===//

static uint64_t logitRowsOf(const llmopt_piece &piece) {
  if (piece.want == LLMOPT_WANT_NONE)
    return 0;
  return piece.want == LLMOPT_WANT_LAST ? 1 : piece.count;
}

llmopt_status Session::checkSequence(uint32_t sequence) const {
  if (sequence < cache.sequenceCount())
    return LLMOPT_OK;
  return fail(LLMOPT_OUT_OF_RANGE,
              "sequence %u does not exist: the session has %u", sequence,
              cache.sequenceCount());
}

llmopt_status Session::checkPiece(size_t index,
                                  const llmopt_piece &piece) const {
  if (const llmopt_status status = checkSequence(piece.sequence))
    return status;
  if (!piece.tokens || piece.count == 0)
    return fail(LLMOPT_INVALID_ARGUMENT, "piece %zu has no tokens", index);
  if (piece.want < LLMOPT_WANT_NONE || piece.want > LLMOPT_WANT_ALL)
    return fail(LLMOPT_INVALID_ARGUMENT, "piece %zu: unknown value %d of want",
                index, piece.want);
  const uint64_t past = cache.length(piece.sequence);
  if (piece.count > cache.maxTokens() - past)
    return fail(LLMOPT_CONTEXT_FULL,
                "sequence %u holds %llu tokens, %zu more exceed the session's "
                "max_sequence of %llu",
                piece.sequence, static_cast<unsigned long long>(past),
                piece.count,
                static_cast<unsigned long long>(cache.maxTokens()));
  const uint32_t vocabulary = model.descriptor().vocabulary;
  for (size_t i = 0; i < piece.count; ++i)
    if (static_cast<uint32_t>(piece.tokens[i]) >= vocabulary)
      return fail(
          LLMOPT_OUT_OF_RANGE,
          "token %zu of piece %zu is %d, outside of the vocabulary of %u", i,
          index, piece.tokens[i], vocabulary);
  const uint64_t floats = logitRowsOf(piece) * vocabulary;
  if (piece.buffer && piece.buffer_floats < floats)
    return fail(LLMOPT_BUFFER_TOO_SMALL,
                "piece %zu: the buffer holds %zu floats, the logits need %llu",
                index, piece.buffer_floats,
                static_cast<unsigned long long>(floats));
  return LLMOPT_OK;
}

llmopt_status Session::checkPieces(std::span<const llmopt_piece> pieces) {
  std::fill(named.begin(), named.end(), false);
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (const llmopt_status status = checkPiece(i, pieces[i]))
      return status;
    if (named[pieces[i].sequence])
      return fail(LLMOPT_INVALID_ARGUMENT,
                  "piece %zu: sequence %u already has a piece in this step", i,
                  pieces[i].sequence);
    named[pieces[i].sequence] = true;
  }
  return LLMOPT_OK;
}

/// Makes the session's own buffer large enough; only steps that want all logits
/// of more rows than the session computes at once need more than it has from
/// the start.
llmopt_status Session::reserveLogits(std::span<const llmopt_piece> pieces) {
  uint64_t rows = 0;
  for (const llmopt_piece &piece : pieces)
    rows += piece.buffer ? 0 : logitRowsOf(piece);
  const uint64_t bytes = rows * model.descriptor().vocabulary * sizeof(float);
  if (bytes <= logits.size())
    return LLMOPT_OK;
  Mapping larger = Mapping::reserve(bytes);
  if (!larger)
    return fail(
        LLMOPT_OUT_OF_RESOURCES,
        "no memory for the logits of %llu tokens; take them in smaller pieces",
        static_cast<unsigned long long>(rows));
  logits = std::move(larger);
  return LLMOPT_OK;
}

/// Makes room for the piece in the cache and says where its logits go.
SequenceRows Session::beginPiece(llmopt_piece &piece, float *&ownLogits) {
  const uint64_t logitRows = logitRowsOf(piece);
  SequenceRows rows;
  rows.tokens.narrow = piece.tokens;
  rows.count = piece.count;
  rows.past = cache.length(piece.sequence);
  rows.firstLogitRow = piece.count - logitRows;
  rows.logits = piece.buffer ? piece.buffer : ownLogits;
  if (!piece.buffer)
    ownLogits += logitRows * model.descriptor().vocabulary;
  piece.logits = logitRows ? rows.logits : nullptr;
  piece.logit_rows = logitRows;
  cache.append(piece.sequence, piece.count);
  rows.pages = cache.pages(piece.sequence);
  return rows;
}

llmopt_status Session::step(std::span<llmopt_piece> pieces) {
  if (const llmopt_status status = refuseSequences())
    return status;
  if (const llmopt_status status = checkPieces(pieces))
    return status;
  if (const llmopt_status status = reserveLogits(pieces))
    return status;
  float *ownLogits = logits.as<float>();
  for (size_t i = 0; i < pieces.size(); ++i)
    work[i] = beginPiece(pieces[i], ownLogits);
  const llmopt_status status =
      executor.execute(std::span(work.data(), pieces.size()));
  if (status != LLMOPT_OK)
    for (size_t i = 0; i < pieces.size(); ++i)
      cache.truncate(pieces[i].sequence, work[i].past);
  return status;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

llmopt_status Session::truncate(uint32_t sequence, size_t position) {
  if (const llmopt_status status = refuseSequences())
    return status;
  if (const llmopt_status status = checkSequence(sequence))
    return status;
  if (position > cache.length(sequence))
    return fail(LLMOPT_OUT_OF_RANGE,
                "cannot truncate sequence %u to %zu tokens: it has %llu",
                sequence, position,
                static_cast<unsigned long long>(cache.length(sequence)));
  cache.truncate(sequence, position);
  return LLMOPT_OK;
}

llmopt_status Session::copy(uint32_t from, uint32_t to) {
  if (const llmopt_status status = refuseSequences())
    return status;
  if (const llmopt_status status = checkSequence(from))
    return status;
  if (const llmopt_status status = checkSequence(to))
    return status;
  cache.copy(from, to);
  return LLMOPT_OK;
}

size_t Session::length(uint32_t sequence) const {
  return !isGraph() && sequence < cache.sequenceCount() ? cache.length(sequence)
                                                        : 0;
}

llmopt_status Session::run(std::span<const llmopt_tensor> inputs,
                           std::span<llmopt_tensor> outputs) {
  return isGraph() ? graph.run(inputs, outputs)
                   : functional.run(inputs, outputs);
}

} // namespace llmopt::runtime
