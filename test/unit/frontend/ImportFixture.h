//===- ImportFixture.h - Builds small models and imports them ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_FRONTEND_IMPORTFIXTURE_H
#define LLMOPT_TEST_UNIT_FRONTEND_IMPORTFIXTURE_H

#include "frontends/onnx/Import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <onnx-ml.pb.h>

namespace llmopt::onnx {

/// A model of opset 20 with an empty graph "g".
inline ::onnx::ModelProto makeModel() {
  ::onnx::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(20);
  model.mutable_graph()->set_name("g");
  return model;
}

/// Sets the type of a value: a tensor; -1 is a dimension without a value.
inline void setType(::onnx::ValueInfoProto &value, int32_t elementType,
                    llvm::ArrayRef<int64_t> shape) {
  ::onnx::TypeProto_Tensor *tensor =
      value.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(elementType);
  tensor->clear_shape();
  tensor->mutable_shape();
  for (int64_t size : shape) {
    ::onnx::TensorShapeProto_Dimension *dim =
        tensor->mutable_shape()->add_dim();
    if (size != -1)
      dim->set_dim_value(size);
  }
}

inline ::onnx::ValueInfoProto *
addInput(::onnx::GraphProto &graph, llvm::StringRef name,
         int32_t elementType = ::onnx::TensorProto::FLOAT,
         llvm::ArrayRef<int64_t> shape = {-1, 4}) {
  ::onnx::ValueInfoProto *input = graph.add_input();
  input->set_name(name.str());
  setType(*input, elementType, shape);
  return input;
}

/// Adds an output without a type.
inline ::onnx::ValueInfoProto *addOutput(::onnx::GraphProto &graph,
                                         llvm::StringRef name) {
  ::onnx::ValueInfoProto *output = graph.add_output();
  output->set_name(name.str());
  return output;
}

inline ::onnx::NodeProto *addNode(::onnx::GraphProto &graph,
                                  llvm::StringRef type,
                                  llvm::ArrayRef<llvm::StringRef> inputs,
                                  llvm::ArrayRef<llvm::StringRef> outputs,
                                  llvm::StringRef name = "") {
  ::onnx::NodeProto *node = graph.add_node();
  node->set_op_type(type.str());
  node->set_name(name.str());
  for (llvm::StringRef input : inputs)
    node->add_input(input.str());
  for (llvm::StringRef output : outputs)
    node->add_output(output.str());
  return node;
}

inline ::onnx::AttributeProto *
addAttribute(::onnx::NodeProto &node, llvm::StringRef name,
             ::onnx::AttributeProto::AttributeType type) {
  ::onnx::AttributeProto *attribute = node.add_attribute();
  attribute->set_name(name.str());
  attribute->set_type(type);
  return attribute;
}

/// Adds an initializer of f32 with `size` elements and no data.
inline ::onnx::TensorProto *addInitializer(::onnx::GraphProto &graph,
                                           llvm::StringRef name, int64_t size) {
  ::onnx::TensorProto *tensor = graph.add_initializer();
  tensor->set_name(name.str());
  tensor->set_data_type(::onnx::TensorProto::FLOAT);
  tensor->add_dims(size);
  return tensor;
}

/// A model y = Relu(x), to be spoiled.
inline ::onnx::ModelProto makeReluModel() {
  ::onnx::ModelProto model = makeModel();
  addInput(*model.mutable_graph(), "x");
  addNode(*model.mutable_graph(), "Relu", {"x"}, {"y"}, "relu");
  addOutput(*model.mutable_graph(), "y");
  return model;
}

/// A folder that goes away with the test.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("llmopt-test", path));
  }
  ~TemporaryDirectory() { llvm::sys::fs::remove_directories(path); }
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

  llvm::StringRef get() const { return path; }
  std::string join(llvm::StringRef name) const {
    llvm::SmallString<128> joined(path);
    llvm::sys::path::append(joined, name);
    return joined.str().str();
  }
  /// Writes a file of the folder.
  void write(llvm::StringRef name, llvm::StringRef content) const {
    std::error_code error;
    llvm::raw_fd_ostream os(join(name), error);
    ASSERT_FALSE(error) << error.message();
    os << content;
  }

private:
  llvm::SmallString<128> path;
};

/// Imports models and collects the errors.
class ImportFixture : public ::testing::Test {
protected:
  ImportFixture()
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          errors.push_back(diagnostic.str());
          return mlir::success();
        }) {}

  /// Imports bytes as model.onnx; null on failure.
  mlir::OwningOpRef<mlir::ModuleOp>
  importBytes(llvm::StringRef bytes, const ImportOptions &options = {},
              llvm::StringRef baseDirectory = "") {
    errors.clear();
    mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
        importONNXBuffer({bytes, "model.onnx"}, baseDirectory, context, options,
                         &kind);
    if (mlir::failed(module))
      return {};
    EXPECT_TRUE(mlir::succeeded(mlir::verify(**module)));
    return std::move(*module);
  }

  mlir::OwningOpRef<mlir::ModuleOp> import(const ::onnx::ModelProto &model,
                                           const ImportOptions &options = {},
                                           llvm::StringRef directory = "") {
    return importBytes(model.SerializeAsString(), options, directory);
  }

  /// The IR of a model, or its errors.
  std::string print(const ::onnx::ModelProto &model,
                    const ImportOptions &options = {},
                    llvm::StringRef directory = "") {
    mlir::OwningOpRef<mlir::ModuleOp> module =
        import(model, options, directory);
    if (!module)
      return llvm::join(errors, "\n");
    std::string text;
    llvm::raw_string_ostream os(text);
    module->print(os);
    return text;
  }

  /// Expects that the import fails with this one message.
  void expectError(const ::onnx::ModelProto &model, ImportErrorKind expected,
                   llvm::StringRef message, const ImportOptions &options = {},
                   llvm::StringRef directory = "") {
    EXPECT_FALSE(import(model, options, directory));
    EXPECT_EQ(kind, expected);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors.front(), message.str());
  }

  mlir::MLIRContext context;
  std::vector<std::string> errors;
  ImportErrorKind kind = ImportErrorKind::None;

private:
  mlir::ScopedDiagnosticHandler handler;
};

/// Expects that a text contains another.
#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

} // namespace llmopt::onnx

#endif // LLMOPT_TEST_UNIT_FRONTEND_IMPORTFIXTURE_H
