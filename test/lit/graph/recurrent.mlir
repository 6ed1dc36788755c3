// What a user is told about recurrent layers.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 17 : i64}} {
  func.func @main(%x: tensor<5x2x4xf32>, %m: tensor<2x4xf32>, %d: tensor<1x3x4xf64>, %w: tensor<1x3x4xf32>, %r: tensor<1x3x3xf32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
    // expected-error @below {{operator RNN (domain ai.onnx, version 17): direction is backward, expected forward, reverse or bidirectional}}
    %0 = onnx.node "RNN"(%x, %w, %r) {direction = "backward"} : (tensor<5x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{input 0 has 2 dimensions, expected 3}}
    %1 = onnx.node "RNN"(%m, %w, %r) : (tensor<2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{its inputs have different element types}}
    %2 = onnx.node "RNN"(%x, %d, %r) : (tensor<5x2x4xf32>, tensor<1x3x4xf64>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{hidden_size is 4, but the recurrent weights have 3 columns}}
    %3 = onnx.node "RNN"(%x, %w, %r) {hidden_size = 4 : i64} : (tensor<5x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{activations has 2 entries, expected 1}}
    %4 = onnx.node "RNN"(%x, %w, %r) {activations = ["Tanh", "Tanh"]} : (tensor<5x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{activation 'Sine' does not exist}}
    %5 = onnx.node "RNN"(%x, %w, %r) {activations = ["Sine"]} : (tensor<5x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    // expected-error @below {{input 1 does not fit the others}}
    %6 = onnx.node "GRU"(%x, %w, %r) : (tensor<5x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x3xf32>) -> !onnx.value
    return %0, %1, %2, %3, %4, %5, %6 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
  }
}
