// Nodes without outputs are dead, whatever their operator.
// RUN: llmopt-opt %s -llmopt-infer-onnx-types -llmopt-fold-onnx | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-NEXT: return
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  onnx.node "Split"(%x) {axis = 1 : i64} : (tensor<2x4xf32>) -> ()
  onnx.node "Constant"() {value = dense<2> : tensor<i64>} : () -> ()
  return %x : tensor<2x4xf32>
}
