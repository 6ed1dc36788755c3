// Zeros that a model comes with: noted, and zeros after quantization.
// RUN: llmopt-opt %s -llmopt-quantize-weights="linears=int8" | FileCheck %s --check-prefix=INT8
// RUN: llmopt-opt %s -llmopt-encode-weights="cpus=x86-64-v3" | FileCheck %s --check-prefix=FLOAT

// INT8:  llmopt.encoded_weight "pattern" codes(dense<{{\[\[}}127, 0, 0, 127], [0, 0, 0, 0]]> : tensor<2x4xi8>)
// INT8-SAME: {dead_columns = 2 : i64, dead_rows = 1 : i64, {{.*}}pattern = "2:4", zeros = 6 : i64}
// INT8:  llmopt.encoded_weight "column"
// INT8-SAME: {dead_columns = 1 : i64, error = {{[^,]*}} : f64, zeros = 2 : i64}
// FLOAT: llmopt.encoded_weight "pattern"
// FLOAT-SAME: {dead_columns = 2 : i64, dead_rows = 1 : i64, {{.*}}pattern = "2:4", {{.*}}zeros = 6 : i64}
func.func @main(%x: tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %w = llmopt.weight "pattern"(dense<[[1.0, 0.0, -0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<2x4xf32>) : tensor<2x4xf32>
  %v = llmopt.weight "column"(dense<[[1.0, 2.0, 0.0, 1.0], [1.0, 2.0, 0.0, 3.0]]> : tensor<2x4xf32>) : tensor<2x4xf32>
  %0 = llmopt.linear %x, %w : (tensor<?x4xf32>, tensor<2x4xf32>) -> tensor<?x2xf32>
  %1 = llmopt.linear %x, %v : (tensor<?x4xf32>, tensor<2x4xf32>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}
