// RUN: llmopt-opt %s -llmopt-raise-linear | FileCheck %s

// CHECK-LABEL: func.func @example(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?x2xf32>
// CHECK:         %[[W:.*]] = llmopt.weight "w"(#llmopt.blob<"data", 16, 24, transposed>) : tensor<3x2xf32>
// CHECK:         llmopt.linear %[[X]], %[[W]] : (tensor<?x?x2xf32>, tensor<3x2xf32>) -> tensor<?x?x3xf32>
func.func @example(%x: tensor<?x?x2xf32>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 16, 24> : tensor<2x3xf32>
  %0 = onnx.node "MatMul"(%x, %w) : (tensor<?x?x2xf32>, tensor<2x3xf32>) -> !onnx.value
  return %0 : !onnx.value
}

// A Transpose of the constant is part of the view; a literal is transposed by value.
// CHECK-LABEL: func.func @views(
// CHECK:         llmopt.weight "w"(#llmopt.blob<"data", 0, 24>) : tensor<3x2xf32>
// CHECK:         llmopt.weight "l"(dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>)
// CHECK:         llmopt.weight "w"(#llmopt.blob<"data", 0, 24>) : tensor<3x2xf32>
// CHECK:         llmopt.weight "l"(dense<{{\[\[}}1.000000e+00, 4.000000e+00], {{.*}} : tensor<3x2xf32>)
func.func @views(%x: tensor<?x2xf32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 24> : tensor<3x2xf32>
  %l = onnx.initializer "l" = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %t = onnx.node "Transpose"(%w) : (tensor<3x2xf32>) -> !onnx.value
  %i = onnx.node "Identity"(%t) : (!onnx.value) -> !onnx.value
  %0 = onnx.node "MatMul"(%x, %i) : (tensor<?x2xf32>, !onnx.value) -> !onnx.value
  %1 = onnx.node "MatMul"(%x, %l) : (tensor<?x2xf32>, tensor<2x3xf32>) -> !onnx.value
  %2 = onnx.node "Gemm"(%x, %w) {transB = 1 : i64} : (tensor<?x2xf32>, tensor<3x2xf32>) -> !onnx.value
  %3 = onnx.node "Gemm"(%x, %l) : (tensor<?x2xf32>, tensor<2x3xf32>) -> !onnx.value
  return %0, %1, %2, %3 : !onnx.value, !onnx.value, !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @embedding(
// CHECK-SAME:    %[[IDS:.*]]: tensor<?x?xi64>
// CHECK:         %[[T:.*]] = llmopt.weight "t"(#llmopt.blob<"", 0, 24, transposed>) : tensor<3x2xf32>
// CHECK:         llmopt.embedding %[[IDS]], %[[T]] : (tensor<?x?xi64>, tensor<3x2xf32>) -> tensor<?x?x2xf32>
func.func @embedding(%ids: tensor<?x?xi64>) -> !onnx.value {
  %t = onnx.initializer "t" = #onnx.blob<"", 0, 24> : tensor<2x3xf32>
  %table = onnx.node "Transpose"(%t) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> !onnx.value
  %0 = onnx.node "Gather"(%table, %ids) : (!onnx.value, tensor<?x?xi64>) -> !onnx.value
  return %0 : !onnx.value
}

// CHECK-LABEL: func.func @positions(
// CHECK-SAME:    %[[P:.*]]: tensor<?x?xi64>
// CHECK:         %[[T:.*]] = llmopt.weight "t"
// CHECK:         llmopt.position_embedding %[[P]], %[[T]] offset 2 : (tensor<?x?xi64>, tensor<3x2xf32>) -> tensor<?x?x2xf32>
// CHECK:         llmopt.refusal = "its table has no row for the first position"
func.func @positions(%p: tensor<?x?xi64>) -> (!onnx.value, !onnx.value) {
  %t = onnx.initializer "t" = #onnx.blob<"", 0, 24> : tensor<3x2xf32>
  %two = onnx.initializer "two" = dense<2> : tensor<i64>
  %three = onnx.initializer "three" = dense<3> : tensor<i64>
  %r = onnx.node "Add"(%p, %two) : (tensor<?x?xi64>, tensor<i64>) -> tensor<?x?xi64>
  %s = onnx.node "Add"(%p, %three) : (tensor<?x?xi64>, tensor<i64>) -> tensor<?x?xi64>
  %0 = onnx.node "Gather"(%t, %r) : (tensor<3x2xf32>, tensor<?x?xi64>) -> !onnx.value
  %1 = onnx.node "Gather"(%t, %s) : (tensor<3x2xf32>, tensor<?x?xi64>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @refused(
// CHECK-NOT:     llmopt.linear
// CHECK-DAG:     llmopt.refusal = "weight 'h' has elements of type f16, expected f32: export the model in float32"
// CHECK-DAG:     llmopt.refusal = "its input has type 'tensor<?x2xf32>', but its weight has 3 inputs"
// CHECK-DAG:     llmopt.refusal = "transA is not supported"
// CHECK-DAG:     llmopt.refusal = "alpha must be 1"
// CHECK-DAG:     llmopt.refusal = "a bias is not supported"
// CHECK-DAG:     llmopt.refusal = "it gathers columns, not rows"
// CHECK-DAG:     llmopt.refusal = "its indices are not an integer tensor of known rank"
// CHECK:       }
func.func @refused(%x: tensor<?x2xf32>, %ids: tensor<?xi64>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %h = onnx.initializer "h" = dense<1.0> : tensor<2x3xf16>
  %w = onnx.initializer "w" = dense<1.0> : tensor<3x2xf32>
  %0 = onnx.node "MatMul"(%x, %h) : (tensor<?x2xf32>, tensor<2x3xf16>) -> !onnx.value
  %1 = onnx.node "MatMul"(%x, %w) : (tensor<?x2xf32>, tensor<3x2xf32>) -> !onnx.value
  %2 = onnx.node "Gemm"(%x, %w) {transA = 1 : i64} : (tensor<?x2xf32>, tensor<3x2xf32>) -> !onnx.value
  %3 = onnx.node "Gemm"(%x, %w) {alpha = 2.0 : f32} : (tensor<?x2xf32>, tensor<3x2xf32>) -> !onnx.value
  %4 = onnx.node "Gemm"(%x, %w, %w) : (tensor<?x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> !onnx.value
  %5 = onnx.node "Gather"(%w, %ids) {axis = 1 : i64} : (tensor<3x2xf32>, tensor<?xi64>) -> !onnx.value
  %6 = onnx.node "Gather"(%w, %x) : (tensor<3x2xf32>, tensor<?x2xf32>) -> !onnx.value
  return %0, %1, %2, %3, %4, %5, %6 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
}

// Products of activations are not this pass's business.
// CHECK-LABEL: func.func @activations(
// CHECK:         onnx.node "MatMul"(%{{.*}}, %{{.*}}) : (tensor<2x2xf32>, tensor<2x2xf32>) -> !onnx.value
func.func @activations(%x: tensor<2x2xf32>) -> !onnx.value {
  %0 = onnx.node "MatMul"(%x, %x) : (tensor<2x2xf32>, tensor<2x2xf32>) -> !onnx.value
  return %0 : !onnx.value
}
