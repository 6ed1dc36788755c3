// RUN: llmopt-opt %s -llmopt-infer-onnx-types -llmopt-fold-onnx | FileCheck %s

// CHECK-LABEL: func.func @constants
// CHECK-DAG:     %[[A:.*]] = onnx.initializer "constant" = dense<2> : tensor<i64>
// CHECK-DAG:     %[[B:.*]] = onnx.initializer "constant" = dense<[1, 2]> : tensor<2xi64>
// CHECK-DAG:     %[[C:.*]] = onnx.initializer "constant" = dense<5.000000e-01> : tensor<f32>
// CHECK-DAG:     %[[D:.*]] = onnx.initializer "constant" = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG:     %[[E:.*]] = onnx.initializer "constant" = dense<3> : tensor<i64>
// CHECK:         return %[[A]], %[[B]], %[[C]], %[[D]], %[[E]]
func.func @constants() -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %0 = onnx.node "Constant"() {value = dense<2> : tensor<i64>} : () -> !onnx.value
  %1 = onnx.node "Identity"(%0) : (!onnx.value) -> !onnx.value
  %2 = onnx.node "Constant"() {value_ints = array<i64: 1, 2>} : () -> !onnx.value
  %3 = onnx.node "Constant"() {value_float = 0.5 : f32} : () -> !onnx.value
  %4 = onnx.node "Constant"() {value_floats = array<f32: 1.0, 2.0>} : () -> !onnx.value
  %5 = onnx.node "Constant"() {value_int = 3 : i64} : () -> !onnx.value
  return %1, %2, %3, %4, %5 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
}

// A string is no tensor; the node stays and says why.
// CHECK-LABEL: func.func @text
// CHECK:         onnx.node "Constant"() {value_string = "x"} {{.*}}llmopt.refusal = "a Constant must hold a dense tensor of numbers"
func.func @text() -> !onnx.value {
  %0 = onnx.node "Constant"() {value_string = "x"} : () -> !onnx.value
  return %0 : !onnx.value
}

// CHECK-LABEL: func.func @casts(
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>
// CHECK-NEXT:    %[[C:.*]] = onnx.node "Cast"(%[[X]]) {to = 7 : i64} : (tensor<?x4xf32>) -> tensor<?x4xi64>
// CHECK-NEXT:    return %[[X]], %[[C]]
func.func @casts(%x: tensor<?x4xf32>) -> (!onnx.value, !onnx.value) {
  %0 = onnx.node "Cast"(%x) {to = 1 : i64} : (tensor<?x4xf32>) -> !onnx.value
  %1 = onnx.node "Cast"(%x) {to = 7 : i64} : (tensor<?x4xf32>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}

// Dropout with a training mode is not the identity.
// CHECK-LABEL: func.func @dropout
// CHECK:         onnx.node "Dropout"({{.*}}llmopt.refusal = "has more than one input"
func.func @dropout(%x: tensor<4xf32>, %ratio: tensor<f32>) -> !onnx.value {
  %0 = onnx.node "Dropout"(%x, %ratio) : (tensor<4xf32>, tensor<f32>) -> !onnx.value
  return %0 : !onnx.value
}
