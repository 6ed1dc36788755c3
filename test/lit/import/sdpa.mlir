// Softmax attention of models that are no decoders.
// RUN: llmopt-opt %s -llmopt-raise-sdpa | FileCheck %s

module attributes {onnx.opset = {"ai.onnx" = 17 : i64}} {
// Scale, mask, guard of empty rows; keys of a Transpose.
// CHECK-LABEL: func.func @masked(
// CHECK-SAME:    %[[Q:[^:]*]]: {{.*}}, %[[K:[^:]*]]: {{.*}}, %[[V:[^:]*]]: {{.*}}, %[[M:[^:]*]]: {{.*}})
// CHECK:         %[[KEYS:.*]] = onnx.node "Transpose"(%[[K]]) {perm = array<i64: 0, 2, 1, 3>}
// CHECK:         %[[O:.*]] = llmopt.sdpa %[[Q]], %[[KEYS]], %[[V]] biases(%[[M]]) {scale = 1.250000e-01 : f32}
// CHECK:         return %[[O]]
func.func @masked(%q: tensor<?x2x?x4xf32>, %k: tensor<?x?x2x4xf32>, %v: tensor<?x2x?x4xf32>, %m: tensor<?x1x?x?xf32>) -> !onnx.value {
  %eighth = onnx.initializer "eighth" = dense<0.125> : tensor<f32>
  %zero = onnx.initializer "zero" = dense<0.0> : tensor<f32>
  %kt = onnx.node "Transpose"(%k) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x?x2x4xf32>) -> !onnx.value
  %0 = onnx.node "MatMul"(%q, %kt) : (tensor<?x2x?x4xf32>, !onnx.value) -> !onnx.value
  %1 = onnx.node "Mul"(%0, %eighth) : (!onnx.value, tensor<f32>) -> !onnx.value
  %2 = onnx.node "Add"(%1, %m) : (!onnx.value, tensor<?x1x?x?xf32>) -> !onnx.value
  %3 = onnx.node "Softmax"(%2) {axis = -1 : i64} : (!onnx.value) -> !onnx.value
  %4 = onnx.node "IsNaN"(%3) : (!onnx.value) -> !onnx.value
  %5 = onnx.node "Where"(%4, %zero, %3) : (!onnx.value, tensor<f32>, !onnx.value) -> !onnx.value
  %6 = onnx.node "MatMul"(%5, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  return %6 : !onnx.value
}

// A soft cap in front of a mask that replaces scores; keys that are transposed in the graph.
// CHECK-LABEL: func.func @capped(
// CHECK-SAME:    %[[Q:[^:]*]]: {{.*}}, %[[K:[^:]*]]: {{.*}}, %[[V:[^:]*]]: {{.*}}, %[[M:[^:]*]]: {{.*}})
// CHECK:         %[[ZERO:.*]] = onnx.initializer "number" = dense<0.000000e+00> : tensor<f32>
// CHECK:         %[[LEAST:.*]] = onnx.initializer "number" = dense<0xFF800000> : tensor<f32>
// CHECK:         %[[B:.*]] = onnx.node "Where"(%[[M]], %[[ZERO]], %[[LEAST]])
// CHECK:         llmopt.sdpa %[[Q]], %[[K]], %[[V]] biases(%[[B]]) {key_transposed, scale = 5.000000e-01 : f32, softcap = 5.000000e+01 : f32}
func.func @capped(%q: tensor<?x2x?x4xf32>, %k: tensor<?x2x4x?xf32>, %v: tensor<?x2x?x4xf32>, %m: tensor<?x1x?x?xi1>) -> !onnx.value {
  %half = onnx.initializer "half" = dense<2.0> : tensor<f32>
  %cap = onnx.initializer "cap" = dense<50.0> : tensor<f32>
  %least = onnx.initializer "least" = dense<0xFF800000> : tensor<f32>
  %0 = onnx.node "MatMul"(%q, %k) : (tensor<?x2x?x4xf32>, tensor<?x2x4x?xf32>) -> !onnx.value
  %1 = onnx.node "Div"(%0, %half) : (!onnx.value, tensor<f32>) -> !onnx.value
  %2 = onnx.node "Div"(%1, %cap) : (!onnx.value, tensor<f32>) -> !onnx.value
  %3 = onnx.node "Tanh"(%2) : (!onnx.value) -> !onnx.value
  %4 = onnx.node "Mul"(%3, %cap) : (!onnx.value, tensor<f32>) -> !onnx.value
  %5 = onnx.node "Where"(%m, %4, %least) : (tensor<?x1x?x?xi1>, !onnx.value, tensor<f32>) -> !onnx.value
  %6 = onnx.node "Softmax"(%5) : (!onnx.value) -> !onnx.value
  %7 = onnx.node "MatMul"(%6, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  return %7 : !onnx.value
}

// Probabilities that are an output, another axis, a cap that is none, and a mask that changes scores a little stay.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     llmopt.sdpa
func.func @others(%q: tensor<?x2x?x4xf32>, %k: tensor<?x2x4x?xf32>, %v: tensor<?x2x?x4xf32>, %m: tensor<?x1x?x?xi1>)
    -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %two = onnx.initializer "two" = dense<2.0> : tensor<f32>
  %three = onnx.initializer "three" = dense<3.0> : tensor<f32>
  %few = onnx.initializer "few" = dense<-100.0> : tensor<f32>
  %0 = onnx.node "MatMul"(%q, %k) : (tensor<?x2x?x4xf32>, tensor<?x2x4x?xf32>) -> !onnx.value
  %1 = onnx.node "Softmax"(%0) {axis = -1 : i64} : (!onnx.value) -> !onnx.value
  %2 = onnx.node "MatMul"(%1, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  %3 = onnx.node "Softmax"(%0) {axis = 2 : i64} : (!onnx.value) -> !onnx.value
  %4 = onnx.node "MatMul"(%3, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  %5 = onnx.node "Div"(%0, %two) : (!onnx.value, tensor<f32>) -> !onnx.value
  %6 = onnx.node "Tanh"(%5) : (!onnx.value) -> !onnx.value
  %7 = onnx.node "Mul"(%6, %three) : (!onnx.value, tensor<f32>) -> !onnx.value
  %8 = onnx.node "Softmax"(%7) {axis = -1 : i64} : (!onnx.value) -> !onnx.value
  %9 = onnx.node "MatMul"(%8, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  %10 = onnx.node "Where"(%m, %0, %few) : (tensor<?x1x?x?xi1>, !onnx.value, tensor<f32>) -> !onnx.value
  %11 = onnx.node "Softmax"(%10) {axis = -1 : i64} : (!onnx.value) -> !onnx.value
  %12 = onnx.node "MatMul"(%11, %v) : (!onnx.value, tensor<?x2x?x4xf32>) -> !onnx.value
  return %1, %2, %4, %9, %12 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
}
}
