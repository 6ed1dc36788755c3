//===- ImportTest.cpp - Models become onnx dialect one to one ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace llmopt::onnx;

using ImportTest = ImportFixture;

TEST_F(ImportTest, signature) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::OperatorSetIdProto *contrib = model.add_opset_import();
  contrib->set_domain("com.microsoft");
  contrib->set_version(1);
  ::onnx::GraphProto &graph = *model.mutable_graph();
  ::onnx::ValueInfoProto *x = addInput(graph, "x");
  x->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("batch");
  addInput(graph, "unranked")
      ->mutable_type()
      ->mutable_tensor_type()
      ->clear_shape();
  addNode(graph, "Relu", {"x"}, {"y"});
  setType(*addOutput(graph, "y"), ::onnx::TensorProto::FLOAT16, {-1, 4});
  std::string text = print(model);
  EXPECT_CONTAINS(text, "module attributes {onnx.model_name = \"g\", "
                        "onnx.opset = {ai.onnx = 20 : i64, "
                        "com.microsoft = 1 : i64}}");
  EXPECT_CONTAINS(
      text, "func.func @main(%arg0: tensor<?x4xf32> {onnx.dims = [\"batch\", "
            "\"\"], onnx.name = \"x\"}, %arg1: tensor<*xf32> {onnx.name = "
            "\"unranked\"}) -> (!onnx.value {onnx.name = \"y\", onnx.type = "
            "tensor<?x4xf16>})");
  EXPECT_CONTAINS(text, "onnx.node \"Relu\"(%arg0) : (tensor<?x4xf32>) -> "
                        "!onnx.value");
}

TEST_F(ImportTest, elementTypes) {
  const std::pair<int32_t, const char *> types[] = {
      {::onnx::TensorProto::FLOAT, "f32"},
      {::onnx::TensorProto::DOUBLE, "f64"},
      {::onnx::TensorProto::FLOAT16, "f16"},
      {::onnx::TensorProto::BFLOAT16, "bf16"},
      {::onnx::TensorProto::INT8, "i8"},
      {::onnx::TensorProto::INT16, "i16"},
      {::onnx::TensorProto::INT32, "i32"},
      {::onnx::TensorProto::INT64, "i64"},
      {::onnx::TensorProto::UINT8, "ui8"},
      {::onnx::TensorProto::UINT16, "ui16"},
      {::onnx::TensorProto::UINT32, "ui32"},
      {::onnx::TensorProto::UINT64, "ui64"},
      {::onnx::TensorProto::BOOL, "i1"},
      {::onnx::TensorProto::INT4, "i4"},
      {::onnx::TensorProto::UINT4, "ui4"},
      {::onnx::TensorProto::INT2, "i2"},
      {::onnx::TensorProto::UINT2, "ui2"},
      {::onnx::TensorProto::FLOAT8E4M3FN, "f8E4M3FN"},
      {::onnx::TensorProto::FLOAT8E4M3FNUZ, "f8E4M3FNUZ"},
      {::onnx::TensorProto::FLOAT8E5M2, "f8E5M2"},
      {::onnx::TensorProto::FLOAT8E5M2FNUZ, "f8E5M2FNUZ"},
      {::onnx::TensorProto::FLOAT8E8M0, "f8E8M0FNU"},
      {::onnx::TensorProto::FLOAT4E2M1, "f4E2M1FN"},
  };
  for (auto [dataType, name] : types) {
    ::onnx::ModelProto model = makeModel();
    addInput(*model.mutable_graph(), "x", dataType, {2});
    addOutput(*model.mutable_graph(), "x");
    EXPECT_CONTAINS(print(model), std::string("tensor<2x") + name + ">");
  }
}

TEST_F(ImportTest, attributes) {
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::NodeProto &node = *model.mutable_graph()->mutable_node(0);
  addAttribute(node, "i", ::onnx::AttributeProto::INT)->set_i(INT64_MIN);
  addAttribute(node, "zero", ::onnx::AttributeProto::INT);
  addAttribute(node, "f", ::onnx::AttributeProto::FLOAT)->set_f(0.5f);
  addAttribute(node, "s", ::onnx::AttributeProto::STRING)->set_s("te\"xt");
  ::onnx::AttributeProto *ints =
      addAttribute(node, "is", ::onnx::AttributeProto::INTS);
  ints->add_ints(1);
  ints->add_ints(-1);
  addAttribute(node, "none", ::onnx::AttributeProto::INTS);
  addAttribute(node, "fs", ::onnx::AttributeProto::FLOATS)->add_floats(2.0f);
  addAttribute(node, "ss", ::onnx::AttributeProto::STRINGS)->add_strings("a");
  ::onnx::TensorProto *tensor =
      addAttribute(node, "t", ::onnx::AttributeProto::TENSOR)->mutable_t();
  tensor->set_data_type(::onnx::TensorProto::INT64);
  tensor->add_int64_data(7);
  EXPECT_CONTAINS(print(model),
                  "{f = 5.000000e-01 : f32, fs = array<f32: 2.000000e+00>, "
                  "i = -9223372036854775808 : i64, is = array<i64: 1, -1>, "
                  "none = array<i64>, s = \"te\\22xt\", ss = [\"a\"], "
                  "t = dense<7> : tensor<i64>, zero = 0 : i64}");
}

TEST_F(ImportTest, operandsAndResultsLeftOut) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  addInput(graph, "x");
  addNode(graph, "Op", {"x", "", "x", ""}, {"a", "", "b"});
  addNode(graph, "Add", {"a", "b"}, {"y"});
  addOutput(graph, "y");
  ImportOptions options;
  options.keepOutputNames = true;
  std::string text = print(model, options);
  EXPECT_CONTAINS(text, "%0 = onnx.none : !onnx.value");
  EXPECT_CONTAINS(text, "%1:3 = onnx.node \"Op\"(%arg0, %0, %arg0, %0) outputs "
                        "[\"a\", \"\", \"b\"]");
  EXPECT_CONTAINS(text, "onnx.node \"Add\"(%1#0, %1#2)");
}

TEST_F(ImportTest, domains) {
  ::onnx::ModelProto model = makeReluModel();
  model.mutable_opset_import(0)->set_domain("ai.onnx");
  ::onnx::OperatorSetIdProto *contrib = model.add_opset_import();
  contrib->set_domain("com.microsoft");
  contrib->set_version(1);
  addNode(*model.mutable_graph(), "QuickGelu", {"y"}, {"z"})
      ->set_domain("com.microsoft");
  mlir::OwningOpRef<mlir::ModuleOp> module = import(model);
  ASSERT_TRUE(module);
  llvm::SmallVector<NodeOp> nodes;
  module->walk([&](NodeOp node) { nodes.push_back(node); });
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].getDomain(), "");
  EXPECT_EQ(nodes[0].getOpsetVersion(), 20);
  EXPECT_EQ(nodes[1].getDomain(), "com.microsoft");
  EXPECT_EQ(nodes[1].getOpsetVersion(), 1);
}

TEST_F(ImportTest, unusedDomainsAndKeysAreTolerated) {
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::OperatorSetIdProto *other = model.add_opset_import();
  other->set_domain("org.example");
  other->set_version(77);
  EXPECT_TRUE(import(model));
}

TEST_F(ImportTest, opsetsAreYoungerThanTheFormat) {
  ::onnx::ModelProto model = makeReluModel();
  model.set_ir_version(2);
  model.clear_opset_import();
  EXPECT_CONTAINS(print(model), "onnx.opset = {ai.onnx = 1 : i64}");
}

TEST_F(ImportTest, inputThatIsAnInitializerIsNoArgument) {
  ::onnx::ModelProto model = makeReluModel();
  addInput(*model.mutable_graph(), "w", ::onnx::TensorProto::FLOAT, {1});
  addInitializer(*model.mutable_graph(), "w", 1)->add_float_data(1.0f);
  std::string text = print(model);
  EXPECT_CONTAINS(text, "func.func @main(%arg0: tensor<?x4xf32> {onnx.name = "
                        "\"x\"}) ->");
  EXPECT_CONTAINS(text, "onnx.initializer \"w\" = dense<1.000000e+00> : "
                        "tensor<1xf32>");
}

TEST_F(ImportTest, inputOfASubgraphThatIsAnInitializer) {
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::GraphProto *body =
      addAttribute(*model.mutable_graph()->mutable_node(0), "body",
                   ::onnx::AttributeProto::GRAPH)
          ->mutable_g();
  addInput(*body, "i");
  addInput(*body, "w", ::onnx::TensorProto::FLOAT, {1});
  addInitializer(*body, "w", 1)->add_float_data(1.0f);
  EXPECT_CONTAINS(print(model), "^bb0(%arg1: tensor<?x4xf32>):");
}

TEST_F(ImportTest, subgraphsSeeOuterValues) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  addInput(graph, "c", ::onnx::TensorProto::BOOL, {});
  addInput(graph, "x");
  ::onnx::NodeProto *node = addNode(graph, "If", {"c"}, {"y"}, "choose");
  ::onnx::GraphProto *thenBranch =
      addAttribute(*node, "then_branch", ::onnx::AttributeProto::GRAPH)
          ->mutable_g();
  addOutput(*thenBranch, "x");
  ::onnx::GraphProto *elseBranch =
      addAttribute(*node, "else_branch", ::onnx::AttributeProto::GRAPH)
          ->mutable_g();
  addNode(*elseBranch, "Clip", {"x", "", "x"}, {"n"});
  addOutput(*elseBranch, "n");
  addOutput(graph, "y");
  EXPECT_CONTAINS(print(model), R"(
    %0 = onnx.none : !onnx.value
    %1 = onnx.node "If"(%arg0) subgraphs "then_branch" {
      onnx.return %arg1 : tensor<?x4xf32>
    }, "else_branch" {
      %2 = onnx.node "Clip"(%arg1, %0, %arg1) : (tensor<?x4xf32>, !onnx.value, tensor<?x4xf32>) -> !onnx.value
      onnx.return %2 : !onnx.value
    } : (tensor<i1>) -> !onnx.value
    return %1 : !onnx.value
)");
}

TEST_F(ImportTest, siblingSubgraphsMayUseOneName) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  addInput(graph, "c", ::onnx::TensorProto::BOOL, {});
  ::onnx::NodeProto *node = addNode(graph, "If", {"c"}, {"y"});
  for (const char *name : {"then_branch", "else_branch"}) {
    ::onnx::GraphProto *branch =
        addAttribute(*node, name, ::onnx::AttributeProto::GRAPH)->mutable_g();
    addNode(*branch, "Not", {"c"}, {"n"});
    addOutput(*branch, "n");
  }
  addOutput(graph, "y");
  EXPECT_TRUE(import(model));
}

TEST_F(ImportTest, blockArgumentsOfSubgraphs) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  addInput(graph, "n", ::onnx::TensorProto::INT64, {});
  ::onnx::NodeProto *node = addNode(graph, "Loop", {"n", "", "n"}, {"y"});
  ::onnx::GraphProto *body =
      addAttribute(*node, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  addInput(*body, "i", ::onnx::TensorProto::INT64, {});
  body->add_input()->set_name("cond");
  body->add_input()->set_name("state");
  addOutput(*body, "cond");
  addOutput(*body, "state");
  addOutput(graph, "y");
  EXPECT_CONTAINS(print(model), R"( subgraphs "body" {
    ^bb0(%arg1: tensor<i64>, %arg2: !onnx.value, %arg3: !onnx.value):
      onnx.return %arg2, %arg3 : !onnx.value, !onnx.value
    } :)");
}

TEST_F(ImportTest, locationsNameNodes) {
  ::onnx::ModelProto model = makeModel();
  ::onnx::GraphProto &graph = *model.mutable_graph();
  addInput(graph, "x");
  addNode(graph, "Neg", {"x"}, {"a"}, "od\"d\n");
  addNode(graph, "Neg", {"a"}, {"y"});
  addOutput(graph, "y");
  mlir::OwningOpRef<mlir::ModuleOp> module = import(model);
  ASSERT_TRUE(module);
  std::vector<std::string> locations;
  module->walk([&](NodeOp node) {
    llvm::raw_string_ostream(locations.emplace_back()) << node.getLoc();
  });
  EXPECT_EQ(locations, (std::vector<std::string>{
                           "loc(\"od\\22d\\0A\"(\"model.onnx\":1:0))",
                           "loc(\"y\"(\"model.onnx\":2:0))"}));
}

TEST_F(ImportTest, nestingUpToTheLimit) {
  ::onnx::ModelProto model = makeModel();
  addInput(*model.mutable_graph(), "c", ::onnx::TensorProto::BOOL, {});
  ::onnx::GraphProto *graph = model.mutable_graph();
  for (int level = 0; level < 32; ++level) {
    std::string name = "y" + std::to_string(level);
    ::onnx::NodeProto *node = addNode(*graph, "If", {"c"}, {name});
    addOutput(*graph, name);
    graph = addAttribute(*node, "then_branch", ::onnx::AttributeProto::GRAPH)
                ->mutable_g();
  }
  ::onnx::NodeProto *leaf = addNode(*graph, "Constant", {}, {"leaf"});
  ::onnx::TensorProto *tensor =
      addAttribute(*leaf, "value", ::onnx::AttributeProto::TENSOR)->mutable_t();
  tensor->set_data_type(::onnx::TensorProto::FLOAT);
  tensor->set_raw_data(std::string(4, '\0'));
  addOutput(*graph, "leaf");
  EXPECT_TRUE(import(model)) << llvm::join(errors, "\n");
}

TEST_F(ImportTest, fileInItsDirectory) {
  TemporaryDirectory directory;
  directory.write("m.onnx", makeReluModel().SerializeAsString());
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importONNX(directory.join("m.onnx"), context, {}, &kind);
  ASSERT_TRUE(mlir::succeeded(module));
  EXPECT_EQ(kind, ImportErrorKind::None);
  EXPECT_EQ((*module)->getLoc(), mlir::Location(mlir::FileLineColLoc::get(
                                     &context, "m.onnx", 0, 0)));
}
