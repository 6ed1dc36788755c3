// RUN: llmopt-opt %s -llmopt-prune-magnitude='kept=1 of=3' | FileCheck %s
// RUN: llmopt-opt %s -llmopt-sparsify='kept=1 of=3' | FileCheck %s

// One of every three columns of a row stays; of the two at its end, 2 * 2 / 3 = 1 becomes zero.
// CHECK: llmopt.weight "w"(dense<{{\[}}[0.000000e+00, 0.000000e+00, 3.000000e+00, 0.000000e+00, 2.000000e+00], [-9.000000e+00, 0.000000e+00, 0.000000e+00, 7.000000e+00, 0.000000e+00]]> : tensor<2x5xf32>)
func.func @groups(%x: tensor<?x5xf32>) -> tensor<?x2xf32> {
  %w = llmopt.weight "w"(dense<[[1.0, 2.0, 3.0, 1.0, 2.0], [-9.0, 8.0, 8.0, 7.0, 6.0]]> : tensor<2x5xf32>) : tensor<2x5xf32>
  %y = llmopt.linear %x, %w : (tensor<?x5xf32>, tensor<2x5xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
