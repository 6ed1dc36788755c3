// Round trip of every llmopt operation.
// RUN: llmopt-opt %s | llmopt-opt | FileCheck %s

// CHECK: llmopt.decoder = #llmopt.decoder<layers = 1, heads = 4, kv_heads = 2, head_dim = 16, vocabulary = 64, max_positions = 128, padding = right
module attributes {llmopt.decoder = #llmopt.decoder<layers = 1, heads = 4, kv_heads = 2, head_dim = 16, vocabulary = 64,
    max_positions = 128, padding = right, inputs = [#llmopt.argument<"input_ids", tokens, 0, tensor<?x?xi64>>],
    outputs = [#llmopt.argument<"logits", logits, 0, tensor<?x?x64xf32>>]>} {

// CHECK-LABEL: func.func @weights
func.func @weights() {
  // CHECK: llmopt.weight "a"(#llmopt.blob<"model.onnx.data", 64, 8192, transposed>) : tensor<32x64xf32>
  %a = llmopt.weight "a"(#llmopt.blob<"model.onnx.data", 64, 8192, transposed>) : tensor<32x64xf32>
  // CHECK: llmopt.weight "b"(#llmopt.random<7>) : tensor<8xf32>
  %b = llmopt.weight "b"(#llmopt.random<7>) : tensor<8xf32>
  // CHECK: llmopt.weight "c"(dense<1.000000e+00> : tensor<8xf32>) : tensor<8xf32>
  %c = llmopt.weight "c"(dense<1.0> : tensor<8xf32>) : tensor<8xf32>
  // CHECK: llmopt.encoded_weight "d" codes(#llmopt.blob<"<spill>", 0, 2048>) scales(#llmopt.blob<"<spill>", 2048, 128>) {zeros = 3 : i64} : !llmopt.packed<32x64, #llmopt.format<int8>>
  %d = llmopt.encoded_weight "d" codes(#llmopt.blob<"<spill>", 0, 2048>) scales(#llmopt.blob<"<spill>", 2048, 128>) {zeros = 3 : i64} : !llmopt.packed<32x64, #llmopt.format<int8>>
  // CHECK: llmopt.encoded_weight "e" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<f32, dense>>
  %e = llmopt.encoded_weight "e" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<f32, dense>>
  // CHECK: scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<int4 group(32) f16>>
  %g = llmopt.encoded_weight "g" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<int4 group(32) f16>>
  // CHECK: scales(#llmopt.random<2>) zero_points(#llmopt.random<3>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<int3 group(64) zero_points, dense>>
  %h = llmopt.encoded_weight "h" codes(#llmopt.random<1>) scales(#llmopt.random<2>) zero_points(#llmopt.random<3>) {zeros = 0 : i64}
    : !llmopt.packed<32x64, #llmopt.format<int3 group(64) zero_points, dense>>
  // CHECK: #llmopt.format<nf4 group(64) f16, dense>
  %i = llmopt.encoded_weight "i" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<32x64, #llmopt.format<nf4 group(64) f16, dense>>
  // CHECK: #llmopt.format<table2 group(32) [-1.000000e+00, 0.000000e+00, 5.000000e-01, 1.000000e+00]>
  %j = llmopt.encoded_weight "j" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64}
    : !llmopt.packed<32x64, #llmopt.format<table2 group(32) [-1.0, 0.0, 0.5, 1.0]>>
  // CHECK: llmopt.concat_weights interleaved %{{.*}}, %{{.*}} :
  %f = llmopt.concat_weights interleaved %e, %e : (!llmopt.packed<32x64, #llmopt.format<f32, dense>>, !llmopt.packed<32x64, #llmopt.format<f32, dense>>) -> !llmopt.packed<64x64, #llmopt.format<f32, dense>>
  return
}

// CHECK-LABEL: func.func @block
func.func @block(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %mask: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>},
                 %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 3>}, %pv: tensor<?x2x?x16xf32>, %rows: tensor<?x64xf32>) {
  %table = llmopt.weight "table"(#llmopt.random<1>) : tensor<64x64xf32>
  %gamma = llmopt.weight "gamma"(dense<1.0> : tensor<64xf32>) : tensor<64xf32>
  %rope = llmopt.weight "rope"(#llmopt.random<2>) : tensor<128x16xf32>
  %wqkv = llmopt.encoded_weight "qkv" codes(#llmopt.random<3>) scales(#llmopt.random<4>) {zeros = 0 : i64} : !llmopt.packed<128x64, #llmopt.format<int8, bitmask>>
  // CHECK: llmopt.embedding %{{.*}}, %{{.*}} : (tensor<?x?xi64>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  %x = llmopt.embedding %ids, %table : (tensor<?x?xi64>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  // CHECK: llmopt.rms_norm %{{.*}}, %{{.*}} {epsilon = {{.*}} : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %n = llmopt.rms_norm %x, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  // CHECK: llmopt.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {epsilon = {{.*}} : f32} : tensor<?x?x64xf32>, tensor<64xf32>, tensor<64xf32>
  %ln = llmopt.layer_norm %x, %gamma, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>, tensor<64xf32>
  // CHECK: llmopt.bias relu %{{.*}}, %{{.*}} : tensor<?x?x64xf32>, tensor<64xf32>
  %biased = llmopt.bias relu %ln, %gamma : tensor<?x?x64xf32>, tensor<64xf32>
  // CHECK: llmopt.position_embedding %{{.*}}, %{{.*}} offset 2 : (tensor<?x?xi64>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  %positioned = llmopt.position_embedding %ids, %table offset 2 : (tensor<?x?xi64>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  // CHECK: llmopt.linear %{{.*}}, %{{.*}} activations(64) {head} :
  %qkv = llmopt.linear %n, %wqkv activations(64) {head} : (tensor<?x?x64xf32>, !llmopt.packed<128x64, #llmopt.format<int8, bitmask>>) -> tensor<?x?x128xf32>
  // CHECK: llmopt.split %{{.*}} : tensor<?x?x128xf32> -> tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>
  %q, %k, %v = llmopt.split %qkv : tensor<?x?x128xf32> -> tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>
  // CHECK: llmopt.row_positions
  %p = llmopt.row_positions %ids, %mask : (tensor<?x?xi64>, tensor<?x?xi64>) -> tensor<?x?xi64>
  // CHECK: llmopt.rope %{{.*}} at %{{.*}}, %{{.*}} {head_dim = 16 : i64, heads = 4 : i64}
  %qr = llmopt.rope %q at %p, %rope {heads = 4, head_dim = 16} : tensor<?x?x64xf32>, tensor<?x?xi64>, tensor<128x16xf32>
  // CHECK: llmopt.attention %{{.*}}, %{{.*}}, %{{.*}} past(%{{.*}}, %{{.*}}) mask(%{{.*}}) right {
  %o, %nk, %nv = llmopt.attention %qr, %k, %v past(%pk, %pv) mask(%mask) right {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  // CHECK: llmopt.glu silu %{{.*}}, %{{.*}} : tensor<?x?x64xf32>
  %g = llmopt.glu silu %o, %x : tensor<?x?x64xf32>
  %rk, %rv = llmopt.split %rows : tensor<?x64xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  // CHECK: llmopt.cached_attention %{{.*}}, %{{.*}}, %{{.*}} layer 2 {
  %c = llmopt.cached_attention %rows, %rk, %rv layer 2 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x64xf32>
  return
}
}
