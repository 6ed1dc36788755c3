// What a user is told about softmax and normalizations.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x4xf32>, %n: tensor<2x4xi32>, %c: tensor<2x3x4xf32>, %w: tensor<5xf32>, %h: tensor<4xf16>, %v: tensor<3xf32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
    // expected-error @below {{operator Softmax (domain ai.onnx, version 21): axis 2 is out of range for 2 dimensions}}
    %0 = onnx.node "Softmax"(%x) {axis = 2 : i64} : (tensor<2x4xf32>) -> !onnx.value
    // expected-error @below {{input 0 has element type i32, expected a float type}}
    %1 = onnx.node "Softmax"(%n) : (tensor<2x4xi32>) -> !onnx.value
    // expected-error @below {{input 1 has a dimension of 5, expected 4}}
    %2 = onnx.node "LayerNormalization"(%x, %w) : (tensor<2x4xf32>, tensor<5xf32>) -> !onnx.value
    // expected-error @below {{stash_type must be a float type}}
    %3 = onnx.node "LayerNormalization"(%x, %v) {stash_type = 7 : i64} : (tensor<2x4xf32>, tensor<3xf32>) -> !onnx.value
    // expected-error @below {{num_groups is 0, expected 1 or more}}
    %4 = onnx.node "GroupNormalization"(%c, %v, %v) {num_groups = 0 : i64} : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>) -> !onnx.value
    // expected-error @below {{p is 3, expected 1 or 2}}
    %5 = onnx.node "LpNormalization"(%x) {p = 3 : i64} : (tensor<2x4xf32>) -> !onnx.value
    return %0, %1, %2, %3, %4, %5 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 9 : i64}} {
  func.func @main(%x: tensor<2x3x4xf32>, %v: tensor<3xf32>) -> (!onnx.value, !onnx.value) {
    // expected-error @below {{training is not supported before version 14; export the model for inference}}
    %0:2 = onnx.node "BatchNormalization"(%x, %v, %v, %v, %v) : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> (!onnx.value, !onnx.value)
    return %0#0, %0#1 : !onnx.value, !onnx.value
  }
}
