// What a user is told about Attention.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x8xf32>, %a1: tensor<2x8xf32>, %a2: tensor<2x8xf32>) -> !onnx.value {
    // expected-error @below {{Q has 2 dimensions, expected 3 or 4}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) : (tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{Q, K and V differ in the number of dimensions}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{q_num_heads and kv_num_heads have to be positive where Q has 3 dimensions}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x3x32xf32>, %a1: tensor<2x3x32xf32>, %a2: tensor<2x3x32xf32>) -> !onnx.value {
    // expected-error @below {{input 0 has 32 columns, which is no multiple of its 5 heads}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) {q_num_heads = 5 : i64, kv_num_heads = 4 : i64} : (tensor<2x3x32xf32>, tensor<2x3x32xf32>, tensor<2x3x32xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x3x5x8xf32>, %a2: tensor<2x3x5x8xf32>) -> !onnx.value {
    // expected-error @below {{has 4 heads of Q and 3 of K; the first has to be a multiple of the second}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) : (tensor<2x4x3x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf16>, %a2: tensor<2x4x3x8xf32>) -> !onnx.value {
    // expected-error @below {{Q and K have different element types}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf16>, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>, %a3: tensor<2x4x3x8xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{past_key and past_value need one another}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2, %none, %a3) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, !onnx.value, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>, %a3: tensor<2x4x3x8xf32>, %a4: tensor<2x4x3x8xf32>, %a5: tensor<2xi64>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{nonpad_kv_seqlen cannot be combined with past_key}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2, %none, %a3, %a4, %a5) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, !onnx.value, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>, %a3: tensor<2xi32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{nonpad_kv_seqlen is no vector of int64}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2, %none, %none, %none, %a3) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, !onnx.value, !onnx.value, !onnx.value, tensor<2xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>, %a3: tensor<f32>) -> !onnx.value {
    // expected-error @below {{attn_mask has 0 dimensions, expected 1 to 4}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2, %a3) : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>) -> !onnx.value {
    // expected-error @below {{softmax_precision is 6, expected 1, 10, 11 or 16 (a type of floats)}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) {softmax_precision = 6 : i64} : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>) -> !onnx.value {
    // expected-error @below {{qk_matmul_output_mode is 4, expected 0 to 3}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) {qk_matmul_output_mode = 4 : i64} : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x4x3x8xf32>, %a1: tensor<2x4x3x8xf32>, %a2: tensor<2x4x3x8xf32>) -> !onnx.value {
    // expected-error @below {{a window is -2, expected -1 or more}}
    %0 = onnx.node "Attention"(%a0, %a1, %a2) {left_window_size = -2 : i64} : (tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
