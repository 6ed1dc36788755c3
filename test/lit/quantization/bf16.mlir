// RUN: llmopt-opt %s "-llmopt-encode-weights=cpus=znver4 bf16-linears=true bf16-tables=true" | FileCheck %s --check-prefixes=CHECK,TABLE
// RUN: llmopt-opt %s "-llmopt-encode-weights=cpus=znver4 bf16-linears=true" | FileCheck %s --check-prefixes=CHECK,NOTABLE

// Weights of products, and tables where asked for, become bf16; the error is that of rounding. 1.00390625 lies between two numbers of bf16.
// CHECK-LABEL: func.func @bf16
func.func @bf16(%ids: tensor<?xi64>) -> tensor<?x2xf32> {
  // CHECK: llmopt.encoded_weight "w" {{.*}}error = 0.001{{[0-9]+}} {{.*}} : !llmopt.packed<2x2, #llmopt.format<bf16, dense>>
  %w = llmopt.weight "w"(dense<[[1.00390625, 0.0], [0.0, 2.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  // TABLE: llmopt.encoded_weight "table" {{.*}} : !llmopt.packed<2x2, #llmopt.format<bf16, dense>>
  // NOTABLE: llmopt.encoded_weight "table" {{.*}} : !llmopt.packed<2x2, #llmopt.format<f32, dense>>
  %table = llmopt.weight "table"(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
  %x = llmopt.embedding %ids, %table : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  // CHECK: llmopt.linear %{{.*}}, %{{.*}} : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<bf16, dense>>)
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
