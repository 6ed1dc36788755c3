// RUN: not llmopt-opt %s '-pass-pipeline=builtin.module(func.func(llmopt-check-nodes{max-diagnostics=2}))' 2>&1 | FileCheck %s

// CHECK-COUNT-2: unknown operator
// CHECK-NOT:     unknown operator
func.func @main(%x: !onnx.value) {
  %0 = onnx.node "A"(%x) : (!onnx.value) -> !onnx.value
  %1 = onnx.node "B"(%x) : (!onnx.value) -> !onnx.value
  %2 = onnx.node "C"(%x) : (!onnx.value) -> !onnx.value
  return
}
