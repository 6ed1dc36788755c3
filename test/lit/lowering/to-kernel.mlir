// Operations become kernels on buffers.
// RUN: llmopt-opt %s -split-input-file -llmopt-to-kernel | FileCheck %s

#int8 = #llmopt.format<int8, dense>
#f32 = #llmopt.format<f32, dense>

// Products with different encodings write their columns of one [q | k | v] row; a norm that is read as floats and in groups of two
// sizes is computed in all three forms; the first sum overwrites its left term, the second its right one.
// CHECK-LABEL: func.func @forward
// CHECK: kernel.embedding %{{.*}} -> %[[H:[0-9]+]] :
// CHECK-DAG: kernel.rms_norm %[[H]], %{{.*}} -> %[[N64:[0-9]+]] group 64
// CHECK-DAG: kernel.rms_norm %[[H]], %{{.*}} -> %[[N32:[0-9]+]] group 32
// CHECK-DAG: kernel.rms_norm %[[H]], %{{.*}} -> %[[NF:[0-9]+]] {
// CHECK: %[[QKV:.*]] = kernel.buffer "qkv" tokens : memref<?x128xf32>
// CHECK: %[[Q:.*]] = kernel.columns %[[QKV]] : memref<?x128xf32> -> memref<?x64xf32, strided<[128, 1]>>
// CHECK: kernel.linear store %[[N64]], %{{.*}} -> %[[Q]] group 64
// CHECK: %[[K:.*]] = kernel.columns %[[QKV]] : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 64>>
// CHECK: kernel.linear store %[[NF]], %{{.*}} -> %[[K]] :
// CHECK: %[[V:.*]] = kernel.columns %[[QKV]] : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 96>>
// CHECK: kernel.linear store %[[N32]], %{{.*}} -> %[[V]] group 32
// CHECK: kernel.rope_append %[[QKV]]
// CHECK: kernel.attention %[[QKV]] -> %[[A:[0-9]+]]
// CHECK: kernel.linear add %[[A]], %{{.*}} -> %[[H]]
// CHECK: kernel.quantize %[[H]] -> %[[R:[0-9]+]] columns 64 group 64
// CHECK: kernel.linear store %[[R]], %{{.*}} -> %[[P:[0-9]+]] group 64
// The quantized rows are made once.
// CHECK-NOT: kernel.quantize
// CHECK: kernel.linear add %[[R]], %{{.*}} -> %[[P]] group 64
// The parts of one product are its columns.
// CHECK: kernel.linear store %[[P]], %{{.*}} -> %[[QKV2:[0-9]+]] :
// CHECK: kernel.rope_append %[[QKV2]], %{{.*}} layer 1
// CHECK: kernel.attention %[[QKV2]] -> %[[A2:[0-9]+]] layer 1
// After the last attention only the rows whose logits are wanted matter.
// CHECK: kernel.gather_rows %[[P]] -> %[[PW:[0-9]+]]
// CHECK: kernel.gather_rows %[[A2]] -> %[[AW:[0-9]+]]
// CHECK: kernel.linear add %[[AW]], %{{.*}} -> %[[PW]] :
// CHECK: kernel.linear store %[[PW]], %{{.*}} -> %{{.*}} :
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x64, #f32>
  %gamma = llmopt.weight "gamma"(#llmopt.random<2>) : tensor<64xf32>
  %rope = llmopt.weight "rope"(#llmopt.random<3>) : tensor<128x16xf32>
  %wq = llmopt.encoded_weight "q" codes(#llmopt.random<4>) scales(#llmopt.random<5>) {zeros = 0 : i64} : !llmopt.packed<64x64, #int8>
  %wk = llmopt.encoded_weight "k" codes(#llmopt.random<6>) {zeros = 0 : i64} : !llmopt.packed<32x64, #f32>
  %wv = llmopt.encoded_weight "v" codes(#llmopt.random<7>) scales(#llmopt.random<8>) {zeros = 0 : i64} : !llmopt.packed<32x64, #int8>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %n = llmopt.rms_norm %x, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x64xf32>, tensor<64xf32>
  %q = llmopt.linear %n, %wq activations(64) : (tensor<?x64xf32>, !llmopt.packed<64x64, #int8>) -> tensor<?x64xf32>
  %k = llmopt.linear %n, %wk : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %v = llmopt.linear %n, %wv activations(32) : (tensor<?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x32xf32>
  %qr = llmopt.rope %q at %positions, %rope {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr = llmopt.rope %k at %positions, %rope {heads = 2, head_dim = 16} : tensor<?x32xf32>, tensor<?xi32>, tensor<128x16xf32>
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x64xf32>
  %p = llmopt.linear %o, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %h = arith.addf %x, %p : tensor<?x64xf32>
  %a = llmopt.linear %h, %wq activations(64) : (tensor<?x64xf32>, !llmopt.packed<64x64, #int8>) -> tensor<?x64xf32>
  %b = llmopt.linear %h, %wq activations(64) : (tensor<?x64xf32>, !llmopt.packed<64x64, #int8>) -> tensor<?x64xf32>
  %s = arith.addf %a, %b : tensor<?x64xf32>
  %wqkv = llmopt.encoded_weight "qkv" codes(#llmopt.random<9>) {zeros = 0 : i64} : !llmopt.packed<128x64, #f32>
  %qkv = llmopt.linear %s, %wqkv : (tensor<?x64xf32>, !llmopt.packed<128x64, #f32>) -> tensor<?x128xf32>
  %q2, %k2, %v2 = llmopt.split %qkv : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>
  %qr2 = llmopt.rope %q2 at %positions, %rope {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %kr2 = llmopt.rope %k2 at %positions, %rope {heads = 2, head_dim = 16} : tensor<?x32xf32>, tensor<?xi32>, tensor<128x16xf32>
  %o2 = llmopt.cached_attention %qr2, %kr2, %v2 layer 1 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x64xf32>
  %p2 = llmopt.linear %o2, %table : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  %h2 = arith.addf %s, %p2 : tensor<?x64xf32>
  %logits = llmopt.linear %h2, %table {head} : (tensor<?x64xf32>, !llmopt.packed<64x64, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>

// Columns that are no multiple of 16 are padded; the sum may come in either order.
// CHECK-LABEL: func.func @forward
// CHECK: %[[H:.*]] = kernel.buffer "hidden" tokens : memref<?x48xf32>
// CHECK: kernel.gather_rows %[[H]] -> %[[W:[0-9]+]]
// CHECK: kernel.linear store %[[W]], %{{.*}} -> %[[P:[0-9]+]] : memref<?x48xf32>, !kernel.weight<24x40, f32>, memref<?x32xf32>
// CHECK: kernel.linear add %[[P]], %{{.*}} -> %[[W]] : memref<?x32xf32>, !kernel.weight<40x24, f32>, memref<?x48xf32>
// CHECK: kernel.rms_norm %[[W]], %{{.*}} -> %[[N:[0-9]+]]
// CHECK: kernel.linear store %[[N]]
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<64x40, #f32>
  %down = llmopt.encoded_weight "down" codes(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<24x40, #f32>
  %up = llmopt.encoded_weight "up" codes(#llmopt.random<3>) {zeros = 0 : i64} : !llmopt.packed<40x24, #f32>
  %gamma = llmopt.weight "gamma"(#llmopt.random<4>) : tensor<40xf32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<64x40, #f32>) -> tensor<?x40xf32>
  %a = llmopt.linear %x, %down : (tensor<?x40xf32>, !llmopt.packed<24x40, #f32>) -> tensor<?x24xf32>
  %b = llmopt.linear %a, %up : (tensor<?x24xf32>, !llmopt.packed<40x24, #f32>) -> tensor<?x40xf32>
  %h = arith.addf %b, %x : tensor<?x40xf32>
  %n = llmopt.rms_norm %h, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x40xf32>, tensor<40xf32>
  %logits = llmopt.linear %n, %table {head} : (tensor<?x40xf32>, !llmopt.packed<64x40, #f32>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}
