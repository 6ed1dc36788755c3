// Constant weights of convolutions are packed where kernels read them so; other readers get them as the file has them.
// RUN: llmopt-opt %s -split-input-file -llmopt-place-graph | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-place-graph -kernel-expand-graph -verify-diagnostics -o /dev/null

// CHECK: kernel.weight_data @convolution_0 "w" : !kernel.weight<6x36, conv_f32> at 0 bytes 9216 parts [{{.*}}taps = 9 : i64
// CHECK: kernel.weight_data @{{.*}} "b" : !kernel.weight<1x20, bytes>
module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xf32>) -> !onnx.value {
    %w = onnx.initializer "w" = dense<0.5> : tensor<6x4x3x3xf32>
    %b = onnx.initializer "b" = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
    // expected-error @below {{operator Conv (domain ai.onnx, version 21): input 2 has 5 elements, expected 6}}
    %0 = onnx.node "Conv"(%x, %w, %b) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<5xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

// CHECK: kernel.weight_data @convolution_0 "w" : !kernel.weight<32x9, depthwise_f32> at 0 bytes 1152
module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x16x8x8xf32>) -> !onnx.value {
    %w = onnx.initializer "w" = dense<0.5> : tensor<32x1x3x3xf32>
    // expected-error @below {{the input has 16 channels, but the weights and group ask for 32}}
    %0 = onnx.node "Conv"(%x, %w) {group = 32 : i64} : (tensor<1x16x8x8xf32>, tensor<32x1x3x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

// CHECK: kernel.weight_data @convolution_0 "w" : !kernel.weight<8x4, conv_int8> at {{[0-9]+}} bytes 512
module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xi8>) -> !onnx.value {
    %w = onnx.initializer "w" = dense<1> : tensor<8x4x1x1xi8>
    %z = onnx.initializer "z" = dense<3> : tensor<ui8>
    // expected-error @below {{expected an input of unsigned 8-bit integers}}
    %0 = onnx.node "ConvInteger"(%x, %w, %z) : (tensor<1x4x8x8xi8>, tensor<8x4x1x1xi8>, tensor<ui8>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

// Weights with a second reader, of a group, and for signed images.
// CHECK-NOT: conv_
// CHECK-NOT: depthwise_
module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x4x8x8xf32>, %y: tensor<1x4x8x8xi8>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value) {
    %v = onnx.initializer "v" = dense<0.5> : tensor<6x4x3x3xf32>
    %w = onnx.initializer "w" = dense<0.5> : tensor<6x2x3x3xf32>
    %u = onnx.initializer "u" = dense<1> : tensor<8x4x1x1xi8>
    %z = onnx.initializer "z" = dense<3> : tensor<i8>
    %0 = onnx.node "Conv"(%x, %v) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> !onnx.value
    %1 = onnx.node "Relu"(%v) : (tensor<6x4x3x3xf32>) -> !onnx.value
    %2 = onnx.node "Conv"(%x, %w) {group = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> !onnx.value
    %3 = onnx.node "ConvInteger"(%y, %u, %z) : (tensor<1x4x8x8xi8>, tensor<8x4x1x1xi8>, tensor<i8>) -> !onnx.value
    return %0, %1, %2, %3 : !onnx.value, !onnx.value, !onnx.value, !onnx.value
  }
}
