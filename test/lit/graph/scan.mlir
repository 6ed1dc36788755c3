// What a user is told about Scan.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 16 : i64}} {
  func.func @main(%a0: tensor<f32>, %a1: tensor<3xf32>) -> !onnx.value {
    // expected-error @below {{num_scan_inputs is 3, expected 1 to 2}}
    %0:2 = onnx.node "Scan"(%a0, %a1) {num_scan_inputs = 3 : i64} subgraphs "body" {
    ^bb0(%b0: tensor<f32>, %b1: tensor<f32>):
      %1 = onnx.node "Add"(%b0, %b1) : (tensor<f32>, tensor<f32>) -> !onnx.value
      onnx.return %1, %1 : !onnx.value, !onnx.value
    } : (tensor<f32>, tensor<3xf32>) -> (!onnx.value, !onnx.value)
    return %0#1 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 16 : i64}} {
  func.func @main(%a0: tensor<f32>, %a1: tensor<3xf32>) -> !onnx.value {
    // expected-error @below {{scan_input_axes has 2 entries, expected 1}}
    %0:2 = onnx.node "Scan"(%a0, %a1) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 0, 0>} subgraphs "body" {
    ^bb0(%b0: tensor<f32>, %b1: tensor<f32>):
      %1 = onnx.node "Add"(%b0, %b1) : (tensor<f32>, tensor<f32>) -> !onnx.value
      onnx.return %1, %1 : !onnx.value, !onnx.value
    } : (tensor<f32>, tensor<3xf32>) -> (!onnx.value, !onnx.value)
    return %0#1 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 16 : i64}} {
  func.func @main(%a0: tensor<f32>, %a1: tensor<3xf32>) -> !onnx.value {
    // expected-error @below {{its body has 2 inputs and 1 outputs, expected 2 and 2}}
    %0:2 = onnx.node "Scan"(%a0, %a1) {num_scan_inputs = 1 : i64} subgraphs "body" {
    ^bb0(%b0: tensor<f32>, %b1: tensor<f32>):
      %1 = onnx.node "Add"(%b0, %b1) : (tensor<f32>, tensor<f32>) -> !onnx.value
      onnx.return %1 : !onnx.value
    } : (tensor<f32>, tensor<3xf32>) -> (!onnx.value, !onnx.value)
    return %0#1 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 16 : i64}} {
  func.func @main(%a0: tensor<f32>, %a1: tensor<3xf32>) -> !onnx.value {
    // expected-error @below {{output 0 of its body has another element type or number of dimensions than the state}}
    %0:2 = onnx.node "Scan"(%a0, %a1) {num_scan_inputs = 1 : i64} subgraphs "body" {
    ^bb0(%b0: tensor<f32>, %b1: tensor<f32>):
      %1 = onnx.node "Add"(%a1, %b1) : (tensor<3xf32>, tensor<f32>) -> !onnx.value
      onnx.return %1, %1 : !onnx.value, !onnx.value
    } : (tensor<f32>, tensor<3xf32>) -> (!onnx.value, !onnx.value)
    return %0#1 : !onnx.value
  }
}
