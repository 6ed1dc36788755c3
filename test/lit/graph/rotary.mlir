// What a user is told about rotary embeddings.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf32>, %a3: tensor<2x3xi64>) -> !onnx.value {
    // expected-error @below {{num_heads is missing, which an input of 3 dimensions needs}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2, %a3) : (tensor<2x3x32xf32>, tensor<16x4xf32>, tensor<16x4xf32>, tensor<2x3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf32>) -> !onnx.value {
    // expected-error @below {{its cosines and sines have 2 dimensions, expected 3}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2) : (tensor<2x4x3x8xf32>, tensor<16x4xf32>, tensor<16x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf16>, %a3: tensor<2x3xi64>) -> !onnx.value {
    // expected-error @below {{its inputs have different element types}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2, %a3) : (tensor<2x4x3x8xf32>, tensor<16x4xf32>, tensor<16x4xf16>, tensor<2x3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf32>, %a3: tensor<2x3xi64>) -> !onnx.value {
    // expected-error @below {{rotary_embedding_dim is 3, expected an even number}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2, %a3) {rotary_embedding_dim = 3 : i64} : (tensor<2x4x3x8xf32>, tensor<16x4xf32>, tensor<16x4xf32>, tensor<2x3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf32>, %a3: tensor<3xi64>) -> !onnx.value {
    // expected-error @below {{position_ids has 1 dimensions, expected 2}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2, %a3) : (tensor<2x4x3x8xf32>, tensor<16x4xf32>, tensor<16x4xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3xf32>, %a1: tensor<16x4xf32>, %a2: tensor<16x4xf32>, %a3: tensor<2x3xi64>) -> !onnx.value {
    // expected-error @below {{its input has 2 dimensions, expected 3 or 4}}
    %0 = onnx.node "RotaryEmbedding"(%a0, %a1, %a2, %a3) : (tensor<2x3xf32>, tensor<16x4xf32>, tensor<16x4xf32>, tensor<2x3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<1xi64>, %a2: tensor<16x4xf32>, %a3: tensor<16x4xf32>) -> !onnx.value {
    // expected-error @below {{is_packed_batching is not supported}}
    %0 = onnx.node "RotaryEmbedding" domain "com.microsoft"(%a0, %a1, %a2, %a3) {is_packed_batching = 1 : i64} : (tensor<2x4x3x8xf32>, tensor<1xi64>, tensor<16x4xf32>, tensor<16x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<1xi64>, %a2: tensor<16x4xf32>, %a3: tensor<16x4xf32>) -> !onnx.value {
    // expected-error @below {{scale is not supported; multiply its result instead}}
    %0 = onnx.node "RotaryEmbedding" domain "com.microsoft"(%a0, %a1, %a2, %a3) {scale = 2.000000e+00 : f32} : (tensor<2x4x3x8xf32>, tensor<1xi64>, tensor<16x4xf32>, tensor<16x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<1xi32>, %a2: tensor<16x4xf32>, %a3: tensor<16x4xf32>) -> !onnx.value {
    // expected-error @below {{position_ids is neither one int64 nor [batch, sequence]}}
    %0 = onnx.node "RotaryEmbedding" domain "com.microsoft"(%a0, %a1, %a2, %a3) : (tensor<2x4x3x8xf32>, tensor<1xi32>, tensor<16x4xf32>, tensor<16x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
