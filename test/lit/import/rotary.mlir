// Rotary embeddings of models that are no decoders.
// RUN: llmopt-opt %s -llmopt-raise-rotary | FileCheck %s

// CHECK-LABEL: func.func @constant(
// CHECK-SAME:    %[[X:[^:]*]]: {{.*}}, %[[C:[^:]*]]: {{.*}}, %[[S:[^:]*]]: {{.*}})
// CHECK-NEXT:    %[[Y:.*]] = llmopt.rotary %[[X]], %[[C]], %[[S]] {axis = 3 : i64, half = 2 : i64}
func.func @constant(%x: tensor<?x2x?x4xf32>, %c: tensor<?x1x?x4xf32>, %s: tensor<?x1x?x4xf32>) -> !onnx.value {
  %zero = onnx.initializer "zero" = dense<0> : tensor<1xi64>
  %half = onnx.initializer "half" = dense<2> : tensor<1xi64>
  %end = onnx.initializer "end" = dense<9223372036854775807> : tensor<1xi64>
  %axis = onnx.initializer "axis" = dense<3> : tensor<1xi64>
  %low = onnx.node "Slice"(%x, %zero, %half, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %high = onnx.node "Slice"(%x, %half, %end, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %n = onnx.node "Neg"(%high) : (!onnx.value) -> !onnx.value
  %t = onnx.node "Concat"(%n, %low) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  %a = onnx.node "Mul"(%x, %c) : (tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) -> !onnx.value
  %b = onnx.node "Mul"(%t, %s) : (!onnx.value, tensor<?x1x?x4xf32>) -> !onnx.value
  %y = onnx.node "Add"(%a, %b) : (!onnx.value, !onnx.value) -> !onnx.value
  return %y : !onnx.value
}

// Half of a dimension of the tensor, computed by the graph.
// CHECK-LABEL: func.func @computed(
// CHECK:         llmopt.rotary %{{.*}} {axis = 3 : i64} :
func.func @computed(%x: tensor<?x2x?x4xf32>, %c: tensor<?x1x?x4xf32>, %s: tensor<?x1x?x4xf32>) -> !onnx.value {
  %zero = onnx.initializer "zero" = dense<0> : tensor<1xi64>
  %two = onnx.initializer "two" = dense<2> : tensor<i64>
  %three = onnx.initializer "three" = dense<3> : tensor<i64>
  %end = onnx.initializer "end" = dense<9223372036854775807> : tensor<1xi64>
  %axis = onnx.initializer "axis" = dense<3> : tensor<1xi64>
  %shape = onnx.node "Shape"(%x) : (tensor<?x2x?x4xf32>) -> !onnx.value
  %d = onnx.node "Gather"(%shape, %three) : (!onnx.value, tensor<i64>) -> !onnx.value
  %h = onnx.node "Div"(%d, %two) : (!onnx.value, tensor<i64>) -> !onnx.value
  %half = onnx.node "Unsqueeze"(%h, %zero) : (!onnx.value, tensor<1xi64>) -> !onnx.value
  %low = onnx.node "Slice"(%x, %zero, %half, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, !onnx.value, tensor<1xi64>) -> !onnx.value
  %high = onnx.node "Slice"(%x, %half, %end, %axis) : (tensor<?x2x?x4xf32>, !onnx.value, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %n = onnx.node "Neg"(%high) : (!onnx.value) -> !onnx.value
  %t = onnx.node "Concat"(%n, %low) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  %a = onnx.node "Mul"(%x, %c) : (tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) -> !onnx.value
  %b = onnx.node "Mul"(%t, %s) : (!onnx.value, tensor<?x1x?x4xf32>) -> !onnx.value
  %y = onnx.node "Add"(%b, %a) : (!onnx.value, !onnx.value) -> !onnx.value
  return %y : !onnx.value
}

// The halves are of different length, or of another tensor.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     llmopt.rotary
func.func @others(%x: tensor<?x2x?x4xf32>, %z: tensor<?x2x?x4xf32>, %c: tensor<?x1x?x4xf32>) -> (!onnx.value, !onnx.value) {
  %zero = onnx.initializer "zero" = dense<0> : tensor<1xi64>
  %one = onnx.initializer "one" = dense<1> : tensor<1xi64>
  %half = onnx.initializer "half" = dense<2> : tensor<1xi64>
  %end = onnx.initializer "end" = dense<9223372036854775807> : tensor<1xi64>
  %axis = onnx.initializer "axis" = dense<3> : tensor<1xi64>
  %low = onnx.node "Slice"(%x, %zero, %one, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %high = onnx.node "Slice"(%x, %half, %end, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %n = onnx.node "Neg"(%high) : (!onnx.value) -> !onnx.value
  %t = onnx.node "Concat"(%n, %low) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  %a = onnx.node "Mul"(%x, %c) : (tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) -> !onnx.value
  %b = onnx.node "Mul"(%t, %c) : (!onnx.value, tensor<?x1x?x4xf32>) -> !onnx.value
  %y = onnx.node "Add"(%a, %b) : (!onnx.value, !onnx.value) -> !onnx.value
  %low2 = onnx.node "Slice"(%x, %zero, %half, %axis) : (tensor<?x2x?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
  %t2 = onnx.node "Concat"(%n, %low2) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  %a2 = onnx.node "Mul"(%z, %c) : (tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) -> !onnx.value
  %b2 = onnx.node "Mul"(%t2, %c) : (!onnx.value, tensor<?x1x?x4xf32>) -> !onnx.value
  %y2 = onnx.node "Add"(%a2, %b2) : (!onnx.value, !onnx.value) -> !onnx.value
  return %y, %y2 : !onnx.value, !onnx.value
}
