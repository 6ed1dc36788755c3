// Graphs whose masks, positions or past cannot become state are refused, with the reason.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-form-session

// expected-error @below {{there is no function @main to form a session from}}
module {
  func.func private @other()
}

// -----

// expected-error @below {{input 'pixels' of a decoder must be tokens, a mask, positions, or past keys or values}}
func.func @main(%x: tensor<?x?xf32> {onnx.name = "pixels"}) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}

// -----

// expected-error @below {{input 'input1' is a second input with role tokens}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %b: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) {
  return
}

// -----

// expected-error @below {{no input has the role tokens}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>}) {
  return
}

// -----

// expected-error @below {{input 'input0' cannot be logits}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<logits>}) {
  return
}

// -----

// expected-error @below {{output 0 of a decoder must be logits or present keys or values}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) -> tensor<?x?xi64> {
  return %a : tensor<?x?xi64>
}

// -----

// expected-error @below {{no output has the role logits}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) {
  return
}

// -----

// expected-error @below {{a decoder needs at least one attention}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) -> (tensor<?x?x64xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x64xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  return %x : tensor<?x?x64xf32>
}

// -----

// The rotary embedding is what bounds positions.
// expected-error @below {{no rotary or learned embedding bounds the positions of the decoder}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %o, %k, %v = llmopt.attention %x, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// Positions that nothing in the signature gives.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  // expected-error @below {{positions must be the positions input or llmopt.row_positions}}
  %q = llmopt.rope %x at %a, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// Learned positions are an embedding of something else than tokens.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %p: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  // expected-error @below {{ids must be the tokens of the model}}
  %x = llmopt.embedding %p, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %q = llmopt.rope %x at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// A mask that the graph changes before attention.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %m: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %changed = arith.addi %m, %m : tensor<?x?xi64>
  // expected-error @below {{mask must be the mask input of the model, because it becomes state}}
  %o, %k, %v = llmopt.attention %x, %x, %x mask(%changed) left {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?xi64>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// Present keys that the graph reads.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %o, %k, %v = llmopt.attention %x, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  // expected-error @below {{depends on the present key of layer 0, which becomes state of the session}}
  %double = arith.addf %k, %k : tensor<?x2x?x16xf32>
  return %o, %double : tensor<?x?x32xf32>, tensor<?x2x?x16xf32>
}

// -----

// Past keys and values of different layers.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>},
                %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 1>, onnx.name = "past.1.value"})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  // expected-error @below {{past value of layer 0 is input 'past.1.value' with role #llmopt.role<value, 1>}}
  %o, %k, %v = llmopt.attention %x, %x, %x past(%pk, %pv) none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
    -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// Present keys returned as another layer's.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 5>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  // expected-error @below {{present key of layer 0 is returned with role #llmopt.role<key, 5>}}
  %o, %k, %v = llmopt.attention %x, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o, %k : tensor<?x?x32xf32>, tensor<?x2x?x16xf32>
}

// -----

// A past that is computed.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>},
                %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>}) -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %double = arith.addf %pv, %pv : tensor<?x2x?x16xf32>
  // expected-error @below {{past value must be an input of the model, because past becomes state}}
  %o, %k, %v = llmopt.attention %x, %x, %x past(%pk, %double) none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
    -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// Layers with different geometry.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}) -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %o, %k, %v = llmopt.attention %x, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  // expected-error @below {{all layers must have equal heads, kv_heads, head_dim and padding}}
  %o1, %k1, %v1 = llmopt.attention %o, %x, %x none {heads = 4, kv_heads = 4, head_dim = 8, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x4x?x8xf32>, tensor<?x4x?x8xf32>)
  return %o1 : tensor<?x?x32xf32>
}

// -----

// An operation that mixes rows, and one on the mask that logits depend on.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %p: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %q = llmopt.rope %x at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  // expected-error @below {{has no meaning over rows of several sequences}}
  %flat = tensor.collapse_shape %o [[0], [1, 2]] : tensor<?x?x32xf32> into tensor<?x?xf32>
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %batch = tensor.dim %o, %zero : tensor<?x?x32xf32>
  %sequence = tensor.dim %o, %one : tensor<?x?x32xf32>
  %y = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%batch, %sequence, 32] : tensor<?x?xf32> into tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// -----

// A row_positions of another mask than the model's.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %m: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  // expected-error @below {{must take the tokens and the mask of the model}}
  %p = llmopt.row_positions %a, %a : (tensor<?x?xi64>, tensor<?x?xi64>) -> tensor<?x?xi64>
  %q = llmopt.rope %x at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x mask(%m) right {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?xi64>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// expected-error @below {{logits must be f32 [batch, sequence, vocabulary], got 'tensor<?x32xf32>'}}
func.func @main(%a: tensor<?xi64> {llmopt.role = #llmopt.role<tokens>}) -> (tensor<?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %x = llmopt.embedding %a, %t : (tensor<?xi64>, tensor<64x32xf32>) -> tensor<?x32xf32>
  return %x : tensor<?x32xf32>
}

// -----

// A table that has no row for the last tokens.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %p: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<31x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  // expected-error @below {{table has 31 rows for a vocabulary of 32}}
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<31x32xf32>) -> tensor<?x?x32xf32>
  %q = llmopt.rope %x at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}

// -----

// A present output that is the past: the runtime would return past and new tokens.
// expected-error @below {{output 1 has the role #llmopt.role<key>, but is no present of an attention}}
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %p: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>},
                %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key>}, %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  %q = llmopt.rope %x at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x past(%pk, %pv) none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
    -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o, %pk : tensor<?x?x32xf32>, tensor<?x2x?x16xf32>
}

// -----

// An operation by elements whose result is no activation.
func.func @main(%a: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %p: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>})
    -> (tensor<?x?x32xf32> {llmopt.role = #llmopt.role<logits>}) {
  %t = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x32xf32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<64x16xf32>
  %x = llmopt.embedding %a, %t : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  // expected-error @below {{'arith.fptosi' op has no meaning over rows of several sequences}}
  %i = arith.fptosi %x : tensor<?x?x32xf32> to tensor<?x?x32xi32>
  %f = arith.sitofp %i : tensor<?x?x32xi32> to tensor<?x?x32xf32>
  %q = llmopt.rope %f at %p, %r {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<64x16xf32>
  %o, %k, %v = llmopt.attention %q, %x, %x none {heads = 2, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %o : tensor<?x?x32xf32>
}
