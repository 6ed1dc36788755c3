// RUN: llmopt-opt %s -llmopt-finish-import=max-diagnostics=1 -verify-diagnostics

// expected-error@below {{1 more nodes cannot be compiled}}
func.func @main(%x: tensor<?x8xf32>) -> (!onnx.value, !onnx.value) {
  // expected-error@below {{operator Tanh (domain ai.onnx) cannot be compiled}}
  %0 = onnx.node "Tanh"(%x) : (tensor<?x8xf32>) -> !onnx.value
  %1 = onnx.node "Erf"(%x) : (tensor<?x8xf32>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}
