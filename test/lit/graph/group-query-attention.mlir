// What a user is told about GroupQueryAttention.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{num_heads is 4 and kv_num_heads 3; the first has to be a multiple of the second}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 3 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{k_quant_type is PER_TENSOR; caches of quantized keys and values are not supported, expected NONE}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, k_quant_type = "PER_TENSOR"} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{output_qk is not supported; expected qk_output 0}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, qk_output = 1 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{local_window_size is 0, expected -1 or a positive number}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, local_window_size = 0 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{local_window_size needs causal attention}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, local_window_size = 2 : i64, causal = 0 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{sliding_window_cache needs local_window_size}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, sliding_window_cache = 1 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>, %a7: tensor<1xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 12 (scales of quantized caches) is not supported}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6, %none, %none, %none, %none, %none, %a7) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, tensor<1xf32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>, %a7: tensor<8xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 14 (norms of queries and keys) is not supported}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6, %none, %none, %none, %none, %none, %none, %none, %a7) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, tensor<8xf32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>) -> !onnx.value {
    // expected-error @below {{input 6 must not be left out}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x2x4x8xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2xi32>, %a5: tensor<i32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{keys and values need one another}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %none, %a2, %a3, %a4, %a5) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, !onnx.value, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi64>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{input 5 is not of type int32}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi64>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x33xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{the query has 33 columns, which is no multiple of its 4 heads}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x33xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>) -> !onnx.value {
    // expected-error @below {{do_rotary needs cos_cache and sin_cache}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6) {num_heads = 4 : i64, kv_num_heads = 2 : i64, do_rotary = 1 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<2x1x32xf32>, %a1: tensor<2x1x16xf32>, %a2: tensor<2x1x16xf32>, %a3: tensor<2x2x4x8xf32>, %a4: tensor<2x2x4x8xf32>, %a5: tensor<2xi32>, %a6: tensor<i32>, %a7: tensor<4x1x5xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{attention_bias has 3 dimensions, expected 4}}
    %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft"(%a0, %a1, %a2, %a3, %a4, %a5, %a6, %none, %none, %none, %a7) {num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x32xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2xi32>, tensor<i32>, !onnx.value, !onnx.value, !onnx.value, tensor<4x1x5xf32>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#2 : !onnx.value
  }
}
