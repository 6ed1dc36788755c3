// What a user is told about quantization.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2x3xf32>, %a1: tensor<3x1xf32>) -> !onnx.value {
    // expected-error @below {{input 1 has 2 dimensions, expected 1 (or block_size)}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) : (tensor<2x3xf32>, tensor<3x1xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2x3xf32>, %a1: tensor<3xf32>) -> !onnx.value {
    // expected-error @below {{axis 2 is out of range for 2 dimensions}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) {axis = 2 : i64} : (tensor<2x3xf32>, tensor<3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2x4xf32>, %a1: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{input 1 has 1 dimensions; with blocks it has those of the first input, which are 2}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) {block_size = 2 : i64} : (tensor<2x4xf32>, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2x4xf32>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{block_size is -2, expected 0 or more}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) {block_size = -2 : i64} : (tensor<2x4xf32>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<f32>, %a2: tensor<ui8>) -> !onnx.value {
    // expected-error @below {{output_dtype is not the element type of the zero point}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1, %a2) {output_dtype = 3 : i64} : (tensor<2xf32>, tensor<f32>, tensor<ui8>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{cannot quantize to this element type; integers of up to 16 bits, float8 and float4 are supported}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) {output_dtype = 6 : i64} : (tensor<2xf32>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{output_dtype is the unknown element type 99}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) {output_dtype = 99 : i64} : (tensor<2xf32>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<i32>) -> !onnx.value {
    // expected-error @below {{its scale has no floating-point elements}}
    %0 = onnx.node "QuantizeLinear"(%a0, %a1) : (tensor<2xf32>, tensor<i32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi8>, %a1: tensor<f32>, %a2: tensor<ui8>) -> !onnx.value {
    // expected-error @below {{its zero point has not the element type of its input}}
    %0 = onnx.node "DequantizeLinear"(%a0, %a1, %a2) : (tensor<2xi8>, tensor<f32>, tensor<ui8>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi8>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{output_dtype is no floating-point type}}
    %0 = onnx.node "DequantizeLinear"(%a0, %a1) {output_dtype = 6 : i64} : (tensor<2xi8>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi1>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{its input has neither integers nor float8 elements}}
    %0 = onnx.node "DequantizeLinear"(%a0, %a1) : (tensor<2xi1>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
