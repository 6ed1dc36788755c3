// Attention with past and mask becomes state; rows replace batch and sequence.
// RUN: llmopt-opt %s -llmopt-form-session | FileCheck %s

// CHECK: module attributes {llmopt.decoder = #llmopt.decoder<layers = 1, heads = 4, kv_heads = 2, head_dim = 16,
// CHECK-SAME: vocabulary = 128, max_positions = 256, padding = right,
// CHECK-SAME: inputs = [#llmopt.argument<"input_ids", tokens, 0, tensor<?x?xi64>>, #llmopt.argument<"attention_mask", mask, 0, tensor<?x?xi64>>,
// CHECK-SAME: #llmopt.argument<"input2", key, 0, tensor<?x2x?x16xf32>>, #llmopt.argument<"input3", value, 0, tensor<?x2x?x16xf32>>]
// CHECK-SAME: outputs = [#llmopt.argument<"logits", logits, 0, tensor<?x?x128xf32>>, #llmopt.argument<"output1", key, 0, tensor<?x2x?x16xf32>>,
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[TOKENS:.*]]: tensor<?xi64>, %[[POSITIONS:.*]]: tensor<?xi32>) -> tensor<?x128xf32>
// CHECK: llmopt.embedding %[[TOKENS]], %{{.*}} : (tensor<?xi64>, tensor<128x64xf32>) -> tensor<?x64xf32>
// CHECK: llmopt.rms_norm {{.*}} : tensor<?x64xf32>, tensor<64xf32>
// CHECK: llmopt.linear {{.*}} -> tensor<?x128xf32>
// CHECK: %[[PARTS:.*]]:3 = llmopt.split {{.*}} : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>
// CHECK-NOT: llmopt.row_positions
// CHECK: %[[Q:.*]] = llmopt.rope %[[PARTS]]#0 at %[[POSITIONS]], {{.*}} : tensor<?x64xf32>, tensor<?xi32>
// CHECK: %[[K:.*]] = llmopt.rope %[[PARTS]]#1 at %[[POSITIONS]]
// CHECK: llmopt.cached_attention %[[Q]], %[[K]], %[[PARTS]]#2 layer 0 {head_dim = 16 : i64, heads = 4 : i64, kv_heads = 2 : i64, scale = 2.500000e-01 : f32}
// CHECK: arith.addf {{.*}} : tensor<?x64xf32>
// CHECK: return {{.*}} : tensor<?x128xf32>
// CHECK-NOT: @main
func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>, onnx.name = "input_ids"},
                %mask: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>, onnx.name = "attention_mask"},
                %pk: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>},
                %pv: tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>})
    -> (tensor<?x?x128xf32> {llmopt.role = #llmopt.role<logits>, onnx.name = "logits"},
        tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<key, 0>}, tensor<?x2x?x16xf32> {llmopt.role = #llmopt.role<value, 0>}) {
  %table = llmopt.weight "table"(#llmopt.random<1>) : tensor<128x64xf32>
  %gamma = llmopt.weight "gamma"(dense<1.0> : tensor<64xf32>) : tensor<64xf32>
  %rope = llmopt.weight "rope"(#llmopt.random<2>) : tensor<256x16xf32>
  %wqkv = llmopt.weight "qkv"(#llmopt.random<3>) : tensor<128x64xf32>
  %x = llmopt.embedding %ids, %table : (tensor<?x?xi64>, tensor<128x64xf32>) -> tensor<?x?x64xf32>
  %n = llmopt.rms_norm %x, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x?x64xf32>, tensor<64xf32>
  %qkv = llmopt.linear %n, %wqkv : (tensor<?x?x64xf32>, tensor<128x64xf32>) -> tensor<?x?x128xf32>
  %q, %k, %v = llmopt.split %qkv : tensor<?x?x128xf32> -> tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>
  %p = llmopt.row_positions %ids, %mask : (tensor<?x?xi64>, tensor<?x?xi64>) -> tensor<?x?xi64>
  %qr = llmopt.rope %q at %p, %rope {heads = 4, head_dim = 16} : tensor<?x?x64xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %kr = llmopt.rope %k at %p, %rope {heads = 2, head_dim = 16} : tensor<?x?x32xf32>, tensor<?x?xi64>, tensor<256x16xf32>
  %o, %nk, %nv = llmopt.attention %qr, %kr, %v past(%pk, %pv) mask(%mask) right {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  %h = arith.addf %x, %o : tensor<?x?x64xf32>
  %logits = llmopt.linear %h, %table {head} : (tensor<?x?x64xf32>, tensor<128x64xf32>) -> tensor<?x?x128xf32>
  // What only the mask's computation needed vanishes.
  %dead = arith.muli %mask, %mask : tensor<?x?xi64>
  return %logits, %nk, %nv : tensor<?x?x128xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}
