//===- GraphBuilder.h - Vocabulary of graph code ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What emitters of graph operators are written in: numbers that fold, loops,
// memory and tensors. Code outside of parallelFor is executed by one thread;
// sizes, shapes and control flow are computed there. See docs/Graph.md.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_GRAPHBUILDER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_GRAPHBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"
#include "passes/Lowering/Graph/Tensor.h"
#include "target/Isa.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <optional>

namespace llmopt::graph {

/// Lanes of the vectors that expressions are evaluated in.
inline constexpr int64_t kVectorLanes = 16;
/// Tensors of at most so many elements can be lists of scalars.
inline constexpr int64_t kMaxScalars = 64;

class GraphBuilder {
public:
  /// Emits at the end of `entry`; `call` is its llmopt_graph_call pointer.
  GraphBuilder(mlir::Block *entry, mlir::Value call, mlir::Location loc,
               Isa isa);

  mlir::OpBuilder b;
  mlir::Location loc;
  const Isa targetIsa;
  mlir::Value call;

  //===--------------------------------------------------------------------===//
  // Numbers: i64, folded where they are known
  //===--------------------------------------------------------------------===//

  mlir::Value number(int64_t value);
  std::optional<int64_t> known(mlir::Value value) const;
  bool isKnown(mlir::Value value, int64_t constant) const {
    return known(value) == constant;
  }
  /// True if two numbers are equal in every execution, as far as can be told.
  bool same(mlir::Value lhs, mlir::Value rhs) const;

  /// Notes that a number is never negative, as a dimension is; sums, products,
  /// quotients and choices of such numbers are not, either.
  void markDimension(mlir::Value value) { dimensions.insert(value); }
  bool isDimension(mlir::Value value) const;

  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  /// Signed division that rounds to zero and its remainder. The divisor must
  /// not be zero: see require().
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, int64_t rhs) {
    return add(lhs, number(rhs));
  }
  mlir::Value sub(mlir::Value lhs, int64_t rhs) {
    return sub(lhs, number(rhs));
  }
  mlir::Value mul(mlir::Value lhs, int64_t rhs) {
    return mul(lhs, number(rhs));
  }
  mlir::Value div(mlir::Value lhs, int64_t rhs) {
    return div(lhs, number(rhs));
  }
  mlir::Value rem(mlir::Value lhs, int64_t rhs) {
    return rem(lhs, number(rhs));
  }
  mlir::Value min(mlir::Value lhs, int64_t rhs) {
    return min(lhs, number(rhs));
  }
  mlir::Value max(mlir::Value lhs, int64_t rhs) {
    return max(lhs, number(rhs));
  }
  /// ceil(lhs / rhs) of numbers that are not negative.
  mlir::Value divideCeil(mlir::Value lhs, mlir::Value rhs);
  mlir::Value product(llvm::ArrayRef<mlir::Value> numbers);
  /// numerator / denominator of products, after factors that both have are
  /// cancelled.
  mlir::Value quotient(llvm::ArrayRef<mlir::Value> numerator,
                       llvm::ArrayRef<mlir::Value> denominator);

  // Comparisons of numbers, signed; the result is i1.
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs);
  mlir::Value less(mlir::Value lhs, mlir::Value rhs);
  mlir::Value equal(mlir::Value lhs, int64_t rhs) {
    return equal(lhs, number(rhs));
  }
  mlir::Value less(mlir::Value lhs, int64_t rhs) {
    return less(lhs, number(rhs));
  }
  mlir::Value logicalAnd(mlir::Value lhs, mlir::Value rhs); ///< i1
  mlir::Value logicalOr(mlir::Value lhs, mlir::Value rhs);  ///< i1
  mlir::Value logicalNot(mlir::Value value);                ///< i1
  /// Of any type.
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  /// A constant i1, if it is one.
  std::optional<bool> knownBool(mlir::Value value) const;

  //===--------------------------------------------------------------------===//
  // Constants of compute types
  //===--------------------------------------------------------------------===//

  /// The number in `type`, a scalar or a vector (splat) of float or integer.
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  /// Repeats a scalar in `lanes` lanes; the scalar itself for 1.
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  /// `type` for 1 lane, a vector of it for more.
  static mlir::Type withLanes(mlir::Type type, int64_t lanes);

  //===--------------------------------------------------------------------===//
  // Control flow
  //===--------------------------------------------------------------------===//

  using LoopBody = llvm::function_ref<Values(mlir::Value, mlir::ValueRange)>;
  /// for (i = lower; i < upper; i += step) with carried values.
  Values loop(mlir::Value lower, mlir::Value upper, mlir::Value step,
              mlir::ValueRange inits, LoopBody body);
  void loop(mlir::Value lower, mlir::Value upper, mlir::Value step,
            llvm::function_ref<void(mlir::Value)> body);
  void loop(mlir::Value upper, llvm::function_ref<void(mlir::Value)> body) {
    loop(number(0), upper, number(1), body);
  }
  Values loop(mlir::Value upper, mlir::ValueRange inits, LoopBody body) {
    return loop(number(0), upper, number(1), inits, body);
  }
  /// Loops over [begin, end): body(i, kVectorLanes) for whole vectors, if
  /// `hasLanes`, then body(i, 1) for the rest one by one.
  void vectorLoop(mlir::Value begin, mlir::Value end, bool hasLanes,
                  llvm::function_ref<void(mlir::Value, int64_t)> body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  Values ifElse(mlir::Value condition, mlir::TypeRange types,
                llvm::function_ref<Values()> yes,
                llvm::function_ref<Values()> no);
  /// Executes body(i) for i in [0, count), split among the threads. An
  /// iteration takes about `work` scalar operations; what is too little stays
  /// on one thread. Iterations must not depend on one another. Not inside of
  /// another parallelFor. Executed in order on this thread where count is known
  /// to be 1.
  void parallelFor(mlir::Value count, mlir::Value work,
                   llvm::function_ref<void(mlir::Value)> body);
  /// Takes code out again. Its values stay known as no others until all code is
  /// made.
  void discard(mlir::Operation *op) {
    op->remove();
    discarded.emplace_back(op);
  }
  /// The threads that parallelFor splits iterations among. Outside of it only;
  /// results must not depend on them.
  mlir::Value threads();
  /// True while the body of a parallelFor is emitted.
  bool isInParallel() const { return parallelDepth > 0; }

  /// Ends the execution with the message unless the condition (i1) holds.
  /// Outside of parallelFor only.
  void require(mlir::Value condition, const llvm::Twine &message);
  /// The message of a requirement that no execution meets, since the last call.
  std::optional<std::string> takeImpossible() {
    return std::exchange(impossible, std::nullopt);
  }
  /// Notes that the execution has failed if the condition holds, and goes on:
  /// the caller must keep addresses valid. Anywhere.
  void noteError(mlir::Value condition, const llvm::Twine &message);

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  mlir::Value at(mlir::Value pointer, mlir::Value byteOffset);
  mlir::Value load(mlir::Type type, mlir::Value pointer);
  void store(mlir::Value value, mlir::Value pointer);
  /// 64-byte aligned memory in the arena. Outside of parallelFor only.
  mlir::Value allocate(mlir::Value bytes);
  /// 64-byte aligned memory of an iteration of a parallelFor, on the stack; at
  /// most a few tens of KB in a loop.
  mlir::Value scratch(int64_t bytes);
  /// Memory that is given back by `release`.
  void release(mlir::Value pointer);
  /// Buffers that nothing refers to any more; the driver releases them.
  Values dead;

  //===--------------------------------------------------------------------===//
  // Tensors
  //===--------------------------------------------------------------------===//

  /// A new dense buffer with undefined contents.
  Tensor allocateTensor(ElementType type, llvm::ArrayRef<mlir::Value> dims);
  /// A small tensor of scalars in the compute type.
  Tensor scalars(ElementType type, llvm::ArrayRef<mlir::Value> dims,
                 llvm::ArrayRef<mlir::Value> elements);
  /// int64 [n]
  Tensor vector(llvm::ArrayRef<mlir::Value> numbers);
  Tensor scalar(ElementType type, mlir::Value element) {
    return scalars(type, {}, {element});
  }
  /// The same elements with other dimensions (of equal product).
  Tensor reshaped(const Tensor &tensor, llvm::ArrayRef<mlir::Value> dims);
  /// The same elements in a buffer: itself if it has one.
  Tensor materialize(const Tensor &tensor);
  /// Writes the elements of `source` into the buffer of `target`, of equal
  /// dimensions.
  void fill(const Tensor &target, const Tensor &source);
  /// Like materialize, but always in memory of its own.
  Tensor copy(const Tensor &tensor);
  mlir::Value count(const Tensor &tensor) { return product(tensor.dims); }
  /// Number of elements if all dimensions are known.
  std::optional<int64_t> knownCount(const Tensor &tensor) const;
  std::optional<llvm::SmallVector<int64_t>>
  knownDims(const Tensor &tensor) const;

  /// An element, in the compute type.
  mlir::Value element(const Tensor &tensor, const Access &access);
  mlir::Value element(const Tensor &tensor,
                      llvm::ArrayRef<mlir::Value> indices);
  /// Element of a tensor of one element.
  mlir::Value onlyElement(const Tensor &tensor);
  /// Reads the row-major element of a buffer.
  mlir::Value loadElement(const Tensor &tensor, mlir::Value linear,
                          int64_t lanes = 1);
  /// Writes a compute-type value (a vector: consecutive elements).
  void storeElement(const Tensor &tensor, mlir::Value linear,
                    mlir::Value value);
  mlir::Value linearIndex(llvm::ArrayRef<mlir::Value> indices,
                          llvm::ArrayRef<mlir::Value> dims);
  Values delinearize(mlir::Value linear, llvm::ArrayRef<mlir::Value> dims);

  /// All elements as scalars: of a tensor with at most kMaxScalars elements,
  /// the number of which is known. Nullopt otherwise. Outside of parallelFor
  /// only.
  std::optional<Values> elementsOf(const Tensor &tensor);
  /// All elements as known integers.
  std::optional<llvm::SmallVector<int64_t>> integersOf(const Tensor &tensor);

  /// The dimensions that tensors are broadcast to (numpy's rule); requires at
  /// run time what cannot be told. `what` names the node for messages.
  Values broadcast(llvm::ArrayRef<Tensor> tensors, const llvm::Twine &what);
  /// An element of a tensor that is broadcast to `dims`, the access's
  /// dimensions.
  mlir::Value broadcastElement(const Tensor &tensor, const Access &access,
                               llvm::ArrayRef<mlir::Value> dims);

private:
  friend class CodeScope;
  mlir::Value numberOp(llvm::StringRef name, mlir::Value lhs, mlir::Value rhs,
                       llvm::function_ref<mlir::Value()> create);
  void fillDeferred(const Tensor &target, const Tensor &source);
  void fillLinear(const Tensor &target, const Tensor &source);
  void fillRows(const Tensor &target, const Tensor &source);
  mlir::Value message(const llvm::Twine &text);

  mlir::Block *entry;
  mlir::Value allocateFunction, releaseFunction; ///< of the call
  /// Constants stand at the start of the entry.
  std::map<int64_t, mlir::Value> numbers;
  llvm::DenseMap<mlir::Value, int64_t> knownNumbers;
  llvm::DenseSet<mlir::Value> dimensions;
  llvm::SmallVector<mlir::OwningOpRef<mlir::Operation *>> discarded;
  /// Numbers that were computed before, by block of code they are visible in.
  using Key = std::tuple<std::string, void *, void *>;
  llvm::SmallVector<std::map<Key, mlir::Value>> scopes;
  unsigned parallelDepth = 0;
  llvm::StringMap<std::string> messages;
  std::optional<std::string> impossible;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GRAPHBUILDER_H
