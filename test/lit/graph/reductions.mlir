// What a user is told about reductions.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x4xf32>, %b: tensor<2x4xi1>, %n: tensor<?xi64>, %i: tensor<1xi32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
    // expected-error @below {{operator ReduceSum (domain ai.onnx, version 21): axis 2 is out of range for 2 dimensions}}
    %0 = onnx.node "ReduceSum"(%x) {axes = array<i64: 2>} : (tensor<2x4xf32>) -> !onnx.value
    // expected-error @below {{the number of its axes is not known; export the model with constant axes}}
    %1 = onnx.node "ReduceMax"(%x, %n) : (tensor<2x4xf32>, tensor<?xi64>) -> !onnx.value
    // expected-error @below {{input 1 has element type i32, expected i64}}
    %2 = onnx.node "ReduceMin"(%x, %i) : (tensor<2x4xf32>, tensor<1xi32>) -> !onnx.value
    // expected-error @below {{its input has element type bool}}
    %3 = onnx.node "ReduceMean"(%b) : (tensor<2x4xi1>) -> !onnx.value
    // expected-error @below {{its input has 2 dimensions, expected at least 3}}
    %4 = onnx.node "GlobalMaxPool"(%x) : (tensor<2x4xf32>) -> !onnx.value
    // expected-error @below {{axis -3 is out of range for 2 dimensions}}
    %5 = onnx.node "ReduceProd"(%x) {axes = array<i64: -3>} : (tensor<2x4xf32>) -> !onnx.value
    return %0, %1, %2, %3, %4, %5 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
  }
}
