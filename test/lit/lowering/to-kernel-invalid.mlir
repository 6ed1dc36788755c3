// What has no kernel form is named with its place and what is missing.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-to-kernel

// expected-error @below {{there is no function @forward to lower}}
module {
  func.func private @other()
}

// -----

#f32 = #llmopt.format<f32, dense>

// Logits that are no product.
// expected-error @below {{logits must be the result of a product that nothing else reads}}
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Weights before llmopt-encode.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %w = llmopt.weight "w"(#llmopt.random<2>) : tensor<64x64xf32>
  // expected-error @below {{has no kernel form: its weight is not encoded (llmopt-encode)}}
  %x = llmopt.embedding %tokens, %w : (tensor<?xi64>, tensor<64x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %x, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A weight whose layout is not chosen yet.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<64x64, #llmopt.format<f32>>
  // expected-error @below {{has no kernel form: the layout of its weight is undecided (llmopt-encode)}}
  %x = llmopt.embedding %tokens, %w : (tensor<?xi64>, !llmopt.packed<64x64, #llmopt.format<f32>>) -> tensor<?x64xf32>
  %logits = llmopt.linear %x, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A norm whose scale is computed.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %l = llmopt.weight "gamma"(#llmopt.random<2>) : tensor<64xf32>
  // expected-error @below {{has no kernel form: the terms must differ, and one must not be read later}}
  %sum = arith.addf %l, %l : tensor<64xf32>
  %n = llmopt.rms_norm %x, %sum {epsilon = 1.0e-5 : f32} : tensor<?x64xf32>, tensor<64xf32>
  %logits = llmopt.linear %n, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A sum whose terms are both read later: the product, too.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %a = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: the terms must differ, and one must not be read later}}
  %s = arith.addf %x, %a : tensor<?x64xf32>
  %b = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %u = arith.addf %s, %b : tensor<?x64xf32>
  %t = arith.addf %u, %a : tensor<?x64xf32>
  %logits = llmopt.linear %t, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A sum of a term with itself.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: the terms must differ, and one must not be read later}}
  %s = arith.addf %x, %x : tensor<?x64xf32>
  %logits = llmopt.linear %s, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A gated unit whose products could not become one.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %a = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %b = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: gate and up must be one product of weights with equal formats, interleaved by llmopt-fuse-linears}}
  %s = llmopt.glu silu %a, %b : tensor<?x64xf32>
  %logits = llmopt.linear %s, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Other operations.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{'arith.mulf' op has no kernel form}}
  %s = arith.mulf %x, %x : tensor<?x64xf32>
  %logits = llmopt.linear %s, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A rotation outside of attention.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form outside of attention}}
  %q = llmopt.rope %x at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %logits = llmopt.linear %q, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Attention without rotation.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %k = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %v = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: query and key must be rotated with one table, at the same positions, for this attention only}}
  %o = llmopt.cached_attention %q, %k, %v layer 0 {heads = 4, kv_heads = 4, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Query and key with different tables.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %r2 = llmopt.weight "rope2"(#llmopt.random<3>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %k = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %v = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %qr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %k at %positions, %r2 {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  // expected-error @below {{has no kernel form: query and key must be rotated with one table, at the same positions, for this attention only}}
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 4, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A value that something else reads too.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %k = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %qr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %k at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  // expected-error @below {{has no kernel form: query, key and value must be three products or the split of one, used by nothing else}}
  %o = llmopt.cached_attention %qr, %kr, %x layer 0 {heads = 4, kv_heads = 4, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Parts of one product in another order.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<192x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %y = llmopt.linear %x, %w : (tensor<?x64xf32>, !llmopt.packed<192x64, #f32>) -> tensor<?x192xf32>
  %q, %k, %v = llmopt.split %y : tensor<?x192xf32> -> tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
  %qr = llmopt.rope %k at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  // expected-error @below {{has no kernel form: query, key and value must be the parts of one product, used by nothing else}}
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 4, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Separate products of no whole panels.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x8xf32>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<3>) {zeros = 0 : i64} : !llmopt.packed<8x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: columns of a separate query, key or value must be a multiple of 16, got 8}}
  %k = llmopt.linear %x, %w : (tensor<?x64xf32>, !llmopt.packed<8x64, #f32>) -> tensor<?x8xf32>
  %v = llmopt.linear %x, %w : (tensor<?x64xf32>, !llmopt.packed<8x64, #f32>) -> tensor<?x8xf32>
  %qr = llmopt.rope %q at %positions, %r {heads = 8, head_dim = 8} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x8xf32>
  %kr = llmopt.rope %k at %positions, %r {heads = 1, head_dim = 8} : tensor<?x8xf32>, tensor<?xi32>, tensor<128x8xf32>
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 8, kv_heads = 1, head_dim = 8, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A split that no kernel covers.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<192x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %y = llmopt.linear %x, %w : (tensor<?x64xf32>, !llmopt.packed<192x64, #f32>) -> tensor<?x192xf32>
  // expected-error @below {{'llmopt.split' op has no kernel form}}
  %q, %k, %v = llmopt.split %y : tensor<?x192xf32> -> tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
  %logits = llmopt.linear %q, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Heads that are rotated as others than attention has.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %k = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %v = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  // expected-error @below {{has no kernel form: rotates 4 heads of 16, but attention has 2 of 32}}
  %qr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %k at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 2, kv_heads = 2, head_dim = 32, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

// expected-error @below {{must have one block, take tokens and positions and return the logits (llmopt-form-session)}}
func.func @forward(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Query and key at different positions.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %q = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %k = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %v = llmopt.linear %x, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %qr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %k at %tokens, %r {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi64>, tensor<128x16xf32>
  // expected-error @below {{query and key must be rotated with one table, at the same positions, for this attention only}}
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 4, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Heads that the attention kernels have no code for.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x48xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<48x48, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x12xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<48x48, #f32>) -> tensor<?x48xf32>
  %q = llmopt.linear %x, %table : (tensor<?x48xf32>, !llmopt.packed<48x48, #f32>) -> tensor<?x48xf32>
  %k = llmopt.linear %x, %table : (tensor<?x48xf32>, !llmopt.packed<48x48, #f32>) -> tensor<?x48xf32>
  %v = llmopt.linear %x, %table : (tensor<?x48xf32>, !llmopt.packed<48x48, #f32>) -> tensor<?x48xf32>
  %qr = llmopt.rope %q at %positions, %r {heads = 4, head_dim = 12} : tensor<?x48xf32>, tensor<?xi32>, tensor<128x12xf32>
  %kr = llmopt.rope %k at %positions, %r {heads = 4, head_dim = 12} : tensor<?x48xf32>, tensor<?xi32>, tensor<128x12xf32>
  // expected-error @below {{has no kernel form: head_dim must be a multiple of 8, at most 256, got 12}}
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 4, head_dim = 12, scale = 0.25 : f32}
    : (tensor<?x48xf32>, tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %logits = llmopt.linear %o, %table {head} : (tensor<?x48xf32>, !llmopt.packed<48x48, #f32>) -> tensor<?x48xf32>
  return %logits : tensor<?x48xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// A part with a bias of its own whose columns are no whole vectors.
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x24xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x24, #f32>
  %w = llmopt.encoded_weight "w" codes(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<72x24, #f32>
  %h = llmopt.encoded_weight "h" codes(#llmopt.random<5>) {zeros = 0 : i64} : !llmopt.packed<24x24, #f32>
  %r = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x8xf32>
  %c = llmopt.weight "bias"(#llmopt.random<3>) : tensor<24xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x24, #f32>) -> tensor<?x24xf32>
  %y = llmopt.linear %x, %w : (tensor<?x24xf32>, !llmopt.packed<72x24, #f32>) -> tensor<?x72xf32>
  // expected-error @below {{has no kernel form: columns of a query, key or value with a bias or norm of its own must be a multiple of 16, got 24}}
  %q, %k, %v = llmopt.split %y : tensor<?x72xf32> -> tensor<?x24xf32>, tensor<?x24xf32>, tensor<?x24xf32>
  %b = llmopt.bias %q, %c : tensor<?x24xf32>, tensor<24xf32>
  %qr = llmopt.rope %b at %positions, %r {heads = 3, head_dim = 8} : tensor<?x24xf32>, tensor<?xi32>, tensor<128x8xf32>
  %kr = llmopt.rope %k at %positions, %r {heads = 3, head_dim = 8} : tensor<?x24xf32>, tensor<?xi32>, tensor<128x8xf32>
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 3, kv_heads = 3, head_dim = 8, scale = 0.25 : f32}
    : (tensor<?x24xf32>, tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  %logits = llmopt.linear %o, %h {head} : (tensor<?x24xf32>, !llmopt.packed<24x24, #f32>) -> tensor<?x24xf32>
  return %logits : tensor<?x24xf32>
}
