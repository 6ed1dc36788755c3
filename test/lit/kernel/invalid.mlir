// One case for every constraint of KernelOps.td, named by its label.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics

// T1
// expected-error @below {{rows and columns must be positive, got 0 and 32}}
func.func private @T1(!kernel.weight<0x32, int8>)

// -----

// T2
// expected-error @below {{groups must be of a positive multiple of 32 columns, got 0}}
func.func private @T2(!kernel.weight<16x32, int4_groups>)

// -----

// T2
// expected-error @below {{groups must be of a positive multiple of 32 columns, got 40}}
func.func private @T2_multiple(!kernel.weight<16x32, int8_groups(40)>)

// -----

// T2
// expected-error @below {{the format has no groups, got 32}}
func.func private @T2_none(!kernel.weight<16x32, int8(32)>)

// -----

// T2
// expected-error @below {{the format has no groups, got 0}}
func.func private @T2_scales(!kernel.weight<16x32, int8 f16>)

// -----

// T3
// expected-error @below {{zero points or a table, not both, need int4_groups}}
func.func private @T3(!kernel.weight<16x32, int8_groups(32) zero_points>)

// -----

// T3
// expected-error @below {{zero points or a table, not both, need int4_groups}}
func.func private @T3_both(!kernel.weight<16x32, int4_groups(32) zero_points table>)

// -----

// expected-error @below {{a weight has rows and columns, got 1 dimensions}}
func.func private @rank(!kernel.weight<32, int8>)

// -----

// K1
// expected-error @below {{offset must be a multiple of 64 and bytes positive, got 32 and 4}}
kernel.weight_data @w "w" : !kernel.weight<1x1, raw> at 32 bytes 4 parts [{rows = 1 : i64}]

// -----

// K1
// expected-error @below {{offset must be a multiple of 64 and bytes positive, got 0 and 0}}
kernel.weight_data @w "w" : !kernel.weight<1x1, raw> at 0 bytes 0 parts [{rows = 1 : i64}]

// -----

// K2
// expected-error @below {{parts have 48 rows, but the type has 32}}
kernel.weight_data @w "w" : !kernel.weight<32x1, int8> at 0 bytes 4 parts [{rows = 16 : i64}, {rows = 32 : i64}]

// -----

// K2
// expected-error @below {{every part needs 'rows', a positive number}}
kernel.weight_data @w "w" : !kernel.weight<32x1, int8> at 0 bytes 4 parts [{rows = 32 : i64}, {}]

// -----

// K2
// expected-error @below {{every part needs 'rows', a positive number}}
kernel.weight_data @w "w" : !kernel.weight<32x1, int8> at 0 bytes 4 parts [{rows = 33 : i64}, {rows = -1 : i64}]

// -----

// K8
// expected-error @below {{interleaved needs two parts with equal rows, a multiple of 16}}
kernel.weight_data @w "w" : !kernel.weight<48x1, int8> at 0 bytes 4 parts [{rows = 16 : i64}, {rows = 32 : i64}] {interleaved}

// -----

// K8
// expected-error @below {{interleaved needs two parts with equal rows, a multiple of 16}}
kernel.weight_data @w "w" : !kernel.weight<48x1, int8> at 0 bytes 4 parts [{rows = 24 : i64}, {rows = 24 : i64}] {interleaved}

// -----

// K8
// expected-error @below {{interleaved needs two parts with equal rows, a multiple of 16}}
kernel.weight_data @w "w" : !kernel.weight<48x1, int8> at 0 bytes 4 parts [{rows = 48 : i64}] {interleaved}

// -----

func.func @K3() {
  // expected-error @below {{no kernel.weight_data is named @w}}
  %w = kernel.weight @w : !kernel.weight<1x1, raw>
  return
}

// -----

kernel.weight_data @w "w" : !kernel.weight<1x2, raw> at 0 bytes 8 parts [{rows = 1 : i64}]
func.func @K3_type() {
  // expected-error @below {{type is '!kernel.weight<1x1, raw>', but the data has '!kernel.weight<1x2, raw>'}}
  %w = kernel.weight @w : !kernel.weight<1x1, raw>
  return
}

// -----

func.func @K4() {
  // expected-error @below {{a row must have a positive multiple of 64 bytes, got 60}}
  %b = kernel.buffer "b" tokens : memref<?x15xf32>
  return
}

// -----

func.func @K4_records() {
  // expected-error @below {{a row must have a positive multiple of 64 bytes, got 96}}
  %b = kernel.buffer "b" tokens : memref<?x96xi8>
  return
}

// -----

func.func @K4_rows() {
  // expected-error @below {{rows must be dynamic and columns static, got 'memref<4x16xf32>'}}
  %b = kernel.buffer "b" tokens : memref<4x16xf32>
  return
}

// -----

func.func @K4_columns() {
  // expected-error @below {{rows must be dynamic and columns static, got 'memref<?x?xf32>'}}
  %b = kernel.buffer "b" tokens : memref<?x?xf32>
  return
}

// -----

func.func @K5() {
  // expected-error @below {{offset must be a multiple of 64, got 32}}
  %b = kernel.buffer "b" tokens at 32 : memref<?x16xf32>
  return
}

// -----

func.func @K6(%b: memref<?x64xf32>) {
  // expected-error @below {{result must be strided by the rows of 'memref<?x64xf32>', got 'memref<?x16xf32, strided<[32, 1], offset: 16>>'}}
  %v = kernel.columns %b : memref<?x64xf32> -> memref<?x16xf32, strided<[32, 1], offset: 16>>
  return
}

// -----

func.func @K7(%b: memref<?x64xf32>) {
  // expected-error @below {{columns must be multiples of 16 within 'memref<?x64xf32>', got 16 from 8 on}}
  %v = kernel.columns %b : memref<?x64xf32> -> memref<?x16xf32, strided<[64, 1], offset: 8>>
  return
}

// -----

func.func @K7_end(%b: memref<?x64xf32>) {
  // expected-error @below {{columns must be multiples of 16 within 'memref<?x64xf32>', got 32 from 48 on}}
  %v = kernel.columns %b : memref<?x64xf32> -> memref<?x32xf32, strided<[64, 1], offset: 48>>
  return
}

// -----

func.func @E1(%t: !kernel.weight<10x32, int8>, %b: memref<?x64xf32>) {
  // expected-error @below {{output must have 32 columns, got 64}}
  kernel.embedding %t -> %b : !kernel.weight<10x32, int8>, memref<?x64xf32>
  return
}

// -----

func.func @E2(%t: !kernel.weight<16x64, int8_gather>, %b: memref<?x64xf32>) {
  // expected-error @below {{rows cannot be read from the layout of '!kernel.weight<16x64, int8_gather>'}}
  kernel.embedding %t -> %b : !kernel.weight<16x64, int8_gather>, memref<?x64xf32>
  return
}

// -----

func.func @N1_floats(%x: memref<?x64xf32>, %w: !kernel.weight<32x64, int8>, %y: memref<?x32xf32>) {
  // expected-error @below {{input must hold records exactly when there is a group}}
  kernel.linear store %x, %w -> %y group 64 : memref<?x64xf32>, !kernel.weight<32x64, int8>, memref<?x32xf32>
  return
}

// -----

func.func @N1_records(%x: memref<?x128xi8>, %w: !kernel.weight<32x64, int8>, %y: memref<?x32xf32>) {
  // expected-error @below {{input must hold records exactly when there is a group}}
  kernel.linear store %x, %w -> %y : memref<?x128xi8>, !kernel.weight<32x64, int8>, memref<?x32xf32>
  return
}

// -----

func.func @N1_weight(%x: memref<?x128xi8>, %w: !kernel.weight<32x64, f32>, %y: memref<?x32xf32>) {
  // expected-error @below {{integer activations need an integer weight, got '!kernel.weight<32x64, f32>'}}
  kernel.linear store %x, %w -> %y group 64 : memref<?x128xi8>, !kernel.weight<32x64, f32>, memref<?x32xf32>
  return
}

// -----

func.func @N1_raw(%x: memref<?x64xf32>, %w: !kernel.weight<32x64, raw>, %y: memref<?x32xf32>) {
  // expected-error @below {{weight must be packed, got '!kernel.weight<32x64, raw>'}}
  kernel.linear store %x, %w -> %y : memref<?x64xf32>, !kernel.weight<32x64, raw>, memref<?x32xf32>
  return
}

// -----

func.func @N2(%x: memref<?x48xf32>, %w: !kernel.weight<32x64, f32>, %y: memref<?x32xf32>) {
  // expected-error @below {{input must have 64 columns, got 48}}
  kernel.linear store %x, %w -> %y : memref<?x48xf32>, !kernel.weight<32x64, f32>, memref<?x32xf32>
  return
}

// -----

func.func @N2_records(%x: memref<?x64xi8>, %w: !kernel.weight<32x64, int8>, %y: memref<?x32xf32>) {
  // expected-error @below {{input must have records of 128 bytes for 64 columns and group 64, got 64}}
  kernel.linear store %x, %w -> %y group 64 : memref<?x64xi8>, !kernel.weight<32x64, int8>, memref<?x32xf32>
  return
}

// -----

func.func @N3(%x: memref<?x64xf32>, %w: !kernel.weight<32x64, f32>, %y: memref<?x48xf32>) {
  // expected-error @below {{output must have 32 columns, got 48}}
  kernel.linear add %x, %w -> %y : memref<?x64xf32>, !kernel.weight<32x64, f32>, memref<?x48xf32>
  return
}

// -----

func.func @N3_half(%x: memref<?x64xf32>, %w: !kernel.weight<32x64, f32>, %y: memref<?x32xf32>) {
  // expected-error @below {{output must have 16 columns, got 32}}
  kernel.linear silu_mul %x, %w -> %y : memref<?x64xf32>, !kernel.weight<32x64, f32>, memref<?x32xf32>
  return
}

// -----

func.func @N3_pairs(%x: memref<?x64xf32>, %w: !kernel.weight<48x64, f32>, %y: memref<?x32xf32>) {
  // expected-error @below {{silu_mul needs a multiple of 32 rows, got 48}}
  kernel.linear silu_mul %x, %w -> %y : memref<?x64xf32>, !kernel.weight<48x64, f32>, memref<?x32xf32>
  return
}

// -----

func.func @N7_floats(%x: memref<?x128xi8>, %w: !kernel.weight<64x64, int8>, %y: memref<?x64xi8>) {
  // expected-error @below {{exactly silu_mul_quantize has floats, an output group and an input of records}}
  kernel.linear silu_mul_quantize %x, %w -> %y group 64 to 32 : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xi8>
  return
}

// -----

func.func @N7_input(%x: memref<?x64xf32>, %w: !kernel.weight<64x64, int8>, %y: memref<?x64xi8>, %f: memref<?x48xf32>) {
  // expected-error @below {{exactly silu_mul_quantize has floats, an output group and an input of records}}
  kernel.linear silu_mul_quantize %x, %w -> %y through %f to 32 : memref<?x64xf32>, !kernel.weight<64x64, int8>, memref<?x64xi8>, memref<?x48xf32>
  return
}

// -----

func.func @N7_store(%x: memref<?x128xi8>, %w: !kernel.weight<64x64, int8>, %y: memref<?x64xf32>, %f: memref<?x48xf32>) {
  // expected-error @below {{exactly silu_mul_quantize has floats, an output group and an input of records}}
  kernel.linear store %x, %w -> %y group 64 through %f : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xf32>, memref<?x48xf32>
  return
}

// -----

func.func @N7_records(%x: memref<?x128xi8>, %w: !kernel.weight<64x64, int8>, %y: memref<?x128xi8>, %f: memref<?x48xf32>) {
  // expected-error @below {{output must have records of 64 bytes for 32 columns and group 32, got 128}}
  kernel.linear silu_mul_quantize %x, %w -> %y group 64 through %f to 32
    : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x128xi8>, memref<?x48xf32>
  return
}

// -----

func.func @N7_room(%x: memref<?x128xi8>, %w: !kernel.weight<64x64, int8>, %y: memref<?x64xi8>, %f: memref<?x32xf32>) {
  // expected-error @below {{floats need 34 columns, got 32}}
  kernel.linear silu_mul_quantize %x, %w -> %y group 64 through %f to 32
    : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xi8>, memref<?x32xf32>
  return
}

// -----

func.func @N6(%x: memref<?x128xi8>, %w: !kernel.weight<32x64, int4_groups(32) f16>, %y: memref<?x32xf32>) {
  // expected-error @below {{activation group must divide the group of the weight, got 64 and 32}}
  kernel.linear store %x, %w -> %y group 64 : memref<?x128xi8>, !kernel.weight<32x64, int4_groups(32) f16>, memref<?x32xf32>
  return
}

// -----

func.func @N4(%x: memref<?x128xi8>, %w: !kernel.weight<32x64, int8>, %y: memref<?x32xf32>) {
  // expected-error @below {{group must be a positive multiple of 32, got 16}}
  kernel.linear store %x, %w -> %y group 16 : memref<?x128xi8>, !kernel.weight<32x64, int8>, memref<?x32xf32>
  return
}

// -----

func.func @G1(%x: memref<?x64xf32>, %g: !kernel.weight<1x64, f32>) {
  // expected-error @below {{gamma must be raw with 64 columns, got '!kernel.weight<1x64, f32>'}}
  kernel.rms_norm %x, %g -> %x {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, f32>, memref<?x64xf32>
  return
}

// -----

func.func @G1_columns(%x: memref<?x64xf32>, %g: !kernel.weight<1x32, raw>) {
  // expected-error @below {{input must have 32 columns, got 64}}
  kernel.rms_norm %x, %g -> %x {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x32, raw>, memref<?x64xf32>
  return
}

// -----

func.func @G2(%x: memref<?x64xf32>, %g: !kernel.weight<1x64, raw>, %y: memref<?x128xi8>) {
  // expected-error @below {{output must hold records exactly when there is a group}}
  kernel.rms_norm %x, %g -> %y {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  return
}

// -----

func.func @G2_size(%x: memref<?x64xf32>, %g: !kernel.weight<1x64, raw>, %y: memref<?x64xi8>) {
  // expected-error @below {{output must have records of 128 bytes for 64 columns and group 32, got 64}}
  kernel.rms_norm %x, %g -> %y group 32 {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x64xi8>
  return
}

// -----

func.func @Q1(%x: memref<?x64xf32>, %y: memref<?x192xi8>) {
  // expected-error @below {{output must have records of 128 bytes for 64 columns and group 64, got 192}}
  kernel.quantize %x -> %y columns 64 group 64 : memref<?x64xf32>, memref<?x192xi8>
  return
}

// -----

func.func @Q1_input(%x: memref<?x96xf32>, %y: memref<?x128xi8>) {
  // expected-error @below {{input must have 64 columns, got 96}}
  kernel.quantize %x -> %y columns 64 group 64 : memref<?x96xf32>, memref<?x128xi8>
  return
}

// -----

func.func @X1(%x: memref<?x64xf32>, %y: memref<?x32xf32>) {
  // expected-error @below {{input and output must have equal columns, got 64 and 32}}
  kernel.gather_rows %x -> %y : memref<?x64xf32>, memref<?x32xf32>
  return
}

// -----

func.func @H1(%qkv: memref<?x128xf32>, %t: !kernel.weight<8x16, raw>) {
  // expected-error @below {{heads must be a positive multiple of kv_heads, got 3 and 2}}
  kernel.rope_append %qkv, %t layer 0 {heads = 3, kv_heads = 2, head_dim = 16} : memref<?x128xf32>, !kernel.weight<8x16, raw>
  return
}

// -----

func.func @H1_columns(%qkv: memref<?x128xf32>, %t: !kernel.weight<8x16, raw>) {
  // expected-error @below {{qkv must have 64 columns, got 128}}
  kernel.rope_append %qkv, %t layer 0 {heads = 2, kv_heads = 1, head_dim = 16} : memref<?x128xf32>, !kernel.weight<8x16, raw>
  return
}

// -----

func.func @H1_attention(%qkv: memref<?x128xf32>, %y: memref<?x64xf32>) {
  // expected-error @below {{heads must be a positive multiple of kv_heads, got 4 and 0}}
  kernel.attention %qkv -> %y layer 0 {heads = 4, kv_heads = 0, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  return
}

// -----

func.func @H2(%qkv: memref<?x128xf32>, %t: !kernel.weight<8x32, raw>) {
  // expected-error @below {{table must have an even number of columns, at most head_dim 16, got 32}}
  kernel.rope_append %qkv, %t layer 0 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x128xf32>, !kernel.weight<8x32, raw>
  return
}

// -----

func.func @H3(%qkv: memref<?x128xf32>, %y: memref<?x128xf32>) {
  // expected-error @below {{output must have 64 columns, got 128}}
  kernel.attention %qkv -> %y layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x128xf32>
  return
}

// -----

func.func @H4_odd(%qkv: memref<?x48xf32>, %t: !kernel.weight<8x12, raw>) {
  // expected-error @below {{head_dim must be a positive multiple of 8, at most 256, got 12}}
  kernel.rope_append %qkv, %t layer 0 {heads = 2, kv_heads = 1, head_dim = 12} : memref<?x48xf32>, !kernel.weight<8x12, raw>
  return
}

// -----

func.func @H4_large(%qkv: memref<?x1056xf32>, %y: memref<?x528xf32>) {
  // expected-error @below {{head_dim must be a positive multiple of 8, at most 256, got 264}}
  kernel.attention %qkv -> %y layer 0 {heads = 2, kv_heads = 1, head_dim = 264, scale = 0.25 : f32} : memref<?x1056xf32>, memref<?x528xf32>
  return
}

// -----

func.func @H5(%qkv: memref<?x128xf32>) {
  %y = kernel.columns %qkv : memref<?x128xf32> -> memref<?x64xf32, strided<[128, 1]>>
  // expected-error @below {{input and output must be different buffers}}
  kernel.attention %qkv -> %y layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : memref<?x128xf32>, memref<?x64xf32, strided<[128, 1]>>
  return
}

// -----

// Other threads read all columns of a row while one overwrites some of them.
func.func @N5(%x: memref<?x64xf32>, %w: !kernel.weight<64x64, f32>) {
  // expected-error @below {{input and output must be different buffers}}
  kernel.linear add %x, %w -> %x : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  return
}

// -----

func.func @X2(%x: memref<?x64xf32>) {
  // expected-error @below {{input and output must be different buffers}}
  kernel.gather_rows %x -> %x : memref<?x64xf32>, memref<?x64xf32>
  return
}

// -----

func.func @G1_rows(%x: memref<?x64xf32>, %g: !kernel.weight<2x64, raw>, %y: memref<?x64xf32>) {
  // expected-error @below {{gamma must have one row, got '!kernel.weight<2x64, raw>'}}
  kernel.rms_norm %x, %g -> %y {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<2x64, raw>, memref<?x64xf32>
  return
}

// -----

func.func @K9() {
  // expected-error @below {{rows must be dynamic and columns static and positive, got 'memref<?x?xf32>'}}
  %l = kernel.logits : memref<?x?xf32>
  return
}

// -----

func.func @K10_in(%b: memref<?x16xf32>, %i: memref<?x16xf32>) {
  %h = kernel.buffer "h" tokens : memref<?x16xf32>
  kernel.gather_rows %i -> %h : memref<?x16xf32>, memref<?x16xf32>
  // expected-error @below {{must stand before all operations that touch memory, but 'kernel.gather_rows' precedes it}}
  kernel.keep in %h : memref<?x16xf32>
  return
}

// -----

func.func @K10_out(%i: memref<?x16xf32>) {
  %h = kernel.buffer "h" tokens : memref<?x16xf32>
  // expected-error @below {{must stand after all operations that touch memory, but 'kernel.gather_rows' follows it}}
  kernel.keep out %h : memref<?x16xf32>
  kernel.gather_rows %i -> %h : memref<?x16xf32>, memref<?x16xf32>
  return
}

// -----

func.func @K11(%h: memref<?x16xf32>) {
  // expected-error @below {{keeps buffers of the arena only}}
  kernel.keep in %h : memref<?x16xf32>
  return
}

// -----

func.func @K11_twice() {
  %h = kernel.buffer "h" tokens : memref<?x16xf32>
  // expected-error @below {{names a buffer twice}}
  kernel.keep in %h, %h : memref<?x16xf32>, memref<?x16xf32>
  return
}

// -----

// F1
func.func @F1(%n: i64) {
  // expected-error @below {{expects a body with one argument of type i64 (F1)}}
  kernel.parallel_for %n grain %n {
  ^bb0(%i: i32):
  }
  return
}

// -----

// F2
func.func @F2(%n: i64) {
  kernel.parallel_for %n grain %n {
  ^bb0(%i: i64):
    // expected-error @below {{must not be nested in another one (F2)}}
    kernel.parallel_for %n grain %n {
    ^bb1(%j: i64):
    }
  }
  return
}

// -----

func.func @H6(%qkv: memref<?x128xf32>, %y: memref<?x64xf32>) {
  // expected-error @below {{window must not be negative, got -3}}
  kernel.attention %qkv -> %y layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32, window = -3 : i64} : memref<?x128xf32>, memref<?x64xf32>
  return
}

// -----

func.func @H7(%qkv: memref<?x128xf32>, %y: memref<?x64xf32>) {
  // expected-error @below {{softcap must be finite and not negative, got INF}}
  kernel.attention %qkv -> %y layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32, softcap = 0x7F800000 : f32} : memref<?x128xf32>, memref<?x64xf32>
  return
}

// -----

func.func @G1_beta(%x: memref<?x64xf32>, %g: !kernel.weight<1x64, raw>, %b: !kernel.weight<2x64, raw>) {
  // expected-error @below {{beta must have one row, got '!kernel.weight<2x64, raw>'}}
  kernel.layer_norm %x, %g, %b -> %x {epsilon = 1.0e-5 : f32}
    : memref<?x64xf32>, !kernel.weight<1x64, raw>, !kernel.weight<2x64, raw>, memref<?x64xf32>
  return
}

// -----

func.func @G2_layer_norm(%x: memref<?x64xf32>, %g: !kernel.weight<1x64, raw>, %y: memref<?x128xi8>) {
  // expected-error @below {{output must hold records exactly when there is a group}}
  kernel.layer_norm %x, %g, %g -> %y {epsilon = 1.0e-5 : f32}
    : memref<?x64xf32>, !kernel.weight<1x64, raw>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  return
}

// -----

func.func @B1(%x: memref<?x64xf32>, %b: !kernel.weight<1x32, raw>) {
  // expected-error @below {{buffer must have 32 columns, got 64}}
  kernel.bias %x, %b : memref<?x64xf32>, !kernel.weight<1x32, raw>
  return
}

// -----

func.func @P1(%x: memref<?x64xf32>, %t: !kernel.weight<10x64, int8>) {
  // expected-error @below {{table must be raw with 64 columns, got '!kernel.weight<10x64, int8>'}}
  kernel.add_positions %t -> %x offset 0 : !kernel.weight<10x64, int8>, memref<?x64xf32>
  return
}

// -----

func.func @P2(%x: memref<?x64xf32>, %t: !kernel.weight<10x64, raw>) {
  // expected-error @below {{offset must be in [0, 10), got -1}}
  kernel.add_positions %t -> %x offset -1 : !kernel.weight<10x64, raw>, memref<?x64xf32>
  return
}

// -----

kernel.weight_data @g "g" : !kernel.weight<1x24, raw> at 0 bytes 96 parts [{rows = 1 : i64}]

func.func @V1() {
  %b = kernel.buffer "b" tokens : memref<?x64xf32>
  %g = kernel.weight @g : !kernel.weight<1x24, raw>
  // expected-error @below {{the length of gamma must divide the columns of the buffer, got 24 and 64}}
  kernel.head_norm %b, %g {epsilon = 1.0e-6 : f32} : memref<?x64xf32>, !kernel.weight<1x24, raw>
  return
}

// -----

func.func @S1(%qkv: memref<?x128xf32>, %parts: memref<?x32xf32>) {
  // expected-error @below {{parts must have at least 40 columns, got 32}}
  kernel.attention_parts %qkv -> %parts layer 0 parts 5 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x32xf32>
  return
}

// -----

func.func @A1() {
  %a = kernel.buffer "a" tokens : memref<?x64xf32>
  %b = kernel.buffer "b" tokens : memref<?x32xf32>
  // expected-error @below {{input and output must have equal columns, got 64 and 32}}
  kernel.add %a -> %b : memref<?x64xf32>, memref<?x32xf32>
  return
}

// -----

func.func @S1_count(%qkv: memref<?x128xf32>, %parts: memref<?x32xf32>) {
  // expected-error @below {{expects a positive number of parts, got 0}}
  kernel.attention_parts %qkv -> %parts layer 0 parts 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x32xf32>
  return
}

// -----

func.func @A2() {
  %a = kernel.buffer "a" tokens : memref<?x64xf32>
  // expected-error @below {{input and output must be different buffers}}
  kernel.add %a -> %a : memref<?x64xf32>, memref<?x64xf32>
  return
}

// -----

func.func @S2(%qkv: memref<?x128xf32>) {
  // expected-error @below {{must be different buffers}}
  kernel.attention_parts %qkv -> %qkv layer 0 parts 5 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x128xf32>
  return
}

// -----

func.func @S3() {
  %parts = kernel.buffer "parts" tokens : memref<?x32xf32>
  %y = kernel.buffer "y" tokens private : memref<?x48xf32>
  // expected-error @below {{output must have 64 columns, got 48}}
  kernel.merge_parts %parts -> %y parts 4 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x32xf32>, memref<?x48xf32>
  return
}

// -----

func.func @S4() {
  %parts = kernel.buffer "parts" tokens : memref<?x32xf32>
  %y = kernel.buffer "y" tokens : memref<?x64xf32>
  // expected-error @below {{output must be a private buffer, as every thread computes all of it}}
  kernel.merge_parts %parts -> %y parts 4 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x32xf32>, memref<?x64xf32>
  return
}
