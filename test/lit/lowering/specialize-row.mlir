// @forward_row: norms and quantized rows are every thread's own, the only row is not gathered.
// RUN: llmopt-opt %s -kernel-specialize-row | FileCheck %s
// RUN: llmopt-opt %s -kernel-specialize-row -kernel-plan-memory -kernel-insert-barriers -kernel-verify-barriers | FileCheck %s --check-prefix=PLANNED
// RUN: llmopt-opt %s -kernel-specialize-row -kernel-plan-memory -kernel-insert-barriers -kernel-expand -cse | FileCheck %s --check-prefix=EXPANDED

kernel.weight_data @t "table" : !kernel.weight<64x64, int8> at 0 bytes 4224 parts [{rows = 64 : i64}]
kernel.weight_data @g "norm" : !kernel.weight<1x64, raw> at 4224 bytes 256 parts [{rows = 1 : i64}]

// CHECK-LABEL: func.func @forward()
// CHECK-NOT: private
// CHECK: kernel.gather_rows
// CHECK: kernel.gather_rows
// CHECK-LABEL: func.func @forward_row()
// CHECK: %[[H:.*]] = kernel.buffer "h" tokens : memref<?x64xf32>
// CHECK: %[[R:.*]] = kernel.buffer "r" tokens private : memref<?x128xi8>
// CHECK: %[[S:.*]] = kernel.buffer "s" logits private : memref<?x128xi8>
// A norm that something else than products reads is shared.
// CHECK: %[[N:.*]] = kernel.buffer "n" tokens : memref<?x64xf32>
// CHECK-NOT: kernel.buffer "wanted"
// CHECK: kernel.buffer "kept" tokens : memref<?x64xf32>
// CHECK: kernel.rms_norm %[[H]], %{{.*}} -> %[[R]]
// CHECK: kernel.rms_norm %[[H]], %{{.*}} -> %[[N]]
// The first gather stays, because the row is overwritten later; the second is the row itself.
// CHECK: kernel.gather_rows %[[N]] -> %[[KEPT:[0-9]+]]
// CHECK: kernel.linear store %[[R]], %{{.*}} -> %[[N]]
// CHECK-NOT: kernel.gather_rows
// CHECK: kernel.quantize %[[H]] -> %[[S]]

// Private rows need a barrier before they are written, when what they are made of was written, but none after.
// PLANNED-LABEL: func.func @forward_row()
// PLANNED-SAME: kernel.private_bytes = 128 : i64
// PLANNED: kernel.embedding
// PLANNED-NEXT: kernel.barrier
// PLANNED-NEXT: kernel.rms_norm
// PLANNED-NEXT: kernel.rms_norm
// PLANNED-NEXT: kernel.barrier
// PLANNED-NEXT: kernel.gather_rows
// PLANNED-NEXT: kernel.barrier
// PLANNED-NEXT: kernel.linear store
// PLANNED-NEXT: kernel.quantize
// PLANNED-NEXT: kernel.logits
// PLANNED-NEXT: kernel.linear store

// EXPANDED: func.func @forward(%[[CALL:.*]]: !llvm.ptr, %[[THREAD:.*]]: i32) attributes {kernel.arena_bytes_per_row = [[#]] : i64, kernel.classes = [{{.*}}], kernel.scratch_bytes = [[#]] : i64}
// EXPANDED: %[[IS_ROW:.*]] = arith.cmpi eq
// EXPANDED: scf.if %[[IS_ROW]] {
// EXPANDED-NEXT: call @forward_row(%[[CALL]], %[[THREAD]])
// EXPANDED-NEXT: } else {
// EXPANDED: call @linear_int8_g64_any_store_avx2(
// EXPANDED: func.func private @forward_row(%{{.*}}: !llvm.ptr, %{{.*}}: i32) attributes {llvm.linkage = #llvm.linkage<internal>}
// EXPANDED-DAG: %[[ZERO:.*]] = arith.constant 0 : i64
// EXPANDED-DAG: %[[ONE:.*]] = arith.constant 1 : i64
// Every thread computes its own row whole.
// EXPANDED: call @rms_norm_quantize_g64_avx2({{.*}}, %[[ONE]], %{{.*}}, %{{.*}}, %[[ZERO]], %[[ONE]])
// EXPANDED: call @rms_norm_avx2({{.*}}, %[[ONE]], %{{.*}}, %{{.*}}, %[[T:.*]], %[[THREADS:.*]]) : (
// EXPANDED: call @linear_int8_g64_decode_store_avx2(
func.func @forward() {
  %t = kernel.weight @t : !kernel.weight<64x64, int8>
  %g = kernel.weight @g : !kernel.weight<1x64, raw>
  %h = kernel.buffer "h" tokens : memref<?x64xf32>
  %r = kernel.buffer "r" tokens : memref<?x128xi8>
  %s = kernel.buffer "s" logits : memref<?x128xi8>
  %n = kernel.buffer "n" tokens : memref<?x64xf32>
  %w = kernel.buffer "wanted" logits : memref<?x64xf32>
  %kept = kernel.buffer "kept" tokens : memref<?x64xf32>
  kernel.embedding %t -> %h : !kernel.weight<64x64, int8>, memref<?x64xf32>
  kernel.rms_norm %h, %g -> %r group 64 {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  kernel.rms_norm %h, %g -> %n {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x64xf32>
  kernel.gather_rows %n -> %kept : memref<?x64xf32>, memref<?x64xf32>
  kernel.linear store %r, %t -> %n group 64 : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xf32>
  kernel.gather_rows %h -> %w : memref<?x64xf32>, memref<?x64xf32>
  kernel.quantize %w -> %s columns 64 group 64 : memref<?x64xf32>, memref<?x128xi8>
  %logits = kernel.logits : memref<?x64xf32>
  kernel.linear store %s, %t -> %logits group 64 : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xf32>
  return
}
