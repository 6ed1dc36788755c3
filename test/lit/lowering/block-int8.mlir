// A whole llama layer with int8 weights and activations: norms and quantizations feed records to products.
// RUN: llmopt-opt %s -llmopt-select -llmopt-bufferize | FileCheck %s

#int8 = #llmopt.format<int8, dense>

// CHECK: kernel.weight_data @w2 "q+k+v" : !kernel.weight<128x64, int8>
// CHECK-SAME: parts [{codes = #llmopt.random<3>, rows = 64 : i64, scales = #llmopt.random<23>},
// CHECK: func.func @forward()
// CHECK: kernel.embedding %{{.*}} -> %[[H:.*]] : !kernel.weight<512x64, int8>, memref<?x64xf32>
// CHECK: %[[N1:.*]] = kernel.buffer "records" tokens at {{.*}} : memref<?x128xi8>
// CHECK: kernel.rms_norm %[[H]], %{{.*}} -> %[[N1]] group 64
// CHECK: kernel.linear store %[[N1]], %{{.*}} -> %[[QKV:.*]] group 64
// CHECK: kernel.attention %[[QKV]] -> %[[A:.*]] layer 0
// CHECK: kernel.gather_rows %[[H]] -> %[[HW:.*]] :
// CHECK: kernel.gather_rows %[[A]] -> %[[AW:.*]] :
// CHECK: kernel.buffer "records" logits
// CHECK: kernel.quantize %[[AW]] -> %[[AQ:.*]] columns 64 group 64
// CHECK: kernel.linear add %[[AQ]], %{{.*}} -> %[[HW]] group 64
// CHECK: kernel.rms_norm %[[HW]], %{{.*}} -> %[[N2:.*]] group 64
// CHECK: kernel.buffer "gated" logits {{.*}} memref<?x176xf32>
// CHECK: kernel.linear silu_mul_quantize %[[N2]], %{{.*}} -> %[[GQ:.*]] group 64 through %{{.*}} to 32
// CHECK: kernel.linear add %[[GQ]], %{{.*}} -> %[[HW]] group 32
// CHECK: kernel.rms_norm %[[HW]], %{{.*}} -> %[[L:.*]] group 64
// CHECK: kernel.linear store %[[L]], %{{.*}} -> %{{.*}} group 64 {{.*}} memref<?x512xf32>
func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %mask: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>},
                %positions: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>},
                %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}, %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>})
    -> (tensor<?x?x512xf32> {llmopt.role = #llmopt.role<logits>},
        tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>}) {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) scales(#llmopt.random<21>) {zeros = 0 : i64} : !llmopt.packed<512x64, #int8>
  %rope = llmopt.weight "rope"(#llmopt.random<2>) : tensor<256x16xf32>
  %wq = llmopt.encoded_weight "q" codes(#llmopt.random<3>) scales(#llmopt.random<23>) {zeros = 0 : i64} : !llmopt.packed<64x64, #int8>
  %wk = llmopt.encoded_weight "k" codes(#llmopt.random<4>) scales(#llmopt.random<24>) {zeros = 0 : i64} : !llmopt.packed<32x64, #int8>
  %wv = llmopt.encoded_weight "v" codes(#llmopt.random<5>) scales(#llmopt.random<25>) {zeros = 0 : i64} : !llmopt.packed<32x64, #int8>
  %wo = llmopt.encoded_weight "o" codes(#llmopt.random<6>) scales(#llmopt.random<26>) {zeros = 0 : i64} : !llmopt.packed<64x64, #int8>
  %wg = llmopt.encoded_weight "gate" codes(#llmopt.random<7>) scales(#llmopt.random<27>) {zeros = 0 : i64} : !llmopt.packed<160x64, #int8>
  %wu = llmopt.encoded_weight "up" codes(#llmopt.random<8>) scales(#llmopt.random<28>) {zeros = 0 : i64} : !llmopt.packed<160x64, #int8>
  %wd = llmopt.encoded_weight "down" codes(#llmopt.random<9>) scales(#llmopt.random<29>) {zeros = 0 : i64} : !llmopt.packed<64x160, #int8>
  %g1 = llmopt.weight "norm1"(#llmopt.random<10>) : tensor<64xf32>
  %g2 = llmopt.weight "norm2"(#llmopt.random<11>) : tensor<64xf32>
  %g3 = llmopt.weight "norm3"(#llmopt.random<12>) : tensor<64xf32>
  // A tied head has a weight of its own until equal ones are merged.
  %head = llmopt.encoded_weight "table" codes(#llmopt.random<1>) scales(#llmopt.random<21>) {zeros = 0 : i64} : !llmopt.packed<512x64, #int8>

  %x = llmopt.embedding %ids, %table : (tensor<?x?xi64>, !llmopt.packed<512x64, #int8>) -> tensor<?x?x64xf32>
  %n1 = llmopt.rms_norm %x, %g1 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %q = llmopt.linear %n1, %wq activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<64x64, #int8>) -> tensor<?x?x64xf32>
  %qr = llmopt.rope %q at %positions, %rope {heads = 4, head_dim = 16} : tensor<?x?x64xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %k = llmopt.linear %n1, %wk activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x?x32xf32>
  %kr = llmopt.rope %k at %positions, %rope {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %v = llmopt.linear %n1, %wv activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<32x64, #int8>) -> tensor<?x?x32xf32>
  %o, %nk, %nv = llmopt.attention %qr, %kr, %v past(%pk, %pv) mask(%mask) left {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  %p = llmopt.linear %o, %wo activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<64x64, #int8>) -> tensor<?x?x64xf32>
  %h = arith.addf %x, %p : tensor<?x?x64xf32>
  %n2 = llmopt.rms_norm %h, %g2 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %g = llmopt.linear %n2, %wg activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<160x64, #int8>) -> tensor<?x?x160xf32>
  %u = llmopt.linear %n2, %wu activations(64) : (tensor<?x?x64xf32>, !llmopt.packed<160x64, #int8>) -> tensor<?x?x160xf32>
  %a = llmopt.glu silu %g, %u : tensor<?x?x160xf32>
  %d = llmopt.linear %a, %wd activations(32) : (tensor<?x?x160xf32>, !llmopt.packed<64x160, #int8>) -> tensor<?x?x64xf32>
  %r = arith.addf %d, %h : tensor<?x?x64xf32>
  %n3 = llmopt.rms_norm %r, %g3 {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %logits = llmopt.linear %n3, %head activations(64) {head} : (tensor<?x?x64xf32>, !llmopt.packed<512x64, #int8>) -> tensor<?x?x512xf32>
  return %logits, %nk, %nv : tensor<?x?x512xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}
