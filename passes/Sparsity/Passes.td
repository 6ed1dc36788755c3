//===- Passes.td - Passes pruning of weights ---------------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_SPARSITY_PASSES_TD
#define LLMOPT_PASSES_SPARSITY_PASSES_TD

include "mlir/Pass/PassBase.td"

def PruneMagnitudePass : Pass<"llmopt-prune-magnitude", "::mlir::ModuleOp"> {
  let summary = "set the smallest weights of every linear to zero";
  let description = [{
    Sets `ratio` of the weights of every product with a plain constant weight to zero, those of smallest magnitude (Han et al.,
    2015), ties by index; each matrix on its own, and each part of one whose product is split. With `of`, all but `kept` of every `of` columns become
    zero instead. The weight keeps its imported values as `original`.

    ```mlir
    %w = llmopt.weight "w"(dense<[[1.0, -2.0], [3.0, -4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
    ```
    ==> ratio=0.5
    ```mlir
    %w = llmopt.weight "w"(dense<[[0.0, 0.0], [3.0, -4.0]]> : tensor<2x2xf32>)
           {original = dense<[[1.0, -2.0], [3.0, -4.0]]> : tensor<2x2xf32>} : tensor<2x2xf32>
    ```

    The output head, and weights that something other than a product uses (an embedding table tied to the head), stay whole
    unless `include-head` is set; a remark names them. Weights that are encoded already are an error.
  }];
  let options = [
    Option<"ratio", "ratio", "double", "0", "fraction of zeros in [0, 1)">,
    Option<"kept", "kept", "int64_t", "0", "columns that are kept of every `of`">,
    Option<"of", "of", "int64_t", "0", "columns of a group of the pattern; 0: zeros may be anywhere">,
    Option<"includeHead", "include-head", "bool", "false", "prune the output head and tied tables too">
  ];
  let statistics = [
    Statistic<"numWeights", "weights", "weights in the pruned matrices">,
    Statistic<"numZeros", "zeros", "zeros in the pruned matrices">
  ];
}

#endif // LLMOPT_PASSES_SPARSITY_PASSES_TD
