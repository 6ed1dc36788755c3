//===- ConformanceTest.cpp - The corpora import as they should --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Corpora.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/LineIterator.h"

using namespace llmopt::onnx;

namespace {

/// What the reader must say about a file.
struct Verdict {
  std::string kind;
  std::string message;
};

class ConformanceTest : public ImportFixture {
protected:
  mlir::OwningOpRef<mlir::ModuleOp> importFile(llvm::StringRef path) {
    errors.clear();
    mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
        importONNX(path, context, {}, &kind);
    if (mlir::failed(module)) {
      EXPECT_EQ(errors.size(), 1u);
      return {};
    }
    EXPECT_TRUE(mlir::succeeded(mlir::verify(**module)));
    return std::move(*module);
  }

  std::string getError() { return errors.empty() ? "" : errors.front(); }

  void checkRoundTrip(mlir::ModuleOp module);
  void checkOneToOne(mlir::ModuleOp module, llvm::StringRef path);
};

} // namespace

static llvm::StringRef getKindName(ImportErrorKind kind) {
  switch (kind) {
  case ImportErrorKind::None:
    return "accepted";
  case ImportErrorKind::Malformed:
    return "malformed";
  case ImportErrorKind::Unsupported:
    return "unsupported";
  case ImportErrorKind::Unreadable:
    return "unreadable";
  }
  return "";
}

/// Reads BadModels.txt: a name, a kind and a message per line.
static std::map<std::string, Verdict> readVerdicts() {
  std::map<std::string, Verdict> verdicts;
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file =
      llvm::MemoryBuffer::getFile(LLMOPT_SOURCE_DIR
                                  "/test/unit/frontend/BadModels.txt");
  EXPECT_TRUE(static_cast<bool>(file));
  for (llvm::line_iterator line(**file, /*SkipBlanks=*/true, '#');
       !line.is_at_end(); ++line) {
    auto [name, rest] = line->split(' ');
    auto [kind, message] = rest.split(' ');
    verdicts[name.str()] = {kind.str(), message.str()};
  }
  return verdicts;
}

static std::string toText(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  return text;
}

/// The printed module parses to the same module.
void ConformanceTest::checkRoundTrip(mlir::ModuleOp module) {
  std::string text = toText(module);
  mlir::OwningOpRef<mlir::ModuleOp> parsed =
      mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parsed) << getError();
  EXPECT_EQ(toText(*parsed), text);
}

/// Lists the operators of a graph and its subgraphs, outer ones first.
static void listOperators(const ::onnx::GraphProto &graph,
                          std::vector<std::string> &operators) {
  for (const ::onnx::NodeProto &node : graph.node()) {
    operators.push_back(node.op_type());
    for (const ::onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        listOperators(attribute.g(), operators);
  }
}

/// The bytes of raw_data or float_data.
static llvm::StringRef getStoredData(const ::onnx::TensorProto &tensor) {
  if (tensor.has_raw_data())
    return tensor.raw_data();
  return {reinterpret_cast<const char *>(tensor.float_data().data()),
          tensor.float_data_size() * sizeof(float)};
}

/// A second reading of the whole file by Protocol Buffers alone finds the same
/// nodes and initializers, and their data where the blobs say.
void ConformanceTest::checkOneToOne(mlir::ModuleOp module,
                                    llvm::StringRef path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file =
      llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(file));
  llvm::StringRef bytes = (*file)->getBuffer();
  ::onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromArray(bytes.data(), bytes.size()));

  std::vector<std::string> expected, found;
  listOperators(model.graph(), expected);
  module.walk<mlir::WalkOrder::PreOrder>(
      [&](NodeOp node) { found.push_back(node.getOpType().str()); });
  EXPECT_EQ(found, expected);

  std::map<std::string, const ::onnx::TensorProto *> tensors;
  for (const ::onnx::TensorProto &tensor : model.graph().initializer())
    tensors[tensor.name()] = &tensor;
  size_t numInitializers = 0;
  module.walk([&](InitializerOp op) {
    if (op->getParentOfType<NodeOp>())
      return;
    ++numInitializers;
    const ::onnx::TensorProto *tensor = tensors[op.getName().str()];
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(op.getType().getShape(),
              llvm::ArrayRef(tensor->dims().data(), tensor->dims_size()));
    auto blob = mlir::dyn_cast<FileBlobAttr>(op.getValue());
    if (blob && blob.getFile().empty())
      EXPECT_TRUE(bytes.substr(blob.getOffset(), blob.getBytes()) ==
                  getStoredData(*tensor));
  });
  EXPECT_EQ(numInitializers, tensors.size());
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

TEST_F(ConformanceTest, badModels) {
  Corpus corpus("bad");
  if (!corpus)
    GTEST_SKIP() << "no corpora in " << getCorporaPath();
  std::map<std::string, Verdict> verdicts = readVerdicts();
  std::map<std::string, std::string> models = corpus.getModels();
  EXPECT_EQ(models.size(), verdicts.size());
  for (const auto &[name, path] : models) {
    SCOPED_TRACE(name);
    importFile(path);
    EXPECT_EQ(getKindName(kind).str(), verdicts[name].kind);
    EXPECT_EQ(getError(), verdicts[name].message);
  }
}

TEST_F(ConformanceTest, models) {
  Corpus corpus("models");
  if (!corpus)
    GTEST_SKIP() << "no corpora in " << getCorporaPath();
  for (const auto &[name, path] : corpus.getModels()) {
    SCOPED_TRACE(name);
    mlir::OwningOpRef<mlir::ModuleOp> module = importFile(path);
    ASSERT_TRUE(module) << getError();
    checkOneToOne(*module, path);
    checkRoundTrip(*module);
  }
}

TEST_F(ConformanceTest, contribOperators) {
  Corpus corpus("contrib");
  if (!corpus)
    GTEST_SKIP() << "no corpora in " << getCorporaPath();
  for (const auto &[name, path] : corpus.getModels()) {
    SCOPED_TRACE(name);
    mlir::OwningOpRef<mlir::ModuleOp> module = importFile(path);
    ASSERT_TRUE(module) << getError();
    checkOneToOne(*module, path);
    checkRoundTrip(*module);
  }
}

TEST_F(ConformanceTest, nodeTests) {
  Corpus corpus("node");
  if (!corpus)
    GTEST_SKIP() << "no corpora in " << getCorporaPath();
  size_t numImported = 0;
  std::map<std::string, std::string> models = corpus.getModels();
  for (const auto &[name, path] : models) {
    SCOPED_TRACE(name);
    mlir::OwningOpRef<mlir::ModuleOp> module = importFile(path);
    if (!module) {
      EXPECT_EQ(kind, ImportErrorKind::Unsupported) << getError();
      continue;
    }
    ++numImported;
    checkOneToOne(*module, path);
  }
  EXPECT_EQ(models.size(), 1884u);
  EXPECT_GE(numImported, 1600u);
}
