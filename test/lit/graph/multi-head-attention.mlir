// What a user is told about MultiHeadAttention and Attention of com.microsoft.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{num_heads is 0, expected a positive number}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2) : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{input 0 without values is not [batch, length, heads, 3, columns]}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0) {num_heads = 4 : i64} : (tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{input 1 without values is not [batch, length, heads, 2, columns]}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x4x3x8xf32>) -> !onnx.value {
    // expected-error @below {{query, key and value have 3, 3 and 4 dimensions, expected 3, or 3, 4 and 4}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf16>) -> !onnx.value {
    // expected-error @below {{input 2 has another element type than the query}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf16>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>, %a3: tensor<2x4x3x8xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{past_key and past_value need one another}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2, %none, %none, %none, %a3) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, !onnx.value, !onnx.value, !onnx.value, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>, %a3: tensor<1xi32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 8 (caches in shared buffers) is not supported}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2, %none, %none, %none, %none, %none, %a3) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, tensor<1xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>, %a3: tensor<2x3xi64>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 4 is not of type int32}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, !onnx.value, tensor<2x3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>, %a3: tensor<2x1x3x3xi32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{a mask of 4 dimensions is not supported, expected 1 to 3}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, !onnx.value, tensor<2x1x3x3xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>, %a3: tensor<3x3xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{attention_bias has 2 dimensions, expected 4}}
    %0 = onnx.node "MultiHeadAttention" domain "com.microsoft"(%a0, %a1, %a2, %none, %none, %a3) {num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>, !onnx.value, !onnx.value, tensor<3x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<32x96xf32>) -> !onnx.value {
    // expected-error @below {{do_rotary is not supported}}
    %0 = onnx.node "Attention" domain "com.microsoft"(%a0, %a1) {num_heads = 4 : i64, do_rotary = 1 : i64} : (tensor<2x3x32xf32>, tensor<32x96xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<32x96xf32>) -> !onnx.value {
    // expected-error @below {{caches in shared buffers are not supported}}
    %0 = onnx.node "Attention" domain "com.microsoft"(%a0, %a1) {num_heads = 4 : i64, past_present_share_buffer = 1 : i64} : (tensor<2x3x32xf32>, tensor<32x96xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<3x32xf32>, %a1: tensor<32x96xf32>) -> !onnx.value {
    // expected-error @below {{input 0 has 2 dimensions, expected 3}}
    %0 = onnx.node "Attention" domain "com.microsoft"(%a0, %a1) {num_heads = 4 : i64} : (tensor<3x32xf32>, tensor<32x96xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<32x96xf32>) -> !onnx.value {
    // expected-error @below {{qkv_hidden_sizes has 2 numbers, expected 3}}
    %0 = onnx.node "Attention" domain "com.microsoft"(%a0, %a1) {num_heads = 4 : i64, qkv_hidden_sizes = array<i64: 32, 32>} : (tensor<2x3x32xf32>, tensor<32x96xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
