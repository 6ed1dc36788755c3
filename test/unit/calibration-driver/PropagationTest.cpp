//===- PropagationTest.cpp - Parts compute what the model does --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the parts of a model compute, one after the other, is compared with the
// whole model's logits: the sums over logits and over their squares follow from
// what is observed of the head's input.
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/Propagation.h"
#include "compiler/Calibration/CalibrationModel.h"
#include "compiler/Calibration/TokenGenerator.h"
#include "compiler/Pipelines.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/Parser/Parser.h"
#include "passes/Lowering/Pipelines.h"
#include "passes/Quantization/Pipelines.h"
#include "tools/common/PoolRunner.h"
#include "llvm/Support/FormatVariadic.h"
#include <gtest/gtest.h>

using namespace llmopt;
using namespace mlir;

namespace {

constexpr uint32_t kVocabulary = 96, kLength = 37, kSamples = 3;

/// The text of a Llama block with the weights `layer`.
std::string blockText(int layer, StringRef input, StringRef output) {
  std::string text = R"(
  %wq$ = llmopt.weight "q$"(#llmopt.random<$1>) : tensor<64x64xf32>
  %wk$ = llmopt.weight "k$"(#llmopt.random<$2>) : tensor<32x64xf32>
  %wv$ = llmopt.weight "v$"(#llmopt.random<$3>) : tensor<32x64xf32>
  %wo$ = llmopt.weight "o$"(#llmopt.random<$4>) : tensor<64x64xf32>
  %wg$ = llmopt.weight "gate$"(#llmopt.random<$5>) : tensor<80x64xf32>
  %wu$ = llmopt.weight "up$"(#llmopt.random<$6>) : tensor<80x64xf32>
  %wd$ = llmopt.weight "down$"(#llmopt.random<$7>) : tensor<64x80xf32>
  %ga$ = llmopt.weight "norm$"(#llmopt.random<$8>) : tensor<64xf32>
  %gb$ = llmopt.weight "norm$b"(#llmopt.random<$9>) : tensor<64xf32>
  %n$ = llmopt.rms_norm IN, %ga$ {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %q$ = llmopt.linear %n$, %wq$ : (tensor<?x?x64xf32>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  %k$ = llmopt.linear %n$, %wk$ : (tensor<?x?x64xf32>, tensor<32x64xf32>) -> tensor<?x?x32xf32>
  %v$ = llmopt.linear %n$, %wv$ : (tensor<?x?x64xf32>, tensor<32x64xf32>) -> tensor<?x?x32xf32>
  %qr$ = llmopt.rope %q$ at %positions, %rope {heads = 4, head_dim = 16} : tensor<?x?x64xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %kr$ = llmopt.rope %k$ at %positions, %rope {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %o$, %nk$, %nv$ = llmopt.attention %qr$, %kr$, %v$ past(%pk$, %pv$) mask(%mask) left {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  %p$ = llmopt.linear %o$, %wo$ : (tensor<?x?x64xf32>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  %h$ = arith.addf IN, %p$ : tensor<?x?x64xf32>
  %m$ = llmopt.rms_norm %h$, %gb$ {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %g$ = llmopt.linear %m$, %wg$ : (tensor<?x?x64xf32>, tensor<80x64xf32>) -> tensor<?x?x80xf32>
  %u$ = llmopt.linear %m$, %wu$ : (tensor<?x?x64xf32>, tensor<80x64xf32>) -> tensor<?x?x80xf32>
  %a$ = llmopt.glu silu %g$, %u$ : tensor<?x?x80xf32>
  %d$ = llmopt.linear %a$, %wd$ : (tensor<?x?x80xf32>, tensor<64x80xf32>) -> tensor<?x?x64xf32>
  OUT = arith.addf %d$, %h$ : tensor<?x?x64xf32>
)";
  std::string result;
  for (StringRef rest = text; !rest.empty();) {
    if (rest.consume_front("$"))
      result += std::to_string(layer);
    else if (rest.consume_front("IN"))
      result += input;
    else if (rest.consume_front("OUT"))
      result += output;
    else {
      result += rest.front();
      rest = rest.drop_front();
    }
  }
  return result;
}

std::string modelText() {
  std::string arguments, results, returned, types;
  for (int layer : {1, 2}) {
    arguments += llvm::formatv(
        ", %pk{0}: tensor<?x2x?x16xf32> {{llmopt.role = #llmopt.role<key, {1}>}"
        ", %pv{0}: tensor<?x2x?x16xf32> {{llmopt.role = #llmopt.role<value, "
        "{1}>}",
        layer, layer - 1);
    results += llvm::formatv(
        ", tensor<?x2x?x16xf32> {{llmopt.role = #llmopt.role<key, {0}>}"
        ", tensor<?x2x?x16xf32> {{llmopt.role = #llmopt.role<value, {0}>}",
        layer - 1);
    returned += llvm::formatv(", %nk{0}, %nv{0}", layer);
    types += ", tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>";
  }
  return R"(func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>},
    %mask: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>}, %positions: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>})" +
         arguments +
         ") -> (tensor<?x?x96xf32> {llmopt.role = #llmopt.role<logits>}" +
         results + R"() {
  %table = llmopt.weight "table"(#llmopt.random<91>) : tensor<96x64xf32>
  %rope = llmopt.weight "rope"(#llmopt.random<92>) : tensor<256x16xf32>
  %gf = llmopt.weight "final"(#llmopt.random<93>) : tensor<64xf32>
  %head = llmopt.weight "head"(#llmopt.random<94>) : tensor<96x64xf32>
  %x0 = llmopt.embedding %ids, %table : (tensor<?x?xi64>, tensor<96x64xf32>) -> tensor<?x?x64xf32>
)" + blockText(1, "%x0", "%x1") +
         blockText(2, "%x1", "%x2") + R"(
  %nf = llmopt.rms_norm %x2, %gf {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %logits = llmopt.linear %nf, %head {head} : (tensor<?x?x64xf32>, tensor<96x64xf32>) -> tensor<?x?x96xf32>
  return %logits)" +
         returned + " : tensor<?x?x96xf32>" + types + "\n}\n";
}

class PropagationTest : public ::testing::Test {
protected:
  PropagationTest() : context(registry()), runner(tools::makePoolRunner(2)) {
    module = parseSourceString<ModuleOp>(modelText(), &context);
    samples.length = kLength;
    for (uint32_t i = 0; i < kSamples * kLength; ++i)
      samples.tokens.push_back((i * i * 7 + i / 3) % kVocabulary);
  }

  static DialectRegistry registry() {
    DialectRegistry registry;
    registerCompilerDialects(registry);
    return registry;
  }

  /// Logits of all samples, computed by the model as a whole.
  std::vector<float> wholeModel() {
    OwningOpRef<ModuleOp> copy = module->clone();
    PassManager manager(&context, ModuleOp::getOperationName());
    populateEncodePipeline(manager, EncodeOptions());
    populateSelectPipeline(manager, SelectOptions());
    populateBufferizePipeline(manager);
    EXPECT_TRUE(succeeded(manager.run(*copy)));
    PartCompiler compiler;
    FailureOr<const PartCode *> code = compiler.compile(*copy);
    FailureOr<AlignedBytes> weights = packForExecution(*copy);
    EXPECT_TRUE(succeeded(code) && succeeded(weights));
    std::vector<float> logits(samples.tokens.size() * kVocabulary);
    for (uint32_t first = 0; first < samples.tokens.size(); first += kLength)
      runWhole(**code, weights->data(), first,
               logits.data() + first * kVocabulary);
    return logits;
  }

  void runWhole(const PartCode &code, const uint8_t *weights, uint32_t first,
                float *logits) {
    constexpr uint32_t capacity = 48;
    AlignedBytes page(llmopt_page_bytes(LLMOPT_KV_F32, 2, 2, 16));
    AlignedBytes arena(code.arenaBytesPerRow * capacity),
        scratch(code.scratchBytes * runner->threads());
    uint8_t *pages[] = {page.data()};
    std::vector<int32_t> positions;
    std::vector<uint32_t> rows;
    for (uint32_t i = 0; i < kLength; ++i) {
      positions.push_back(i);
      rows.push_back(i);
    }
    llmopt_segment segment = {};
    segment.rows = kLength;
    segment.pages = pages;
    llmopt_call call = {};
    call.rows = call.logit_rows = kLength;
    call.capacity = capacity;
    call.segment_count = 1;
    call.tokens = samples.tokens.data() + first;
    call.positions = positions.data();
    call.segments = &segment;
    call.logit_row_index = rows.data();
    call.logits = logits;
    call.arena = arena.data();
    call.scratch = scratch.data();
    call.weights = weights;
    EXPECT_FALSE(bool(runner->run(code.entry, call)));
  }

  std::vector<float> read(Attribute source, RankedTensorType type) {
    auto &store = context.getLoadedDialect<LLMOptDialect>()->getWeightStore();
    return *store.readFloats(source, type, [&] { return module->emitError(); });
  }

  /// Propagates, replacing the sources of weights by `replace`, and compares
  /// with the whole model that has these sources.
  void check(PropagationOptions options,
             llvm::function_ref<Attribute(StringRef)> replace);

  MLIRContext context;
  std::unique_ptr<CodeRunner> runner;
  OwningOpRef<ModuleOp> module;
  CalibrationSamples samples;
};

bool isProduct(WeightOp weight) {
  return llvm::all_of(weight->getUsers(),
                      [](Operation *user) { return isa<LinearOp>(user); });
}

void PropagationTest::check(PropagationOptions options,
                            llvm::function_ref<Attribute(StringRef)> replace) {
  FailureOr<CalibrationModel> model = prepareCalibration(*module, isProduct);
  ASSERT_TRUE(succeeded(model));
  EXPECT_EQ(model->parts.blocks, 2);
  ASSERT_EQ(model->parts.parts.size(), 10u);
  std::vector<Attribute> sources = model->sources();
  PartCompiler compiler;
  PartExecutor executor(*runner, {2, 16}, kLength);
  Propagation propagation(model->parts, samples, executor, compiler, sources,
                          options);
  std::vector<std::string> seen;
  std::optional<LayerStatistics> last;
  ASSERT_TRUE(succeeded(propagation.run([&](const ObservedProducts &products) {
    std::string names;
    for (unsigned index : products.weights) {
      WeightOp weight = model->weights[index];
      names += weight.getName().str() + " ";
      if (Attribute source = replace(weight.getName())) {
        sources[index] = source;
        weight.setSourceAttr(source);
      }
    }
    seen.push_back(names);
    last.emplace(products.statistics);
    return success();
  })));
  EXPECT_EQ(seen, (std::vector<std::string>{"q1 k1 v1 ", "o1 ", "gate1 up1 ",
                                            "down1 ", "q2 k2 v2 ", "o2 ",
                                            "gate2 up2 ", "down2 ", "head "}));

  std::vector<float> logits = wholeModel();
  WeightOp head = model->weights.back();
  for (WeightOp weight : model->weights)
    if (weight.getName() == "head")
      head = weight;
  std::vector<float> w = read(head.getSource(), head.getType());
  MatrixF hessian = last->hessian();
  for (uint32_t n = 0; n < kVocabulary; ++n) {
    double sum = 0, squares = 0;
    for (size_t row = 0; row < samples.tokens.size(); ++row) {
      double logit = logits[row * kVocabulary + n];
      sum += logit;
      squares += logit * logit;
    }
    Eigen::Map<Eigen::VectorXf> weights(w.data() + n * 64, 64);
    EXPECT_NEAR(weights.cast<double>().dot(last->sum), sum,
                1e-4 * std::sqrt(squares * samples.tokens.size()));
    EXPECT_NEAR(weights.dot(hessian * weights), squares, 1e-4 * squares);
  }
  // Blocks with equal shapes share their code; the last one computes other
  // rows.
  EXPECT_LT(compiler.size(), model->parts.parts.size());
}

TEST_F(PropagationTest, ComputesWhatTheModelDoes) {
  check({}, [](StringRef) { return Attribute(); });
}

TEST_F(PropagationTest, ComputesWithCompressedWeights) {
  check({}, [&](StringRef name) -> Attribute {
    if (name == "v1" || name == "down1" || name == "gate2")
      return RandomAttr::get(&context, 200 + name.size());
    return Attribute();
  });
}

TEST_F(PropagationTest, ComputesSequentially) {
  check({true, false}, [&](StringRef name) -> Attribute {
    if (name == "v1" || name == "down1" || name == "gate2")
      return RandomAttr::get(&context, 200 + name.size());
    return Attribute();
  });
}

/// The uncompressed model's rows stay what they are when weights change.
TEST_F(PropagationTest, PairsRowsWithTheUncompressedModel) {
  FailureOr<CalibrationModel> model = prepareCalibration(*module, isProduct);
  ASSERT_TRUE(succeeded(model));
  std::vector<Attribute> sources = model->sources();
  std::vector<MatrixF> plain;
  PartCompiler compiler;
  PartExecutor executor(*runner, {2, 16}, kLength);
  ASSERT_TRUE(succeeded(Propagation(model->parts, samples, executor, compiler,
                                    sources, {true, false})
                            .run([&](const ObservedProducts &products) {
                              plain.push_back(products.statistics.hessian());
                              return success();
                            })));
  // One after the other, weights become others; dense^T * compressed has the
  // dense rows' squares as long as the weights are the same.
  size_t index = 0;
  ASSERT_TRUE(succeeded(Propagation(model->parts, samples, executor, compiler,
                                    sources, {true, true})
                            .run([&](const ObservedProducts &products) {
                              MatrixF cross = products.statistics.getCross();
                              float size = plain[index].norm();
                              float difference =
                                  (cross - plain[index]).norm() / size;
                              if (index <= 5)
                                EXPECT_LT(difference, 1e-5);
                              else
                                EXPECT_GT(difference, 1e-2);
                              if (index == 5)
                                for (unsigned weight : products.weights)
                                  sources[weight] =
                                      RandomAttr::get(&context, 300);
                              ++index;
                              return success();
                            })));
  EXPECT_EQ(index, 9u);
}

TEST_F(PropagationTest, SaysWhichRowIsNoNumber) {
  module->walk([&](WeightOp weight) {
    if (weight.getName() == "down1")
      weight.setSourceAttr(DenseElementsAttr::get(
          weight.getType(), std::numeric_limits<float>::infinity()));
  });
  FailureOr<CalibrationModel> model = prepareCalibration(*module, isProduct);
  ASSERT_TRUE(succeeded(model));
  std::vector<Attribute> sources = model->sources();
  PartCompiler compiler;
  PartExecutor executor(*runner, {2, 16}, kLength);
  Propagation propagation(model->parts, samples, executor, compiler, sources,
                          {});
  unsigned faults = 0;
  ASSERT_TRUE(succeeded(propagation.run([&](const ObservedProducts &products) {
    faults += products.statistics.notFinite.first >= 0;
    return success();
  })));
  EXPECT_EQ(faults, 5u); // everything after the first block
}

TEST_F(PropagationTest, GeneratesTheSameTokensForTheSameSeed) {
  PartCompiler compiler;
  SampleRequest request{5, 20, false, 7};
  double last = 0;
  auto progress = [&](double done) {
    EXPECT_GT(done, last);
    last = done;
  };
  FailureOr<CalibrationSamples> first =
      generateSamples(*module, request, *runner, compiler, progress);
  ASSERT_TRUE(succeeded(first));
  EXPECT_EQ(first->count(), 5u);
  for (int64_t token : first->tokens)
    EXPECT_TRUE(token >= 0 && token < kVocabulary);
  std::unique_ptr<CodeRunner> alone = tools::makePoolRunner(1);
  auto ignore = [](double) {};
  EXPECT_EQ(generateSamples(*module, request, *alone, compiler, ignore)->tokens,
            first->tokens);
  request.seed = 8;
  EXPECT_NE(generateSamples(*module, request, *alone, compiler, ignore)->tokens,
            first->tokens);
  // A sequence does not depend on how many there are.
  request = {2, 20, false, 7};
  std::vector<int64_t> two =
      generateSamples(*module, request, *alone, compiler, ignore)->tokens;
  EXPECT_TRUE(std::equal(two.begin(), two.end(), first->tokens.begin()));
}

} // namespace
