// Normalisations that are written out in models that are no decoders.
// RUN: llmopt-opt %s -llmopt-fuse-norms | FileCheck %s

// CHECK-LABEL: func.func @rms(
// CHECK-SAME:    %[[X:[^:]*]]: tensor
// CHECK:         %[[G:.*]] = onnx.initializer "gamma"
// CHECK-NEXT:    onnx.node "RMSNormalization" version 23(%[[X]], %[[G]]) {axis = -1 : i64, epsilon = 9.99999974E-6 : f32}
func.func @rms(%x: tensor<?x?x4xf32>) -> !onnx.value {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %two = onnx.initializer "two" = dense<2.0> : tensor<f32>
  %one = onnx.initializer "one" = dense<1.0> : tensor<f32>
  %epsilon = onnx.initializer "epsilon" = dense<1.0e-5> : tensor<f32>
  %0 = onnx.node "Pow"(%x, %two) : (tensor<?x?x4xf32>, tensor<f32>) -> !onnx.value
  %1 = onnx.node "ReduceMean"(%0) {axes = array<i64: -1>} : (!onnx.value) -> !onnx.value
  %2 = onnx.node "Add"(%1, %epsilon) : (!onnx.value, tensor<f32>) -> !onnx.value
  %3 = onnx.node "Sqrt"(%2) : (!onnx.value) -> !onnx.value
  %4 = onnx.node "Div"(%one, %3) : (tensor<f32>, !onnx.value) -> !onnx.value
  %5 = onnx.node "Mul"(%x, %4) : (tensor<?x?x4xf32>, !onnx.value) -> !onnx.value
  %6 = onnx.node "Mul"(%gamma, %5) : (tensor<4xf32>, !onnx.value) -> !onnx.value
  return %6 : !onnx.value
}

// CHECK-LABEL: func.func @layer(
// CHECK-SAME:    %[[X:[^:]*]]: tensor
// CHECK-DAG:     %[[G:.*]] = onnx.initializer "gamma"
// CHECK-DAG:     %[[B:.*]] = onnx.initializer "beta"
// CHECK:         onnx.node "LayerNormalization" version 17(%[[X]], %[[G]], %[[B]]) {axis = -1 : i64, epsilon = 9.99999974E-6 : f32}
func.func @layer(%x: tensor<?x?x4xf32>) -> !onnx.value {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %beta = onnx.initializer "beta" = dense<[4.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %two = onnx.initializer "two" = dense<2.0> : tensor<f32>
  %epsilon = onnx.initializer "epsilon" = dense<1.0e-5> : tensor<f32>
  %m = onnx.node "ReduceMean"(%x) {axes = array<i64: -1>} : (tensor<?x?x4xf32>) -> !onnx.value
  %c = onnx.node "Sub"(%x, %m) : (tensor<?x?x4xf32>, !onnx.value) -> !onnx.value
  %0 = onnx.node "Pow"(%c, %two) : (!onnx.value, tensor<f32>) -> !onnx.value
  %1 = onnx.node "ReduceMean"(%0) {axes = array<i64: -1>} : (!onnx.value) -> !onnx.value
  %2 = onnx.node "Add"(%1, %epsilon) : (!onnx.value, tensor<f32>) -> !onnx.value
  %3 = onnx.node "Sqrt"(%2) : (!onnx.value) -> !onnx.value
  %4 = onnx.node "Div"(%c, %3) : (!onnx.value, !onnx.value) -> !onnx.value
  %5 = onnx.node "Mul"(%4, %gamma) : (!onnx.value, tensor<4xf32>) -> !onnx.value
  %6 = onnx.node "Add"(%5, %beta) : (!onnx.value, tensor<4xf32>) -> !onnx.value
  return %6 : !onnx.value
}

// A mean over another axis, a factor that is computed.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     Normalization
func.func @others(%x: tensor<?x4x4xf32>, %g: tensor<4xf32>) -> (!onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %epsilon = onnx.initializer "epsilon" = dense<1.0e-5> : tensor<f32>
  %0 = onnx.node "Mul"(%x, %x) : (tensor<?x4x4xf32>, tensor<?x4x4xf32>) -> !onnx.value
  %1 = onnx.node "ReduceMean"(%0) {axes = array<i64: 1>} : (!onnx.value) -> !onnx.value
  %2 = onnx.node "Add"(%1, %epsilon) : (!onnx.value, tensor<f32>) -> !onnx.value
  %3 = onnx.node "Sqrt"(%2) : (!onnx.value) -> !onnx.value
  %4 = onnx.node "Div"(%x, %3) : (tensor<?x4x4xf32>, !onnx.value) -> !onnx.value
  %5 = onnx.node "Mul"(%gamma, %4) : (tensor<4xf32>, !onnx.value) -> !onnx.value
  %6 = onnx.node "ReduceMean"(%0) {axes = array<i64: -1>} : (!onnx.value) -> !onnx.value
  %7 = onnx.node "Add"(%6, %epsilon) : (!onnx.value, tensor<f32>) -> !onnx.value
  %8 = onnx.node "Sqrt"(%7) : (!onnx.value) -> !onnx.value
  %9 = onnx.node "Div"(%x, %8) : (tensor<?x4x4xf32>, !onnx.value) -> !onnx.value
  %10 = onnx.node "Mul"(%g, %9) : (tensor<4xf32>, !onnx.value) -> !onnx.value
  return %5, %10 : !onnx.value, !onnx.value
}
