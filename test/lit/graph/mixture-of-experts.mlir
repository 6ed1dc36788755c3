// What a user is told about mixtures of experts.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{k is 0, expected 1 to 64}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {k = 0 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{chooses 5 of 4 experts}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {k = 5 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{use_sparse_mixer is not supported}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {use_sparse_mixer = 1 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{activation_type is geglu, expected relu, gelu, silu, swiglu or identity}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {activation_type = "geglu"} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{swiglu without swiglu_fusion needs the weights of fc3}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) {activation_type = "swiglu"} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>, %a4: tensor<4x24x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{fc3 needs silu or swiglu without swiglu_fusion}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3, %none, %a4) : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>, !onnx.value, tensor<4x24x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{router_probs has 1 dimensions, expected 2}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) : (tensor<5x16xf32>, tensor<4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf64>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x16xf32>, %a3: tensor<4x16x24xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{its tensors of floats have to be f32, f16 or bf16}}
    %0 = onnx.node "MoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %a3) : (tensor<5x16xf64>, tensor<5x4xf32>, tensor<4x24x16xf32>, !onnx.value, tensor<4x16x24xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x24xf32>, %a4: tensor<4x16x12xui8>, %a5: tensor<4x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{quant_type is fp8, expected int}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %a3, %none, %a4, %a5) {quant_type = "fp8"} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, tensor<4x24xf32>, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x24xf32>, %a4: tensor<4x16x12xui8>, %a5: tensor<4x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{weights of 3 bits are not supported, expected 2, 4 or 8}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %a3, %none, %a4, %a5) {expert_weight_bits = 3 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, tensor<4x24xf32>, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x24xf32>, %a4: tensor<4x16x12xui8>, %a5: tensor<4x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{prepacked weights are not supported; expected weights_prepacked 0 or -1}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %a3, %none, %a4, %a5) {weights_prepacked = 1 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, tensor<4x24xf32>, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x24xf32>, %a4: tensor<4x16x12xui8>, %a5: tensor<4x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{block_size is 24, expected a power of two from 16 on}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %a3, %none, %a4, %a5) {block_size = 24 : i64} : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, tensor<4x24xf32>, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x16x12xui8>, %a4: tensor<4x16xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 3 (scales) must not be left out}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %none, %none, %a3, %a4) : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, !onnx.value, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 24 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a0: tensor<5x16xf32>, %a1: tensor<5x4xf32>, %a2: tensor<4x24x8xui8>, %a3: tensor<4x24xf32>, %a4: tensor<4x16x12xui8>, %a5: tensor<4x16xf32>, %a6: tensor<5x4xf32>) -> !onnx.value {
    %none = onnx.none : !onnx.value
    // expected-error @below {{input 14 is not supported}}
    %0 = onnx.node "QMoE" domain "com.microsoft"(%a0, %a1, %a2, %a3, %none, %a4, %a5, %none, %none, %none, %none, %none, %none, %none, %a6) : (tensor<5x16xf32>, tensor<5x4xf32>, tensor<4x24x8xui8>, tensor<4x24xf32>, !onnx.value, tensor<4x16x12xui8>, tensor<4x16xf32>, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, tensor<5x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
