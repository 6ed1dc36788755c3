// Shapes that no tensor can have are not inferred.
// RUN: llmopt-opt %s -llmopt-infer-onnx-types | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK: onnx.node "Reshape"(%{{.*}}) : (tensor<2x2xf32>, tensor<2xi64>) -> !onnx.value
// CHECK: onnx.node "GroupQueryAttention" domain "com.microsoft"{{.*}} -> !onnx.value
func.func @main(%x: tensor<2x2xf32>, %q: tensor<1x2x4xf32>) -> (!onnx.value, !onnx.value) {
  %shape = onnx.initializer "shape" = dense<-2> : tensor<2xi64>
  %y = onnx.node "Reshape"(%x, %shape) : (tensor<2x2xf32>, tensor<2xi64>) -> !onnx.value
  %a = onnx.node "GroupQueryAttention" domain "com.microsoft" (%q) {kv_num_heads = -3 : i64, num_heads = 10 : i64}
    : (tensor<1x2x4xf32>) -> !onnx.value
  return %y, %a : !onnx.value, !onnx.value
}
