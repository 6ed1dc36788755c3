// What a user is told about products and convolutions that do not fit.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>, %d: tensor<3x5xf64>, %s: tensor<f32>) -> !onnx.value {
    // expected-error @below {{operator MatMul (domain ai.onnx, version 21): cannot multiply rows of 3 by columns of 4 elements}}
    %0 = onnx.node "MatMul"(%a, %b) : (tensor<2x3xf32>, tensor<4x5xf32>) -> !onnx.value
    // expected-error @below {{its inputs have different element types}}
    %1 = onnx.node "MatMul"(%a, %d) : (tensor<2x3xf32>, tensor<3x5xf64>) -> !onnx.value
    // expected-error @below {{an input has no dimensions, expected at least 1}}
    %2 = onnx.node "MatMul"(%a, %s) : (tensor<2x3xf32>, tensor<f32>) -> !onnx.value
    // expected-error @below {{operator Gemm (domain ai.onnx, version 21): input 1 has 0 dimensions, expected 2}}
    %3 = onnx.node "Gemm"(%a, %s) : (tensor<2x3xf32>, tensor<f32>) -> !onnx.value
    return %3 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %v: tensor<6x3x3x3xf32>) -> !onnx.value {
    // expected-error @below {{the input has 4 channels, but the weights and group ask for 3}}
    %0 = onnx.node "Conv"(%x, %v) : (tensor<1x4x8x8xf32>, tensor<6x3x3x3xf32>) -> !onnx.value
    // expected-error @below {{kernel_shape says 5, but the weights have 3}}
    %1 = onnx.node "Conv"(%x, %w) {kernel_shape = array<i64: 5, 3>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    // expected-error @below {{strides has the entry 0, expected at least 1}}
    %2 = onnx.node "Conv"(%x, %w) {strides = array<i64: 1, 0>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    // expected-error @below {{pads has 2 entries, expected 4}}
    %3 = onnx.node "Conv"(%x, %w) {pads = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    // expected-error @below {{auto_pad is 'SAME', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER}}
    %4 = onnx.node "Conv"(%x, %w) {auto_pad = "SAME"} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    return %4 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%a: tensor<2x3xui8>, %b: tensor<3x5xi8>, %z: tensor<4xi8>, %u: tensor<ui8>, %f: tensor<2x3xf32>, %s: tensor<f32>) -> !onnx.value {
    // expected-error @below {{input 3 has 4 elements, expected 1 or 5}}
    %0 = onnx.node "MatMulInteger"(%a, %b, %u, %z) : (tensor<2x3xui8>, tensor<3x5xi8>, tensor<ui8>, tensor<4xi8>) -> !onnx.value
    // expected-error @below {{the type of zero point 3 is not that of its matrix}}
    %1 = onnx.node "MatMulInteger"(%a, %b, %u, %u) : (tensor<2x3xui8>, tensor<3x5xi8>, tensor<ui8>, tensor<ui8>) -> !onnx.value
    // expected-error @below {{input 0 must be of 8-bit integers}}
    %2 = onnx.node "MatMulInteger"(%f, %b) : (tensor<2x3xf32>, tensor<3x5xi8>) -> !onnx.value
    return %2 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<5xf32>) -> !onnx.value {
    // expected-error @below {{input 2 has 5 elements, expected 6}}
    %0 = onnx.node "Conv"(%x, %w, %b) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<5xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64, "com.microsoft" = 1 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %v: tensor<4x2x3x3xf32>, %a: tensor<2x32xf32>, %b: tensor<8x1x16xui8>, %s: tensor<8x1xf32>, %t: tensor<7x1xf32>, %i: tensor<32xi32>) -> !onnx.value {
    // expected-error @below {{the input has 4 channels, but the weights have 6}}
    %0 = onnx.node "ConvTranspose"(%x, %w) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    // expected-error @below {{output_padding has 1 entries, expected 2}}
    %1 = onnx.node "ConvTranspose"(%x, %v) {output_padding = array<i64: 1>} : (tensor<1x4x8x8xf32>, tensor<4x2x3x3xf32>) -> !onnx.value
    // expected-error @below {{input 2 has 7 elements, expected 8}}
    %2 = onnx.node "MatMulNBits" domain "com.microsoft"(%a, %b, %t) {K = 32 : i64, N = 8 : i64, block_size = 32 : i64} : (tensor<2x32xf32>, tensor<8x1x16xui8>, tensor<7x1xf32>) -> !onnx.value
    return %2 : !onnx.value
  }
}
