// RUN: llmopt-opt %s -llmopt-infer-onnx-types -llmopt-raise-activation -llmopt-raise-elementwise | FileCheck %s

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
// CHECK-NOT:     arith.addf
func.func @refused(%x: tensor<?x8xf32>, %row: tensor<1x8xf32>) -> (!onnx.value, !onnx.value) {
  %bias = onnx.initializer "bias" = dense<1.0> : tensor<1x8xf32>
  %0 = onnx.node "Add"(%x, %bias) : (tensor<?x8xf32>, tensor<1x8xf32>) -> !onnx.value
  %1 = onnx.node "Add"(%x, %row) : (tensor<?x8xf32>, tensor<1x8xf32>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
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

// An activation function of what has no bias gets one of zeros; GELU is known by its values, here with a tangent.
// CHECK-LABEL: func.func @activations(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK:         %[[ZEROS:.*]] = llmopt.weight "zeros"(dense<0.000000e+00> : tensor<8xf32>) : tensor<8xf32>
// CHECK:         llmopt.bias relu %[[X]], %[[ZEROS]]
// CHECK:         llmopt.bias gelu_tanh %[[X]], %{{.*}}
// CHECK-NOT:     onnx.node
func.func @activations(%x: tensor<?x8xf32>) -> (!onnx.value, !onnx.value) {
  %half = onnx.initializer "half" = dense<0.5> : tensor<f32>
  %three = onnx.initializer "three" = dense<3.0> : tensor<f32>
  %c = onnx.initializer "c" = dense<0.044715> : tensor<f32>
  %d = onnx.initializer "d" = dense<0.797884583> : tensor<f32>
  %one = onnx.initializer "one" = dense<1.0> : tensor<f32>
  %r = onnx.node "Relu"(%x) : (tensor<?x8xf32>) -> !onnx.value
  %h = onnx.node "Mul"(%x, %half) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %0 = onnx.node "Pow"(%x, %three) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %1 = onnx.node "Mul"(%0, %c) : (!onnx.value, tensor<f32>) -> !onnx.value
  %2 = onnx.node "Add"(%x, %1) : (tensor<?x8xf32>, !onnx.value) -> !onnx.value
  %3 = onnx.node "Mul"(%2, %d) : (!onnx.value, tensor<f32>) -> !onnx.value
  %4 = onnx.node "Tanh"(%3) : (!onnx.value) -> !onnx.value
  %5 = onnx.node "Add"(%4, %one) : (!onnx.value, tensor<f32>) -> !onnx.value
  %6 = onnx.node "Mul"(%h, %5) : (!onnx.value, !onnx.value) -> !onnx.value
  return %r, %6 : !onnx.value, !onnx.value
}

// Another factor of the cube is another function.
// CHECK-LABEL: func.func @almost(
// CHECK-NOT:     gelu
// CHECK:         onnx.node "Tanh"
func.func @almost(%x: tensor<?x8xf32>) -> !onnx.value {
  %half = onnx.initializer "half" = dense<0.5> : tensor<f32>
  %three = onnx.initializer "three" = dense<3.0> : tensor<f32>
  %c = onnx.initializer "c" = dense<0.0449> : tensor<f32>
  %d = onnx.initializer "d" = dense<0.797884583> : tensor<f32>
  %one = onnx.initializer "one" = dense<1.0> : tensor<f32>
  %h = onnx.node "Mul"(%x, %half) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %0 = onnx.node "Pow"(%x, %three) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %1 = onnx.node "Mul"(%0, %c) : (!onnx.value, tensor<f32>) -> !onnx.value
  %2 = onnx.node "Add"(%x, %1) : (tensor<?x8xf32>, !onnx.value) -> !onnx.value
  %3 = onnx.node "Mul"(%2, %d) : (!onnx.value, tensor<f32>) -> !onnx.value
  %4 = onnx.node "Tanh"(%3) : (!onnx.value) -> !onnx.value
  %5 = onnx.node "Add"(%4, %one) : (!onnx.value, tensor<f32>) -> !onnx.value
  %6 = onnx.node "Mul"(%h, %5) : (!onnx.value, !onnx.value) -> !onnx.value
  return %6 : !onnx.value
}

// The exact function as a gate.
// CHECK-LABEL: func.func @gelu_unit(
// CHECK-SAME:    %[[GATE:.*]]: tensor<?x8xf32>, %[[UP:.*]]: tensor<?x8xf32>
// CHECK-NEXT:    llmopt.glu gelu %[[GATE]], %[[UP]]
func.func @gelu_unit(%gate: tensor<?x8xf32>, %up: tensor<?x8xf32>) -> !onnx.value {
  %g = onnx.node "Gelu"(%gate) : (tensor<?x8xf32>) -> !onnx.value
  %y = onnx.node "Mul"(%up, %g) : (tensor<?x8xf32>, !onnx.value) -> !onnx.value
  return %y : !onnx.value
}

// Factors, soft caps, and a tangent of another scale.
// CHECK-LABEL: func.func @factors(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK:         llmopt.scale %[[X]] {factor = 4.000000e+00 : f32} : tensor<?x8xf32>
// CHECK:         llmopt.softcap %[[X]] {cap = 3.200000e+01 : f32} : tensor<?x8xf32>
// CHECK:         onnx.node "Mul"({{.*}}as a soft cap: its tangent is not of its input divided by the positive factor 4
func.func @factors(%x: tensor<?x8xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
  %four = onnx.initializer "four" = dense<4.0> : tensor<f32>
  %cap = onnx.initializer "cap" = dense<32.0> : tensor<f32>
  %0 = onnx.node "Mul"(%x, %four) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %1 = onnx.node "Div"(%x, %cap) : (tensor<?x8xf32>, tensor<f32>) -> !onnx.value
  %2 = onnx.node "Tanh"(%1) : (!onnx.value) -> !onnx.value
  %3 = onnx.node "Mul"(%2, %cap) : (!onnx.value, tensor<f32>) -> !onnx.value
  %4 = onnx.node "Mul"(%2, %four) : (!onnx.value, tensor<f32>) -> !onnx.value
  return %0, %3, %4 : !onnx.value, !onnx.value, !onnx.value
}
