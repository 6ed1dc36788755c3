//===- FunctionTest.cpp - Functions of models are inlined -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"
#include <chrono>

using namespace llmopt::onnx;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;

namespace {

/// Changes a model y = local.F(x), where F(a) = Neg(a).
class FunctionTest : public ImportFixture {
protected:
  FunctionTest() {
    addFunction("F", {"a"}, {"r"});
    addNode(f(), "Neg", {"a"}, {"r"});
    callee(*model.mutable_graph()->mutable_node(0), "F");
  }

  FunctionProto *addFunction(llvm::StringRef name,
                             llvm::ArrayRef<llvm::StringRef> inputs,
                             llvm::ArrayRef<llvm::StringRef> outputs) {
    FunctionProto *function = model.add_functions();
    function->set_name(name.str());
    function->set_domain("local");
    function->add_opset_import()->set_version(20);
    for (llvm::StringRef input : inputs)
      function->add_input(input.str());
    for (llvm::StringRef output : outputs)
      function->add_output(output.str());
    return function;
  }

  static ::onnx::NodeProto &addNode(FunctionProto &function,
                                    llvm::StringRef type,
                                    llvm::ArrayRef<llvm::StringRef> inputs,
                                    llvm::ArrayRef<llvm::StringRef> outputs,
                                    llvm::StringRef name = "") {
    ::onnx::GraphProto graph;
    llmopt::onnx::addNode(graph, type, inputs, outputs, name);
    return *function.add_node() = graph.node(0);
  }

  /// Makes a node call a function.
  static void callee(::onnx::NodeProto &node, llvm::StringRef name) {
    node.set_op_type(name.str());
    node.set_domain("local");
  }

  FunctionProto &f() { return *model.mutable_functions(0); }
  ::onnx::NodeProto &call() { return *model.mutable_graph()->mutable_node(0); }

  void expectMalformed(llvm::StringRef message) {
    expectError(model, ImportErrorKind::Malformed, message);
  }
  void expectUnsupported(llvm::StringRef message) {
    expectError(model, ImportErrorKind::Unsupported, message);
  }

  ::onnx::ModelProto model = makeReluModel();
};

} // namespace

TEST_F(FunctionTest, bodyTakesThePlaceOfTheCall) {
  addNode(f(), "Exp", {"r"}, {"e"}, "exp");
  f().set_output(0, "e");
  std::string text = print(model);
  EXPECT_CONTAINS(text, "%0 = onnx.node \"Neg\"(%arg0)");
  EXPECT_CONTAINS(text, "%1 = onnx.node \"Exp\"(%0)");
  EXPECT_CONTAINS(text, "return %1");
}

TEST_F(FunctionTest, namesFollowThatOfTheCall) {
  llmopt::onnx::addNode(*model.mutable_graph(), "F", {"y"}, {"z"})
      ->set_domain("local");
  ImportOptions options;
  options.keepOutputNames = true;
  std::string text = print(model, options);
  EXPECT_CONTAINS(text, "outputs [\"relu/r\"]");
  EXPECT_CONTAINS(text, "outputs [\"z/r\"]");
}

TEST_F(FunctionTest, callsInsideOfFunctions) {
  addFunction("G", {"p", "q"}, {"s"});
  addNode(*model.mutable_functions(1), "F", {"q"}, {"t"}).set_domain("local");
  addNode(*model.mutable_functions(1), "Add", {"p", "t"}, {"s"});
  callee(call(), "G");
  call().add_input("x");
  std::string text = print(model);
  EXPECT_CONTAINS(text, "%0 = onnx.node \"Neg\"(%arg0)");
  EXPECT_CONTAINS(text, "%1 = onnx.node \"Add\"(%arg0, %0)");
}

TEST_F(FunctionTest, outputsMayBeInputs) {
  f().set_output(0, "a");
  EXPECT_CONTAINS(print(model), "return %arg0");
}

TEST_F(FunctionTest, inputsMayBeLeftOut) {
  f().add_input("b");
  f().mutable_node(0)->add_input("b");
  EXPECT_CONTAINS(print(model), "\"Neg\"(%arg0, %0)");
  call().add_input("");
  EXPECT_CONTAINS(print(model), "\"Neg\"(%arg0, %0)");
}

TEST_F(FunctionTest, bodySeesNoOuterValues) {
  f().mutable_node(0)->set_input(0, "x");
  expectMalformed("node ('Neg') of output 'r' of function 'F' reads 'x', which "
                  "nothing defines");
}

TEST_F(FunctionTest, overloads) {
  f().set_overload("v2");
  expectMalformed("node 'relu' ('F') belongs to the domain 'local', whose "
                  "operator set the model does not import");
  call().set_overload("v2");
  EXPECT_CONTAINS(print(model), "\"Neg\"(%arg0)");
}

TEST_F(FunctionTest, versionsAreThoseOfTheFunction) {
  f().mutable_opset_import(0)->set_version(13);
  EXPECT_CONTAINS(print(model), "\"Neg\" version 13(%arg0)");
  ::onnx::OperatorSetIdProto *opset = f().add_opset_import();
  opset->set_domain("com.microsoft");
  opset->set_version(1);
  f().mutable_node(0)->set_domain("com.microsoft");
  EXPECT_CONTAINS(print(model),
                  "\"Neg\" domain \"com.microsoft\" version 1(%arg0)");
}

TEST_F(FunctionTest, domainsAreThoseOfTheFunction) {
  f().clear_opset_import();
  expectMalformed("node ('Neg') of output 'r' of function 'F' belongs to the "
                  "domain '', whose operator set the function does not import");
}

TEST_F(FunctionTest, invalidOpset) {
  f().mutable_opset_import(0)->set_version(99);
  expectUnsupported("function 'F': the default operator set has version 99; "
                    "versions up to 28 are supported");
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

static AttributeProto &addReference(::onnx::NodeProto &node,
                                    llvm::StringRef name) {
  AttributeProto *attribute = addAttribute(node, "alpha", AttributeProto::INT);
  attribute->set_ref_attr_name(name.str());
  return *attribute;
}

TEST_F(FunctionTest, attributesComeFromTheCall) {
  f().add_attribute("slope");
  addReference(*f().mutable_node(0), "slope");
  addAttribute(call(), "slope", AttributeProto::INT)->set_i(7);
  EXPECT_CONTAINS(print(model), "{alpha = 7 : i64}");
}

TEST_F(FunctionTest, attributesPassThroughCalls) {
  f().add_attribute("slope");
  addReference(*f().mutable_node(0), "slope");
  FunctionProto &g = *addFunction("G", {"p"}, {"s"});
  g.add_attribute("outer");
  ::onnx::NodeProto &inner = addNode(g, "F", {"p"}, {"s"});
  inner.set_domain("local");
  addReference(inner, "outer").set_name("slope");
  callee(call(), "G");
  addAttribute(call(), "outer", AttributeProto::INT)->set_i(7);
  EXPECT_CONTAINS(print(model), "{alpha = 7 : i64}");
}

TEST_F(FunctionTest, attributesHaveDefaults) {
  AttributeProto *slope = f().add_attribute_proto();
  slope->set_name("slope");
  slope->set_type(AttributeProto::INT);
  slope->set_i(5);
  addReference(*f().mutable_node(0), "slope");
  EXPECT_CONTAINS(print(model), "{alpha = 5 : i64}");
  addAttribute(call(), "slope", AttributeProto::INT)->set_i(7);
  EXPECT_CONTAINS(print(model), "{alpha = 7 : i64}");
}

TEST_F(FunctionTest, attributesWithoutValueAreLeftOut) {
  f().add_attribute("slope");
  addReference(*f().mutable_node(0), "slope");
  EXPECT_CONTAINS(print(model), "\"Neg\"(%arg0) : ");
}

TEST_F(FunctionTest, attributesOfSubgraphsOfTheBody) {
  f().add_attribute("slope");
  AttributeProto *branch =
      addAttribute(*f().mutable_node(0), "then_branch", AttributeProto::GRAPH);
  addReference(
      *llmopt::onnx::addNode(*branch->mutable_g(), "Exp", {"a"}, {"e"}),
      "slope");
  addOutput(*branch->mutable_g(), "e");
  addAttribute(call(), "slope", AttributeProto::INT)->set_i(7);
  EXPECT_CONTAINS(print(model), "\"Exp\"(%arg0) {alpha = 7 : i64}");
}

TEST_F(FunctionTest, referenceToNothing) {
  addReference(*f().mutable_node(0), "slope");
  expectMalformed("node ('Neg') of output 'r' of function 'F': attribute "
                  "'alpha' refers to the attribute 'slope', which the function "
                  "does not have");
}

TEST_F(FunctionTest, referenceOfAnotherType) {
  f().add_attribute("slope");
  addReference(*f().mutable_node(0), "slope");
  addAttribute(call(), "slope", AttributeProto::STRING)->set_s("a");
  expectMalformed("node ('Neg') of output 'r' of function 'F': attribute "
                  "'alpha' has the type INT, but refers to the attribute "
                  "'slope' of type STRING");
}

TEST_F(FunctionTest, referenceWithAValue) {
  f().add_attribute("slope");
  addReference(*f().mutable_node(0), "slope").set_i(3);
  expectMalformed("node ('Neg') of output 'r' of function 'F': attribute "
                  "'alpha' has a value and refers to the attribute 'slope'");
}

TEST_F(FunctionTest, defaultThatIsAReference) {
  AttributeProto *slope = f().add_attribute_proto();
  slope->set_name("slope");
  slope->set_type(AttributeProto::INT);
  slope->set_ref_attr_name("other");
  expectMalformed(
      "function 'F': attribute 'slope' refers to another attribute");
}

TEST_F(FunctionTest, attributeOfNoFunction) {
  addAttribute(call(), "slope", AttributeProto::INT)->set_i(7);
  expectMalformed("node 'relu' ('F'): attribute 'slope' is none of the called "
                  "function");
}

TEST_F(FunctionTest, graphAsAttribute) {
  f().add_attribute("body");
  addAttribute(call(), "body", AttributeProto::GRAPH)->mutable_g();
  expectUnsupported("node 'relu' ('F'): attribute 'body' passes a graph to a "
                    "function, which is not supported");
}

//===----------------------------------------------------------------------===//
// Calls that do not fit
//===----------------------------------------------------------------------===//

TEST_F(FunctionTest, tooManyInputs) {
  call().add_input("x");
  expectMalformed("node 'relu' ('F') has 2 inputs, but the function 'F' has 1");
}

TEST_F(FunctionTest, tooManyOutputs) {
  call().add_output("z");
  expectMalformed(
      "node 'relu' ('F') has 2 outputs, but the function 'F' has 1");
}

TEST_F(FunctionTest, outputOfNothing) {
  f().set_output(0, "nothing");
  expectMalformed("output 'nothing' of function 'F' is defined by nothing");
}

TEST_F(FunctionTest, inputTwice) {
  f().add_input("a");
  expectMalformed("function 'F': the value 'a' is defined twice");
}

TEST_F(FunctionTest, functionTwice) {
  addFunction("F", {}, {});
  expectMalformed("the model defines the function 'F' of domain 'local' twice");
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

TEST_F(FunctionTest, recursion) {
  callee(*f().mutable_node(0), "F");
  expectMalformed("the functions of the model are recursive: 'F' calls 'F'");
}

TEST_F(FunctionTest, recursionThroughOthers) {
  callee(*f().mutable_node(0), "G");
  addFunction("G", {"p"}, {"s"});
  addNode(*model.mutable_functions(1), "F", {"p"}, {"s"}).set_domain("local");
  expectMalformed("the functions of the model are recursive: 'F' calls 'G' "
                  "calls 'F'");
}

TEST_F(FunctionTest, recursionOutOfASubgraph) {
  AttributeProto *branch =
      addAttribute(*f().mutable_node(0), "then_branch", AttributeProto::GRAPH);
  callee(*llmopt::onnx::addNode(*branch->mutable_g(), "", {"a"}, {"e"}), "F");
  expectMalformed("the functions of the model are recursive: 'F' calls 'F'");
}

TEST_F(FunctionTest, doublingIsRefusedAtOnce) {
  for (int i = 0; i < 50; ++i) {
    FunctionProto &next = *addFunction("F" + std::to_string(i), {"a"}, {"r"});
    std::string previous = i == 0 ? "F" : "F" + std::to_string(i - 1);
    addNode(next, previous, {"a"}, {"t"}).set_domain("local");
    addNode(next, previous, {"t"}, {"r"}).set_domain("local");
  }
  callee(call(), "F49");
  auto begin = std::chrono::steady_clock::now();
  expectUnsupported("inlining the functions of the model makes more than "
                    "131072 nodes");
  EXPECT_LT(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(500));
}

TEST_F(FunctionTest, manyCallsOfOneFunction) {
  ImportOptions options;
  options.maxInlinedNodes = 2;
  llmopt::onnx::addNode(*model.mutable_graph(), "F", {"y"}, {"z"})
      ->set_domain("local");
  EXPECT_TRUE(import(model, options));
  llmopt::onnx::addNode(*model.mutable_graph(), "F", {"z"}, {"w"})
      ->set_domain("local");
  expectError(model, ImportErrorKind::Unsupported,
              "inlining the functions of the model makes more than 2 nodes",
              options);
}

TEST_F(FunctionTest, deepCalls) {
  ImportOptions options;
  options.maxCallDepth = 2;
  FunctionProto &g = *addFunction("G", {"a"}, {"r"});
  addNode(g, "F", {"a"}, {"r"}).set_domain("local");
  callee(call(), "G");
  EXPECT_TRUE(import(model, options));
  options.maxCallDepth = 1;
  expectError(model, ImportErrorKind::Unsupported,
              "calls of the model's functions are nested more than 1 levels "
              "deep",
              options);
}

TEST_F(FunctionTest, subgraphsNestThroughCalls) {
  AttributeProto *branch =
      addAttribute(*f().mutable_node(0), "then_branch", AttributeProto::GRAPH);
  addOutput(*branch->mutable_g(), "a");
  AttributeProto *outer = addAttribute(call(), "body", AttributeProto::GRAPH);
  callee(*llmopt::onnx::addNode(*outer->mutable_g(), "", {"x"}, {"e"}), "F");
  addOutput(*outer->mutable_g(), "e");
  call().set_op_type("If");
  call().clear_domain();
  ImportOptions options;
  options.maxSubgraphDepth = 2;
  EXPECT_TRUE(import(model, options));
  options.maxSubgraphDepth = 1;
  expectError(model, ImportErrorKind::Unsupported,
              "node ('Neg') of output 'r' of function 'F': subgraph "
              "'then_branch' is nested more than 1 levels deep",
              options);
}
