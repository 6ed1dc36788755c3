// What kernels read of weights in groups and of caches in several formats.
// RUN: llmopt-opt %s -kernel-expand=isa=avx512vnni | FileCheck %s

kernel.weight_data @r "rope" : !kernel.weight<64x16, raw> at 0 bytes 4096 parts [{rows = 64 : i64}]

// CHECK: kernel.classes = [
// CHECK-SAME: {calls = 1 : i64, flags = 0 : i64, key_cache_bytes = 0 : i64, label = "rope_append 4x16", row_operations = 0 : i64, weight_bytes = 64 : i64}
// CHECK-SAME: key_cache_bytes = 128 : i64, label = "attention 4x16 bf16"
// CHECK-SAME: {calls = 2 : i64, flags = 0 : i64, key_cache_bytes = 160 : i64, label = "attention 4x16 int8"
// CHECK-SAME: key_cache_bytes = 0 : i64, label = "attention 4x16 window 32"
func.func @forward() attributes {kernel.arena_bytes_per_row = 768 : i64} {
  %r = kernel.weight @r : !kernel.weight<64x16, raw>
  %qkv = kernel.buffer "qkv" tokens at 0 : memref<?x128xf32>
  %y = kernel.buffer "y" tokens at 512 : memref<?x64xf32>
  kernel.rope_append %qkv, %r layer 0 {heads = 4 : i64, kv_heads = 2 : i64, head_dim = 16 : i64} : memref<?x128xf32>, !kernel.weight<64x16, raw>
  kernel.attention %qkv -> %y layer 0 kv bf16 {heads = 4 : i64, kv_heads = 2 : i64, head_dim = 16 : i64, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  kernel.attention %qkv -> %y layer 1 kv int8 {heads = 4 : i64, kv_heads = 2 : i64, head_dim = 16 : i64, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  kernel.attention %qkv -> %y layer 2 kv int8 {heads = 4 : i64, kv_heads = 2 : i64, head_dim = 16 : i64, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  kernel.attention %qkv -> %y layer 3 {heads = 4 : i64, kv_heads = 2 : i64, head_dim = 16 : i64, scale = 0.25 : f32, window = 32 : i64} : memref<?x128xf32>, memref<?x64xf32>
  return
}
