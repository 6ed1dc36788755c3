//===- Movement.h - Elements that only change their place -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_MOVEMENT_H
#define LLMOPT_PASSES_LOWERING_GRAPH_MOVEMENT_H

#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// Indices of the source for indices of the result.
using IndexMap =
    std::function<Values(GraphBuilder &, llvm::ArrayRef<mlir::Value>)>;

/// The tensor of dimensions `dims` whose element at i is `source` at map(i):
/// scalars if the source and the result are small, else an expression.
/// `keepsLanes`: consecutive elements of the last dimension are consecutive in
/// the source, too. The indices that the map gives must be valid.
Tensor moved(GraphBuilder &g, const Tensor &source,
             llvm::ArrayRef<mlir::Value> dims, bool keepsLanes,
             const IndexMap &map);

/// A tensor of equal elements.
Tensor filled(GraphBuilder &g, ElementType type,
              llvm::ArrayRef<mlir::Value> dims, mlir::Value element);

/// A result of which an element is `value(indices)`, in the compute type:
/// scalars if `fold` and the number of elements is known and small, else an
/// expression.
Tensor
computed(GraphBuilder &g, ElementType type, llvm::ArrayRef<mlir::Value> dims,
         llvm::ArrayRef<Tensor> reads, bool fold,
         const std::function<mlir::Value(GraphBuilder &,
                                         llvm::ArrayRef<mlir::Value>)> &value);

/// An element of an integer tensor as a number.
mlir::Value asNumber(GraphBuilder &g, ElementType type, mlir::Value value);
/// number, number + 1, ... in a vector; the number itself for one lane.
mlir::Value consecutive(GraphBuilder &g, mlir::Value number, int64_t lanes);
/// The only element of an integer input as a number; refuses others.
mlir::FailureOr<mlir::Value> numberOf(Node &node, size_t index,
                                      const llvm::Twine &what);

/// The elements of a small integer input as numbers; refuses others. `what`
/// says what the input means.
mlir::FailureOr<Values> numbersOf(Node &node, size_t index,
                                  const llvm::Twine &what);
/// Integers that are an attribute in old versions and an input in new ones;
/// nullopt where they are absent.
mlir::FailureOr<std::optional<Values>>
attributeOrInput(Node &node, llvm::StringRef name, size_t index);
/// The same, for what has to be known while compiling.
mlir::FailureOr<std::optional<llvm::SmallVector<int64_t>>>
knownAttributeOrInput(Node &node, llvm::StringRef name, size_t index);
/// A list of axes as [0, rank), each once.
mlir::FailureOr<llvm::SmallVector<int64_t>>
normalizedAxes(Node &node, llvm::ArrayRef<int64_t> axes, int64_t rank);

/// Axes, an attribute or an input, as numbers in [0, rank), known ones each
/// once; an input need not be constant. Nullopt where they are absent.
mlir::FailureOr<std::optional<Values>> axesOf(Node &node, llvm::StringRef name,
                                              size_t index, int64_t rank);
/// values[i] of the i for which axes[i] is `axis`, or else `byDefault`.
mlir::Value atAxis(GraphBuilder &g, llvm::ArrayRef<mlir::Value> axes,
                   llvm::ArrayRef<mlir::Value> values, int64_t axis,
                   mlir::Value byDefault);

/// A number that becomes a dimension: negative ones are refused or end the
/// execution.
mlir::FailureOr<mlir::Value> asDimension(Node &node, mlir::Value value);

/// An index in [-size, size) as [0, size). Where that cannot be told, an error
/// is noted and the result is in range if size is not 0.
mlir::Value checkedIndex(GraphBuilder &g, mlir::Value index, mlir::Value size,
                         const llvm::Twine &what);

/// Writes the elements of `source` to the places of the buffer `target` that
/// begin at `starts`; they have to be in it.
void writePart(GraphBuilder &g, const Tensor &target, const Tensor &source,
               llvm::ArrayRef<mlir::Value> starts);

/// The elements of a buffer from row-major number `first` on, without a copy.
Tensor viewOf(GraphBuilder &g, const Tensor &tensor, mlir::Value first,
              llvm::ArrayRef<mlir::Value> dims);

/// Elements [starts, starts + dims) of the source, which must be valid.
Tensor part(GraphBuilder &g, const Tensor &source,
            llvm::ArrayRef<mlir::Value> starts,
            llvm::ArrayRef<mlir::Value> dims);

/// Input `index` repeated along its dimensions of 1.
Tensor broadcasted(Node &node, size_t index, llvm::ArrayRef<mlir::Value> dims);

/// The source with its dimensions in another order.
Tensor transposed(GraphBuilder &g, const Tensor &source,
                  llvm::ArrayRef<int64_t> permutation);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_MOVEMENT_H
