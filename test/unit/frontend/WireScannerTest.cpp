//===- WireScannerTest.cpp - Tensor data leaves the model -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/WireScanner.h"
#include "ImportFixture.h"

using namespace llmopt::onnx;

namespace {

class WireScannerTest : public ImportFixture {
protected:
  mlir::FailureOr<ScannedModel> scan(llvm::StringRef bytes,
                                     const ImportOptions &options = {}) {
    errors.clear();
    Reporter reporter(&context, "model.onnx");
    mlir::FailureOr<ScannedModel> model = scanModel(bytes, options, reporter);
    kind = reporter.getKind();
    return model;
  }

  void expectRefusal(llvm::StringRef bytes, ImportErrorKind expected,
                     llvm::StringRef message,
                     const ImportOptions &options = {}) {
    EXPECT_TRUE(mlir::failed(scan(bytes, options)));
    EXPECT_EQ(kind, expected);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors.front(), message.str());
  }
};

} // namespace

TEST_F(WireScannerTest, smallDataStays) {
  ::onnx::ModelProto model = makeModel();
  addInitializer(*model.mutable_graph(), "w", 256)
      ->set_raw_data(std::string(1024, 'a'));
  std::string bytes = model.SerializeAsString();
  mlir::FailureOr<ScannedModel> scanned = scan(bytes);
  ASSERT_TRUE(mlir::succeeded(scanned));
  EXPECT_TRUE(scanned->ranges.empty());
  EXPECT_EQ(scanned->structure, bytes);
}

TEST_F(WireScannerTest, largeDataIsTakenOutAtAnyNesting) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::NodeProto *node = addNode(*model.mutable_graph(), "If", {"c"}, {"y"});
  ::onnx::GraphProto *branch =
      addAttribute(*node, "then_branch", ::onnx::AttributeProto::GRAPH)
          ->mutable_g();
  ::onnx::NodeProto *constant = addNode(*branch, "Constant", {}, {"z"});
  addAttribute(*constant, "value", ::onnx::AttributeProto::TENSOR)
      ->mutable_t()
      ->set_raw_data(std::string(2000, 'a'));
  addInitializer(*model.mutable_graph(), "w", 500)
      ->set_raw_data(std::string(3000, 'b'));
  std::string bytes = model.SerializeAsString();

  mlir::FailureOr<ScannedModel> scanned = scan(bytes);
  ASSERT_TRUE(mlir::succeeded(scanned));
  ASSERT_EQ(scanned->ranges.size(), 2u);
  EXPECT_EQ(bytes.substr(scanned->ranges[0].offset, scanned->ranges[0].bytes),
            std::string(2000, 'a'));
  EXPECT_EQ(bytes.substr(scanned->ranges[1].offset, scanned->ranges[1].bytes),
            std::string(3000, 'b'));
  EXPECT_LT(scanned->structure.size(), 200u);

  ::onnx::ModelProto rest;
  ASSERT_TRUE(rest.ParseFromString(scanned->structure));
  const ::onnx::TensorProto &inner =
      rest.graph().node(0).attribute(0).g().node(0).attribute(0).t();
  EXPECT_FALSE(inner.has_raw_data());
  EXPECT_EQ(inner.segment().begin(), 0);
  EXPECT_EQ(rest.graph().initializer(0).segment().begin(), 1);
}

TEST_F(WireScannerTest, packedFloatsAreTakenOut) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::TensorProto *tensor =
      addInitializer(*model.mutable_graph(), "w", 300);
  for (int i = 0; i < 300; ++i)
    tensor->add_float_data(i);
  std::string bytes = model.SerializeAsString();
  mlir::FailureOr<ScannedModel> scanned = scan(bytes);
  ASSERT_TRUE(mlir::succeeded(scanned));
  ASSERT_EQ(scanned->ranges.size(), 1u);
  EXPECT_EQ(scanned->ranges[0].field, DataRange::Field::Float);
  ASSERT_EQ(scanned->ranges[0].bytes, 1200u);
  float last;
  memcpy(&last, bytes.data() + scanned->ranges[0].offset + 1196, 4);
  EXPECT_EQ(last, 299.0f);
}

TEST_F(WireScannerTest, unusedFieldsGo) {
  ::onnx::ModelProto model = makeReluModel();
  std::string used = model.SerializeAsString();
  model.set_doc_string("text");
  model.add_training_info()->mutable_algorithm()->set_name("train");
  model.add_metadata_props()->set_key("k");
  setType(*model.mutable_graph()->add_value_info(), ::onnx::TensorProto::FLOAT,
          {1});
  model.mutable_graph()->mutable_node(0)->set_doc_string("text");
  mlir::FailureOr<ScannedModel> scanned = scan(model.SerializeAsString());
  ASSERT_TRUE(mlir::succeeded(scanned));
  EXPECT_EQ(scanned->structure, used);
}

TEST_F(WireScannerTest, unsupportedPartsLeaveAnEmptyMessage) {
  ::onnx::ModelProto model = makeModel();
  model.mutable_graph()
      ->add_sparse_initializer()
      ->mutable_values()
      ->set_raw_data(std::string(5000, 'a'));
  mlir::FailureOr<ScannedModel> scanned = scan(model.SerializeAsString());
  ASSERT_TRUE(mlir::succeeded(scanned));
  model.mutable_graph()->mutable_sparse_initializer(0)->Clear();
  EXPECT_EQ(scanned->structure, model.SerializeAsString());
}

TEST_F(WireScannerTest, truncatedField) {
  expectRefusal("\x3a\x05"
                "ab",
                ImportErrorKind::Malformed,
                "not a valid Protocol Buffers file: the field at byte 0 is cut "
                "off or longer than the message around it");
}

TEST_F(WireScannerTest, fieldLongerThanItsMessage) {
  // A graph of 3 bytes, whose node claims 9; 10 bytes follow the graph.
  std::string bytes("\x3a\x03\x0a\x09z"
                    "0123456789",
                    15);
  expectRefusal(bytes, ImportErrorKind::Malformed,
                "not a valid Protocol Buffers file: the field at byte 2 is cut "
                "off or longer than the message around it");
}

TEST_F(WireScannerTest, lengthOfMoreThan64Bits) {
  std::string bytes("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11);
  expectRefusal(bytes, ImportErrorKind::Malformed,
                "not a valid Protocol Buffers file: the field at byte 0 is cut "
                "off or longer than the message around it");
}

TEST_F(WireScannerTest, fieldNumberZero) {
  expectRefusal(llvm::StringRef("\0\0", 2), ImportErrorKind::Malformed,
                "not a valid Protocol Buffers file: the field at byte 0 is cut "
                "off or longer than the message around it");
}

TEST_F(WireScannerTest, group) {
  expectRefusal("\x3b\x3c", ImportErrorKind::Malformed,
                "not a valid ONNX file: the field at byte 0 has the unknown "
                "wire type 3");
}

TEST_F(WireScannerTest, segmentsOfTheFile) {
  ::onnx::ModelProto model = makeModel();
  addInitializer(*model.mutable_graph(), "w", 4)
      ->mutable_segment()
      ->set_begin(0);
  expectRefusal(model.SerializeAsString(), ImportErrorKind::Unsupported,
                "a tensor is split into segments, which is not supported");
}

TEST_F(WireScannerTest, dataTwice) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::TensorProto *tensor =
      addInitializer(*model.mutable_graph(), "w", 300);
  tensor->set_raw_data(std::string(1200, 'a'));
  for (int i = 0; i < 300; ++i)
    tensor->add_float_data(i);
  expectRefusal(model.SerializeAsString(), ImportErrorKind::Malformed,
                "a tensor has its data twice");
}

TEST_F(WireScannerTest, deepNesting) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto *graph = model.mutable_graph();
  for (int level = 0; level < 33; ++level)
    graph = addAttribute(*addNode(*graph, "If", {"c"}, {"y"}), "then_branch",
                         ::onnx::AttributeProto::GRAPH)
                ->mutable_g();
  expectRefusal(model.SerializeAsString(), ImportErrorKind::Unsupported,
                "subgraphs are nested more than 32 levels deep");
}

TEST_F(WireScannerTest, limits) {
  ::onnx::ModelProto model = makeReluModel();
  std::string bytes = model.SerializeAsString();
  ImportOptions options;
  options.maxNodes = 0;
  expectRefusal(bytes, ImportErrorKind::Unsupported,
                "the model has more than 0 nodes", options);
  options = {};
  options.maxFields = 5;
  expectRefusal(bytes, ImportErrorKind::Unsupported,
                "the model has more than 5 fields", options);
  options = {};
  options.maxStructureBytes = 20;
  expectRefusal(bytes, ImportErrorKind::Unsupported,
                "the model without its large tensors takes more than 20 bytes",
                options);
}
