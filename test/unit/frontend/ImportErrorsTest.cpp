//===- ImportErrorsTest.cpp - Every refusal and its message -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"
#include <fcntl.h>
#include <sys/stat.h>

using namespace llmopt::onnx;

namespace {

class ImportErrorsTest : public ImportFixture {
protected:
  void expectMalformed(const ::onnx::ModelProto &model,
                       llvm::StringRef message) {
    expectError(model, ImportErrorKind::Malformed, message);
  }
  void expectUnsupported(const ::onnx::ModelProto &model,
                         llvm::StringRef message,
                         const ImportOptions &options = {}) {
    expectError(model, ImportErrorKind::Unsupported, message, options);
  }
  void expectUnreadable(llvm::StringRef path, llvm::StringRef message) {
    errors.clear();
    EXPECT_TRUE(mlir::failed(importONNX(path, context, {}, &kind)));
    EXPECT_EQ(kind, ImportErrorKind::Unreadable);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors.front(), message.str());
  }

  /// The Relu model, and the one node in it.
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  ::onnx::NodeProto &node = *graph.mutable_node(0);
};

} // namespace

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, missingFile) {
  TemporaryDirectory directory;
  expectUnreadable(directory.join("none.onnx"),
                   "cannot open the model: No such file or directory");
}

TEST_F(ImportErrorsTest, directory) {
  TemporaryDirectory directory;
  expectUnreadable(directory.get(),
                   "cannot read a directory; name the .onnx file in it");
}

TEST_F(ImportErrorsTest, pipe) {
  TemporaryDirectory directory;
  ASSERT_EQ(mkfifo(directory.join("pipe").c_str(), 0600), 0);
  expectUnreadable(directory.join("pipe"),
                   "cannot read the model: not a regular file");
}

TEST_F(ImportErrorsTest, errorsNameThePath) {
  mlir::Location location = mlir::UnknownLoc::get(&context);
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          location = diagnostic.getLocation();
                                          return mlir::success();
                                        });
  EXPECT_TRUE(mlir::failed(importONNX("no/such/model.onnx", context)));
  EXPECT_EQ(location, mlir::Location(mlir::FileLineColLoc::get(
                          &context, "no/such/model.onnx", 0, 0)));
}

TEST_F(ImportErrorsTest, emptyFile) {
  EXPECT_FALSE(importBytes(""));
  EXPECT_EQ(kind, ImportErrorKind::Malformed);
  EXPECT_EQ(errors, std::vector<std::string>{"the file is empty"});
}

TEST_F(ImportErrorsTest, invalidInsideOfUnscannedMessage) {
  // An operator set whose version is cut off.
  EXPECT_FALSE(importBytes("\x42\x01\x10"));
  EXPECT_EQ(kind, ImportErrorKind::Malformed);
  EXPECT_EQ(errors, std::vector<std::string>{
                        "not a valid ONNX file: Protocol Buffers cannot parse "
                        "it"});
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, noIRVersion) {
  model.clear_ir_version();
  expectMalformed(model, "the model has no valid IR version");
}

TEST_F(ImportErrorsTest, newIRVersion) {
  model.set_ir_version(99);
  expectUnsupported(model, "the model has IR version 99; versions up to " +
                               std::to_string(::onnx::IR_VERSION) +
                               " are supported");
}

TEST_F(ImportErrorsTest, noOpset) {
  model.clear_opset_import();
  expectMalformed(model, "the model imports no operator set");
}

TEST_F(ImportErrorsTest, newOpset) {
  model.mutable_opset_import(0)->set_version(29);
  expectUnsupported(model, "the default operator set has version 29; versions "
                           "up to 28 are supported");
}

TEST_F(ImportErrorsTest, invalidOpset) {
  ::onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("org.example");
  expectMalformed(model, "operator set 'org.example' has version 0");
}

TEST_F(ImportErrorsTest, contradictingOpsets) {
  ::onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("ai.onnx");
  opset->set_version(19);
  expectMalformed(model, "the default operator set is imported in versions 20 "
                         "and 19");
}

TEST_F(ImportErrorsTest, noGraph) {
  model.clear_graph();
  expectMalformed(model, "the model has no graph");
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, inputWithoutName) {
  graph.mutable_input(0)->clear_name();
  expectMalformed(model, "the model has an input without a name");
}

TEST_F(ImportErrorsTest, inputWithoutType) {
  graph.mutable_input(0)->clear_type();
  expectMalformed(model, "input 'x' has no type");
}

TEST_F(ImportErrorsTest, inputWithoutElementType) {
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type();
  graph.mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->clear_elem_type();
  expectMalformed(model, "input 'x' has no element type");
}

TEST_F(ImportErrorsTest, unknownElementType) {
  setType(*graph.mutable_input(0), 999, {1});
  expectMalformed(model, "input 'x' has the unknown element type 999");
}

TEST_F(ImportErrorsTest, unsupportedElementType) {
  setType(*graph.mutable_input(0), ::onnx::TensorProto::STRING, {1});
  expectUnsupported(model, "input 'x' has the element type STRING, which is "
                           "not supported");
}

TEST_F(ImportErrorsTest, negativeDimension) {
  setType(*graph.mutable_input(0), ::onnx::TensorProto::FLOAT, {-7});
  expectMalformed(model, "input 'x' has the negative dimension -7");
}

TEST_F(ImportErrorsTest, hugeInput) {
  setType(*graph.mutable_input(0), ::onnx::TensorProto::FLOAT,
          {int64_t(1) << 40, -1, int64_t(1) << 40});
  expectMalformed(model, "input 'x' is too large: its size in bytes does not "
                         "fit 64 bits");
}

TEST_F(ImportErrorsTest, manyDimensions) {
  setType(*graph.mutable_input(0), ::onnx::TensorProto::FLOAT,
          std::vector<int64_t>(65, 1));
  expectUnsupported(model,
                    "input 'x' has 65 dimensions, more than the limit of 64");
}

TEST_F(ImportErrorsTest, sequence) {
  graph.mutable_input(0)->mutable_type()->mutable_sequence_type();
  expectUnsupported(model, "input 'x' is not a tensor; sequences, maps, "
                           "optional and sparse values are not supported");
}

TEST_F(ImportErrorsTest, sparseInitializer) {
  graph.add_sparse_initializer();
  expectUnsupported(model, "graph 'g' has sparse initializers, which are not "
                           "supported");
}

TEST_F(ImportErrorsTest, initializerWithoutName) {
  addInitializer(graph, "", 1)->add_float_data(1.0f);
  expectMalformed(model, "an initializer has no name");
}

TEST_F(ImportErrorsTest, initializerTwice) {
  addInitializer(graph, "w", 1)->add_float_data(1.0f);
  addInitializer(graph, "w", 1)->add_float_data(1.0f);
  expectMalformed(model, "initializer 'w': the value 'w' is defined twice");
}

TEST_F(ImportErrorsTest, inputTwice) {
  addInput(graph, "x");
  expectMalformed(model, "input 'x': the value 'x' is defined twice");
}

TEST_F(ImportErrorsTest, noOutputs) {
  graph.clear_output();
  expectMalformed(model, "the model has no outputs");
}

TEST_F(ImportErrorsTest, outputWithoutName) {
  graph.mutable_output(0)->clear_name();
  expectMalformed(model, "graph 'g' has an output without a name");
}

TEST_F(ImportErrorsTest, outputOfNothing) {
  graph.mutable_output(0)->set_name("z");
  expectMalformed(model, "output 'z' of graph 'g' is defined by nothing");
}

TEST_F(ImportErrorsTest, outputTwice) {
  addOutput(graph, "y");
  expectMalformed(model, "output 'y' is given twice");
}

TEST_F(ImportErrorsTest, outputWithBadType) {
  setType(*graph.mutable_output(0), 999, {1});
  expectMalformed(model, "output 'y' has the unknown element type 999");
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, noOperator) {
  node.clear_op_type();
  expectMalformed(model, "node 'relu' ('') names no operator");
}

TEST_F(ImportErrorsTest, unknownDomain) {
  node.set_domain("evil.corp");
  node.clear_name();
  expectMalformed(model,
                  "node ('Relu') of output 'y' belongs to the domain "
                  "'evil.corp', whose operator set the model does not import");
}

TEST_F(ImportErrorsTest, overloadOfNothing) {
  node.set_overload("v2");
  expectMalformed(model, "node 'relu' ('Relu') names the overload 'v2' of no "
                         "function of the model");
}

TEST_F(ImportErrorsTest, undefinedInput) {
  node.set_input(0, "nope");
  expectMalformed(model,
                  "node 'relu' ('Relu') reads 'nope', which nothing defines");
}

TEST_F(ImportErrorsTest, unsortedNodes) {
  node.set_input(0, "a");
  addNode(graph, "Neg", {"x"}, {"a"}, "neg");
  expectMalformed(model,
                  "node 'relu' ('Relu') reads 'a' before node 'neg' ('Neg') "
                  "defines it: the nodes are not sorted, or form a cycle");
}

TEST_F(ImportErrorsTest, valueTwice) {
  addNode(graph, "Neg", {"x"}, {"y"}, "neg");
  expectMalformed(model, "node 'neg' ('Neg'): the value 'y' is defined twice");
}

TEST_F(ImportErrorsTest, valueTwiceInOneNode) {
  node.add_output("y");
  expectMalformed(model,
                  "node 'relu' ('Relu'): the value 'y' is defined twice");
}

TEST_F(ImportErrorsTest, longAndOddNamesStayOnOneLine) {
  node.set_input(0, std::string("a\n\0b", 4) + std::string(300, 'c'));
  expectMalformed(model, "node 'relu' ('Relu') reads 'a\\0A\\00b" +
                             std::string(116, 'c') +
                             "...', which nothing defines");
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, attributeWithoutName) {
  addAttribute(node, "", ::onnx::AttributeProto::INT);
  expectMalformed(model,
                  "node 'relu' ('Relu') has an attribute without a name");
}

TEST_F(ImportErrorsTest, attributeTwice) {
  addAttribute(node, "a", ::onnx::AttributeProto::INT);
  addAttribute(node, "a", ::onnx::AttributeProto::INT);
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' is given twice");
}

TEST_F(ImportErrorsTest, attributeWithoutType) {
  node.add_attribute()->set_name("a");
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' has no type");
}

TEST_F(ImportErrorsTest, attributeWithOtherValue) {
  addAttribute(node, "a", ::onnx::AttributeProto::INT)->set_f(1.0f);
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' does not hold "
                         "one value of its type INT");
}

TEST_F(ImportErrorsTest, attributeWithTwoValues) {
  ::onnx::AttributeProto *attribute =
      addAttribute(node, "a", ::onnx::AttributeProto::INT);
  attribute->set_i(1);
  attribute->set_f(1.0f);
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' does not hold "
                         "one value of its type INT");
}

TEST_F(ImportErrorsTest, attributeWithoutTensor) {
  addAttribute(node, "a", ::onnx::AttributeProto::TENSOR);
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' does not hold "
                         "one value of its type TENSOR");
}

TEST_F(ImportErrorsTest, attributeOfFunction) {
  addAttribute(node, "a", ::onnx::AttributeProto::INT)->set_ref_attr_name("b");
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' refers to an "
                         "attribute of a function, but is not in one");
}

TEST_F(ImportErrorsTest, attributeOfUnsupportedType) {
  addAttribute(node, "a", ::onnx::AttributeProto::GRAPHS);
  expectUnsupported(model, "node 'relu' ('Relu'): attribute 'a' has the type "
                           "GRAPHS, which is not supported");
}

TEST_F(ImportErrorsTest, tensorOfAttribute) {
  addAttribute(node, "a", ::onnx::AttributeProto::TENSOR)
      ->mutable_t()
      ->set_data_type(::onnx::TensorProto::FLOAT);
  expectMalformed(model, "node 'relu' ('Relu'): attribute 'a' has 0 bytes of "
                         "data, but its shape takes 4");
}

//===----------------------------------------------------------------------===//
// Subgraphs
//===----------------------------------------------------------------------===//

TEST_F(ImportErrorsTest, subgraphHidesOuterName) {
  ::onnx::GraphProto *body =
      addAttribute(node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  body->add_input()->set_name("x");
  expectMalformed(model, "node 'relu' ('Relu'): subgraph 'body': the value 'x' "
                         "is defined twice");
}

TEST_F(ImportErrorsTest, subgraphInputWithoutName) {
  ::onnx::GraphProto *body =
      addAttribute(node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  body->add_input();
  expectMalformed(model, "node 'relu' ('Relu'): subgraph 'body' has an input "
                         "without a name");
}

TEST_F(ImportErrorsTest, subgraphInputWithBadType) {
  ::onnx::GraphProto *body =
      addAttribute(node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  addInput(*body, "i", 999);
  expectMalformed(model, "node 'relu' ('Relu'): subgraph 'body': input 'i' has "
                         "the unknown element type 999");
}

TEST_F(ImportErrorsTest, subgraphReadsResultOfItsNode) {
  ::onnx::GraphProto *body =
      addAttribute(node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  body->set_name("b");
  addOutput(*body, "y");
  expectMalformed(model, "output 'y' of graph 'b' is defined by nothing");
}

TEST_F(ImportErrorsTest, valuesOfSubgraphStayInside) {
  ::onnx::GraphProto *body =
      addAttribute(node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  addNode(*body, "Neg", {"x"}, {"inner"});
  addOutput(*body, "inner");
  addNode(graph, "Neg", {"inner"}, {"z"}, "outside");
  expectMalformed(model, "node 'outside' ('Neg') reads 'inner', which nothing "
                         "defines");
}
