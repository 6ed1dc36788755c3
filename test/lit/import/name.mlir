// RUN: not llmopt-opt %s -llmopt-finish-import 2>&1 | FileCheck %s
// CHECK: error: node '/mlp/act': operator Tanh (domain ai.onnx) cannot be compiled
func.func @main(%x: tensor<?x8xf32>) -> !onnx.value {
  %0 = onnx.node "Tanh"(%x) : (tensor<?x8xf32>) -> !onnx.value loc("/mlp/act"("model.onnx":3:0))
  return %0 : !onnx.value
}
