// Products that share their activations become one, where formats and groups allow.
// RUN: llmopt-opt %s -split-input-file -llmopt-fuse-linears | FileCheck %s

#dense = #llmopt.format<int8, dense>
#bitmask = #llmopt.format<int8, bitmask>

// The layout of the largest part wins; codes, scales and zeros stay.
// CHECK-LABEL: func.func @layouts
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>
// CHECK-DAG: %[[Q:.*]] = llmopt.encoded_weight "q" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 100 : i64} : !llmopt.packed<64x64, #llmopt.format<int8, bitmask>>
// CHECK-DAG: %[[K:.*]] = llmopt.encoded_weight "k" codes(#llmopt.random<3>) scales(#llmopt.random<4>) {zeros = 7 : i64} : !llmopt.packed<32x64, #llmopt.format<int8, bitmask>>
// CHECK-DAG: %[[V:.*]] = llmopt.encoded_weight "v" {{.*}} : !llmopt.packed<32x64, #llmopt.format<int8, bitmask>>
// CHECK: %[[W:.*]] = llmopt.concat_weights %[[Q]], %[[K]], %[[V]] :
// CHECK: %[[Y:.*]] = llmopt.linear %[[X]], %[[W]] activations(64) : (tensor<?x64xf32>, !llmopt.packed<128x64, #llmopt.format<int8, bitmask>>) -> tensor<?x128xf32>
// CHECK: %[[P:.*]]:3 = llmopt.split %[[Y]] : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>
// CHECK: %[[QR:.*]] = llmopt.rope %[[P]]#0
// CHECK: %[[KR:.*]] = llmopt.rope %[[P]]#1
// CHECK: llmopt.cached_attention %[[QR]], %[[KR]], %[[P]]#2
// CHECK-NOT: llmopt.linear
func.func @layouts(%x: tensor<?x64xf32>, %p: tensor<?xi32>) -> tensor<?x64xf32> {
  %t = llmopt.weight "rope"(#llmopt.random<9>) : tensor<128x16xf32>
  %wq = llmopt.encoded_weight "q" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 100 : i64} : !llmopt.packed<64x64, #bitmask>
  %q = llmopt.linear %x, %wq activations(64) : (tensor<?x64xf32>, !llmopt.packed<64x64, #bitmask>) -> tensor<?x64xf32>
  %qr = llmopt.rope %q at %p, %t {heads = 4, head_dim = 16} : tensor<?x64xf32>, tensor<?xi32>, tensor<128x16xf32>
  %wk = llmopt.encoded_weight "k" codes(#llmopt.random<3>) scales(#llmopt.random<4>) {zeros = 7 : i64} : !llmopt.packed<32x64, #dense>
  %k = llmopt.linear %x, %wk activations(64) : (tensor<?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x32xf32>
  %kr = llmopt.rope %k at %p, %t {heads = 2, head_dim = 16} : tensor<?x32xf32>, tensor<?xi32>, tensor<128x16xf32>
  %wv = llmopt.encoded_weight "v" codes(#llmopt.random<5>) scales(#llmopt.random<6>) {zeros = 0 : i64} : !llmopt.packed<32x64, #dense>
  %v = llmopt.linear %x, %wv activations(64) : (tensor<?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x32xf32>
  %o = llmopt.cached_attention %qr, %kr, %v layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x64xf32>
  return %o : tensor<?x64xf32>
}

// -----

#dense = #llmopt.format<f32, dense>

// CHECK-LABEL: func.func @glu
// CHECK: %[[W:.*]] = llmopt.concat_weights interleaved %{{.*}}, %{{.*}} :
// CHECK: %[[Y:.*]] = llmopt.linear %{{.*}}, %[[W]] :
// CHECK: %[[P:.*]]:2 = llmopt.split interleaved %[[Y]] : tensor<?x64xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
// CHECK: llmopt.glu silu %[[P]]#0, %[[P]]#1
func.func @glu(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %wg = llmopt.encoded_weight "gate" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<32x64, #dense>
  %wu = llmopt.encoded_weight "up" codes(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x64, #dense>
  // The gate comes first in the weight, whatever the order of the products.
  // CHECK-NOT: llmopt.linear
  %u = llmopt.linear %x, %wu : (tensor<?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x32xf32>
  %g = llmopt.linear %x, %wg : (tensor<?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x32xf32>
  %a = llmopt.glu silu %g, %u : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// -----

#f32 = #llmopt.format<f32, dense>
#int8 = #llmopt.format<int8, dense>

// Different activations, encodings, groups, rows of no whole panels, a second reader, the head: all stay separate.
// CHECK-LABEL: func.func @separate
// CHECK-NOT: llmopt.concat_weights
func.func @separate(%x: tensor<?x64xf32>, %z: tensor<?x64xf32>) -> (tensor<?x32xf32>, tensor<?x24xf32>) {
  %w1 = llmopt.encoded_weight "f1" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<32x64, #f32>
  %w2 = llmopt.encoded_weight "f2" codes(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x64, #f32>
  %w3 = llmopt.encoded_weight "i" codes(#llmopt.random<3>) scales(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<32x64, #int8>
  %w4 = llmopt.encoded_weight "n1" codes(#llmopt.random<5>) {zeros = 0 : i64} : !llmopt.packed<24x64, #f32>
  %w5 = llmopt.encoded_weight "n2" codes(#llmopt.random<6>) {zeros = 0 : i64} : !llmopt.packed<24x64, #f32>
  %a1 = llmopt.linear %x, %w1 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %a2 = llmopt.linear %z, %w2 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %activations = llmopt.glu silu %a1, %a2 : tensor<?x32xf32>
  %b1 = llmopt.linear %x, %w1 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %b2 = llmopt.linear %x, %w3 : (tensor<?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x32xf32>
  %encodings = llmopt.glu silu %b1, %b2 : tensor<?x32xf32>
  %c1 = llmopt.linear %x, %w3 activations(32) : (tensor<?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x32xf32>
  %c2 = llmopt.linear %x, %w3 activations(64) : (tensor<?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x32xf32>
  %groups = llmopt.glu silu %c1, %c2 : tensor<?x32xf32>
  %d1 = llmopt.linear %x, %w4 : (tensor<?x64xf32>, !llmopt.packed<24x64, #f32>) -> tensor<?x24xf32>
  %d2 = llmopt.linear %x, %w5 : (tensor<?x64xf32>, !llmopt.packed<24x64, #f32>) -> tensor<?x24xf32>
  %panels = llmopt.glu silu %d1, %d2 : tensor<?x24xf32>
  %e1 = llmopt.linear %x, %w1 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %e2 = llmopt.linear %x, %w2 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %readers = llmopt.glu silu %e1, %e2 : tensor<?x32xf32>
  %second = arith.addf %e1, %readers : tensor<?x32xf32>
  %h1 = llmopt.linear %x, %w1 {head} : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %h2 = llmopt.linear %x, %w2 : (tensor<?x64xf32>, !llmopt.packed<32x64, #f32>) -> tensor<?x32xf32>
  %head = llmopt.glu silu %h1, %h2 : tensor<?x32xf32>
  %s1 = arith.addf %activations, %encodings : tensor<?x32xf32>
  %s2 = arith.addf %groups, %second : tensor<?x32xf32>
  %s3 = arith.addf %s1, %s2 : tensor<?x32xf32>
  %s4 = arith.addf %s3, %head : tensor<?x32xf32>
  return %s4, %panels : tensor<?x32xf32>, tensor<?x24xf32>
}
