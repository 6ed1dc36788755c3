// One case for every constraint of LLMOptAttributes.td and LLMOptOps.td, named by its label.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics

func.func @B1() {
  // expected-error @below {{blob offset and bytes must not be negative, got -1 and 4}}
  %0 = llmopt.weight "w"(#llmopt.blob<"f", -1, 4>) : tensor<1xf32>
  return
}

// -----

func.func @E5() {
  // expected-error @below {{dead rows and columns must be among those of '!llmopt.packed<2x4, #llmopt.format<f32>>', got 3 and 0}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {dead_rows = 3 : i64, zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<f32>>
  return
}

// -----

func.func @X1(%x: tensor<1x2x4xf32>) {
  // expected-error @below {{scale must be finite, got}}
  %0 = llmopt.sdpa %x, %x, %x {scale = 0x7F800000 : f32} : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @X2(%x: tensor<1x2x4xf32>) {
  // expected-error @below {{softcap must not be negative, got -1}}
  %0 = llmopt.sdpa %x, %x, %x {scale = 1.0 : f32, softcap = -1.0 : f32} : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @X3(%x: tensor<1x2x4xf32>, %m: tensor<2x2xi1>) {
  // expected-error @below {{needs tensors of floats, got 'tensor<2x2xi1>'}}
  %0 = llmopt.sdpa %x, %x, %x biases(%m) {scale = 1.0 : f32} : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<2x2xi1>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @Y1(%x: tensor<1x2x4xf32>) {
  // expected-error @below {{axis must be -1 or not negative, got -2}}
  %0 = llmopt.rotary %x, %x, %x {axis = -2} : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @Y2(%x: tensor<1x2x4xf32>) {
  // expected-error @below {{half must be positive, got 0}}
  %0 = llmopt.rotary %x, %x, %x {axis = -1, half = 0} : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @Y3(%x: tensor<1x2x4xi64>) {
  // expected-error @below {{needs tensors of floats, got 'tensor<1x2x4xi64>'}}
  %0 = llmopt.rotary %x, %x, %x {axis = -1} : (tensor<1x2x4xi64>, tensor<1x2x4xi64>, tensor<1x2x4xi64>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @B2() {
  // expected-error @below {{the elements of a blob are f16 or bf16 where they are named, got 'f64'}}
  %0 = llmopt.weight "w"(#llmopt.blob<"f", 0, 8, f64>) : tensor<1xf32>
  return
}

// -----

func.func @half_bytes() {
  // expected-error @below {{source: blob has 12 bytes, but 'tensor<3xf32>' needs 6}}
  %0 = llmopt.weight "w"(#llmopt.blob<"f", 0, 12, f16>) : tensor<3xf32>
  return
}

// -----

func.func @B1_bytes() {
  // expected-error @below {{blob offset and bytes must not be negative, got 0 and -4}}
  %0 = llmopt.weight "w"(#llmopt.blob<"f", 0, -4>) : tensor<1xf32>
  return
}

// -----

// F1
// expected-error @below {{the bitmask layout needs int8 with a scale per row}}
func.func private @F1(!llmopt.packed<16x32, #llmopt.format<f32, bitmask>>)

// -----

// expected-error @below {{the bitmask layout needs int8 with a scale per row}}
func.func private @F1_groups(!llmopt.packed<16x32, #llmopt.format<int8 group(32), bitmask>>)

// -----

// expected-error @below {{int needs 2 to 8 bits, got 9}}
func.func private @F2(!llmopt.packed<16x32, #llmopt.format<int9>>)

// -----

// expected-error @below {{table needs 2 to 4 bits, got 5}}
func.func private @F2_table(!llmopt.packed<16x32, #llmopt.format<table5 group(32) [1.0]>>)

// -----

// expected-error @below {{a group must be a positive multiple of 32 columns, got 48}}
func.func private @F3(!llmopt.packed<16x32, #llmopt.format<int4 group(48)>>)

// -----

// expected-error @below {{a group must be a positive multiple of 32 columns, got -32}}
func.func private @F3_negative(!llmopt.packed<16x32, #llmopt.format<int4 group(-32)>>)

// -----

// expected-error @below {{codes other than int8 need groups}}
func.func private @F3_none(!llmopt.packed<16x32, #llmopt.format<int4>>)

// -----

// expected-error @below {{f32 has no groups, got 32}}
func.func private @F3_float(!llmopt.packed<16x32, #llmopt.format<f32 group(32)>>)

// -----

// expected-error @below {{a table of 2 bits has 4 values, got 3}}
func.func private @F4(!llmopt.packed<16x32, #llmopt.format<table2 group(32) [1.0, 2.0, 3.0]>>)

// -----

// expected-error @below {{the values of a table must be finite}}
func.func private @F4_finite(!llmopt.packed<16x32, #llmopt.format<table2 group(32) [1.0e+60, 2.0, 3.0, 4.0]>>)

// -----

// expected-error @below {{the values of a table must not all be zero}}
func.func private @F4_zero(!llmopt.packed<16x32, #llmopt.format<table2 group(32) [0.0, 0.0, 0.0, 0.0]>>)

// -----

// expected-error @below {{zero points need int of at most 4 bits, got int8}}
func.func private @F5(!llmopt.packed<16x32, #llmopt.format<int8 group(32) zero_points>>)

// -----

// expected-error @below {{scales must be f32, or f16 of groups, got 'f16'}}
func.func private @F6(!llmopt.packed<16x32, #llmopt.format<int8 f16>>)

// -----

// P1
// expected-error @below {{rows and columns must be positive, got 0 and 32}}
func.func private @P1(!llmopt.packed<0x32, #llmopt.format<int8>>)

// -----

// expected-error @below {{a packed weight has rows and columns, got 3 dimensions}}
func.func private @rank(!llmopt.packed<1x2x3, #llmopt.format<int8>>)

// -----

// expected-error @below {{expected an encoding: f32, bf16, int2 to int8, table2 to table4 or nf4}}
func.func private @encoding(!llmopt.packed<1x2, #llmopt.format<uint8>>)

// -----

func.func @W1() {
  // expected-error @below {{shape must be static, got 'tensor<?xf32>'}}
  %0 = llmopt.weight "w"(#llmopt.random<1>) : tensor<?xf32>
  return
}

// -----

func.func @W2() {
  // expected-error @below {{source: blob has 8 bytes, but 'tensor<3xf32>' needs 12}}
  %0 = llmopt.weight "w"(#llmopt.blob<"f", 0, 8>) : tensor<3xf32>
  return
}

// -----

func.func @W2_original() {
  // expected-error @below {{original: blob has 8 bytes, but 'tensor<3xf32>' needs 12}}
  %0 = llmopt.weight "w"(#llmopt.random<1>) {original = #llmopt.blob<"f", 0, 8>} : tensor<3xf32>
  return
}

// -----

func.func @W3() {
  // expected-error @below {{source: literal has type 'tensor<2xf32>', expected 'tensor<3xf32>'}}
  %0 = llmopt.weight "w"(dense<1.0> : tensor<2xf32>) : tensor<3xf32>
  return
}

// -----

func.func @W3_original() {
  // expected-error @below {{original: literal has type 'tensor<2xf32>', expected 'tensor<3xf32>'}}
  %0 = llmopt.weight "w"(#llmopt.random<1>) {original = dense<1.0> : tensor<2xf32>} : tensor<3xf32>
  return
}

// -----

func.func @E1() {
  // expected-error @below {{int8 needs scales}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E1_float() {
  // expected-error @below {{f32 has no scales}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<f32>>
  return
}

// -----

func.func @E2_codes() {
  // expected-error @below {{codes: blob has 7 bytes, but 'tensor<2x4xi8>' needs 8}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.blob<"f", 0, 7>) scales(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E2_float_codes() {
  // expected-error @below {{codes: blob has 8 bytes, but 'tensor<2x4xf32>' needs 32}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.blob<"f", 0, 8>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<f32>>
  return
}

// -----

func.func @E2_literal() {
  // expected-error @below {{codes: literal has type 'tensor<8xi8>', expected 'tensor<2x4xi8>'}}
  %0 = llmopt.encoded_weight "w" codes(dense<1> : tensor<8xi8>) scales(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E2_group_scales() {
  // expected-error @below {{scales: blob has 8 bytes, but 'tensor<2x2xf32>' needs 16}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.blob<"f", 0, 8>) {zeros = 0 : i64} : !llmopt.packed<2x40, #llmopt.format<int4 group(32)>>
  return
}

// -----

func.func @E2_zero_points() {
  // expected-error @below {{zero points: blob has 8 bytes, but 'tensor<2x2xi8>' needs 4}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) zero_points(#llmopt.blob<"f", 0, 8>) {zeros = 0 : i64}
    : !llmopt.packed<2x40, #llmopt.format<int4 group(32) zero_points>>
  return
}

// -----

func.func @E6() {
  // expected-error @below {{the format needs zero points}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x40, #llmopt.format<int4 group(32) zero_points>>
  return
}

// -----

func.func @E6_none() {
  // expected-error @below {{the format has no zero points}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) zero_points(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<2x40, #llmopt.format<int4 group(32)>>
  return
}

// -----

func.func @E2_scales() {
  // expected-error @below {{scales: blob has 4 bytes, but 'tensor<2xf32>' needs 8}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.blob<"f", 0, 4>) {zeros = 0 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E3() {
  // expected-error @below {{zeros must be in [0, 8], got 9}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) {zeros = 9 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E3_negative() {
  // expected-error @below {{zeros must be in [0, 8], got -1}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) {zeros = -1 : i64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

func.func @E4() {
  // expected-error @below {{error must not be negative, got -5.0}}
  %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<1>) {zeros = 0 : i64, error = -0.5 : f64} : !llmopt.packed<2x4, #llmopt.format<int8>>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @C1_columns(%a: !llmopt.packed<16x32, #f>, %b: !llmopt.packed<16x64, #f>) {
  // expected-error @below {{weights must have equal columns and formats, got '!llmopt.packed<16x64, #llmopt.format<int8>>' for '!llmopt.packed<32x32, #llmopt.format<int8>>'}}
  %0 = llmopt.concat_weights %a, %b : (!llmopt.packed<16x32, #f>, !llmopt.packed<16x64, #f>) -> !llmopt.packed<32x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
#m = #llmopt.format<int8, bitmask>
func.func @C1_formats(%a: !llmopt.packed<16x32, #f>, %b: !llmopt.packed<16x32, #m>) {
  // expected-error @below {{weights must have equal columns and formats}}
  %0 = llmopt.concat_weights %a, %b : (!llmopt.packed<16x32, #f>, !llmopt.packed<16x32, #m>) -> !llmopt.packed<32x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @C2(%a: !llmopt.packed<16x32, #f>) {
  // expected-error @below {{rows add up to 32, but the result has 48}}
  %0 = llmopt.concat_weights %a, %a : (!llmopt.packed<16x32, #f>, !llmopt.packed<16x32, #f>) -> !llmopt.packed<48x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @C3(%a: !llmopt.packed<16x32, #f>, %b: !llmopt.packed<32x32, #f>) {
  // expected-error @below {{interleaved needs two weights with equal rows}}
  %0 = llmopt.concat_weights interleaved %a, %b : (!llmopt.packed<16x32, #f>, !llmopt.packed<32x32, #f>) -> !llmopt.packed<48x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @C3_three(%a: !llmopt.packed<16x32, #f>) {
  // expected-error @below {{interleaved needs two weights with equal rows}}
  %0 = llmopt.concat_weights interleaved %a, %a, %a : (!llmopt.packed<16x32, #f>, !llmopt.packed<16x32, #f>, !llmopt.packed<16x32, #f>) -> !llmopt.packed<48x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @C4(%a: !llmopt.packed<24x32, #f>) {
  // expected-error @below {{rows of every weight must be a multiple of 16, got 24}}
  %0 = llmopt.concat_weights %a, %a : (!llmopt.packed<24x32, #f>, !llmopt.packed<24x32, #f>) -> !llmopt.packed<48x32, #f>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @concat_nothing() {
  // expected-error @below {{needs at least one weight}}
  %0 = "llmopt.concat_weights"() : () -> !llmopt.packed<48x32, #f>
  return
}

// -----

func.func @D1(%ids: tensor<?x3xi64>, %t: tensor<10x8xf32>) {
  // expected-error @below {{last dimension of the result must be 8, got 9}}
  %0 = llmopt.embedding %ids, %t : (tensor<?x3xi64>, tensor<10x8xf32>) -> tensor<?x3x9xf32>
  return
}

// -----

func.func @D1_leading(%ids: tensor<?x3xi64>, %t: tensor<10x8xf32>) {
  // expected-error @below {{leading dimensions of ids and result disagree}}
  %0 = llmopt.embedding %ids, %t : (tensor<?x3xi64>, tensor<10x8xf32>) -> tensor<?x4x8xf32>
  return
}

// -----

func.func @L1_input(%x: tensor<?x7xf32>, %w: tensor<10x8xf32>) {
  // expected-error @below {{last dimension of the input must be 8, got 7}}
  %0 = llmopt.linear %x, %w : (tensor<?x7xf32>, tensor<10x8xf32>) -> tensor<?x10xf32>
  return
}

// -----

func.func @L1_result(%x: tensor<?x8xf32>, %w: tensor<10x8xf32>) {
  // expected-error @below {{last dimension of the result must be 10, got 8}}
  %0 = llmopt.linear %x, %w : (tensor<?x8xf32>, tensor<10x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @L1_leading(%x: tensor<?x8xf32>, %w: tensor<10x8xf32>) {
  // expected-error @below {{leading dimensions of input and result disagree}}
  %0 = llmopt.linear %x, %w : (tensor<?x8xf32>, tensor<10x8xf32>) -> tensor<?x?x10xf32>
  return
}

// -----

func.func @linear_scalar(%x: tensor<f32>, %w: tensor<10x8xf32>) {
  // expected-error @below {{the input must have at least one dimension}}
  %0 = llmopt.linear %x, %w : (tensor<f32>, tensor<10x8xf32>) -> tensor<10xf32>
  return
}

// -----

func.func @L2(%x: tensor<?x8xf32>, %w: tensor<10x8xf32>) {
  // expected-error @below {{integer activations need an integer weight, got 'tensor<10x8xf32>'}}
  %0 = llmopt.linear %x, %w activations(64) : (tensor<?x8xf32>, tensor<10x8xf32>) -> tensor<?x10xf32>
  return
}

// -----

#f = #llmopt.format<f32, dense>
func.func @L2_encoded(%x: tensor<?x8xf32>, %w: !llmopt.packed<10x8, #f>) {
  // expected-error @below {{integer activations need an integer weight, got '!llmopt.packed<10x8, #llmopt.format<f32, dense>>'}}
  %0 = llmopt.linear %x, %w activations(64) : (tensor<?x8xf32>, !llmopt.packed<10x8, #f>) -> tensor<?x10xf32>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @L3(%x: tensor<?x8xf32>, %w: !llmopt.packed<10x8, #f>) {
  // expected-error @below {{activation group must be a positive multiple of 32, got 48}}
  %0 = llmopt.linear %x, %w activations(48) : (tensor<?x8xf32>, !llmopt.packed<10x8, #f>) -> tensor<?x10xf32>
  return
}

// -----

#f = #llmopt.format<int4 group(32)>
func.func @L4(%x: tensor<?x8xf32>, %w: !llmopt.packed<10x8, #f>) {
  // expected-error @below {{activation group must divide the group of the weight, got 64 and 32}}
  %0 = llmopt.linear %x, %w activations(64) : (tensor<?x8xf32>, !llmopt.packed<10x8, #f>) -> tensor<?x10xf32>
  return
}

// -----

#f = #llmopt.format<int8>
func.func @L3_zero(%x: tensor<?x8xf32>, %w: !llmopt.packed<10x8, #f>) {
  // expected-error @below {{activation group must be a positive multiple of 32, got 0}}
  %0 = llmopt.linear %x, %w activations(0) : (tensor<?x8xf32>, !llmopt.packed<10x8, #f>) -> tensor<?x10xf32>
  return
}

// -----

func.func @R1(%x: tensor<?x8xf32>, %g: tensor<9xf32>) {
  // expected-error @below {{last dimension of the input must be 9, got 8}}
  %0 = llmopt.rms_norm %x, %g {epsilon = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<9xf32>
  return
}

// -----

func.func @R2(%x: tensor<?x8xf32>, %g: tensor<8xf32>) {
  // expected-error @below {{epsilon must not be negative, got -1.0}}
  %0 = llmopt.rms_norm %x, %g {epsilon = -1.0 : f32} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @S1(%x: tensor<?x8xf32>) {
  // expected-error @below {{parts add up to 7 columns, but the input has 8}}
  %0:2 = llmopt.split %x : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x3xf32>
  return
}

// -----

func.func @S2(%x: tensor<?x8xf32>) {
  // expected-error @below {{leading dimensions of input and parts disagree}}
  %0:2 = llmopt.split %x : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<1x4xf32>
  return
}

// -----

func.func @S3(%x: tensor<?x48xf32>) {
  // expected-error @below {{interleaved needs two equal parts of a multiple of 16 columns}}
  %0:2 = llmopt.split interleaved %x : tensor<?x48xf32> -> tensor<?x16xf32>, tensor<?x32xf32>
  return
}

// -----

func.func @S3_panels(%x: tensor<?x48xf32>) {
  // expected-error @below {{interleaved needs two equal parts of a multiple of 16 columns}}
  %0:2 = llmopt.split interleaved %x : tensor<?x48xf32> -> tensor<?x24xf32>, tensor<?x24xf32>
  return
}

// -----

func.func @O1_odd(%x: tensor<?x6xf32>, %p: tensor<?xi64>, %t: tensor<9x3xf32>) {
  // expected-error @below {{head_dim must be even and positive and heads positive, got head_dim 3 and heads 2}}
  %0 = llmopt.rope %x at %p, %t {heads = 2, head_dim = 3} : tensor<?x6xf32>, tensor<?xi64>, tensor<9x3xf32>
  return
}

// -----

func.func @O1_width(%x: tensor<?x6xf32>, %p: tensor<?xi64>, %t: tensor<9x4xf32>) {
  // expected-error @below {{last dimension of the input must be 8, got 6}}
  %0 = llmopt.rope %x at %p, %t {heads = 2, head_dim = 4} : tensor<?x6xf32>, tensor<?xi64>, tensor<9x4xf32>
  return
}

// -----

func.func @O2(%x: tensor<?x8xf32>, %p: tensor<?xi64>, %t: tensor<9x6xf32>) {
  // expected-error @below {{the table must have an even number of columns, at most head_dim 4, got 6}}
  %0 = llmopt.rope %x at %p, %t {heads = 2, head_dim = 4} : tensor<?x8xf32>, tensor<?xi64>, tensor<9x6xf32>
  return
}

// -----

func.func @O3(%x: tensor<?x8xf32>, %p: tensor<3xi64>, %t: tensor<9x4xf32>) {
  // expected-error @below {{leading dimensions of input and positions disagree}}
  %0 = llmopt.rope %x at %p, %t {heads = 2, head_dim = 4} : tensor<?x8xf32>, tensor<3xi64>, tensor<9x4xf32>
  return
}

// -----

func.func @A1(%q: tensor<?x?x12xf32>, %k: tensor<?x?x8xf32>) {
  // expected-error @below {{heads must be a positive multiple of kv_heads, got 3 and 2}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k none {heads = 3, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x12xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x12xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A2_query(%q: tensor<?x?x12xf32>, %k: tensor<?x?x8xf32>) {
  // expected-error @below {{last dimension of the query must be 16, got 12}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k none {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x12xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A2_value(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>, %v: tensor<?x?x4xf32>) {
  // expected-error @below {{last dimension of the value must be 8, got 4}}
  %o, %pk, %pv = llmopt.attention %q, %k, %v none {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A3_alone(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>, %past: tensor<?x2x?x4xf32>) {
  // expected-error @below {{past keys and values come together}}
  %o, %pk, %pv = "llmopt.attention"(%q, %k, %k, %past) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>,
      padding = 0 : i32, heads = 4 : i64, kv_heads = 2 : i64, head_dim = 4 : i64, scale = 0.5 : f32}>
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x2x?x4xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A3_shape(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>) {
  // expected-error @below {{past and present must be [batch, 2, tokens, 4], got 'tensor<?x2x?x8xf32>'}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k none {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A4_no_mask(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>) {
  // expected-error @below {{padding must be none exactly when there is no mask}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k left {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A4_mask(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>, %m: tensor<?x?xi64>) {
  // expected-error @below {{padding must be none exactly when there is no mask}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k mask(%m) none {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xi64>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @A1_cached(%q: tensor<?x12xf32>, %k: tensor<?x8xf32>) {
  // expected-error @below {{heads must be a positive multiple of kv_heads, got 3 and 2}}
  %o = llmopt.cached_attention %q, %k, %k layer 0 {heads = 3, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x12xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @A2_cached(%q: tensor<?x16xf32>, %k: tensor<?x4xf32>) {
  // expected-error @below {{last dimension of the key must be 8, got 4}}
  %o = llmopt.cached_attention %q, %k, %k layer 0 {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @A5(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>) {
  // expected-error @below {{layer must not be negative, got -1}}
  %o = llmopt.cached_attention %q, %k, %k layer -1 {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @A1_head_dim(%q: tensor<?x?x0xf32>) {
  // expected-error @below {{head_dim must be positive, got 0}}
  %o, %pk, %pv = llmopt.attention %q, %q, %q none {heads = 4, kv_heads = 2, head_dim = 0, scale = 0.5 : f32}
    : (tensor<?x?x0xf32>, tensor<?x?x0xf32>, tensor<?x?x0xf32>) -> (tensor<?x?x0xf32>, tensor<?x2x?x0xf32>, tensor<?x2x?x0xf32>)
  return
}

// -----

func.func @A6(%q: tensor<?x16xf32>) {
  // expected-error @below {{query, key, value and result must have 3 dimensions, got 'tensor<?x16xf32>'}}
  %o, %pk, %pv = llmopt.attention %q, %q, %q none {heads = 4, kv_heads = 4, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>)
  return
}

// -----

func.func @A6_leading(%q: tensor<2x?x16xf32>, %k: tensor<3x?x16xf32>) {
  // expected-error @below {{leading dimensions of query, key, value and result disagree: 'tensor<2x?x16xf32>' and 'tensor<3x?x16xf32>'}}
  %o, %pk, %pv = llmopt.attention %q, %k, %q none {heads = 4, kv_heads = 4, head_dim = 4, scale = 0.5 : f32}
    : (tensor<2x?x16xf32>, tensor<3x?x16xf32>, tensor<2x?x16xf32>) -> (tensor<2x?x16xf32>, tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>)
  return
}

// -----

func.func @A7(%q: tensor<?x?x16xf32>) {
  // expected-error @below {{query, key, value and result must have 2 dimensions, got 'tensor<?x?x16xf32>'}}
  %o = llmopt.cached_attention %q, %q, %q layer 0 {heads = 4, kv_heads = 4, head_dim = 4, scale = 0.5 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x16xf32>, tensor<?x?x16xf32>) -> tensor<?x?x16xf32>
  return
}

// -----

func.func @A8(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>) {
  // expected-error @below {{window must not be negative, got -1}}
  %o = llmopt.cached_attention %q, %k, %k layer 0 {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32, window = -1 : i64}
    : (tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @A9(%q: tensor<?x?x16xf32>, %k: tensor<?x?x8xf32>) {
  // expected-error @below {{softcap must be finite and not negative, got -2}}
  %o, %pk, %pv = llmopt.attention %q, %k, %k none {heads = 4, kv_heads = 2, head_dim = 4, scale = 0.5 : f32, softcap = -2.0 : f32}
    : (tensor<?x?x16xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>)
  return
}

// -----

func.func @Z1(%x: tensor<?x8xf32>, %g: tensor<8xf32>, %b: tensor<9xf32>) {
  // expected-error @below {{last dimension of the input must be 9, got 8}}
  %0 = llmopt.layer_norm %x, %g, %b {epsilon = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>, tensor<9xf32>
  return
}

// -----

func.func @Z2(%x: tensor<?x8xf32>, %g: tensor<8xf32>) {
  // expected-error @below {{epsilon must not be negative, got -1.0}}
  %0 = llmopt.layer_norm %x, %g, %g {epsilon = -1.0 : f32} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @U1(%x: tensor<?x8xf32>, %b: tensor<9xf32>) {
  // expected-error @below {{last dimension of the input must be 9, got 8}}
  %0 = llmopt.bias relu %x, %b : tensor<?x8xf32>, tensor<9xf32>
  return
}

// -----

func.func @V1(%p: tensor<?x?xi32>, %t: tensor<10x8xf32>) {
  // expected-error @below {{leading dimensions of result and positions disagree}}
  %0 = llmopt.position_embedding %p, %t offset 2 : (tensor<?x?xi32>, tensor<10x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @V2(%p: tensor<?xi32>, %t: tensor<10x8xf32>) {
  // expected-error @below {{offset must be in [0, 10), got 10}}
  %0 = llmopt.position_embedding %p, %t offset 10 : (tensor<?xi32>, tensor<10x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @N1(%x: tensor<?x10xf32>, %g: tensor<4xf32>) {
  // expected-error @below {{the length of gamma must divide the last dimension, got 4 and 10}}
  %0 = llmopt.head_norm %x, %g {epsilon = 1.0e-6 : f32} : tensor<?x10xf32>, tensor<4xf32>
  return
}

// -----

func.func @N2(%x: tensor<?x8xf32>, %g: tensor<4xf32>) {
  // expected-error @below {{epsilon must not be negative, got -1}}
  %0 = llmopt.head_norm %x, %g {epsilon = -1.0 : f32} : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @B1(%x: tensor<?x8xf32>) {
  // expected-error @below {{factor must be finite, got INF}}
  %0 = llmopt.scale %x {factor = 0x7F800000 : f32} : tensor<?x8xf32>
  return
}

// -----

func.func @F1(%x: tensor<?x8xf32>) {
  // expected-error @below {{cap must be finite and positive, got 0.0}}
  %0 = llmopt.softcap %x {cap = 0.0 : f32} : tensor<?x8xf32>
  return
}
