// What a user is told about nodes that cannot be compiled.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<?x4xf32>) -> (!onnx.value, !onnx.value) {
    // expected-error @below {{node 'Mystery': operator Mystery (domain ai.onnx, version 21): is not supported; export the model without it}}
    %0 = onnx.node "Mystery"(%x) : (tensor<?x4xf32>) -> !onnx.value
    // What depends on it is not reported, but other nodes are.
    %1 = onnx.node "Relu"(%0) : (!onnx.value) -> !onnx.value
    // expected-error @below {{operator Relu (domain ai.onnx, version 21): has 2 inputs, expected 1}}
    %2 = onnx.node "Relu"(%x, %x) : (tensor<?x4xf32>, tensor<?x4xf32>) -> !onnx.value
    return %1, %2 : !onnx.value, !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[3, 5]> : tensor<2xi64>
    // expected-error @below {{cannot make 15 elements of 12}}
    %0 = onnx.node "Reshape"(%x, %s) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<-1> : tensor<2xi64>
    // expected-error @below {{more than one shape entry is -1}}
    %0 = onnx.node "Reshape"(%x, %s) : (tensor<2x6xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x6xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[12, 1, 0]> : tensor<3xi64>
    // expected-error @below {{shape entry 2 is 0 (copy), but the input has only 2 dimensions}}
    %0 = onnx.node "Reshape"(%x, %s) : (tensor<2x6xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

// What no execution can meet is an error now; in a branch, only when it is taken.
module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<0x6xf32>, %i: tensor<2xi64>, %c: tensor<i1>) -> (!onnx.value, !onnx.value) {
    // expected-error @below {{operator Gather (domain ai.onnx, version 21): there is nothing to gather from}}
    %0 = onnx.node "Gather"(%x, %i) : (tensor<0x6xf32>, tensor<2xi64>) -> !onnx.value
    %1 = onnx.node "If"(%c) subgraphs "then_branch" {
      %2 = onnx.node "Gather"(%x, %i) : (tensor<0x6xf32>, tensor<2xi64>) -> !onnx.value
      onnx.return %2 : !onnx.value
    }, "else_branch" { onnx.return %x : tensor<0x6xf32> } : (tensor<i1>) -> !onnx.value
    return %0, %1 : !onnx.value, !onnx.value
  }
}
