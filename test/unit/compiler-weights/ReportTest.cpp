//===- ReportTest.cpp - Tests of the report ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Report.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "target/PackedFormat.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

using namespace llmopt;
using namespace mlir;
namespace json = llvm::json;

namespace {

constexpr StringLiteral kModel = R"(
#dense = #llmopt.format<int8, dense>
#mask = #llmopt.format<int8, bitmask>
func.func @main(%ids: tensor<?xi64>) -> tensor<?x64xf32> {
  %t = llmopt.encoded_weight "table" codes(#llmopt.random<1>) scales(#llmopt.random<2>)
    {zeros = 1024 : i64, error = 0.25 : f64, reason = "embedding"} : !llmopt.packed<64x32, #dense>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<3>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x32, #mask>
  %g = llmopt.weight "gamma"(#llmopt.random<5>) : tensor<32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<5>) : tensor<128x16xf32>
  %x = llmopt.embedding %ids, %t : (tensor<?xi64>, !llmopt.packed<64x32, #dense>) -> tensor<?x32xf32>
  %n = llmopt.rms_norm %x, %g {epsilon = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %y = llmopt.linear %n, %w activations(64) : (tensor<?x32xf32>, !llmopt.packed<32x32, #mask>) -> tensor<?x32xf32>
  %z = llmopt.linear %y, %t {head} : (tensor<?x32xf32>, !llmopt.packed<64x32, #dense>) -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
)";

class ReportTest : public ::testing::Test {
protected:
  ReportTest() {
    context.loadDialect<LLMOptDialect, func::FuncDialect>();
    options.quant = CompileOptions::Quant::Int8;
    options.sparsity = 0.6;
    options.sparsityMethod = CompileOptions::Pruner::Magnitude;
  }

  OwningOpRef<ModuleOp> parse(StringRef text) {
    return parseSourceString<ModuleOp>(text, &context);
  }

  static json::Object parseReport(StringRef text) {
    llvm::Expected<json::Value> value = json::parse(text);
    EXPECT_TRUE(bool(value));
    return *value->getAsObject();
  }

  MLIRContext context;
  CompileOptions options;
  std::vector<CpuTarget> targets = {{"znver4", "znver4", Isa::Avx512Vnni, 0},
                                    {"x86-64-v3", "x86-64-v3", Isa::Avx2, 0}};
};

TEST_F(ReportTest, Layers) {
  OwningOpRef<ModuleOp> module = parse(kModel);
  ASSERT_TRUE(module);
  Report report(options, targets);
  ASSERT_TRUE(succeeded(report.addLayers(*module)));
  json::Object root = parseReport(report.text());
  const json::Array &layers = *root.getArray("layers");
  ASSERT_EQ(layers.size(), 2u);

  const json::Object &table = *layers[0].getAsObject();
  EXPECT_EQ(table.getString("name"), "table");
  EXPECT_EQ(*table.get("shape"), json::Value(json::Array{64, 32}));
  EXPECT_EQ(table.getString("format"), "int8/channel");
  EXPECT_EQ(table.getString("kernel"), "embedding_int8, linear_int8_f32");
  EXPECT_EQ(*table.get("isa"), json::Value(json::Array{"avx512vnni", "avx2"}));
  EXPECT_EQ(table.getNumber("zeros"), 0.5);
  int64_t tableBytes = densePackedBytes(PackedLayout::Int8, 64, 32);
  EXPECT_EQ(table.getInteger("bytes"), tableBytes);
  EXPECT_EQ(table.getInteger("code_bits"), 8);
  EXPECT_EQ(table.getNumber("bits_per_weight"), tableBytes * 8 / 2048.0);
  EXPECT_EQ(table.getNumber("error"), 0.25);
  EXPECT_EQ(table.getString("reason"), "embedding");

  const json::Object &linear = *layers[1].getAsObject();
  EXPECT_EQ(linear.getString("format"), "int8/channel/bitmask");
  EXPECT_EQ(linear.getString("kernel"), "linear_int8_bitmask_g64");
  EXPECT_EQ(linear.getNull("error"), nullptr);
  EXPECT_TRUE(linear.get("error") && linear.get("reason"));
}

TEST_F(ReportTest, TotalsLeaveOutRotaryTables) {
  OwningOpRef<ModuleOp> module = parse(kModel);
  Report report(options, targets);
  ASSERT_TRUE(succeeded(report.addLayers(*module)));
  EXPECT_EQ(report.totals().weights, 2048 + 1024 + 32);
  EXPECT_EQ(report.totals().zeros, 1024);
  EXPECT_EQ(report.totals().floatBytes(), 4 * 3104);
  json::Object root = parseReport(report.text());
  const json::Object &totals = *root.getObject("totals");
  EXPECT_EQ(totals.getInteger("weights"), 3104);
  EXPECT_DOUBLE_EQ(*totals.getNumber("zeros"), 1024 / 3104.0);
  EXPECT_EQ(totals.getInteger("bytes"), report.totals().bytes);
  EXPECT_EQ(root.getObject("model")->getInteger("parameters"), 3104);
}

TEST_F(ReportTest, NothingIsInvented) {
  Report report(options, targets);
  report.setModel("smollm2", "");
  json::Object root = parseReport(report.text());
  EXPECT_EQ(root.getObject("model")->getString("name"), "smollm2");
  EXPECT_TRUE(root.getObject("model")->getNull("sha256"));
  EXPECT_TRUE(root.getObject("accuracy")->getNull("metric"));
  EXPECT_TRUE(root.getObject("speed")->getNull("decode_tokens_per_s"));
  EXPECT_TRUE(root.getNull("peak_rss_bytes"));
  EXPECT_TRUE(root.getObject("time_s")->empty());
  EXPECT_EQ(root.getString("recipe"), recipe(options));
}

TEST_F(ReportTest, MeasurementsStayOutOfTheLibrary) {
  Report report(options, targets);
  report.setModel("smollm2", "00ff");
  std::string before = report.reproducibleText();
  report.setTimes({{"read", 1.5}, {"pack", 2}, {"read", 1}});
  report.setPeakBytes(123);
  EXPECT_EQ(report.reproducibleText(), before);
  EXPECT_EQ(StringRef(before).count('\n'), 0u);
  json::Object library = parseReport(before);
  EXPECT_FALSE(library.get("time_s") || library.get("peak_rss_bytes"));
  json::Object root = parseReport(report.text());
  EXPECT_EQ(root.getObject("time_s")->getNumber("read"), 2.5);
  EXPECT_EQ(root.getObject("time_s")->getNumber("pack"), 2);
  EXPECT_EQ(root.getInteger("peak_rss_bytes"), 123);
  // Equal apart from the measurements.
  root.erase("time_s");
  root.erase("peak_rss_bytes");
  EXPECT_EQ(root, library);
}

TEST_F(ReportTest, WarnsOfMuchMagnitudePruning) {
  constexpr StringLiteral expected =
      "magnitude pruning without calibration at 60 % usually ruins a language "
      "model; measure with llmopt-eval";
  Report report(options, targets);
  ASSERT_EQ(report.notes().size(), 1u);
  EXPECT_EQ(report.notes()[0], expected);
  json::Object root = parseReport(report.reproducibleText());
  EXPECT_EQ(*root.get("notes"), json::Value(json::Array{expected}));
  options.sparsity = 0.625;
  EXPECT_TRUE(
      StringRef(Report(options, targets).notes()[0]).contains("62.5 %"));
  options.sparsity = 0.4;
  EXPECT_EQ(Report(options, targets).notes().size(), 1u);
  options.sparsity = 0.39;
  EXPECT_TRUE(Report(options, targets).notes().empty());
  // A calibrated method does not ruin the model.
  options.sparsity = 0.6;
  options.sparsityMethod = CompileOptions::Pruner::Auto;
  EXPECT_TRUE(Report(options, targets).notes().empty());
  options.level = 0;
  EXPECT_EQ(Report(options, targets).notes().size(), 1u);
}

TEST_F(ReportTest, UndecidedLayoutsAreErrors) {
  OwningOpRef<ModuleOp> module = parse(R"(
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<3>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x32, #llmopt.format<int8>>
  )");
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) {});
  EXPECT_TRUE(failed(Report(options, targets).addLayers(*module)));
}

TEST(Sha256, KnownAnswer) {
  SmallString<128> path;
  int descriptor = -1;
  ASSERT_FALSE(
      llvm::sys::fs::createTemporaryFile("sha", "txt", descriptor, path));
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << "abc";
  llvm::Expected<std::string> hash = sha256OfFile(path);
  ASSERT_TRUE(bool(hash));
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(*hash,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f200"
            "15ad");
  llvm::sys::fs::remove(path);
  llvm::Expected<std::string> missing = sha256OfFile(path);
  ASSERT_FALSE(bool(missing));
  EXPECT_TRUE(StringRef(llvm::toString(missing.takeError()))
                  .starts_with("cannot read '"));
}

TEST(PeakMemory, IsPlausible) { EXPECT_GT(peakResidentBytes(), 1u << 20); }

} // namespace
