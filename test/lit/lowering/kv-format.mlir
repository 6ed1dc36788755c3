// The format of the cache becomes a fact of the decoder, of the operations that touch the cache, and of their kernels.
// RUN: llmopt-opt %s -llmopt-encode -llmopt-select=kv=int8 | FileCheck %s --check-prefix=SELECT
// RUN: llmopt-opt %s -llmopt-encode -llmopt-select=kv=int8 -llmopt-bufferize | FileCheck %s --check-prefix=KERNEL
// RUN: llmopt-opt %s -llmopt-encode -llmopt-select=kv=int8 -llmopt-bufferize -llmopt-expand-kernels=isa=avx2 | FileCheck %s --check-prefix=INT8
// RUN: llmopt-opt %s -llmopt-encode -llmopt-select=kv=bf16 -llmopt-bufferize -llmopt-expand-kernels=isa=avx512vnni | FileCheck %s --check-prefix=BF16
// RUN: llmopt-opt %s -llmopt-encode -llmopt-select -llmopt-bufferize | FileCheck %s --check-prefix=F32
// RUN: not llmopt-opt %s -llmopt-encode -llmopt-select=kv=f16 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// SELECT: #llmopt.decoder<{{.*}} padding = right, kv = int8,
// SELECT: llmopt.cached_attention {{.*}} layer 0 {head_dim = 16 : i64, heads = 4 : i64, kv_heads = 2 : i64, scale = 2.500000e-01 : f32, softcap = 2.000000e+01 : f32, window = 5 : i64}
// KERNEL: kernel.rope_append {{.*}} layer 0 kv int8 {
// KERNEL: kernel.attention {{.*}} layer 0 kv int8 {{.*}}softcap = 2.000000e+01 : f32, window = 5 : i64}
// INT8-DAG: @rope_append_h4_kv2_d16_int8_avx2
// INT8-DAG: @attention_h4_kv2_d16_s{{[0-9a-f]*}}_w5_c{{[0-9a-f]*}}_int8_avx2
// BF16-DAG: @rope_append_h4_kv2_d16_bf16_avx512vnni
// BF16-DAG: @attention_h4_kv2_d16_s{{[0-9a-f]*}}_w5_c{{[0-9a-f]*}}_bf16_avx512vnni
// F32: kernel.attention {{.*}} layer 0 {
// UNKNOWN: f16
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
  %o, %nk, %nv = llmopt.attention %qr, %kr, %v past(%pk, %pv) mask(%mask) right {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32, window = 5, softcap = 20.0 : f32}
    : (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x?xi64>)
    -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  %wo = llmopt.weight "o"(#llmopt.random<4>) : tensor<64x64xf32>
  %d = llmopt.linear %o, %wo : (tensor<?x?x64xf32>, tensor<64x64xf32>) -> tensor<?x?x64xf32>
  %h = arith.addf %x, %d : tensor<?x?x64xf32>
  %logits = llmopt.linear %h, %table {head} : (tensor<?x?x64xf32>, tensor<128x64xf32>) -> tensor<?x?x128xf32>
  return %logits, %nk, %nv : tensor<?x?x128xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}
