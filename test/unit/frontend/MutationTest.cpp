//===- MutationTest.cpp - Damaged models never crash the reader -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"
#include <random>

using namespace llmopt::onnx;

namespace {

/// Adds a function whose node refers to an attribute, and a call of it.
void addFunction(::onnx::ModelProto &model) {
  ::onnx::FunctionProto *function = model.add_functions();
  function->set_name("F");
  function->add_input("a");
  function->add_output("r");
  function->add_opset_import()->set_version(13);
  ::onnx::AttributeProto *slope = function->add_attribute_proto();
  slope->set_name("slope");
  slope->set_type(::onnx::AttributeProto::INT);
  slope->set_i(5);
  ::onnx::GraphProto nodes;
  ::onnx::NodeProto *node = addNode(nodes, "Neg", {"a"}, {"r"});
  addAttribute(*node, "alpha", ::onnx::AttributeProto::INT)
      ->set_ref_attr_name("slope");
  *function->add_node() = *node;
  addNode(*model.mutable_graph(), "F", {"y"}, {"v"});
}

/// A model with every kind of part that the reader knows.
::onnx::ModelProto makeRichModel() {
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  setType(*graph.mutable_output(0), ::onnx::TensorProto::FLOAT, {-1, 4});
  addInitializer(graph, "large", 300)->set_raw_data(std::string(1200, 'a'));
  addInitializer(graph, "typed", 2)->add_float_data(1.0f);
  graph.mutable_initializer(1)->add_float_data(2.0f);
  ::onnx::TensorProto *packed = addInitializer(graph, "packed", 3);
  packed->set_data_type(::onnx::TensorProto::INT4);
  packed->set_raw_data("ab");
  ::onnx::TensorProto *external = addInitializer(graph, "external", 3);
  external->set_data_location(::onnx::TensorProto::EXTERNAL);
  ::onnx::StringStringEntryProto *location = external->add_external_data();
  location->set_key("location");
  location->set_value("w.bin");
  ::onnx::NodeProto *node =
      addNode(graph, "Loop", {"large", "", "typed"}, {"z"}, "loop");
  addAttribute(*node, "is", ::onnx::AttributeProto::INTS)->add_ints(5);
  addAttribute(*node, "s", ::onnx::AttributeProto::STRING)->set_s("text");
  ::onnx::TensorProto *tensor =
      addAttribute(*node, "t", ::onnx::AttributeProto::TENSOR)->mutable_t();
  tensor->set_data_type(::onnx::TensorProto::BOOL);
  tensor->add_dims(2);
  tensor->set_raw_data("\1\1");
  ::onnx::GraphProto *body =
      addAttribute(*node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  addInput(*body, "i");
  addNode(*body, "Add", {"i", "external"}, {"o"});
  addOutput(*body, "o");
  addFunction(model);
  return model;
}

class MutationTest : public ImportFixture {
protected:
  MutationTest() { directory.write("w.bin", "0123456789ab"); }

  /// Imports bytes that may be anything: a failure must come with an error.
  void tryImport(const std::string &bytes) {
    mlir::OwningOpRef<mlir::ModuleOp> module =
        importBytes(bytes, {}, directory.get());
    numAccepted += static_cast<bool>(module);
    if (module)
      EXPECT_TRUE(errors.empty());
    else
      EXPECT_EQ(errors.size(), 1u);
    EXPECT_EQ(kind == ImportErrorKind::None, static_cast<bool>(module));
  }

  TemporaryDirectory directory;
  unsigned numAccepted = 0;
};

} // namespace

TEST_F(MutationTest, theModelItselfIsFine) {
  EXPECT_TRUE(import(makeRichModel(), {}, directory.get()))
      << llvm::join(errors, "\n");
}

TEST_F(MutationTest, everyPrefix) {
  std::string bytes = makeRichModel().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size)
    tryImport(bytes.substr(0, size));
  // The fields of a model come in order, the functions last.
  EXPECT_LE(numAccepted, 2u);
}

TEST_F(MutationTest, changedBytes) {
  const std::string original = makeRichModel().SerializeAsString();
  std::mt19937 random(1);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bytes = original;
    for (unsigned change = 0, end = 1 + random() % 3; change < end; ++change) {
      size_t position = random() % bytes.size();
      switch (random() % 4) {
      case 0:
        bytes[position] = static_cast<char>(random());
        break;
      case 1:
        bytes[position] ^= static_cast<char>(1 << random() % 8);
        break;
      case 2:
        bytes.erase(position, 1 + random() % 8);
        break;
      case 3:
        bytes.insert(position, bytes.substr(random() % bytes.size(), 8));
        break;
      }
      if (bytes.empty())
        break;
    }
    tryImport(bytes);
  }
  // Changes of names and weights do no harm; most others are noticed.
  EXPECT_GT(numAccepted, 1000u);
  EXPECT_LT(numAccepted, 19000u);
}
