//===- IndexAnalysis.h - Tensors as functions of their indices --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_INDEXANALYSIS_H
#define LLMOPT_PASSES_IMPORT_INDEXANALYSIS_H

#include "dialects/ONNX/ONNXOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Import/SymbolicExpr.h"

namespace llmopt {

/// A tensor as a function: its shape, and an element as an expression of the
/// indices, which are the variables 0, 1, ... (IndexAnalysis::getIndices).
struct TensorFunction {
  mlir::Type elementType;
  llvm::SmallVector<symbolic::Expr> shape;
  symbolic::Expr element;
};

/// Describes the tensors of a graph of onnx nodes as functions of their
/// indices.
///
/// Whatever only moves, selects or compares elements (shapes, masks, positions,
/// transposes, concatenations, rotary factors) becomes an expression over the
/// dimensions and over elements of *base* tensors. A base is an input, a
/// constant, or a tensor that is really computed: a product, a normalisation, a
/// function of activations. A float expression is a combination of elements of
/// one activation tensor, or the tensor is a base itself.
///
/// The dimensions of a decoder's inputs are unified by what the inputs mean:
/// token ids and positions are [batch, sequence], the mask is [batch, past +
/// sequence], and float inputs of rank 4 are [batch, heads, past, head size].
/// The runtime checks that the sizes it gets agree. Names of dimensions are not
/// used. past is at least 0, and 0 when no input has past keys; all other sizes
/// are at least 1.
class IndexAnalysis {
public:
  explicit IndexAnalysis(mlir::func::FuncOp function);

  /// What is known of a value; null when its operator is unknown or its shape
  /// cannot be told.
  const TensorFunction *lookup(mlir::Value value) const;

  /// An element of a value; null when it is unknown.
  symbolic::Expr at(mlir::Value value, llvm::ArrayRef<symbolic::Expr> indices);

  /// The base tensor that a load reads.
  mlir::Value getBase(symbolic::Expr load) const { return bases[load->value]; }
  /// The element of a base tensor.
  symbolic::Expr loadBase(mlir::Value value,
                          llvm::ArrayRef<symbolic::Expr> indices);

  symbolic::Context &getContext() { return context; }
  symbolic::Expr getBatch() const { return batch; }
  symbolic::Expr getSequence() const { return sequence; }
  symbolic::Expr getPast() const { return past; }
  /// past + sequence
  symbolic::Expr getTotal() const { return total; }

  //===--------------------------------------------------------------------===//
  // For the rules of operators
  //===--------------------------------------------------------------------===//

  /// The variables that index a tensor of a shape.
  llvm::SmallVector<symbolic::Expr>
  getIndices(llvm::ArrayRef<symbolic::Expr> shape);

  /// The element of a function.
  symbolic::Expr at(const TensorFunction &tensor,
                    llvm::ArrayRef<symbolic::Expr> indices);

  /// The elements of an integer tensor of rank 0 or 1 and known length.
  std::optional<llvm::SmallVector<symbolic::Expr>> getVector(mlir::Value value);
  /// Those elements if they are all constants.
  std::optional<llvm::SmallVector<int64_t>> getNumbers(mlir::Value value);
  /// The element of an integer vector.
  symbolic::Expr makeVector(llvm::ArrayRef<symbolic::Expr> elements);

  /// A base tensor.
  TensorFunction makeBase(mlir::Value value, mlir::Type elementType,
                          llvm::ArrayRef<symbolic::Expr> shape);

  /// The shape that two shapes are broadcast to; nullopt when it cannot be
  /// told.
  std::optional<llvm::SmallVector<symbolic::Expr>>
  broadcast(llvm::ArrayRef<symbolic::Expr> left,
            llvm::ArrayRef<symbolic::Expr> right);
  /// The element of a tensor that is broadcast to `rank` axes.
  symbolic::Expr atBroadcast(const TensorFunction &tensor,
                             llvm::ArrayRef<symbolic::Expr> indices);

  /// Describes a constant.
  TensorFunction describeConstant(mlir::Value value, mlir::TypedAttr data);

private:
  void describeArguments(mlir::func::FuncOp function);
  void describeNode(onnx::NodeOp node);
  int64_t getBaseNumber(mlir::Value value);

  symbolic::Context context;
  symbolic::Expr batch, sequence, past, total;
  llvm::DenseMap<mlir::Value, TensorFunction> functions;
  llvm::DenseMap<mlir::Value, int64_t> baseNumbers;
  llvm::SmallVector<mlir::Value> bases;
};

/// Describes the results of a node; false when the operands say too little. A
/// rule may leave the element of a result null: it becomes a base then.
using IndexRule = bool (*)(onnx::NodeOp node, IndexAnalysis &analysis,
                           llvm::SmallVectorImpl<TensorFunction> &results);

/// The rule of an operator; null when there is none. Each table is in a file
/// of its own.
IndexRule findLayoutRule(onnx::NodeOp node);
IndexRule findElementwiseRule(onnx::NodeOp node);
IndexRule findComputationRule(onnx::NodeOp node);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_INDEXANALYSIS_H
