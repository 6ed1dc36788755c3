//===- TestModel.cpp - Library files and expected results for the tests ---===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>

/// The tests start threads in forked children, on purpose.
extern "C" const char *__tsan_default_options() { return "die_after_fork=0"; }

namespace fake {

std::string readObject(const std::string &name) {
  std::ifstream file(FAKE_MODEL_FOLDER "/" + name + ".so", std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

void sealFooter(std::string &file) {
  char *footer = file.data() + file.size() - sizeof(llmopt_footer);
  const uint64_t checksum =
      llmopt_checksum(footer, offsetof(llmopt_footer, footer_checksum));
  memcpy(footer + offsetof(llmopt_footer, footer_checksum), &checksum,
         sizeof(checksum));
}

std::string makeLibrary(const std::string &code,
                        const std::function<void(llmopt_footer &)> &edit) {
  float weights[kVocabulary];
  for (uint32_t i = 0; i < kVocabulary; ++i)
    weights[i] = weightAt(i);
  llmopt_footer footer = {};
  memcpy(footer.magic, LLMOPT_FOOTER_MAGIC, sizeof(footer.magic));
  footer.abi_version = LLMOPT_ABI_VERSION;
  footer.footer_bytes = sizeof(footer);
  footer.code_bytes = code.size();
  footer.weights_offset =
      (code.size() / LLMOPT_WEIGHTS_ALIGNMENT + 1) * LLMOPT_WEIGHTS_ALIGNMENT;
  footer.weights_bytes = sizeof(weights);
  footer.file_bytes = footer.weights_offset + sizeof(weights) + sizeof(footer);
  memcpy(footer.build_id, kBuildId, sizeof(kBuildId));
  footer.code_checksum = llmopt_checksum(code.data(), code.size());
  if (edit)
    edit(footer);
  std::string file = code;
  file.resize(footer.weights_offset);
  file.append(reinterpret_cast<const char *>(weights), sizeof(weights));
  file.append(reinterpret_cast<const char *>(&footer), sizeof(footer));
  sealFooter(file);
  return file;
}

TemporaryFile::TemporaryFile(const std::string &contents)
    : name(testing::TempDir() + "llmopt-XXXXXX") {
  const int descriptor = mkstemp(name.data());
  EXPECT_GE(descriptor, 0);
  close(descriptor);
  std::ofstream(name, std::ios::binary) << contents;
}

TemporaryFile::~TemporaryFile() { unlink(name.c_str()); }

Model openModel(const std::string &name, uint32_t threads) {
  const TemporaryFile file(makeLibrary(readObject(name)));
  llmopt_open_options options = {};
  options.struct_size = sizeof(options);
  options.threads = threads;
  llmopt_model *model = nullptr;
  EXPECT_EQ(llmopt_open(file.path(), &options, &model), LLMOPT_OK)
      << llmopt_last_error();
  return Model(model);
}

Session makeSession(const Model &model, llmopt_session_options options) {
  options.struct_size = sizeof(options);
  llmopt_session *session = nullptr;
  EXPECT_EQ(llmopt_session_create(model.get(), &options, &session), LLMOPT_OK)
      << llmopt_last_error();
  return Session(session);
}

std::vector<int32_t> makeTokens(size_t count, uint32_t seed) {
  std::vector<int32_t> tokens(count);
  uint32_t state = seed * 2654435761u + 1;
  for (int32_t &token : tokens) {
    state = state * 1664525u + 1013904223u;
    token = static_cast<int32_t>((state >> 16) % kVocabulary);
  }
  return tokens;
}

std::vector<float> expectedLogits(const std::vector<int32_t> &tokens,
                                  const std::vector<uint8_t> &visible,
                                  const std::vector<int32_t> &positions) {
  std::vector<float> logits;
  float hidden = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const int32_t position =
        positions.empty() ? static_cast<int32_t>(t) : positions[t];
    for (uint32_t layer = 0; layer < kLayers; ++layer)
      for (uint32_t head = 0; head < kKVHeads; ++head)
        for (uint32_t d = 0; d < kHeadDim; ++d)
          if (visible.empty() || visible[t])
            hidden += mix(keyAt(tokens[t], position, layer, head, d),
                          valueAt(tokens[t], position, layer, head, d), layer);
    for (uint32_t entry = 0; entry < kVocabulary; ++entry)
      logits.push_back(logitAt(hidden, tokens[t], position, entry));
  }
  return logits;
}

llmopt_piece makePiece(uint32_t sequence, const std::vector<int32_t> &tokens,
                       int32_t want) {
  llmopt_piece piece = {};
  piece.sequence = sequence;
  piece.tokens = tokens.data();
  piece.count = tokens.size();
  piece.want = want;
  return piece;
}

std::vector<float> logitsOf(const llmopt_piece &piece) {
  return {piece.logits, piece.logits + piece.logit_rows * kVocabulary};
}

std::vector<float> stepAll(const Session &session, uint32_t sequence,
                           const std::vector<int32_t> &tokens) {
  llmopt_piece piece = makePiece(sequence, tokens, LLMOPT_WANT_ALL);
  EXPECT_EQ(llmopt_step(session.get(), &piece, 1), LLMOPT_OK)
      << llmopt_last_error();
  EXPECT_EQ(piece.logit_rows, tokens.size());
  return logitsOf(piece);
}

std::vector<float> lastRows(const std::vector<float> &logits, size_t rows) {
  return {logits.end() - static_cast<ptrdiff_t>(rows * kVocabulary),
          logits.end()};
}

void expectError(llmopt_status expected, llmopt_status actual,
                 const std::string &text) {
  EXPECT_EQ(actual, expected) << llmopt_last_error();
  const std::string message = llmopt_last_error();
  EXPECT_NE(message.find(text), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

} // namespace fake
