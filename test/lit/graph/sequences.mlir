// What a user is told about sequences that cannot be resolved.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>, %p: tensor<i64>) -> !onnx.value {
    %s = onnx.node "SequenceConstruct"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    // expected-error @below {{its position is computed while the model runs; sequences are resolved while it is compiled}}
    %0 = onnx.node "SequenceAt"(%s, %p) : (!onnx.value, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "SequenceConstruct"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    %p = onnx.initializer "p" = dense<2> : tensor<i64>
    // expected-error @below {{position 2 is out of range for 2 places}}
    %0 = onnx.node "SequenceAt"(%s, %p) : (!onnx.value, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %p = onnx.initializer "p" = dense<0> : tensor<i64>
    // expected-error @below {{input 0 must be a sequence}}
    %0 = onnx.node "SequenceAt"(%x, %p) : (tensor<2x6xf32>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "SequenceConstruct"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    // expected-error @below {{input 0 is a sequence or an optional value; these are resolved while the model is compiled, which this operator does not allow}}
    %0 = onnx.node "Relu"(%s) : (!onnx.value) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>, %y: tensor<2x6xi32>) -> !onnx.value {
    // expected-error @below {{input 1 has element type i32, expected f32}}
    %0 = onnx.node "SequenceConstruct"(%x, %y) : (tensor<2x6xf32>, tensor<2x6xi32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "SequenceConstruct"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    // expected-error @below {{attribute axis is missing}}
    %0 = onnx.node "ConcatFromSequence"(%s) : (!onnx.value) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "SequenceConstruct"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    // expected-error @below {{axis 2 is out of range for 2 dimensions}}
    %0 = onnx.node "ConcatFromSequence"(%s) {axis = 2 : i64} : (!onnx.value) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "SequenceEmpty"() : () -> !onnx.value
    // expected-error @below {{the sequence is empty}}
    %0 = onnx.node "SequenceErase"(%s) : (!onnx.value) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<?x6xf32>) -> !onnx.value {
    // expected-error @below {{the dimension that is split is not known, so that the number of parts is not known, either}}
    %0 = onnx.node "SplitToSequence"(%x) : (tensor<?x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>, %n: tensor<i64>) -> !onnx.value {
    // expected-error @below {{split must be a positive constant}}
    %0 = onnx.node "SplitToSequence"(%x, %n) : (tensor<2x6xf32>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %n = onnx.initializer "n" = dense<[1, 2]> : tensor<2xi64>
    // expected-error @below {{the lengths do not add up to the dimension}}
    %0 = onnx.node "SplitToSequence"(%x, %n) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.node "Optional"() : () -> !onnx.value
    // expected-error @below {{its input holds nothing}}
    %0 = onnx.node "OptionalGetElement"(%s) : (!onnx.value) -> !onnx.value
    return %0 : !onnx.value
  }
}
