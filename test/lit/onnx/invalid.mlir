// RUN: llmopt-opt %s -split-input-file -verify-diagnostics

//===----------------------------------------------------------------------===//
// onnx.node
//===----------------------------------------------------------------------===//

func.func @node_c1_empty_operator() {
  // expected-error @+1 {{has an empty operator name}}
  onnx.node ""() : () -> ()
  return
}

// -----

func.func @node_c2_version() {
  // expected-error @+1 {{attribute 'version' failed to satisfy constraint}}
  onnx.node "Relu" version 0() : () -> ()
  return
}

// -----

func.func @node_c3_outputs(%x: !onnx.value) {
  // expected-error @+1 {{names 1 outputs, but has 2 results}}
  %0:2 = onnx.node "Split"(%x) outputs ["a"] : (!onnx.value) -> (!onnx.value, !onnx.value)
  return
}

// -----

func.func @node_c4_number_of_subgraphs() {
  // expected-error @+1 {{names 2 subgraphs, but has 1}}
  "onnx.node"() <{op_type = "If", node_attrs = {}, subgraph_names = ["a", "b"]}> ({
    onnx.return
  }) : () -> ()
  return
}

// -----

func.func @node_c4_subgraph_without_name() {
  // expected-error @+1 {{has a subgraph without a name}}
  onnx.node "If"() subgraphs "" { onnx.return } : () -> ()
  return
}

// -----

func.func @node_c4_equal_subgraph_names() {
  // expected-error @+1 {{has two attributes 'body'}}
  onnx.node "Loop"() subgraphs "body" { onnx.return }, "body" { onnx.return } : () -> ()
  return
}

// -----

func.func @node_c4_subgraph_named_like_attribute() {
  // expected-error @+1 {{has two attributes 'body'}}
  onnx.node "Loop"() {body = 1 : i64} subgraphs "body" { onnx.return } : () -> ()
  return
}

// -----

func.func @node_c5_integer_width() {
  // expected-error @+1 {{has attribute 'to' of a kind that ONNX nodes do not have: 1 : i32}}
  onnx.node "Cast"() {to = 1 : i32} : () -> ()
  return
}

// -----

func.func @node_c5_list_of_integers() {
  // expected-error @+1 {{has attribute 'perm' of a kind that ONNX nodes do not have}}
  onnx.node "Transpose"() {perm = [1, 0]} : () -> ()
  return
}

// -----

func.func @node_c6_terminator() {
  // expected-error @+1 {{subgraph 'body' does not end with 'onnx.return'}}
  onnx.node "Loop"() subgraphs "body" {
    llvm.unreachable
  } : () -> ()
  return
}

// -----

func.func @node_operand_type(%i: i32) {
  // expected-error @+1 {{operand #0 must be variadic of an ONNX value or a tensor, but got 'i32'}}
  onnx.node "Neg"(%i) : (i32) -> ()
  return
}

// -----

//===----------------------------------------------------------------------===//
// onnx.initializer, onnx.return
//===----------------------------------------------------------------------===//

func.func @initializer_c1_name() {
  // expected-error @+1 {{attribute 'name' failed to satisfy constraint}}
  %0 = onnx.initializer "" = dense<1> : tensor<i64>
  return
}

// -----

func.func @initializer_c2_types() {
  // expected-error @+1 {{failed to verify that all of {value, result} have same type}}
  %0 = "onnx.initializer"() <{name = "w", value = dense<1> : tensor<i64>}> : () -> tensor<1xi64>
  return
}

// -----

func.func @initializer_c2_vector() {
  // expected-error @+1 {{result #0 must be statically shaped tensor}}
  %0 = onnx.initializer "w" = dense<1> : vector<1xi64>
  return
}

// -----

func.func @initializer_scalar() {
  // expected-error @+1 {{attribute 'value' failed to satisfy constraint: elements or #onnx.blob}}
  %0 = "onnx.initializer"() <{name = "w", value = 1 : i64}> : () -> tensor<i64>
  return
}

// -----

func.func @return_outside_of_subgraph() {
  // expected-error @+1 {{expects parent op 'onnx.node'}}
  onnx.return
}

// -----

//===----------------------------------------------------------------------===//
// #onnx.blob
//===----------------------------------------------------------------------===//

func.func @blob_c1_shape() {
  // expected-error @+1 {{blob of type 'tensor<?xf32>' is not a tensor of static shape}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 4> : tensor<?xf32>
  return
}

// -----

func.func @blob_c1_element_type() {
  // expected-error @+1 {{is not a tensor of static shape with elements of 1, 2, 4, 8, 16, 32 or 64 bits}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 4> : tensor<8xi3>
  return
}

// -----

func.func @blob_c1_size_overflow() {
  // expected-error @+1 {{is not a tensor of static shape}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 0> : tensor<4294967296x4294967296xf32>
  return
}

// -----

func.func @blob_c2_offset() {
  // expected-error @+1 {{blob at offset -1 of 4 bytes is no range of a file}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", -1, 4> : tensor<f32>
  return
}

// -----

func.func @blob_c2_sum() {
  // expected-error @+1 {{is no range of a file}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 9223372036854775807, 4> : tensor<f32>
  return
}

// -----

func.func @blob_c3_size() {
  // expected-error @+1 {{blob has 8 bytes, but 'tensor<f32>' takes 4}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 8> : tensor<f32>
  return
}

// -----

func.func @blob_c3_packed_size() {
  // expected-error @+1 {{blob has 2 bytes, but 'tensor<3x5xi2>' takes 4}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 2> : tensor<3x5xi2>
  return
}

// -----

func.func @blob_c1_packed_count_overflow() {
  // expected-error @+1 {{is not a tensor of static shape}}
  %0 = onnx.initializer "w" = #onnx.blob<"f", 0, 0> : tensor<4294967296x4294967296xui4>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Discardable attributes
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'onnx.opset' must be a dictionary of a module from domains to versions of at least 1 (i64)}}
module attributes {onnx.opset = {ai.onnx = 0 : i64}} {}

// -----

// expected-error @+1 {{'onnx.opset' must be a dictionary of a module}}
module attributes {onnx.opset = 20} {}

// -----

// expected-error @+1 {{'onnx.opset' must be a dictionary of a module}}
func.func private @opset_of_function() attributes {onnx.opset = {}}

// -----

// expected-error @+1 {{'onnx.model_name' must be a string of a module}}
module attributes {onnx.model_name = 1} {}

// -----

// expected-error @+1 {{'onnx.other' is no attribute of an operation}}
module attributes {onnx.other} {}

// -----

// expected-error @+1 {{'onnx.name' must be a string}}
func.func private @argument_name(!onnx.value {onnx.name = 1})

// -----

// expected-error @+1 {{'onnx.dims' must hold strings}}
func.func private @dims_kind(tensor<?xf32> {onnx.dims = [1]})

// -----

// expected-error @+1 {{'onnx.dims' names 2 dimensions of a value of type 'tensor<?xf32>'}}
func.func private @dims_rank(tensor<?xf32> {onnx.dims = ["a", "b"]})

// -----

// expected-error @+1 {{'onnx.dims' names 2 dimensions of a value of type 'tensor<?xf32>'}}
func.func private @dims_rank_of_declared_type() -> (!onnx.value {onnx.dims = ["a", "b"], onnx.type = tensor<?xf32>})

// -----

// expected-error @+1 {{'onnx.type' is no attribute of a value}}
func.func private @type_of_argument(!onnx.value {onnx.type = tensor<f32>})

// -----

// expected-error @+1 {{'onnx.type' must be a tensor type}}
func.func private @type_kind() -> (!onnx.value {onnx.type = i32})

// -----

// expected-error @+1 {{'onnx.other' is no attribute of a value}}
func.func private @other_of_result() -> (!onnx.value {onnx.other})
