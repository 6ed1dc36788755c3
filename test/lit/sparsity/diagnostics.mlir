// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-prune-magnitude=ratio=0.5
// RUN: not llmopt-opt %s -split-input-file -llmopt-prune-magnitude=ratio=1 2>&1 | FileCheck %s --check-prefix=RATIO
// RUN: not llmopt-opt %s -split-input-file -llmopt-sparsify=ratio=-0.5 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not llmopt-opt %s -split-input-file -llmopt-sparsify='kept=4 of=4' 2>&1 | FileCheck %s --check-prefix=PATTERN
// RUN: not llmopt-opt %s -split-input-file -llmopt-sparsify='ratio=0.5 method=guess' 2>&1 | FileCheck %s --check-prefix=METHOD

// RATIO: error: pruning ratio must be in [0, 1), got 1.0
// NEGATIVE: error: pruning ratio must be in [0, 1), got -5.0
// PATTERN: error: a pattern keeps 1 to m - 1 of every m columns, got 4:4
// METHOD: Cannot find option named 'guess'!

func.func @head(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-remark @below {{weight 'head' is not pruned: it is the output head}}
  %w = llmopt.weight "head"(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w {head} : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @table(%ids: tensor<?xi64>) -> tensor<?x2xf32> {
  // expected-remark @below {{weight 'table' is not pruned: it is used by something other than a product}}
  %w = llmopt.weight "table"(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
  %x = llmopt.embedding %ids, %w : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @encoded(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = llmopt.encoded_weight "w" codes(dense<1> : tensor<2x2xi8>) scales(dense<1.0> : tensor<2xf32>) {zeros = 0 : i64} : !llmopt.packed<2x2, #llmopt.format<int8>>
  // expected-error @below {{only plain weights can be pruned, got}}
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<int8>>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @missing_file(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-error @below {{cannot read weights from 'no-such-file'}}
  %w = llmopt.weight "w"(#llmopt.blob<"no-such-file", 0, 16>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
