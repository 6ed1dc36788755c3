//===- ProgressTest.cpp - Lines about the work of the compiler --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Progress.h"
#include "compiler/Diagnostics.h"
#include "mlir/IR/Builders.h"
#include "gtest/gtest.h"

using namespace llmopt;

namespace {

/// A progress and what it has printed.
struct Recorder {
  explicit Recorder(bool terminal) : progress(os, terminal) {
    progress.expect(2);
  }
  std::string text;
  llvm::raw_string_ostream os{text};
  Progress progress;
};

TEST(Progress, LinesForPrograms) {
  Recorder recorder(/*terminal=*/false);
  recorder.progress.begin("pack", 3);
  recorder.progress.advance("layers.0");
  EXPECT_EQ(recorder.text, ""); // parts that take less than a second are silent
  recorder.progress.end();
  EXPECT_EQ(recorder.text, "[pack] 3/3 0.00 s\n");
  ASSERT_EQ(recorder.progress.times().size(), 1u);
  EXPECT_EQ(recorder.progress.times()[0].first, "pack");
}

TEST(Progress, OneLineOnATerminal) {
  Recorder recorder(/*terminal=*/true);
  recorder.progress.begin("read");
  recorder.progress.end();
  recorder.progress.begin("pack", 4);
  EXPECT_EQ(recorder.text.find('\n'), std::string::npos);
  EXPECT_NE(recorder.text.find("\r\x1b[K[2/2] pack 0/4 (0 %)"),
            std::string::npos);
  recorder.progress.message("error", "bad");
  EXPECT_TRUE(llvm::StringRef(recorder.text).ends_with("\r\x1b[Kerror: bad\n"));
}

TEST(Diagnostics, OneLineEach) {
  EXPECT_EQ(oneLine("  a\n\n  b \n"), "a; b");
  EXPECT_EQ(oneLine("tab\tescape\x1b[31m"), "tab\\x09escape\\x1B[31m");
  EXPECT_EQ(oneLine("caf\xc3\xa9"), "caf\xc3\xa9");
}

/// What is printed for a diagnostic at a location.
std::string printError(llvm::function_ref<mlir::Location(mlir::Builder)> at,
                       llvm::StringRef message) {
  Recorder recorder(/*terminal=*/false);
  mlir::MLIRContext context;
  DiagnosticPrinter printer(context, "m.onnx", recorder.progress);
  mlir::emitError(at(mlir::Builder(&context))) << message;
  EXPECT_EQ(printer.errorCount(), 1u);
  return recorder.text;
}

TEST(Diagnostics, NameTheNode) {
  auto node = [](mlir::Builder builder) -> mlir::Location {
    return mlir::NameLoc::get(builder.getStringAttr("/x/y"));
  };
  auto file = [](mlir::Builder builder) -> mlir::Location {
    return mlir::FileLineColLoc::get(builder.getContext(), "m.onnx", 3, 0);
  };
  auto fused = [&](mlir::Builder builder) -> mlir::Location {
    return builder.getFusedLoc({file(builder), node(builder)});
  };
  EXPECT_EQ(printError(node, "why"), "error: m.onnx: node '/x/y': why\n");
  EXPECT_EQ(printError(fused, "why"), "error: m.onnx: node '/x/y': why\n");
  EXPECT_EQ(printError(file, "why"), "error: m.onnx: why\n");
  EXPECT_EQ(printError(node, "node '/x/y' fails"),
            "error: m.onnx: node '/x/y' fails\n");
}

} // namespace
