//===- TestModel.h - Library files and expected results for the tests -----===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_RUNTIME_TESTMODEL_H
#define LLMOPT_TEST_UNIT_RUNTIME_TESTMODEL_H

#include "FakeModel.h"

#include "llmopt/Runtime.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fake {

/// Contents of the plain shared object `name` that the build made from
/// FakeModel.cpp.
std::string readObject(const std::string &name);

/// Whole library file: code, padding, weights, footer. `edit` may change the
/// footer before its checksum is computed.
std::string makeLibrary(const std::string &code,
                        const std::function<void(llmopt_footer &)> &edit = {});

/// Recomputes the checksum of the footer at the end of `file`.
void sealFooter(std::string &file);

/// A file that is removed with this object.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string &contents);
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  ~TemporaryFile();
  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

struct CloseModel {
  void operator()(llmopt_model *model) const { llmopt_close(model); }
  void operator()(llmopt_session *session) const {
    llmopt_session_destroy(session);
  }
};
using Model = std::unique_ptr<llmopt_model, CloseModel>;
using Session = std::unique_ptr<llmopt_session, CloseModel>;

/// Opens the fake model `name`; fails the test if that does not work.
Model openModel(const std::string &name, uint32_t threads = 2);
Session makeSession(const Model &model, llmopt_session_options options = {});

/// `count` tokens that differ for each `seed`.
std::vector<int32_t> makeTokens(size_t count, uint32_t seed);

/// Logits [tokens][vocabulary] of a sequence from its start. `visible` hides
/// keys, and `positions` replaces 0, 1, ...; either may be empty.
std::vector<float> expectedLogits(const std::vector<int32_t> &tokens,
                                  const std::vector<uint8_t> &visible = {},
                                  const std::vector<int32_t> &positions = {});

/// A piece without a buffer; `tokens` must outlive it.
llmopt_piece makePiece(uint32_t sequence, const std::vector<int32_t> &tokens,
                       int32_t want);

/// Copy of the logits of a piece after a step.
std::vector<float> logitsOf(const llmopt_piece &piece);

/// Appends `tokens` to `sequence` and returns the logits of all of them.
std::vector<float> stepAll(const Session &session, uint32_t sequence,
                           const std::vector<int32_t> &tokens);

/// The last `rows` rows of `logits`.
std::vector<float> lastRows(const std::vector<float> &logits, size_t rows);

/// Expects `status` and that the message of the thread contains `text`.
void expectError(llmopt_status expected, llmopt_status actual,
                 const std::string &text);

} // namespace fake

#endif // LLMOPT_TEST_UNIT_RUNTIME_TESTMODEL_H
