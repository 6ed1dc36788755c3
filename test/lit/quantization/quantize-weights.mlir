// RUN: llmopt-opt %s -split-input-file -llmopt-quantize-weights='linears=int8 embedding=int8' | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int8 embedding=int8 activations=dynamic activation-group=64' | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int8 embedding=int8 activations=none' | FileCheck %s --check-prefix=FLOAT
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int8 activation-group=192' | FileCheck %s --check-prefix=LINEARS
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='embedding=int8' | FileCheck %s --check-prefix=TABLE
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize | FileCheck %s --check-prefix=NONE

// Row 0: scale 1, -2.5 is a tie and becomes even. Row 1 is all zero. Error: 0.5 / |(127, -2.5)|.
// CHECK-LABEL: func.func @linear
// FLOAT-LABEL: func.func @linear
// LINEARS-LABEL: func.func @linear
// TABLE-LABEL: func.func @linear
// NONE-LABEL: func.func @linear
func.func @linear(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: %[[W:.*]] = llmopt.encoded_weight "w" codes(dense<{{\[}}[127, -2], [0, 0]]> : tensor<2x2xi8>) scales(dense<[1.000000e+00, 0.000000e+00]> : tensor<2xf32>)
  // CHECK-SAME: {dead_rows = 1 : i64, error = 0.0039362{{[0-9]*}} : f64, zeros = 2 : i64} : !llmopt.packed<2x2, #llmopt.format<int8>>
  // TABLE: llmopt.weight "w"
  // NONE: llmopt.weight "w"
  %w = llmopt.weight "w"(dense<[[127.0, -2.5], [0.0, 0.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  // CHECK: llmopt.linear %{{.*}}, %[[W]] activations(64) : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<int8>>) -> tensor<?x2xf32>
  // FLOAT: llmopt.linear %{{.*}}, %{{.*}} : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<int8>>) -> tensor<?x2xf32>
  // LINEARS: llmopt.linear %{{.*}}, %{{.*}} activations(192) :
  // NONE: llmopt.linear %{{.*}}, %{{.*}} : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// The error is against the weight before pruning: |(0 - 1, 0)| / |(1, 127)|.
// CHECK-LABEL: func.func @pruned
func.func @pruned(%x: tensor<?x2xf32>) -> tensor<?x1xf32> {
  // CHECK: codes(dense<{{\[}}[0, 127]]> : tensor<1x2xi8>)
  // CHECK-SAME: {dead_columns = 1 : i64, error = 0.0078737{{[0-9]*}} : f64, zeros = 1 : i64}
  %w = llmopt.weight "w"(dense<[[0.0, 127.0]]> : tensor<1x2xf32>) {original = dense<[[1.0, 127.0]]> : tensor<1x2xf32>} : tensor<1x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// One encoded weight serves the table and the tied head. Both follow the option of tables, as an untied head does.
// CHECK-LABEL: func.func @tied
// LINEARS-LABEL: func.func @tied
// TABLE-LABEL: func.func @tied
func.func @tied(%ids: tensor<?xi64>) -> tensor<?x2xf32> {
  // CHECK: %[[T:.*]] = llmopt.encoded_weight "table"
  // LINEARS: %[[T:.*]] = llmopt.weight "table"
  // LINEARS: %[[H:.*]] = llmopt.weight "head"
  // TABLE: %[[T:.*]] = llmopt.encoded_weight "table"
  // TABLE: %[[H:.*]] = llmopt.encoded_weight "head"
  %table = llmopt.weight "table"(dense<[[1.0, -2.0], [3.0, -4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %head = llmopt.weight "head"(dense<[[1.0, -2.0], [3.0, -4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  // CHECK-NOT: llmopt.weight
  // CHECK: llmopt.embedding %{{.*}}, %[[T]] : (tensor<?xi64>, !llmopt.packed<2x2, #llmopt.format<int8>>) -> tensor<?x2xf32>
  // LINEARS: llmopt.embedding %{{.*}}, %[[T]] : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %x = llmopt.embedding %ids, %table : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  // CHECK: llmopt.linear %{{.*}}, %[[T]] activations(64) {head} : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<int8>>)
  // LINEARS: llmopt.linear %{{.*}}, %[[T]] {head} : (tensor<?x2xf32>, tensor<2x2xf32>)
  // TABLE: llmopt.linear %{{.*}}, %[[T]] activations(64) {head} :
  %y = llmopt.linear %x, %table {head} : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  // LINEARS: llmopt.linear %{{.*}}, %[[H]] {head} : (tensor<?x2xf32>, tensor<2x2xf32>)
  // TABLE: llmopt.linear %{{.*}}, %[[H]] activations(64) {head} :
  %z = llmopt.linear %y, %head {head} : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// -----

// Weights that are no matrix of a product stay; so does a weight for its other users.
// CHECK-LABEL: func.func @others
func.func @others(%x: tensor<?x2xf32>) -> (tensor<?x1xf32>, tensor<1x2xf32>) {
  // CHECK: %[[W:.*]] = llmopt.encoded_weight "w"
  // CHECK: %[[PLAIN:.*]] = llmopt.weight "w"
  %w = llmopt.weight "w"(dense<[[1.0, -2.0]]> : tensor<1x2xf32>) : tensor<1x2xf32>
  // CHECK: llmopt.weight "gamma"
  %gamma = llmopt.weight "gamma"(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
  %n = llmopt.rms_norm %x, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x2xf32>, tensor<2xf32>
  // CHECK: llmopt.linear %{{.*}}, %[[W]]
  %y = llmopt.linear %n, %w : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x1xf32>
  // CHECK: return %{{.*}}, %[[PLAIN]]
  return %y, %w : tensor<?x1xf32>, tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @spilled
func.func @spilled(%x: tensor<?x32xf32>) -> tensor<?x16xf32> {
  // CHECK: llmopt.encoded_weight "w" codes(#llmopt.blob<"<spill>", 0, 512>) scales(#llmopt.blob<"<spill>", 512, 64>)
  // CHECK: llmopt.encoded_weight "v" codes(#llmopt.blob<"<spill>", 576, 512>) scales(#llmopt.blob<"<spill>", 1088, 64>)
  %w = llmopt.weight "w"(#llmopt.random<7>) : tensor<16x32xf32>
  %v = llmopt.weight "v"(#llmopt.random<8>) : tensor<16x32xf32>
  %y = llmopt.linear %x, %w : (tensor<?x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  %z = llmopt.linear %x, %v : (tensor<?x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
