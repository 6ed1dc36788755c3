// RUN: llmopt-opt %s -canonicalize -cse | FileCheck %s

// A node that nothing uses goes away.
// CHECK-LABEL: func.func @unused_node
// CHECK-NEXT:    return
func.func @unused_node(%x: !onnx.value) {
  %w = onnx.initializer "w" = dense<1> : tensor<i64>
  %none = onnx.none : !onnx.value
  %0 = onnx.node "Clip"(%x, %none, %w) : (!onnx.value, !onnx.value, tensor<i64>) -> !onnx.value
  return
}

// Equal nodes stay apart: they may draw random numbers.
// CHECK-LABEL: func.func @equal_nodes
// CHECK:         onnx.node "RandomNormal"
// CHECK:         onnx.node "RandomNormal"
func.func @equal_nodes() -> (!onnx.value, !onnx.value) {
  %0 = onnx.node "RandomNormal"() {shape = array<i64: 4>} : () -> !onnx.value
  %1 = onnx.node "RandomNormal"() {shape = array<i64: 4>} : () -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}
