// RUN: llmopt-opt %s -split-input-file -llmopt-prune-magnitude=ratio=0.5 | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-sparsify='ratio=0.5 method=magnitude' | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-prune-magnitude='ratio=0.5 include-head' | FileCheck %s --check-prefix=HEAD
// RUN: llmopt-opt %s -split-input-file -llmopt-sparsify='ratio=0.5 include-head' | FileCheck %s --check-prefix=HEAD
// RUN: llmopt-opt %s -split-input-file -llmopt-sparsify=ratio=0 | FileCheck %s --check-prefix=NONE
// RUN: llmopt-opt %s -split-input-file -llmopt-prune-magnitude=ratio=0 | FileCheck %s --check-prefix=NONE

// The smallest magnitudes of the whole matrix go, not of each row.
// CHECK-LABEL: func.func @linear
// NONE-LABEL: func.func @linear
func.func @linear(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: llmopt.weight "w"(dense<{{\[}}[0.000000e+00, 0.000000e+00], [3.000000e+00, -4.000000e+00]]> : tensor<2x2xf32>)
  // CHECK-SAME: {original = dense<{{\[}}[1.000000e+00, -2.000000e+00], [3.000000e+00, -4.000000e+00]]> : tensor<2x2xf32>} : tensor<2x2xf32>
  // NONE: llmopt.weight "w"(dense<{{\[}}[1.000000e+00, -2.000000e+00], [3.000000e+00, -4.000000e+00]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %w = llmopt.weight "w"(dense<[[1.0, -2.0], [3.0, -4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// The first source stays the original.
// CHECK-LABEL: func.func @twice
func.func @twice(%x: tensor<?x2xf32>) -> tensor<?x1xf32> {
  // CHECK: llmopt.weight "w"(dense<{{\[}}[0.000000e+00, 3.000000e+00]]> : tensor<1x2xf32>)
  // CHECK-SAME: {original = dense<{{\[}}[1.000000e+00, 5.000000e+00]]> : tensor<1x2xf32>}
  %w = llmopt.weight "w"(dense<[[2.0, 3.0]]> : tensor<1x2xf32>) {original = dense<[[1.0, 5.0]]> : tensor<1x2xf32>} : tensor<1x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Weights that are not literals go to the spill file.
// CHECK-LABEL: func.func @spilled
func.func @spilled(%x: tensor<?x32xf32>) -> tensor<?x16xf32> {
  // CHECK: llmopt.weight "w"(#llmopt.blob<"<spill>", 0, 2048>) {original = #llmopt.random<7>}
  // CHECK: llmopt.weight "v"(#llmopt.blob<"<spill>", 2048, 4096>) {original = #llmopt.random<8>}
  %w = llmopt.weight "w"(#llmopt.random<7>) : tensor<16x32xf32>
  %v = llmopt.weight "v"(#llmopt.random<8>) : tensor<32x32xf32>
  %y = llmopt.linear %x, %w : (tensor<?x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  %z = llmopt.linear %x, %v : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x16xf32>
}

// -----

// The head and a tied table stay whole unless asked for; gamma is no weight of a product.
// CHECK-LABEL: func.func @head
// HEAD-LABEL: func.func @head
func.func @head(%ids: tensor<?xi64>, %x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: llmopt.weight "head"(dense<{{\[}}[1.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>) : tensor<1x2xf32>
  // HEAD: llmopt.weight "head"(dense<{{\[}}[0.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>) {original
  %head = llmopt.weight "head"(dense<[[1.0, 2.0]]> : tensor<1x2xf32>) : tensor<1x2xf32>
  // CHECK: llmopt.weight "table"(dense<{{\[}}[1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  // HEAD: llmopt.weight "table"(dense<{{\[}}[0.000000e+00, 0.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>) {original
  %table = llmopt.weight "table"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  // CHECK: llmopt.weight "only_table"(dense<1.000000e+00> : tensor<2x2xf32>) : tensor<2x2xf32>
  // HEAD: llmopt.weight "only_table"(dense<1.000000e+00> : tensor<2x2xf32>) : tensor<2x2xf32>
  %only = llmopt.weight "only_table"(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
  // HEAD: llmopt.weight "gamma"(dense<1.000000e+00> : tensor<2xf32>) : tensor<2xf32>
  %gamma = llmopt.weight "gamma"(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
  %e = llmopt.embedding %ids, %table : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %o = llmopt.embedding %ids, %only : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %n = llmopt.rms_norm %e, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x2xf32>, tensor<2xf32>
  %y = llmopt.linear %n, %table : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %l = llmopt.linear %y, %head {head} : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Query, key and value that are stored as one matrix have a threshold each.
// CHECK-LABEL: func.func @parts
func.func @parts(%x: tensor<?x2xf32>) -> (tensor<?x1xf32>, tensor<?x2xf32>) {
  // CHECK: llmopt.weight "qkv"(dense<{{\[}}[0.000000e+00, 2.000000e+00], [0.000000e+00, 0.000000e+00], [5.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>)
  %w = llmopt.weight "qkv"(dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>) : tensor<3x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<3x2xf32>) -> tensor<?x3xf32>
  %a, %b = llmopt.split %y : tensor<?x3xf32> -> tensor<?x1xf32>, tensor<?x2xf32>
  return %a, %b : tensor<?x1xf32>, tensor<?x2xf32>
}
