// What a user is told about transforms, losses and states that do not fit.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16x3xf32>) -> !onnx.value {
    // expected-error @below {{the last dimension of its input is 3, expected 1 for real or 2 for complex numbers}}
    %0 = onnx.node "DFT"(%x) : (tensor<2x16x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16x2xf32>) -> !onnx.value {
    // expected-error @below {{a onesided transform needs real numbers, its input has complex ones}}
    %0 = onnx.node "DFT"(%x) {onesided = 1 : i64} : (tensor<2x16x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16x2xf32>) -> !onnx.value {
    %n = onnx.initializer "n" = dense<0> : tensor<i64>
    // expected-error @below {{the length of the transform is 0, expected 1 or more}}
    %0 = onnx.node "DFT"(%x, %n) : (tensor<2x16x2xf32>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16x2xf32>, %n: tensor<i64>) -> !onnx.value {
    %a = onnx.initializer "a" = dense<2> : tensor<i64>
    // expected-error @below {{axis 2 is the last dimension, which holds the parts of complex numbers}}
    %0 = onnx.node "DFT"(%x, %n, %a) : (tensor<2x16x2xf32>, tensor<i64>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<4> : tensor<i64>
    // expected-error @below {{it has neither a window nor a frame_length}}
    %0 = onnx.node "STFT"(%x, %s) : (tensor<2x16xf32>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16xf32>, %w: tensor<20xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<4> : tensor<i64>
    // expected-error @below {{the signal is shorter than a frame}}
    %0 = onnx.node "STFT"(%x, %s, %w) : (tensor<2x16xf32>, tensor<i64>, tensor<20xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16xf32>, %w: tensor<8xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<0> : tensor<i64>
    // expected-error @below {{frame_step is not positive}}
    %0 = onnx.node "STFT"(%x, %s, %w) : (tensor<2x16xf32>, tensor<i64>, tensor<8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x16x2xf32>, %w: tensor<8xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<4> : tensor<i64>
    // expected-error @below {{a onesided transform needs real numbers, its signal has complex ones}}
    %0 = onnx.node "STFT"(%x, %s, %w) : (tensor<2x16x2xf32>, tensor<i64>, tensor<8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<3x4xf32>) -> !onnx.value {
    // expected-error @below {{its matrices are not square}}
    %0 = onnx.node "Det"(%x) : (tensor<3x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<4xf32>) -> !onnx.value {
    // expected-error @below {{its input has 1 dimensions, expected at least 2}}
    %0 = onnx.node "Det"(%x) : (tensor<4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 26 : i64}} {
  func.func @main(%x: tensor<4xf32>) -> !onnx.value {
    // expected-error @below {{its input has elements of 32 bits, those of its result have 16}}
    %0 = onnx.node "BitCast"(%x) {to = 10 : i64} : (tensor<4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<4x5xf32>, %t: tensor<4xi64>) -> !onnx.value {
    // expected-error @below {{reduction is 'max', expected none, sum or mean}}
    %0 = onnx.node "NegativeLogLikelihoodLoss"(%x, %t) {reduction = "max"} : (tensor<4x5xf32>, tensor<4xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<4x5xf32>, %t: tensor<3xi64>) -> !onnx.value {
    // expected-error @below {{the dimensions of the labels do not fit}}
    %0 = onnx.node "SoftmaxCrossEntropyLoss"(%x, %t) : (tensor<4x5xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<4x5x2xf32>, %t: tensor<4xi64>) -> !onnx.value {
    // expected-error @below {{its inputs have 3 and 1 dimensions, expected 2 or more and one less}}
    %0 = onnx.node "NegativeLogLikelihoodLoss"(%x, %t) : (tensor<4x5x2xf32>, tensor<4xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 27 : i64}} {
  func.func @main(%x: tensor<2x3x8xf32>, %w: tensor<3x1x4xf32>) -> !onnx.value {
    // expected-error @below {{activation is 'relu', expected none, silu or swish}}
    %0 = onnx.node "CausalConvWithState"(%x, %w) {activation = "relu"} : (tensor<2x3x8xf32>, tensor<3x1x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 27 : i64}} {
  func.func @main(%x: tensor<2x3x8xf32>, %w: tensor<4x1x4xf32>) -> !onnx.value {
    // expected-error @below {{the weights do not have one channel each}}
    %0 = onnx.node "CausalConvWithState"(%x, %w) : (tensor<2x3x8xf32>, tensor<4x1x4xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 27 : i64}} {
  func.func @main(%q: tensor<1x4x8xf32>) -> !onnx.value {
    // expected-error @below {{update_rule 'gated_delta' needs a decay}}
    %0 = onnx.node "LinearAttention"(%q, %q, %q) {q_num_heads = 2 : i64, kv_num_heads = 2 : i64} : (tensor<1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 27 : i64}} {
  func.func @main(%q: tensor<1x4x8xf32>) -> !onnx.value {
    // expected-error @below {{q_num_heads is 3 and kv_num_heads 2, expected a positive multiple and a positive number}}
    %0 = onnx.node "LinearAttention"(%q, %q, %q) {q_num_heads = 3 : i64, kv_num_heads = 2 : i64, update_rule = "linear"} : (tensor<1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 27 : i64}} {
  func.func @main(%q: tensor<1x4x8xf32>, %k: tensor<1x5x8xf32>) -> !onnx.value {
    // expected-error @below {{the batches or lengths of its inputs differ}}
    %0 = onnx.node "LinearAttention"(%q, %k, %q) {q_num_heads = 2 : i64, kv_num_heads = 2 : i64, update_rule = "linear"} : (tensor<1x4x8xf32>, tensor<1x5x8xf32>, tensor<1x4x8xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    %n = onnx.initializer "n" = dense<-3> : tensor<i64>
    // expected-error @below {{is -3}}
    %0 = onnx.node "HannWindow"(%n) : (tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}
