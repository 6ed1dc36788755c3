// What a user is told about movements of elements that do not fit.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    // expected-error @below {{perm has 1 entries, expected 2}}
    %0 = onnx.node "Transpose"(%x) {perm = array<i64: 0>} : (tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    // expected-error @below {{axis 1 is there twice}}
    %0 = onnx.node "Transpose"(%x) {perm = array<i64: 1, 1>} : (tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    // expected-error @below {{axis 2 is out of range for 2 dimensions}}
    %0 = onnx.node "Concat"(%x, %x) {axis = 2 : i64} : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>, %y: tensor<3x6xf32>) -> !onnx.value {
    // expected-error @below {{dimension 0 of its inputs is 2 and 3}}
    %0 = onnx.node "Concat"(%x, %y) {axis = 1 : i64} : (tensor<2x6xf32>, tensor<3x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    // expected-error @below {{attribute axis is missing}}
    %0 = onnx.node "Concat"(%x, %x) : (tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> (!onnx.value, !onnx.value) {
    %s = onnx.initializer "s" = dense<[1, 4]> : tensor<2xi64>
    // expected-error @below {{the lengths add up to 5, expected 6}}
    %0:2 = onnx.node "Split"(%x, %s) {axis = 1 : i64} : (tensor<2x6xf32>, tensor<2xi64>) -> (!onnx.value, !onnx.value)
    return %0#0, %0#1 : !onnx.value, !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
    %s = onnx.initializer "s" = dense<[1, 5]> : tensor<2xi64>
    // expected-error @below {{split has 2 entries, expected one per output (3)}}
    %0:3 = onnx.node "Split"(%x, %s) {axis = 1 : i64} : (tensor<2x6xf32>, tensor<2xi64>) -> (!onnx.value, !onnx.value, !onnx.value)
    return %0#0, %0#1, %0#2 : !onnx.value, !onnx.value, !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[2, -6]> : tensor<2xi64>
    // expected-error @below {{a dimension is -6, expected 0 or more}}
    %0 = onnx.node "Expand"(%x, %s) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<2> : tensor<1xi64>
    // expected-error @below {{repeats has 1 entries, expected 2}}
    %0 = onnx.node "Tile"(%x, %s) : (tensor<2x6xf32>, tensor<1xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<0> : tensor<1xi64>
    %e = onnx.initializer "e" = dense<[1, 2]> : tensor<2xi64>
    // expected-error @below {{starts, ends, axes and steps differ in length}}
    %0 = onnx.node "Slice"(%x, %s, %e) : (tensor<2x6xf32>, tensor<1xi64>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<1> : tensor<1xi64>
    %e = onnx.initializer "e" = dense<9> : tensor<1xi64>
    %a = onnx.initializer "a" = dense<0> : tensor<1xi64>
    %p = onnx.initializer "p" = dense<0> : tensor<1xi64>
    // expected-error @below {{a step is 0}}
    %0 = onnx.node "Slice"(%x, %s, %e, %a, %p) : (tensor<2x6xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[0, 2]> : tensor<2xi64>
    // expected-error @below {{index 2 is out of range for a dimension of 2}}
    %0 = onnx.node "Gather"(%x, %i) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<0.0> : tensor<1xf32>
    // expected-error @below {{indices must be integers}}
    %0 = onnx.node "Gather"(%x, %i) : (tensor<2x6xf32>, tensor<1xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[0, 0, 0]> : tensor<3xi64>
    // expected-error @below {{indices of 3 entries and 0 batch dimensions do not fit data of 2 dimensions}}
    %0 = onnx.node "GatherND"(%x, %i) : (tensor<2x6xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %p = onnx.initializer "p" = dense<[1, 1]> : tensor<2xi64>
    // expected-error @below {{pads has 2 entries, expected 4}}
    %0 = onnx.node "Pad"(%x, %p) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %p = onnx.initializer "p" = dense<[-2, 0, -1, 0]> : tensor<4xi64>
    // expected-error @below {{more of dimension 0 is taken away than the 2 elements that it has}}
    %0 = onnx.node "Pad"(%x, %p) : (tensor<2x6xf32>, tensor<4xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %p = onnx.initializer "p" = dense<1> : tensor<4xi64>
    // expected-error @below {{mode is 'mirror', expected constant, edge, reflect or wrap}}
    %0 = onnx.node "Pad"(%x, %p) {mode = "mirror"} : (tensor<2x6xf32>, tensor<4xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %a = onnx.initializer "a" = dense<0> : tensor<1xi64>
    // expected-error @below {{dimension 0 is 2, expected 1}}
    %0 = onnx.node "Squeeze"(%x, %a) : (tensor<2x6xf32>, tensor<1xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<?x6xf32>) -> !onnx.value {
    // expected-error @below {{dimension 0 is not known, so that it is not known either whether it is dropped; give the axes}}
    %0 = onnx.node "Squeeze"(%x) : (tensor<?x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %a = onnx.initializer "a" = dense<[0, -4]> : tensor<2xi64>
    // expected-error @below {{axis -4 is there twice}}
    %0 = onnx.node "Unsqueeze"(%x, %a) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> (!onnx.value, !onnx.value) {
    %k = onnx.initializer "k" = dense<7> : tensor<1xi64>
    // expected-error @below {{K is 7, expected at most 6}}
    %0:2 = onnx.node "TopK"(%x, %k) : (tensor<2x6xf32>, tensor<1xi64>) -> (!onnx.value, !onnx.value)
    return %0#0, %0#1 : !onnx.value, !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<0> : tensor<1xi64>
    // expected-error @below {{its inputs have different numbers of dimensions}}
    %0 = onnx.node "ScatterElements"(%x, %i, %x) : (tensor<2x6xf32>, tensor<1xi64>, tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<0> : tensor<2x6xi64>
    // expected-error @below {{reduction is 'mean', expected none, add, mul, max or min}}
    %0 = onnx.node "ScatterElements"(%x, %i, %x) {reduction = "mean"} : (tensor<2x6xf32>, tensor<2x6xi64>, tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    %a = onnx.initializer "a" = dense<0> : tensor<i64>
    %b = onnx.initializer "b" = dense<5> : tensor<i64>
    // expected-error @below {{delta is 0}}
    %0 = onnx.node "Range"(%a, %b, %a) : (tensor<i64>, tensor<i64>, tensor<i64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[1.0, 2.0]> : tensor<2xf32>
    %none = onnx.none : !onnx.value
    // expected-error @below {{mode is 'lanczos', expected one of nearest, linear, bilinear, cubic}}
    %0 = onnx.node "Resize"(%x, %none, %s) {mode = "lanczos"} : (tensor<2x6xf32>, !onnx.value, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[1.0, 0.0]> : tensor<2xf32>
    %none = onnx.none : !onnx.value
    // expected-error @below {{a scale is 0.000000, expected more than 0}}
    %0 = onnx.node "Resize"(%x, %none, %s) : (tensor<2x6xf32>, !onnx.value, tensor<2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    // expected-error @below {{needs either scales or sizes}}
    %0 = onnx.node "Resize"(%x) : (tensor<2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<1x6x2x2xf32>) -> !onnx.value {
    // expected-error @below {{a dimension of 6 cannot be divided by 4}}
    %0 = onnx.node "DepthToSpace"(%x) {blocksize = 2 : i64} : (tensor<1x6x2x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main() -> !onnx.value {
    // expected-error @below {{only dense tensors of numbers can be constants}}
    %0 = onnx.node "Constant"() {value_strings = ["a"]} : () -> !onnx.value
    return %0 : !onnx.value
  }
}
