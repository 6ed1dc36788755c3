// Products with constant weights and embeddings of models that are no decoders.
// RUN: llmopt-opt %s -llmopt-raise-products | FileCheck %s

// CHECK-LABEL: func.func @matmul(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?x2xf32>
// CHECK:         %[[W:.*]] = llmopt.weight "w"(#llmopt.blob<"data", 16, 24, transposed>) : tensor<3x2xf32>
// CHECK:         %[[Y:.*]] = llmopt.linear %[[X]], %[[W]] : (tensor<?x?x2xf32>, tensor<3x2xf32>) -> tensor<?x?x3xf32>
// CHECK:         onnx.node "Exp"(%[[Y]])
func.func @matmul(%x: tensor<?x?x2xf32>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 16, 24> : tensor<2x3xf32>
  %0 = onnx.node "MatMul"(%x, %w) : (tensor<?x?x2xf32>, tensor<2x3xf32>) -> !onnx.value
  %1 = onnx.node "Exp"(%0) : (!onnx.value) -> !onnx.value
  return %1 : !onnx.value
}

// Nothing need be known of the input.
// CHECK-LABEL: func.func @unknown(
// CHECK:         %[[X:.*]] = onnx.node "Mystery"(%{{.*}}) : (tensor<?xf32>) -> tensor<*xf32>
// CHECK:         llmopt.linear %[[X]], %{{.*}} : (tensor<*xf32>, tensor<3x2xf32>) -> tensor<*xf32>
func.func @unknown(%x: tensor<?xf32>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 16, 24> : tensor<2x3xf32>
  %0 = onnx.node "Mystery"(%x) : (tensor<?xf32>) -> !onnx.value
  %1 = onnx.node "MatMul"(%0, %w) : (!onnx.value, tensor<2x3xf32>) -> !onnx.value
  return %1 : !onnx.value
}

// CHECK-LABEL: func.func @gemm(
// CHECK-DAG:     %[[W:.*]] = llmopt.weight "w"(#llmopt.blob<"data", 0, 24>) : tensor<3x2xf32>
// CHECK-DAG:     %[[BETA:.*]] = onnx.initializer "number" = dense<2.000000e+00> : tensor<f32>
// CHECK-DAG:     %[[T:.*]] = onnx.node "Transpose"(%{{.*}}) {perm = array<i64: 1, 0>}
// CHECK-DAG:     %[[Y:.*]] = llmopt.linear %[[T]], %[[W]]
// CHECK-DAG:     %[[C:.*]] = onnx.node "Mul"(%{{.*}}, %[[BETA]])
// CHECK:         onnx.node "Add"(%[[Y]], %[[C]])
func.func @gemm(%x: tensor<?x?xf32>, %c: tensor<3xf32>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 24> : tensor<3x2xf32>
  %0 = onnx.node "Gemm"(%x, %w, %c) {beta = 2.0 : f32, transA = 1, transB = 1} : (tensor<?x?xf32>, tensor<3x2xf32>, tensor<3xf32>) -> !onnx.value
  return %0 : !onnx.value
}

// Linears compute in f32; the weight stays as the file has it.
// CHECK-LABEL: func.func @half(
// CHECK:         %[[X:.*]] = onnx.node "Cast"(%{{.*}}) {to = 1 : i64} : (tensor<?x2xbf16>) -> tensor<*xf32>
// CHECK:         %[[W:.*]] = llmopt.weight "w"(#llmopt.blob<"data", 16, 12, bf16, transposed>) : tensor<3x2xf32>
// CHECK:         %[[Y:.*]] = llmopt.linear %[[X]], %[[W]]
// CHECK:         onnx.node "Cast"(%[[Y]]) {to = 16 : i64} : (tensor<*xf32>) -> tensor<*xbf16>
func.func @half(%x: tensor<?x2xbf16>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 16, 12> : tensor<2x3xbf16>
  %0 = onnx.node "MatMul"(%x, %w) : (tensor<?x2xbf16>, tensor<2x3xbf16>) -> !onnx.value
  return %0 : !onnx.value
}

// CHECK-LABEL: func.func @embedding(
// CHECK-SAME:    %[[I:.*]]: tensor<?xi32>
// CHECK:         llmopt.embedding %[[I]], %{{.*}} : (tensor<?xi32>, tensor<3x2xf32>) -> tensor<*xf32>
func.func @embedding(%i: tensor<?xi32>) -> !onnx.value {
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 24> : tensor<3x2xf32>
  %0 = onnx.node "Gather"(%w, %i) : (tensor<3x2xf32>, tensor<?xi32>) -> !onnx.value
  return %0 : !onnx.value
}

// Factors of a product are no embedding, as those of a rotary table; a constant times an embedding is one.
// CHECK-LABEL: func.func @factors(
// CHECK:         onnx.node "Gather"
// CHECK:         llmopt.embedding
func.func @factors(%i: tensor<?xi64>, %x: tensor<?x1x2xf32>) -> (!onnx.value, !onnx.value) {
  %axes = onnx.initializer "axes" = dense<1> : tensor<1xi64>
  %scale = onnx.initializer "scale" = dense<8.0> : tensor<f32>
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 24> : tensor<3x2xf32>
  %e = onnx.initializer "e" = #onnx.blob<"data", 24, 24> : tensor<3x2xf32>
  %0 = onnx.node "Gather"(%w, %i) : (tensor<3x2xf32>, tensor<?xi64>) -> !onnx.value
  %1 = onnx.node "Unsqueeze"(%0, %axes) : (!onnx.value, tensor<1xi64>) -> !onnx.value
  %2 = onnx.node "Mul"(%x, %1) : (tensor<?x1x2xf32>, !onnx.value) -> !onnx.value
  %3 = onnx.node "Gather"(%e, %i) : (tensor<3x2xf32>, tensor<?xi64>) -> !onnx.value
  %4 = onnx.node "Mul"(%3, %scale) : (!onnx.value, tensor<f32>) -> !onnx.value
  return %2, %4 : !onnx.value, !onnx.value
}

// What has no constant float matrix stays as it is.
// CHECK-LABEL: func.func @others(
// CHECK-COUNT-4: onnx.node
// CHECK-NOT:     llmopt
func.func @others(%x: tensor<?x2xf32>, %d: tensor<?x2xf64>, %i: tensor<?xi64>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 48> : tensor<2x3xf64>
  %v = onnx.initializer "v" = #onnx.blob<"data", 0, 24> : tensor<1x2x3xf32>
  %t = onnx.initializer "t" = #onnx.blob<"data", 0, 24> : tensor<3x2xf32>
  %0 = onnx.node "MatMul"(%d, %w) : (tensor<?x2xf64>, tensor<2x3xf64>) -> !onnx.value
  %1 = onnx.node "MatMul"(%x, %v) : (tensor<?x2xf32>, tensor<1x2x3xf32>) -> !onnx.value
  %2 = onnx.node "MatMul"(%x, %x) : (tensor<?x2xf32>, tensor<?x2xf32>) -> !onnx.value
  %3 = onnx.node "Gather"(%t, %i) {axis = 1} : (tensor<3x2xf32>, tensor<?xi64>) -> !onnx.value
  return %0, %1, %2, %3 : !onnx.value, !onnx.value, !onnx.value, !onnx.value
}
