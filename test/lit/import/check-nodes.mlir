// RUN: llmopt-opt %s -llmopt-check-nodes -split-input-file -verify-diagnostics

module attributes {onnx.opset = {ai.onnx = 17 : i64, com.microsoft = 1 : i64}} {
func.func @correct(%x: !onnx.value, %c: tensor<i1>) {
  %none = onnx.none : !onnx.value
  %0 = onnx.node "Conv"(%x, %x) {auto_pad = "SAME_UPPER", group = 1 : i64, strides = array<i64: 1, 1>} : (!onnx.value, !onnx.value) -> !onnx.value
  %1 = onnx.node "Concat"(%x, %x, %x) {axis = 0 : i64} : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
  %2 = onnx.node "Clip"(%x, %none, %x) : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
  // ONNX Runtime fuses nodes to this one before ONNX has it.
  %7 = onnx.node "LayerNormalization" version 11(%x, %x) : (!onnx.value, !onnx.value) -> !onnx.value
  // Versions are those of nodes: the axes of Squeeze were an attribute before 13.
  %3 = onnx.node "Squeeze" version 11(%x) {axes = array<i64: 0>} : (!onnx.value) -> !onnx.value
  %4 = onnx.node "QuickGelu" domain "com.microsoft" (%x) {alpha = 1.7 : f32} : (!onnx.value) -> !onnx.value
  %5 = onnx.node "If"(%c) subgraphs "then_branch" { onnx.return %x : !onnx.value }, "else_branch" { onnx.return %x : !onnx.value }
      : (tensor<i1>) -> !onnx.value
  %6 = onnx.node "Constant"() {value = dense<1> : tensor<i64>} : () -> !onnx.value
  return
}
}

// -----

module attributes {onnx.opset = {ai.onnx = 17 : i64, org.example = 1 : i64}} {
func.func @operators(%x: !onnx.value) {
  // expected-error @+1 {{operator Foo (domain ai.onnx, version 17): unknown operator; the domain defines none of this name}}
  %0 = onnx.node "Foo"(%x) : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{operator Relu (domain org.example, version 1): unknown domain; operators of ai.onnx and com.microsoft are known}}
  %1 = onnx.node "Relu" domain "org.example" (%x) : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{unknown operator before version 18}}
  %2 = onnx.node "Mish"(%x) : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{operator Upsample (domain ai.onnx, version 17): the operator was removed in version 10}}
  %3 = onnx.node "Upsample"(%x, %x) : (!onnx.value, !onnx.value) -> !onnx.value
  return
}
}

// -----

module attributes {onnx.opset = {ai.onnx = 17 : i64}} {
func.func @counts(%x: !onnx.value) {
  %none = onnx.none : !onnx.value
  // expected-error @+1 {{has 1 inputs, but takes 2 to 3}}
  %0 = onnx.node "Conv"(%x) : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{has 0 inputs, but takes at least 1}}
  %1 = onnx.node "Concat"() {axis = 0 : i64} : () -> !onnx.value
  // expected-error @+1 {{has 2 inputs, but takes 1}}
  %2 = onnx.node "Relu"(%x, %x) : (!onnx.value, !onnx.value) -> !onnx.value
  // expected-error @+1 {{has 3 outputs, but takes 1}}
  %3:3 = onnx.node "Relu"(%x) : (!onnx.value) -> (!onnx.value, !onnx.value, !onnx.value)
  // expected-error @+1 {{input 1 is left out, but must be there}}
  %4 = onnx.node "Conv"(%x, %none) : (!onnx.value, !onnx.value) -> !onnx.value
  return
}
}

// -----

module attributes {onnx.opset = {ai.onnx = 17 : i64}} {
func.func @attributes(%x: !onnx.value, %c: tensor<i1>) {
  // expected-error @+1 {{attribute 'axis' is missing}}
  %0 = onnx.node "Concat"(%x) : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{attribute 'body' is missing}}
  %1 = onnx.node "Loop"(%x, %x, %x) : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
  // expected-error @+1 {{attribute 'axis' is a list of integers, but must be an integer}}
  %2 = onnx.node "Concat"(%x) {axis = array<i64: 0>} : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{attribute 'body' is a string, but must be a graph}}
  %3 = onnx.node "Loop"(%x, %x, %x) {body = "a"} : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
  // expected-error @+1 {{unknown attribute 'axes'}}
  %4 = onnx.node "Squeeze"(%x) {axes = array<i64: 0>} : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{unknown attribute 'beta'}}
  %5 = onnx.node "LeakyRelu"(%x) {alpha = 0.5 : f32, beta = 0.5 : f32} : (!onnx.value) -> !onnx.value
  // expected-error @+1 {{unknown attribute 'body'}}
  %6 = onnx.node "Relu"(%x) subgraphs "body" { onnx.return } : (!onnx.value) -> !onnx.value
  onnx.node "If"(%c) subgraphs "then_branch" {
    // expected-error @+1 {{has 0 inputs, but takes 1}}
    %7 = onnx.node "Relu"() : () -> !onnx.value
    onnx.return %7 : !onnx.value
  }, "else_branch" { onnx.return %x : !onnx.value } : (tensor<i1>) -> !onnx.value
  return
}
}
