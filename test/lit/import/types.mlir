// RUN: llmopt-opt %s -llmopt-infer-onnx-types | FileCheck %s

// CHECK-LABEL: func.func @example
// CHECK:         onnx.node "MatMul"(%{{.*}}, %{{.*}}) : (tensor<?x?x4xf32>, tensor<4x6xf32>) -> tensor<?x?x6xf32>
func.func @example(%x: tensor<?x?x4xf32>) -> !onnx.value {
  %w = onnx.initializer "w" = dense<1.0> : tensor<4x6xf32>
  %0 = onnx.node "MatMul"(%x, %w) : (tensor<?x?x4xf32>, tensor<4x6xf32>) -> !onnx.value
  return %0 : !onnx.value
}

// Shapes that are computed: 6 columns become 3 heads of 2.
// CHECK-LABEL: func.func @reshape
// CHECK:         %[[H:.*]] = onnx.node "Reshape"({{.*}}) -> tensor<?x?x3x2xf32>
// CHECK:         %[[T:.*]] = onnx.node "Transpose"(%[[H]]) {{.*}} -> tensor<?x3x?x2xf32>
// CHECK:         onnx.node "Slice"(%[[T]], {{.*}}) -> tensor<?x3x?x1xf32>
func.func @reshape(%x: tensor<?x?x6xf32>) -> !onnx.value {
  %zero = onnx.initializer "zero" = dense<0> : tensor<i64>
  %one = onnx.initializer "one" = dense<1> : tensor<i64>
  %axis0 = onnx.initializer "axis0" = dense<0> : tensor<1xi64>
  %axis3 = onnx.initializer "axis3" = dense<3> : tensor<1xi64>
  %rest = onnx.initializer "rest" = dense<[-1, 2]> : tensor<2xi64>
  %half = onnx.initializer "half" = dense<1> : tensor<1xi64>
  %end = onnx.initializer "end" = dense<9223372036854775807> : tensor<1xi64>
  %shape = onnx.node "Shape"(%x) : (tensor<?x?x6xf32>) -> !onnx.value
  %b = onnx.node "Gather"(%shape, %zero) : (!onnx.value, tensor<i64>) -> !onnx.value
  %s = onnx.node "Gather"(%shape, %one) : (!onnx.value, tensor<i64>) -> !onnx.value
  %b1 = onnx.node "Unsqueeze"(%b, %axis0) : (!onnx.value, tensor<1xi64>) -> !onnx.value
  %s1 = onnx.node "Unsqueeze"(%s, %axis0) : (!onnx.value, tensor<1xi64>) -> !onnx.value
  %wanted = onnx.node "Concat"(%b1, %s1, %rest) {axis = 0 : i64} : (!onnx.value, !onnx.value, tensor<2xi64>) -> !onnx.value
  %h = onnx.node "Reshape"(%x, %wanted) : (tensor<?x?x6xf32>, !onnx.value) -> !onnx.value
  %t = onnx.node "Transpose"(%h) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
  %c = onnx.node "Slice"(%t, %half, %end, %axis3) : (!onnx.value, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  return %c : !onnx.value
}

// A shape that is read from data, and one that does not fit.
// CHECK-LABEL: func.func @unknown
// CHECK:         onnx.node "Reshape"({{.*}}) -> !onnx.value
// CHECK:         onnx.node "Reshape"({{.*}}) -> !onnx.value
func.func @unknown(%x: tensor<?x6xf32>, %shape: tensor<2xi64>) -> (!onnx.value, !onnx.value) {
  %four = onnx.initializer "four" = dense<[-1, 4]> : tensor<2xi64>
  %0 = onnx.node "Reshape"(%x, %shape) : (tensor<?x6xf32>, tensor<2xi64>) -> !onnx.value
  %1 = onnx.node "Reshape"(%x, %four) : (tensor<?x6xf32>, tensor<2xi64>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}

// Operands that are missing or of the wrong rank change nothing.
// CHECK-LABEL: func.func @malformed
// CHECK-COUNT-8: -> !onnx.value
func.func @malformed(%x: tensor<?x6xf32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %0 = onnx.node "Reshape"() : () -> !onnx.value
  %1 = onnx.node "Transpose"(%x) {perm = array<i64: 0, 0>} : (tensor<?x6xf32>) -> !onnx.value
  %2 = onnx.node "Concat"() {axis = 7 : i64} : () -> !onnx.value
  %3 = onnx.node "Max"() : () -> !onnx.value
  %4 = onnx.node "Pow"(%x) : (tensor<?x6xf32>) -> !onnx.value
  %5 = onnx.node "Gather"(%x, %x) {axis = -9 : i64} : (tensor<?x6xf32>, tensor<?x6xf32>) -> !onnx.value
  %6 = onnx.node "Unsqueeze"(%x) {axes = array<i64: 5>} : (tensor<?x6xf32>) -> !onnx.value
  %7 = onnx.node "MatMul"(%x, %x) : (tensor<?x6xf32>, tensor<?x6xf32>) -> !onnx.value
  %8 = onnx.node "Flatten"(%x) {axis = 3 : i64} : (tensor<?x6xf32>) -> !onnx.value
  return %0, %1, %2, %3 : !onnx.value, !onnx.value, !onnx.value, !onnx.value
}

// Constants of other kinds of elements are values like any other.
// CHECK-LABEL: func.func @elements
// CHECK:         onnx.node "Shape"({{.*}}) -> tensor<1xi64>
// CHECK:         onnx.node "Shape"({{.*}}) -> tensor<1xi64>
// CHECK:         onnx.node "Shape"({{.*}}) -> tensor<1xi64>
func.func @elements() -> (!onnx.value, !onnx.value, !onnx.value) {
  %s = onnx.initializer "s" = dense<"text"> : tensor<2x!onnx.value>
  %c = onnx.initializer "c" = dense<(1.0, 2.0)> : tensor<2xcomplex<f32>>
  %h = onnx.initializer "h" = dense<1.0> : tensor<2xf16>
  %0 = onnx.node "Shape"(%s) : (tensor<2x!onnx.value>) -> !onnx.value
  %1 = onnx.node "Shape"(%c) : (tensor<2xcomplex<f32>>) -> !onnx.value
  %2 = onnx.node "Shape"(%h) : (tensor<2xf16>) -> !onnx.value
  return %0, %1, %2 : !onnx.value, !onnx.value, !onnx.value
}
