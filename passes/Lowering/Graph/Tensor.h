//===- Tensor.h - A tensor while a graph becomes code -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The code of a graph is generated in the order of its nodes. A tensor is what
// is known of a value at that point: its element type, its dimensions as values
// of the generated code (constants where they are known), and where its
// elements come from. There are three sources:
//
//  * a buffer: dense and row-major, in the arena, the weights or an input;
//  * a list of scalars: small tensors, above all shapes, never touch memory;
//    arithmetic on them folds while it is generated;
//  * an expression: what yields an element for given indices. It is evaluated
//    inside the loops of the reader, which is how elementwise operators and
//    movements of elements fuse; `GraphBuilder::materialize` makes a buffer of
//    it.
//
// A sequence is no tensor: it is a list of tensors that is known while code is
// generated. So is an optional value, which holds one tensor or none.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_TENSOR_H
#define LLMOPT_PASSES_LOWERING_GRAPH_TENSOR_H

#include "mlir/IR/Value.h"
#include "passes/Lowering/Graph/ElementType.h"
#include "target/PackedFormat.h"
#include <functional>
#include <memory>

namespace llmopt::graph {

class GraphBuilder;

using Values = llvm::SmallVector<mlir::Value, 8>;

/// Memory that a tensor reads. Tensors that are views of one another share it;
/// when the last of them is gone, the memory is given back.
struct Buffer {
  mlir::Value data; ///< pointer to the first element
  /// True for memory that the graph allocated and may pass on as an output or
  /// give back; false for inputs and weights.
  bool isOwned = false;
  /// True where sub-byte integers are packed as in the ONNX file, first element
  /// in the low bits; only weights are.
  bool isPacked = false;
  /// Set where the weights of convolutions are packed; only convolutions read
  /// them.
  std::optional<ConvWeights> convolution;
  /// Receives the pointer of an owned buffer that nothing refers to any more.
  Values *dead = nullptr;

  Buffer(mlir::Value data, bool isOwned) : data(data), isOwned(isOwned) {}
  Buffer(const Buffer &) = delete;
  ~Buffer() {
    if (isOwned && dead)
      dead->push_back(data);
  }
};

/// Place of the element or elements that an expression is asked for.
struct Access {
  /// One i64 per dimension; empty when `linear` says it all (see
  /// Tensor::isLinear).
  Values indices;
  /// Row-major number of the element, or null: to be computed from `indices`.
  mlir::Value linear;
  /// 1: a scalar. More: a vector of that many consecutive elements of the last
  /// dimension; only asked of tensors with `hasLanes`.
  int64_t lanes = 1;
};

using Expression = std::function<mlir::Value(GraphBuilder &, const Access &)>;

/// Takes sums of a product: one, or `lanes` of a row.
using SumSink = std::function<void(mlir::Value sums, const Access &)>;

/// A product that is executed when the expression that is made of its sums is
/// evaluated, so that the sums never get a buffer of their own.
struct Deferred {
  /// Emits the product, which calls the sink for all sums.
  std::function<void(GraphBuilder &, const SumSink &)> run;
  mlir::Value sums; ///< those that the sink is called for
};

struct Tensor {
  ElementType type;
  Values dims; ///< i64 each; constants are `arith.constant`

  std::shared_ptr<Buffer> buffer;
  /// All elements, row-major, in the compute type; valid if `hasElements`. A
  /// constant has a buffer, too.
  std::vector<mlir::Value> elements;
  bool hasElements = false;
  Expression expression;

  /// Of expressions: the element of row-major number i depends on nothing but i
  /// (and on tensors of one element), so that the reader may walk over the
  /// tensor as if it had one dimension. Such expressions are asked by `linear`
  /// only.
  bool isLinear = false;
  /// Of expressions: vectors along the last dimension can be asked for.
  bool hasLanes = false;
  /// Of expressions that are not linear: so many trailing dimensions are one
  /// for it, so that vectors run over all of them. [1, C, H, W] with a scale of
  /// [1, C, 1, 1] is computed as [1, C, H * W].
  unsigned merged = 1;
  /// Of expressions: the product they are made of; `fill` executes it.
  std::shared_ptr<Deferred> deferred;
  /// The same elements as a matrix [pixels, channels] (see ChannelsLast.h),
  /// perhaps instead of all other sources.
  std::shared_ptr<Tensor> channelsLast;
  /// Set for sequences and optional values, instead of all that is above. Only
  /// their own operators read them.
  std::shared_ptr<const std::vector<Tensor>> sequence;
  /// Of expressions: operators that an element takes; bounds recursion.
  unsigned depth = 0;

  int64_t rank() const { return dims.size(); }
  bool isExpression() const { return !buffer && !hasElements && !sequence; }
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_TENSOR_H
