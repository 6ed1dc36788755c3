// Integer products of dequantized values.
// RUN: llmopt-opt %s -llmopt-fold-qdq | FileCheck %s

// CHECK-LABEL: func.func @matmul(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x2xui8>
// CHECK-DAG:     %[[XS:.*]] = onnx.initializer "xs"
// CHECK-DAG:     %[[XZ:.*]] = onnx.initializer "xz"
// CHECK-DAG:     %[[W:.*]] = onnx.initializer "w"
// CHECK-DAG:     %[[WS:.*]] = onnx.initializer "ws"
// CHECK:         %[[P:.*]] = onnx.node "MatMulInteger"(%[[X]], %[[W]], %[[XZ]])
// CHECK:         %[[F:.*]] = onnx.node "Cast"(%[[P]]) {to = 1 : i64}
// CHECK:         %[[S:.*]] = onnx.node "Mul"(%[[XS]], %[[WS]])
// CHECK:         onnx.node "Mul"(%[[F]], %[[S]])
func.func @matmul(%x: tensor<?x2xui8>) -> !onnx.value {
  %xs = onnx.initializer "xs" = dense<0.5> : tensor<f32>
  %xz = onnx.initializer "xz" = dense<128> : tensor<ui8>
  %w = onnx.initializer "w" = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %ws = onnx.initializer "ws" = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %wz = onnx.initializer "wz" = dense<0> : tensor<3xi8>
  %0 = onnx.node "DequantizeLinear"(%x, %xs, %xz) : (tensor<?x2xui8>, tensor<f32>, tensor<ui8>) -> !onnx.value
  %1 = onnx.node "DequantizeLinear"(%w, %ws, %wz) {axis = -1 : i64} : (tensor<2x3xi8>, tensor<3xf32>, tensor<3xi8>) -> !onnx.value
  %2 = onnx.node "MatMul"(%0, %1) : (!onnx.value, !onnx.value) -> !onnx.value
  return %2 : !onnx.value
}

// CHECK-LABEL: func.func @conv(
// CHECK:         %[[N:.*]] = onnx.none
// CHECK:         %[[P:.*]] = onnx.node "ConvInteger"(%{{.*}}, %{{.*}}, %[[N]], %{{.*}}) {pads = array<i64: 1, 1, 1, 1>}
// CHECK:         onnx.node "Cast"(%[[P]]) {to = 1 : i64}
// CHECK:         onnx.node "Mul"
// CHECK:         onnx.node "Reshape"
// CHECK:         onnx.node "Mul"
// CHECK:         onnx.node "Reshape"
// CHECK:         onnx.node "Add"
func.func @conv(%x: tensor<1x1x4x4xi8>, %bias: tensor<2xi32>) -> !onnx.value {
  %xs = onnx.initializer "xs" = dense<0.5> : tensor<f32>
  %xz = onnx.initializer "xz" = dense<0> : tensor<i8>
  %w = onnx.initializer "w" = #onnx.blob<"data", 0, 18> : tensor<2x1x3x3xi8>
  %ws = onnx.initializer "ws" = dense<[1.0, 2.0]> : tensor<2xf32>
  %wz = onnx.initializer "wz" = dense<[1, 0]> : tensor<2xi8>
  %0 = onnx.node "DequantizeLinear"(%x, %xs, %xz) : (tensor<1x1x4x4xi8>, tensor<f32>, tensor<i8>) -> !onnx.value
  %1 = onnx.node "DequantizeLinear"(%w, %ws, %wz) {axis = 0 : i64} : (tensor<2x1x3x3xi8>, tensor<2xf32>, tensor<2xi8>) -> !onnx.value
  %2 = onnx.node "DequantizeLinear"(%bias, %ws) {axis = 0 : i64} : (tensor<2xi32>, tensor<2xf32>) -> !onnx.value
  %3 = onnx.node "Conv"(%0, %1, %2) {pads = array<i64: 1, 1, 1, 1>} : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
  return %3 : !onnx.value
}

// Rows of weights are packed as filters of one pixel.
// CHECK-LABEL: func.func @gemm(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x2xui8>
// CHECK:         %[[Z:.*]] = onnx.initializer "xz"
// CHECK:         %[[W:.*]] = onnx.initializer "w" = {{.*}} : tensor<3x2x1xi8>
// CHECK:         %[[ROWS:.*]] = onnx.initializer "shape" = dense<[0, 2, 1]>
// CHECK:         %[[A:.*]] = onnx.node "Reshape"(%[[X]], %[[ROWS]])
// CHECK:         %[[P:.*]] = onnx.node "ConvInteger"(%[[A]], %[[W]], %[[Z]])
// CHECK:         %[[F:.*]] = onnx.node "Cast"(%[[P]])
// CHECK:         %[[SHAPE:.*]] = onnx.initializer "shape" = dense<[0, 3]>
// CHECK:         onnx.node "Reshape"(%[[F]], %[[SHAPE]])
func.func @gemm(%x: tensor<?x2xui8>) -> !onnx.value {
  %xs = onnx.initializer "xs" = dense<0.5> : tensor<f32>
  %xz = onnx.initializer "xz" = dense<128> : tensor<ui8>
  %w = onnx.initializer "w" = dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %ws = onnx.initializer "ws" = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %0 = onnx.node "DequantizeLinear"(%x, %xs, %xz) : (tensor<?x2xui8>, tensor<f32>, tensor<ui8>) -> !onnx.value
  %1 = onnx.node "DequantizeLinear"(%w, %ws) {axis = 0 : i64} : (tensor<3x2xi8>, tensor<3xf32>) -> !onnx.value
  %2 = onnx.node "Gemm"(%0, %1) {transB = 1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  return %2 : !onnx.value
}

// Not if they have a zero point.
// CHECK-LABEL: func.func @gemm_zero_point(
// CHECK:         %[[T:.*]] = onnx.node "Transpose"(%{{.*}}) {perm = array<i64: 1, 0>} : (tensor<3x2xi8>)
// CHECK:         onnx.node "MatMulInteger"(%{{.*}}, %[[T]], %{{.*}}, %{{.*}})
func.func @gemm_zero_point(%x: tensor<?x2xui8>) -> !onnx.value {
  %xs = onnx.initializer "xs" = dense<0.5> : tensor<f32>
  %xz = onnx.initializer "xz" = dense<128> : tensor<ui8>
  %w = onnx.initializer "w" = dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8>
  %wz = onnx.initializer "wz" = dense<3> : tensor<i8>
  %0 = onnx.node "DequantizeLinear"(%x, %xs, %xz) : (tensor<?x2xui8>, tensor<f32>, tensor<ui8>) -> !onnx.value
  %1 = onnx.node "DequantizeLinear"(%w, %xs, %wz) : (tensor<3x2xi8>, tensor<f32>, tensor<i8>) -> !onnx.value
  %2 = onnx.node "Gemm"(%0, %1) {transB = 1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
  return %2 : !onnx.value
}

// Scales along the summed dimension, of more than 8 bits, in blocks, or of floats stay.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     MatMulInteger
func.func @others(%x: tensor<?x2xui8>, %y: tensor<?x2xui16>, %f: tensor<?x2xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
  %xs = onnx.initializer "xs" = dense<0.5> : tensor<f32>
  %xz = onnx.initializer "xz" = dense<128> : tensor<ui8>
  %yz = onnx.initializer "yz" = dense<128> : tensor<ui16>
  %w = onnx.initializer "w" = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %ws = onnx.initializer "ws" = dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = onnx.node "DequantizeLinear"(%x, %xs, %xz) : (tensor<?x2xui8>, tensor<f32>, tensor<ui8>) -> !onnx.value
  %1 = onnx.node "DequantizeLinear"(%w, %ws) {axis = 0 : i64} : (tensor<2x3xi8>, tensor<2xf32>) -> !onnx.value
  %2 = onnx.node "MatMul"(%0, %1) : (!onnx.value, !onnx.value) -> !onnx.value
  %3 = onnx.node "DequantizeLinear"(%y, %xs, %yz) : (tensor<?x2xui16>, tensor<f32>, tensor<ui16>) -> !onnx.value
  %4 = onnx.node "DequantizeLinear"(%w, %xs) : (tensor<2x3xi8>, tensor<f32>) -> !onnx.value
  %5 = onnx.node "MatMul"(%3, %4) : (!onnx.value, !onnx.value) -> !onnx.value
  %6 = onnx.node "MatMul"(%f, %4) : (tensor<?x2xf32>, !onnx.value) -> !onnx.value
  return %2, %5, %6 : !onnx.value, !onnx.value, !onnx.value
}
