// A whole llama layer with f32 weights, from the functional entry to kernels on planned buffers.
// RUN: llmopt-opt %s -llmopt-select -llmopt-bufferize | FileCheck %s

#dense = #llmopt.format<f32, dense>

// Weights in the order of their first use; the table serves the embedding and the head.
// CHECK: kernel.weight_data @w0 "table" : !kernel.weight<512x64, f32> at 0 bytes 131136 parts [{codes = #llmopt.random<1>, rows = 512 : i64}]
// CHECK-NEXT: kernel.weight_data @w1 "norm1" : !kernel.weight<1x64, raw> at 131136 bytes 256 parts
// CHECK-NEXT: kernel.weight_data @w2 "q+k+v" : !kernel.weight<128x64, f32> at 131392 bytes 32832
// CHECK-SAME: parts [{codes = #llmopt.random<3>, rows = 64 : i64}, {codes = #llmopt.random<4>, rows = 32 : i64}, {codes = #llmopt.random<5>, rows = 32 : i64}]
// CHECK-NEXT: kernel.weight_data @w3 "rope" : !kernel.weight<256x16, raw> at {{.*}} bytes 16384
// CHECK-NEXT: kernel.weight_data @w4 "o" : !kernel.weight<64x64, f32>
// CHECK-NEXT: kernel.weight_data @w5 "norm2"
// CHECK-NEXT: kernel.weight_data @w6 "gate+up" : !kernel.weight<320x64, f32> {{.*}} {interleaved}
// CHECK-NEXT: kernel.weight_data @w7 "down" : !kernel.weight<64x160, f32>
// CHECK-NEXT: kernel.weight_data @w8 "norm3"
// CHECK-NOT: kernel.weight_data

// CHECK: func.func @forward() attributes {kernel.arena_bytes_per_row = 1280 : i64}
// CHECK: %[[H:.*]] = kernel.buffer "hidden" tokens at [[#]] : memref<?x64xf32>
// CHECK: kernel.embedding %[[TABLE:.*]] -> %[[H]]
// CHECK: kernel.barrier
// CHECK: kernel.rms_norm %[[H]], %{{.*}} -> %[[N1:.*]] {
// CHECK: kernel.barrier
// CHECK: kernel.linear store %[[N1]], %{{.*}} -> %[[QKV:.*]] :
// CHECK: kernel.barrier
// CHECK: kernel.rope_append %[[QKV]], %{{.*}} layer 0 {head_dim = 16 : i64, heads = 4 : i64, kv_heads = 2 : i64}
// CHECK: kernel.barrier
// CHECK: kernel.attention %[[QKV]] -> %[[A:.*]] layer 0 {{{.*}}scale = 2.500000e-01 : f32}
// Nothing is left to do for rows whose logits are not wanted.
// CHECK: kernel.gather_rows %[[H]] -> %[[HW:.*]] :
// CHECK: kernel.barrier
// CHECK: kernel.gather_rows %[[A]] -> %[[AW:.*]] :
// CHECK: kernel.barrier
// CHECK: kernel.linear add %[[AW]], %{{.*}} -> %[[HW]]
// CHECK: kernel.barrier
// CHECK: kernel.rms_norm %[[HW]], %{{.*}} -> %[[N2:.*]] {
// CHECK: kernel.barrier
// CHECK: kernel.linear silu_mul %[[N2]], %{{.*}} -> %[[G:.*]] : memref<?x64xf32>, !kernel.weight<320x64, f32>, memref<?x160xf32>
// CHECK: kernel.barrier
// CHECK: kernel.linear add %[[G]], %{{.*}} -> %[[HW]]
// CHECK: kernel.barrier
// CHECK: kernel.rms_norm %[[HW]], %{{.*}} -> %[[L:.*]] {
// CHECK: %[[LOGITS:.*]] = kernel.logits : memref<?x512xf32>
// CHECK: kernel.barrier
// CHECK: kernel.linear store %[[L]], %[[TABLE]] -> %[[LOGITS]]
// CHECK-NEXT: return
func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %mask: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>},
                %positions: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>},
                %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}, %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>})
    -> (tensor<?x?x512xf32> {llmopt.role = #llmopt.role<logits>},
        tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>}) {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<512x64, #dense>
  %rope = llmopt.weight "rope"(#llmopt.random<2>) : tensor<256x16xf32>
  %wq = llmopt.encoded_weight "q" codes(#llmopt.random<3>) {zeros = 0 : i64} : !llmopt.packed<64x64, #dense>
  %wk = llmopt.encoded_weight "k" codes(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<32x64, #dense>
  %wv = llmopt.encoded_weight "v" codes(#llmopt.random<5>) {zeros = 0 : i64} : !llmopt.packed<32x64, #dense>
  %wo = llmopt.encoded_weight "o" codes(#llmopt.random<6>) {zeros = 0 : i64} : !llmopt.packed<64x64, #dense>
  %wg = llmopt.encoded_weight "gate" codes(#llmopt.random<7>) {zeros = 0 : i64} : !llmopt.packed<160x64, #dense>
  %wu = llmopt.encoded_weight "up" codes(#llmopt.random<8>) {zeros = 0 : i64} : !llmopt.packed<160x64, #dense>
  %wd = llmopt.encoded_weight "down" codes(#llmopt.random<9>) {zeros = 0 : i64} : !llmopt.packed<64x160, #dense>
  %g1 = llmopt.weight "norm1"(#llmopt.random<10>) : tensor<64xf32>
  %g2 = llmopt.weight "norm2"(#llmopt.random<11>) : tensor<64xf32>
  %g3 = llmopt.weight "norm3"(#llmopt.random<12>) : tensor<64xf32>
  // A tied head has a weight of its own until equal ones are merged.
  %head = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<512x64, #dense>

  %x = llmopt.embedding %ids, %table : (tensor<?x?xi64>, !llmopt.packed<512x64, #dense>) -> tensor<?x?x64xf32>
  %n1 = llmopt.rms_norm %x, %g1 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %q = llmopt.linear %n1, %wq : (tensor<?x?x64xf32>, !llmopt.packed<64x64, #dense>) -> tensor<?x?x64xf32>
  %qr = llmopt.rope %q at %positions, %rope {heads = 4, head_dim = 16} : tensor<?x?x64xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %k = llmopt.linear %n1, %wk : (tensor<?x?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x?x32xf32>
  %kr = llmopt.rope %k at %positions, %rope {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %v = llmopt.linear %n1, %wv : (tensor<?x?x64xf32>, !llmopt.packed<32x64, #dense>) -> tensor<?x?x32xf32>
  %o, %nk, %nv = llmopt.attention %qr, %kr, %v past(%pk, %pv) mask(%mask) left {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  %p = llmopt.linear %o, %wo : (tensor<?x?x64xf32>, !llmopt.packed<64x64, #dense>) -> tensor<?x?x64xf32>
  %h = arith.addf %x, %p : tensor<?x?x64xf32>
  %n2 = llmopt.rms_norm %h, %g2 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %g = llmopt.linear %n2, %wg : (tensor<?x?x64xf32>, !llmopt.packed<160x64, #dense>) -> tensor<?x?x160xf32>
  %u = llmopt.linear %n2, %wu : (tensor<?x?x64xf32>, !llmopt.packed<160x64, #dense>) -> tensor<?x?x160xf32>
  %a = llmopt.glu silu %g, %u : tensor<?x?x160xf32>
  %d = llmopt.linear %a, %wd : (tensor<?x?x160xf32>, !llmopt.packed<64x160, #dense>) -> tensor<?x?x64xf32>
  %r = arith.addf %d, %h : tensor<?x?x64xf32>
  %n3 = llmopt.rms_norm %r, %g3 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %logits = llmopt.linear %n3, %head {head} : (tensor<?x?x64xf32>, !llmopt.packed<512x64, #dense>) -> tensor<?x?x512xf32>
  return %logits, %nk, %nv : tensor<?x?x512xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}
