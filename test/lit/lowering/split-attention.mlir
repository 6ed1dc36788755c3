// @forward_row: the pages that the row sees are split into parts, which every thread brings together for itself.
// RUN: llmopt-opt %s -split-input-file -kernel-specialize-row -kernel-plan-memory -kernel-insert-barriers -kernel-verify-barriers | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -kernel-specialize-row -kernel-plan-memory -kernel-insert-barriers -kernel-expand | FileCheck %s --check-prefix=EXPANDED

kernel.weight_data @o "output" : !kernel.weight<64x64, int8> at 0 bytes 4224 parts [{rows = 64 : i64}]

// CHECK-LABEL: func.func @forward()
// CHECK: kernel.attention %
// CHECK-NOT: kernel.merge_parts
// 12 parts of 4 heads are 12 * 4 * (16 + 16) floats, in 16 rows.
// CHECK-LABEL: func.func @forward_row()
// CHECK: %[[Y:.*]] = kernel.buffer "y" tokens private at 0 : memref<?x64xf32>
// CHECK: %[[PARTS:.*]] = kernel.buffer "attention_parts" tokens at {{.*}} : memref<?x96xf32>
// CHECK-NEXT: kernel.attention_parts %[[QKV:.*]] -> %[[PARTS]] layer 0 parts 12 kv int8 {head_dim = 16 : i64, heads = 4 : i64, kv_heads = 2 : i64, scale = 2.500000e-01 : f32, softcap = 3.000000e+00 : f32, window = 70 : i64}
// CHECK-NEXT: kernel.barrier
// CHECK-NEXT: kernel.merge_parts %[[PARTS]] -> %[[Y]] parts 12 {head_dim = 16 : i64, heads = 4 : i64, kv_heads = 2 : i64, window = 70 : i64}
// CHECK-NEXT: kernel.logits
// CHECK-NEXT: kernel.linear
// EXPANDED: call @merge_parts_h4_kv2_d16_p12_s3f800000_w70_avx2
func.func @forward() {
  %o = kernel.weight @o : !kernel.weight<64x64, int8>
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  %y = kernel.buffer "y" tokens : memref<?x64xf32>
  kernel.attention %qkv -> %y layer 0 kv int8 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32, window = 70 : i64, softcap = 3.0 : f32} : memref<?x128xf32>, memref<?x64xf32>
  %logits = kernel.logits : memref<?x64xf32>
  kernel.linear store %y, %o -> %logits : memref<?x64xf32>, !kernel.weight<64x64, int8>, memref<?x64xf32>
  return
}

// -----

// As many kv heads as there are tasks need no parts, and what others than products read is shared.

// CHECK-LABEL: func.func @forward_row()
// CHECK-NOT: attention_parts
func.func @forward() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x576xf32>
  %y = kernel.buffer "y" tokens : memref<?x192xf32>
  %wanted = kernel.buffer "wanted" logits : memref<?x192xf32>
  kernel.attention %qkv -> %y layer 0 {heads = 24, kv_heads = 24, head_dim = 8, scale = 0.25 : f32} : memref<?x576xf32>, memref<?x192xf32>
  kernel.gather_rows %y -> %wanted : memref<?x192xf32>, memref<?x192xf32>
  return
}
