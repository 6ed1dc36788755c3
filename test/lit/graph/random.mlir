// What a user is told about random results that cannot be made.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    // expected-error @below {{attribute shape is missing}}
    %0 = onnx.node "RandomNormal"() : () -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    // expected-error @below {{attribute shape has the entry -1, expected 0 or more}}
    %0 = onnx.node "RandomUniform"() {shape = array<i64: -1>} : () -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    // expected-error @below {{its elements must be f16, bf16, f32 or f64}}
    %0 = onnx.node "RandomNormal"() {shape = array<i64: 2>, dtype = 7 : i64} : () -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3xf32>) -> !onnx.value {
    // expected-error @below {{sample_size is 0, expected 1 or more}}
    %0 = onnx.node "Multinomial"(%x) {sample_size = 0 : i64} : (tensor<2x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{its input has 1 dimensions, expected 2}}
    %0 = onnx.node "Multinomial"(%x) : (tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
