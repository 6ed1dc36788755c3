// What a user is told about elementwise operators.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<2xi32>) -> !onnx.value {
    // expected-error @below {{its inputs have different element types}}
    %0 = onnx.node "Add"(%a0, %a1) : (tensor<2xf32>, tensor<2xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi1>, %a1: tensor<2xi1>) -> !onnx.value {
    // expected-error @below {{has no meaning for booleans}}
    %0 = onnx.node "Add"(%a0, %a1) : (tensor<2xi1>, tensor<2xi1>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi32>, %a1: tensor<2xi32>) -> !onnx.value {
    // expected-error @below {{its inputs have no floating-point elements}}
    %0 = onnx.node "Mean"(%a0, %a1) : (tensor<2xi32>, tensor<2xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi32>) -> !onnx.value {
    // expected-error @below {{its input has no floating-point elements}}
    %0 = onnx.node "Exp"(%a0) : (tensor<2xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{its inputs have no boolean elements}}
    %0 = onnx.node "And"(%a0, %a1) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{its inputs have no integer elements}}
    %0 = onnx.node "BitwiseOr"(%a0, %a1) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xi32>, %a1: tensor<2xi32>) -> !onnx.value {
    // expected-error @below {{direction is 'UP', expected LEFT or RIGHT}}
    %0 = onnx.node "BitShift"(%a0, %a1) {direction = "UP"} : (tensor<2xi32>, tensor<2xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{its condition has no boolean elements}}
    %0 = onnx.node "Where"(%a0, %a1, %a2) : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{input 1 is not a scalar}}
    %0 = onnx.node "Clip"(%a0, %a1) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{approximate is 'erf', expected none or tanh}}
    %0 = onnx.node "Gelu"(%a0) {approximate = "erf"} : (tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{cannot cast to the element type 8; numbers and booleans are supported}}
    %0 = onnx.node "Cast"(%a0) {to = 8 : i64} : (tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>) -> !onnx.value {
    // expected-error @below {{round_mode is 'odd', expected up, down or nearest}}
    %0 = onnx.node "Cast"(%a0) {to = 24 : i64, round_mode = "odd"} : (tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2xf32>, %a1: tensor<f32>, %a2: tensor<2xi1>) -> !onnx.value {
    // expected-error @below {{training_mode is not a boolean scalar}}
    %0 = onnx.node "Dropout"(%a0, %a1, %a2) : (tensor<2xf32>, tensor<f32>, tensor<2xi1>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 25 : i64}} {
  func.func @main(%a0: tensor<2x3xf32>, %a1: tensor<f32>) -> !onnx.value {
    // expected-error @below {{has 2 inputs, expected 1}}
    %0 = onnx.node "Relu"(%a0, %a1) : (tensor<2x3xf32>, tensor<f32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
