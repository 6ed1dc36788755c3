// RUN: llmopt-opt %s -split-input-file -llmopt-infer-onnx-types -llmopt-finish-import -verify-diagnostics

// Operators that nothing covers, in the main and in a foreign domain; what follows from them is not reported.
func.func @unknown(%x: tensor<?x8xf32>) -> (!onnx.value, !onnx.value) {
  // expected-error@below {{operator Sinh (domain ai.onnx) cannot be compiled: no pass covers it; export the model without this operator}}
  %0 = onnx.node "Sinh"(%x) : (tensor<?x8xf32>) -> !onnx.value
  %1 = onnx.node "Add"(%0, %x) : (!onnx.value, tensor<?x8xf32>) -> !onnx.value
  // expected-error@below {{operator FusedThing (domain com.example, version 3) cannot be compiled: no pass covers it}}
  %2 = onnx.node "FusedThing" domain "com.example" version 3 (%x) : (tensor<?x8xf32>) -> !onnx.value
  return %1, %2 : !onnx.value, !onnx.value
}

// -----

func.func @shape(%x: tensor<?x8xf32>, %shape: tensor<2xi64>) -> !onnx.value {
  // expected-error@below {{operator Reshape (domain ai.onnx) cannot be compiled: the shape or the meaning of its result cannot be told}}
  %0 = onnx.node "Reshape"(%x, %shape) : (tensor<?x8xf32>, tensor<2xi64>) -> !onnx.value
  return %0 : !onnx.value
}

// -----

// expected-error@below {{the model is not a decoder with a KV cache: it has no causal attention; export a causal language model with past and present keys and values}}
func.func @encoder(%x: tensor<?x8xf32> {onnx.name = "x"}) -> (tensor<?x8xf32> {onnx.name = "y"}) {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error@below {{the model is not a decoder with a KV cache: it has no input of token ids}}
func.func @embeddings(%q: tensor<?x?x4xf32> {onnx.name = "q"}, %mask: tensor<?x?xi64> {onnx.name = "m"})
    -> (tensor<?x?x4xf32> {onnx.name = "y"}) {
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%mask) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  return %o : tensor<?x?x4xf32>
}

// -----

// expected-error@below {{it has 0 results that are products with a constant weight, expected one: the logits}}
func.func @headless(%ids: tensor<?x?xi64> {onnx.name = "ids"}, %mask: tensor<?x?xi64> {onnx.name = "m"})
    -> (tensor<?x?x4xf32> {onnx.name = "y"}) {
  %t = llmopt.weight "t"(#llmopt.random<1>) : tensor<5x4xf32>
  %q = llmopt.embedding %ids, %t : (tensor<?x?xi64>, tensor<5x4xf32>) -> tensor<?x?x4xf32>
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%mask) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  return %o : tensor<?x?x4xf32>
}

// -----

// expected-error@below {{input 'extra' has no part in it}}
func.func @unused(%ids: tensor<?x?xi64> {onnx.name = "ids"}, %mask: tensor<?x?xi64> {onnx.name = "m"},
    %extra: tensor<f32> {onnx.name = "extra"}) -> (tensor<?x?x5xf32> {onnx.name = "y"}) {
  %t = llmopt.weight "t"(#llmopt.random<1>) : tensor<5x4xf32>
  %q = llmopt.embedding %ids, %t : (tensor<?x?xi64>, tensor<5x4xf32>) -> tensor<?x?x4xf32>
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%mask) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  %y = llmopt.linear %o, %t : (tensor<?x?x4xf32>, tensor<5x4xf32>) -> tensor<?x?x5xf32>
  return %y : tensor<?x?x5xf32>
}

// -----

// expected-error@below {{output 'hidden' is neither logits nor present keys or values}}
func.func @hidden(%ids: tensor<?x?xi64> {onnx.name = "ids"}, %mask: tensor<?x?xi64> {onnx.name = "m"})
    -> (tensor<?x?x5xf32> {onnx.name = "y"}, tensor<?x?x4xf32> {onnx.name = "hidden"}) {
  %t = llmopt.weight "t"(#llmopt.random<1>) : tensor<5x4xf32>
  %q = llmopt.embedding %ids, %t : (tensor<?x?xi64>, tensor<5x4xf32>) -> tensor<?x?x4xf32>
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%mask) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  %y = llmopt.linear %o, %t : (tensor<?x?x4xf32>, tensor<5x4xf32>) -> tensor<?x?x5xf32>
  return %y, %o : tensor<?x?x5xf32>, tensor<?x?x4xf32>
}

// -----

// expected-error@below {{its outputs have keys of 1 and values of 0 of its 1 layers}}
func.func @keys_only(%ids: tensor<?x?xi64> {onnx.name = "ids"}, %mask: tensor<?x?xi64> {onnx.name = "m"})
    -> (tensor<?x?x5xf32> {onnx.name = "y"}, tensor<?x1x?x4xf32> {onnx.name = "k"}) {
  %t = llmopt.weight "t"(#llmopt.random<1>) : tensor<5x4xf32>
  %q = llmopt.embedding %ids, %t : (tensor<?x?xi64>, tensor<5x4xf32>) -> tensor<?x?x4xf32>
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%mask) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  %y = llmopt.linear %o, %t : (tensor<?x?x4xf32>, tensor<5x4xf32>) -> tensor<?x?x5xf32>
  return %y, %k : tensor<?x?x5xf32>, tensor<?x1x?x4xf32>
}

// -----

// expected-error@below {{input 'ids' serves as tokens and as mask}}
func.func @two_roles(%ids: tensor<?x?xi64> {onnx.name = "ids"}) -> (tensor<?x?x5xf32> {onnx.name = "y"}) {
  %t = llmopt.weight "t"(#llmopt.random<1>) : tensor<5x4xf32>
  %q = llmopt.embedding %ids, %t : (tensor<?x?xi64>, tensor<5x4xf32>) -> tensor<?x?x4xf32>
  %o, %k, %v = llmopt.attention %q, %q, %q mask(%ids) left {heads = 1, kv_heads = 1, head_dim = 4, scale = 1.0 : f32}
    : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?xi64>) -> (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>)
  %y = llmopt.linear %o, %t : (tensor<?x?x4xf32>, tensor<5x4xf32>) -> tensor<?x?x5xf32>
  return %y : tensor<?x?x5xf32>
}
