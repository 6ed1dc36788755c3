// What a user is told about pooling.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x2x8x8xf32>, %m: tensor<2x4xf32>, %b: tensor<1x2x8x8xi1>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
    // expected-error @below {{operator MaxPool (domain ai.onnx, version 21): kernel_shape is missing}}
    %0 = onnx.node "MaxPool"(%x) : (tensor<1x2x8x8xf32>) -> !onnx.value
    // expected-error @below {{strides has 1 entries, expected 2}}
    %1 = onnx.node "MaxPool"(%x) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2>} : (tensor<1x2x8x8xf32>) -> !onnx.value
    // expected-error @below {{an entry of dilations is 0, expected 1 or more}}
    %2 = onnx.node "AveragePool"(%x) {kernel_shape = array<i64: 2, 2>, dilations = array<i64: 0, 1>} : (tensor<1x2x8x8xf32>) -> !onnx.value
    // expected-error @below {{auto_pad is 'SAME', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER}}
    %3 = onnx.node "LpPool"(%x) {kernel_shape = array<i64: 2, 2>, auto_pad = "SAME"} : (tensor<1x2x8x8xf32>) -> !onnx.value
    // expected-error @below {{its input has 2 dimensions, expected at least 3}}
    %4 = onnx.node "AveragePool"(%m) {kernel_shape = array<i64: 2, 2>} : (tensor<2x4xf32>) -> !onnx.value
    // expected-error @below {{its input has element type bool}}
    %5 = onnx.node "MaxPool"(%b) {kernel_shape = array<i64: 2, 2>} : (tensor<1x2x8x8xi1>) -> !onnx.value
    return %0, %1, %2, %3, %4, %5 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
  }
}
