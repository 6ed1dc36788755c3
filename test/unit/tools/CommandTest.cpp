//===- CommandTest.cpp - llmopt-run, -bench, -eval and -inspect -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/TestModel.h"

#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <unistd.h>

using namespace fake;

namespace {

struct Outcome {
  int code;
  std::string text; ///< standard output, then error
};

class CommandTest : public testing::Test {
protected:
  CommandTest()
      : model(makeLibrary(readObject("fake_left"))),
        graph(makeLibrary(readObject("fake_graph"))) {}

  /// Runs a tool; "MODEL" in its arguments is the library file of a decoder,
  /// "GRAPH" that of a graph.
  Outcome run(std::string command) const {
    for (const auto &[word, path] :
         {std::pair("MODEL", model.path()), std::pair("GRAPH", graph.path())})
      for (size_t at; (at = command.find(word)) != std::string::npos;)
        command.replace(at, 5, path);
    FILE *pipe = popen((TOOL_FOLDER "/" + command + " 2>&1").c_str(), "r");
    Outcome outcome = {0, ""};
    char buffer[4096];
    while (const size_t count = fread(buffer, 1, sizeof(buffer), pipe))
      outcome.text.append(buffer, count);
    outcome.code = WEXITSTATUS(pclose(pipe));
    return outcome;
  }

  void expectFailure(const std::string &command, int code,
                     const std::string &text) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, code) << outcome.text;
    EXPECT_NE(outcome.text.find(text), std::string::npos) << outcome.text;
  }

  llvm::json::Object runJSON(const std::string &command) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    llvm::Expected<llvm::json::Value> value = llvm::json::parse(outcome.text);
    if (!value) {
      ADD_FAILURE() << llvm::toString(value.takeError()) << outcome.text;
      return {};
    }
    return *value->getAsObject();
  }

  TemporaryFile model, graph;
};

std::string greedy(std::vector<int32_t> tokens, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    const std::vector<float> logits = lastRows(expectedLogits(tokens), 1);
    tokens.push_back(static_cast<int32_t>(
        std::max_element(logits.begin(), logits.end()) - logits.begin()));
    text += (i ? " " : "") + std::to_string(tokens.back());
  }
  return text + "\n";
}

TEST_F(CommandTest, RunGeneratesGreedily) {
  const Outcome outcome = run("llmopt-run MODEL -tokens=3,1,4 -n=6 -threads=2");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, greedy({3, 1, 4}, 6));
}

TEST_F(CommandTest, RunReadsStandardInputAndStops) {
  const std::string all = greedy({3, 1, 4}, 12);
  const std::string stop = all.substr(0, all.find(' '));
  const TemporaryFile prompt("3 1 4");
  const std::string command = "llmopt-run MODEL -token-file=- -n=12";
  const std::string input = std::string(" < ") + prompt.path();
  EXPECT_EQ(run(command + input).text, all);
  EXPECT_EQ(run(command + " -stop=99," + stop + input).text, "\n");
}

TEST_F(CommandTest, RunSamplesWithASeed) {
  const std::string command =
      "llmopt-run MODEL -tokens=3 -n=12 -temperature=900 -top-k=20 -seed=";
  const Outcome first = run(command + "1");
  EXPECT_EQ(first.code, 0);
  EXPECT_EQ(first.text, run(command + "1").text);
  EXPECT_NE(first.text, run(command + "2").text);
}

TEST_F(CommandTest, RunSaysThatTheContextIsFull) {
  const Outcome outcome = run("llmopt-run MODEL -tokens=3 -n=500");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.text.find("the context is full"), std::string::npos);
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), ' '),
            static_cast<ptrdiff_t>(kMaxSequence) - 1 + 4);
}

TEST_F(CommandTest, Version) {
  const Outcome outcome = run("llmopt-run --version");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text.find("llmopt "), 0u) << outcome.text;
}

TEST_F(CommandTest, WrongUse) {
  expectFailure("llmopt-run MODEL", 2, "-tokens or -token-file");
  expectFailure("llmopt-run MODEL -tokens=1 -top-p=2", 2, "-top-p");
  expectFailure("llmopt-run MODEL -tokens=1,b", 2, "'b' is not a token id");
  expectFailure("llmopt-run MODEL -tokens=99", 1, "outside of the vocabulary");
  expectFailure("llmopt-run MODEL -tokens=1 -frobnicate", 2,
                "unknown command line argument");
  expectFailure("llmopt-run /no/such.so -tokens=1", 4,
                "cannot open '/no/such.so'");
  expectFailure("llmopt-run /dev/null -tokens=1", 4, "not a regular file");
  expectFailure("llmopt-run MODEL -tokens=1 -isa=avx9", 1, "no variant 'avx9'");
  expectFailure("llmopt-run MODEL -token-file=/no/such", 4, "cannot read");
  expectFailure("llmopt-bench MODEL -r=0", 2, "-r must be");
  expectFailure("llmopt-bench MODEL -p=0", 2, "at least 1");
  expectFailure("llmopt-bench MODEL -p=500", 1, "max_sequence of 400");
  expectFailure("llmopt-bench MODEL -p=10 -d=395", 1, "holds 395 tokens");
  expectFailure("llmopt-bench", 2, "no model given");
  expectFailure("llmopt-bench -machine -profile", 2, "no model given");
  expectFailure("llmopt-bench MODEL -profile", 2, "compile it with -profile");
  expectFailure("llmopt-eval MODEL /no/such.npy -window=8", 4, "cannot read");
  expectFailure("llmopt-eval MODEL", 2, "positional");
  expectFailure("llmopt-inspect", 2, "positional");
}

TEST_F(CommandTest, BenchMeasures) {
  const auto result =
      runJSON("llmopt-bench MODEL -p=16,64 -n=8 -r=3 -threads=2 -json");
  const llvm::json::Array &tests = *result.getArray("tests");
  ASSERT_EQ(tests.size(), 3u);
  EXPECT_EQ(tests[0].getAsObject()->getString("test"), llvm::StringRef("pp16"));
  EXPECT_EQ(tests[2].getAsObject()->getString("test"), llvm::StringRef("tg8"));
  for (const llvm::json::Value &test : tests) {
    const llvm::json::Object &object = *test.getAsObject();
    EXPECT_EQ(object.getArray("tokens_per_s")->size(), 3u);
    EXPECT_GT(*object.getNumber("min"), 0);
    EXPECT_LE(*object.getNumber("min"), *object.getNumber("median"));
    EXPECT_LE(*object.getNumber("median"), *object.getNumber("max"));
  }
  EXPECT_GT(*result.getInteger("peak_rss_bytes"), 1 << 20);
  EXPECT_EQ(*result.getInteger("threads"), 2);
  const auto deep = runJSON("llmopt-bench MODEL -n=4 -d=0,20 -r=1 -json");
  const llvm::json::Array &depths = *deep.getArray("tests");
  ASSERT_EQ(depths.size(), 2u);
  EXPECT_EQ(depths[1].getAsObject()->getString("test"),
            llvm::StringRef("tg4@d20"));
  const Outcome text = run("llmopt-bench MODEL");
  EXPECT_NE(text.text.find("pp128"), std::string::npos);
  EXPECT_NE(text.text.find("tg64"), std::string::npos);
}

TEST_F(CommandTest, BenchMeasuresTheMachine) {
  const auto alone = runJSON("llmopt-bench -machine -threads=2 -json");
  const llvm::json::Array &machine = *alone.getArray("machine");
  ASSERT_EQ(machine.size(), 2u);
  for (const llvm::json::Value &figures : machine) {
    const llvm::json::Object &object = *figures.getAsObject();
    EXPECT_GT(*object.getNumber("read_bytes_per_s"), 1e8);
    EXPECT_LT(*object.getNumber("read_bytes_per_s"), 1e13);
    EXPECT_GT(*object.getNumber("fork_join_s"), 0);
    EXPECT_LT(*object.getNumber("fork_join_s"), 1);
  }
  EXPECT_EQ(alone.getArray("tests"), nullptr);
  const auto both = runJSON("llmopt-bench MODEL -machine -n=4 -r=1 -json");
  EXPECT_EQ(both.getArray("machine")->size(), 1u);
  const llvm::json::Array &tests = *both.getArray("tests");
  EXPECT_TRUE(tests[0].getAsObject()->getNumber("share_of_machine"));
}

/// -log(softmax(logits)[target]) of a sequence, summed over its tokens but the
/// first.
double lossOf(const std::vector<int32_t> &tokens) {
  const std::vector<float> logits = expectedLogits(tokens);
  double loss = 0;
  for (size_t t = 0; t + 1 < tokens.size(); ++t) {
    const float *row = &logits[t * kVocabulary];
    const double largest = *std::max_element(row, row + kVocabulary);
    double sum = 0;
    for (uint32_t i = 0; i < kVocabulary; ++i)
      sum += std::exp(row[i] - largest);
    loss += largest + std::log(sum) - row[tokens[t + 1]];
  }
  return loss;
}

TEST_F(CommandTest, EvalMeasuresPerplexityAndAgreement) {
  // Few tokens of a window: the logits of this model grow quickly.
  const std::vector<int32_t> tokens = {4, 9, 14, 4, 19, 9};
  std::string text;
  for (const int32_t token : tokens)
    text += std::to_string(token) + " ";
  const TemporaryFile file(text);
  const std::string command = std::string("llmopt-eval MODEL ") + file.path() +
                              " -window=3 -windows=2 -json -reference=MODEL";
  const auto result = runJSON(command);
  const double loss = lossOf({4, 9, 14}) + lossOf({4, 19, 9});
  EXPECT_EQ(*result.getInteger("tokens"), 4);
  EXPECT_NEAR(*result.getNumber("perplexity") / std::exp(loss / 4), 1, 1e-6);
  EXPECT_EQ(*result.getNumber("perplexity"),
            *result.getNumber("reference_perplexity"));
  EXPECT_NEAR(*result.getNumber("kl_divergence"), 0, 1e-12);
  EXPECT_EQ(*result.getNumber("top1_agreement"), 1);
  expectFailure(command + " -windows=3", 2, "");
  expectFailure(std::string("llmopt-eval MODEL ") + file.path() + " -window=4",
                2, "6 tokens, 8 windows of 4 need more");
}

TEST_F(CommandTest, InspectShowsWeightsAndVerifies) {
  const auto result = runJSON("llmopt-inspect MODEL -json");
  const llvm::json::Object &weight =
      *(*result.getArray("weights"))[0].getAsObject();
  EXPECT_EQ(weight.getString("name"), llvm::StringRef("head"));
  EXPECT_EQ(weight.getString("kernel"), llvm::StringRef("sum"));
  EXPECT_EQ(*weight.getNumber("bits_per_weight"), 32);
  EXPECT_EQ(*weight.getInteger("rows"), kVocabulary);
  EXPECT_EQ(result.getArray("inputs")->size(), 7u);
  EXPECT_EQ(result.getString("build_id"),
            llvm::StringRef("01020304000000000000000000000000"));
  const Outcome text = run("llmopt-inspect MODEL -verify");
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.text.find("all 1 weights are undamaged"), std::string::npos);
  EXPECT_NE(text.text.find("input past.0.key: f32[?, 2, ?, 4]"),
            std::string::npos);
  EXPECT_NE(run("llmopt-inspect MODEL -report").text.find("\"layers\""),
            std::string::npos);
  const TemporaryFile silent(makeLibrary(readObject("fake_full")));
  expectFailure(std::string("llmopt-inspect -report ") + silent.path(), 1,
                "no report");
  EXPECT_EQ(run(std::string("llmopt-inspect ") + silent.path()).code, 0);
}

TEST_F(CommandTest, InspectFindsDamage) {
  std::string contents = makeLibrary(readObject("fake_left"));
  contents[contents.size() - sizeof(llmopt_footer) - 3] ^= 1;
  const TemporaryFile damaged(contents);
  expectFailure(std::string("llmopt-inspect ") + damaged.path() + " -verify", 1,
                "weight 'head' is damaged");
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

TEST_F(CommandTest, RunExecutesAGraph) {
  const std::string folder = testing::TempDir() + "llmopt-graph-outputs";
  const Outcome outcome = run("llmopt-run GRAPH -input=x=6x4xf32 -input=keep=6 "
                              "-output-dir=" +
                              folder);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text.find("y: f32[6, 4] "), 0u) << outcome.text;
  EXPECT_NE(outcome.text.find("\nrows: int64[] 6\n"), std::string::npos)
      << outcome.text;
  // What was written can be read: y is an input of the right shape.
  const Outcome again =
      run("llmopt-run GRAPH -input=x=" + folder + "/y.npy -input=keep=6");
  EXPECT_EQ(again.code, 0) << again.text;
  expectFailure("llmopt-run GRAPH -input=x=6x4 -input=keep=" + folder +
                    "/y.npy",
                2, "its element type is '<f4', expected '|b1'");
}

TEST_F(CommandTest, RunRefusesInputsThatDoNotFit) {
  expectFailure("llmopt-run GRAPH", 2,
                "input 'x': it is f32[?, 4]: say what it is with");
  expectFailure("llmopt-run GRAPH -input=z=1", 2, "-input expects NAME=VALUE");
  expectFailure("llmopt-run GRAPH -input=x=6xf16", 2,
                "expected sizes such as 2x3, a .npy or a .pb file, not "
                "'6xf16'; it is f32[?, 4]");
  expectFailure("llmopt-run GRAPH -input=x=6x3 -input=keep=6", 1,
                "dimension 1 of input 'x' is 3, expected 4");
  expectFailure("llmopt-run GRAPH -input=x=6x4 -input=keep=5", 1,
                "node 'where': x and keep have different lengths");
  expectFailure("llmopt-run GRAPH -input=x=none.npy -input=keep=5", 2,
                "cannot read 'none.npy'");
  expectFailure("llmopt-run GRAPH -tokens=1", 2, "the model is a graph");
  expectFailure("llmopt-run MODEL -input=x=1 -tokens=1", 2,
                "the model is a decoder");
}

TEST_F(CommandTest, BenchTimesAGraph) {
  const llvm::json::Object result =
      runJSON("llmopt-bench GRAPH -input=x=6x4 -input=keep=6 -r=4 -json");
  const llvm::json::Array *tests = result.getArray("tests");
  ASSERT_TRUE(tests && tests->size() == 1);
  const llvm::json::Array *times =
      (*tests)[0].getAsObject()->getArray("milliseconds");
  ASSERT_TRUE(times && times->size() == 4);
  EXPECT_GT(*(*times)[0].getAsNumber(), 0);
  expectFailure("llmopt-bench GRAPH -p=5", 2, "the model is a graph");
  expectFailure("llmopt-bench GRAPH -machine", 2, "the model is a graph");
  expectFailure("llmopt-bench MODEL -input=x=1", 2, "the model is a decoder");
}

TEST_F(CommandTest, InspectAndEvalOfAGraph) {
  const Outcome outcome = run("llmopt-inspect GRAPH");
  EXPECT_EQ(outcome.code, 0);
  for (const char *line :
       {"a graph, executed by llmopt_run\n", "input x: f32[?, 4]\n",
        "input keep: bool[?]\n", "output rows: int64[]\n", "\nhead "})
    EXPECT_NE(outcome.text.find(line), std::string::npos) << outcome.text;
  EXPECT_EQ(runJSON("llmopt-inspect GRAPH -json").getString("kind"), "graph");
  expectFailure("llmopt-eval GRAPH tokens.txt", 1,
                "is a graph and has no sequences of tokens");
}

} // namespace
