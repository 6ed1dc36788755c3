// RUN: llmopt-opt %s -llmopt-infer-onnx-types -llmopt-raise-elementwise | FileCheck %s

// CHECK-LABEL: func.func @example(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?x8xf32>, %[[GATE:.*]]: tensor<?x?x8xf32>, %[[UP:.*]]: tensor<?x?x8xf32>
// CHECK:         %[[Y:.*]] = llmopt.glu silu %[[GATE]], %[[UP]] : tensor<?x?x8xf32>
// CHECK:         arith.addf %[[X]], %[[Y]] : tensor<?x?x8xf32>
// CHECK-NOT:     onnx.node
func.func @example(%x: tensor<?x?x8xf32>, %gate: tensor<?x?x8xf32>, %up: tensor<?x?x8xf32>) -> !onnx.value {
  %s = onnx.node "Sigmoid"(%gate) : (tensor<?x?x8xf32>) -> !onnx.value
  %a = onnx.node "Mul"(%gate, %s) : (tensor<?x?x8xf32>, !onnx.value) -> !onnx.value
  %y = onnx.node "Mul"(%a, %up) : (!onnx.value, tensor<?x?x8xf32>) -> !onnx.value
  %z = onnx.node "Add"(%x, %y) : (tensor<?x?x8xf32>, !onnx.value) -> !onnx.value
  return %z : !onnx.value
}

// Any order of the factors.
// CHECK-LABEL: func.func @order(
// CHECK-SAME:    %[[GATE:.*]]: tensor<?x8xf32>, %[[UP:.*]]: tensor<?x8xf32>
// CHECK:         llmopt.glu silu %[[GATE]], %[[UP]]
func.func @order(%gate: tensor<?x8xf32>, %up: tensor<?x8xf32>) -> !onnx.value {
  %s = onnx.node "Sigmoid"(%gate) : (tensor<?x8xf32>) -> !onnx.value
  %a = onnx.node "Mul"(%s, %up) : (!onnx.value, tensor<?x8xf32>) -> !onnx.value
  %y = onnx.node "Mul"(%gate, %a) : (tensor<?x8xf32>, !onnx.value) -> !onnx.value
  return %y : !onnx.value
}

// The sigmoid of another tensor, and sigmoids without their argument, are no gated units.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     llmopt.glu
func.func @others(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>, %c: tensor<?x8xf32>) -> (!onnx.value, !onnx.value) {
  %s = onnx.node "Sigmoid"(%a) : (tensor<?x8xf32>) -> !onnx.value
  %0 = onnx.node "Mul"(%b, %s) : (tensor<?x8xf32>, !onnx.value) -> !onnx.value
  %1 = onnx.node "Mul"(%0, %c) : (!onnx.value, tensor<?x8xf32>) -> !onnx.value
  %2 = onnx.node "Mul"(%s, %c) : (!onnx.value, tensor<?x8xf32>) -> !onnx.value
  return %1, %2 : !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @refused(
// CHECK-NOT:     arith.addf
// CHECK:         onnx.node "Add"({{.*}}llmopt.refusal = "the addition of a constant ('bias') is not supported"
// CHECK:         onnx.node "Relu"({{.*}}llmopt.refusal = "its input is not the sum with a bias that nothing else reads"
// CHECK-NOT:     arith.addf
func.func @refused(%x: tensor<?x8xf32>, %row: tensor<1x8xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
  %bias = onnx.initializer "bias" = dense<1.0> : tensor<1x8xf32>
  %0 = onnx.node "Add"(%x, %bias) : (tensor<?x8xf32>, tensor<1x8xf32>) -> !onnx.value
  %1 = onnx.node "Add"(%x, %row) : (tensor<?x8xf32>, tensor<1x8xf32>) -> !onnx.value
  %2 = onnx.node "Relu"(%x) : (tensor<?x8xf32>) -> !onnx.value
  return %0, %1, %2 : !onnx.value, !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @biases(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK-DAG:     %[[B:.*]] = llmopt.weight "b"(dense<1.000000e+00> : tensor<8xf32>) : tensor<8xf32>
// CHECK-DAG:     %[[SUM:.*]] = llmopt.bias %[[X]], %[[B]]{{.*}} : tensor<?x8xf32>, tensor<8xf32>
// CHECK-DAG:     %[[CUT:.*]] = llmopt.bias relu %[[X]], %{{.*}} : tensor<?x8xf32>, tensor<8xf32>
// CHECK:         return %[[SUM]], %[[CUT]]
func.func @biases(%x: tensor<?x8xf32>) -> (!onnx.value, !onnx.value) {
  %b = onnx.initializer "b" = dense<1.0> : tensor<8xf32>
  %0 = onnx.node "Add"(%x, %b) : (tensor<?x8xf32>, tensor<8xf32>) -> !onnx.value
  %1 = onnx.node "Add"(%b, %x) : (tensor<8xf32>, tensor<?x8xf32>) -> !onnx.value
  %2 = onnx.node "Relu"(%1) : (!onnx.value) -> !onnx.value
  return %0, %2 : !onnx.value, !onnx.value
}
