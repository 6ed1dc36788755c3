// Kernel operations become calls of generated kernels with addresses from the call.
// RUN: llmopt-opt %s -kernel-expand=isa=avx2 -cse | FileCheck %s
// RUN: llmopt-opt %s -kernel-expand=isa=avx512vnni | FileCheck %s --check-prefix=VNNI
// RUN: llmopt-opt %s -kernel-expand="isa=avx2 profile" -cse | FileCheck %s --check-prefix=PROFILE

kernel.weight_data @t "table" : !kernel.weight<64x64, f32> at 0 bytes 16448 parts [{rows = 64 : i64}]
kernel.weight_data @g "norm" : !kernel.weight<1x64, raw> at 16448 bytes 256 parts [{rows = 1 : i64}]
kernel.weight_data @r "rope" : !kernel.weight<64x16, raw> at 16704 bytes 4096 parts [{rows = 64 : i64}]
kernel.weight_data @i "int8" : !kernel.weight<128x64, int8> at 20800 bytes 8768 parts [{rows = 128 : i64}]

// What a kernel costs is said with or without time stamps; these stand between all kernels, barriers included.
// CHECK-NOT: readcyclecounter
// PROFILE: func.func @forward({{.*}} attributes {{.*}}kernel.classes = [
// PROFILE-SAME: {calls = 1 : i64, flags = 0 : i64, key_cache_bytes = 0 : i64, label = "embedding 64x64 f32", row_operations = 0 : i64, weight_bytes = 257 : i64}
// PROFILE-SAME: label = "rms_norm 64 g64", row_operations = 0 : i64, weight_bytes = 256 : i64
// PROFILE-SAME: flags = 4 : i64, key_cache_bytes = 0 : i64, label = "linear store 128x64 int8 g64", row_operations = 16384 : i64, weight_bytes = 8768 : i64
// PROFILE-SAME: key_cache_bytes = 256 : i64, label = "attention 4x16"
// PROFILE-SAME: flags = 2 : i64, key_cache_bytes = 0 : i64, label = "linear store 64x64 f32"
// PROFILE: %[[FIRST:.*]] = llvm.call_intrinsic "llvm.readcyclecounter"()
// PROFILE: call @embedding_f32_avx2
// PROFILE: %[[SECOND:.*]] = llvm.call_intrinsic "llvm.readcyclecounter"()
// PROFILE: arith.subi %[[SECOND]], %[[FIRST]]
// PROFILE: llvm.store
// PROFILE: llvm.call
// PROFILE: %[[THIRD:.*]] = llvm.call_intrinsic "llvm.readcyclecounter"()
// PROFILE: arith.subi %[[THIRD]], %[[SECOND]]
// PROFILE: scf.if
// PROFILE: call @linear_f32
// PROFILE: llvm.call_intrinsic "llvm.readcyclecounter"()
// PROFILE: return

// CHECK-NOT: kernel.weight_data
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[CALL:.*]]: !llvm.ptr, %[[THREAD:.*]]: i32) attributes {kernel.arena_bytes_per_row = 1536 : i64, kernel.classes = [{{.*}}], kernel.scratch_bytes = [[#]] : i64}
// CHECK-DAG: %[[T:.*]] = arith.extui %[[THREAD]] : i32 to i64
// CHECK-DAG: %[[THREADS32:.*]] = llvm.load %[[CALL]] {{.*}} -> i32
// CHECK-DAG: %[[THREADS:.*]] = arith.extui %[[THREADS32]]
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : i64
// CHECK-DAG: %[[ROWS_AT:.*]] = llvm.getelementptr %[[CALL]][%[[C4]]]
// CHECK-DAG: %[[ROWS32:.*]] = llvm.load %[[ROWS_AT]] {{.*}} -> i32
// CHECK-DAG: %[[ROWS:.*]] = arith.extui %[[ROWS32]]
// CHECK-DAG: %[[C16:.*]] = arith.constant 16 : i64
// CHECK-DAG: %[[LOGIT_ROWS_AT:.*]] = llvm.getelementptr %[[CALL]][%[[C16]]]
// CHECK-DAG: %[[LOGIT_ROWS32:.*]] = llvm.load %[[LOGIT_ROWS_AT]] {{.*}} -> i32
// CHECK-DAG: %[[LOGIT_ROWS:.*]] = arith.extui %[[LOGIT_ROWS32]]
// CHECK-DAG: %[[C88:.*]] = arith.constant 88 : i64
// CHECK-DAG: %[[BARRIER_AT:.*]] = llvm.getelementptr %[[CALL]][%[[C88]]]
// CHECK-DAG: %[[BARRIER:.*]] = llvm.load %[[BARRIER_AT]] {{.*}} -> !llvm.ptr
// CHECK: call @embedding_f32_avx2(%{{.*}}, %{{.*}}, %[[H:.*]], %[[C64:.*]], %[[ROWS]], %[[C64]], %[[T]], %[[THREADS]])
// CHECK: llvm.call %[[BARRIER]](%[[CALL]], %[[THREAD]]) : !llvm.ptr, (!llvm.ptr, i32) -> ()
// CHECK: call @rms_norm_quantize_g64_avx2(%[[H]], %[[C64]], %{{.*}}, %[[Q:.*]], %[[C128:.*]], %[[ROWS]], %[[C64]], %{{.*}}, %[[T]], %[[THREADS]])
// CHECK: llvm.call
// The columns' row is that of the whole buffer: 128 floats; 128 weight rows are 8 panels.
// CHECK: call @linear_int8_g64_any_store_avx2(%[[Q]], %[[C128]], %{{.*}}, %[[QKV:.*]], %[[C128]], %[[ROWS]], %{{.*}}, %[[C64]], %[[T]], %[[THREADS]], %[[SCRATCH:[0-9]+]])
// CHECK: call @rope_append_h4_kv2_d16_avx2(%[[CALL]], %[[QKV]], %[[C128]], %{{.*}}, %{{.*}}, %[[T]], %[[THREADS]])
// CHECK: call @attention_h4_kv2_d16_{{.*}}_avx2(%[[CALL]], %[[QKV]], %[[C128]], %[[H]], %[[C64]], %{{.*}}, %[[T]], %[[THREADS]], %[[SCRATCH]])
// What is only for logits runs only when some are wanted, with the barrier in front of it.
// CHECK: arith.cmpi ult, %{{.*}}, %[[LOGIT_ROWS]]
// CHECK-NEXT: scf.if
// CHECK: llvm.call %[[BARRIER]]
// CHECK-NEXT: call @gather_rows_avx2(%[[H]], %[[C64]], %{{.*}}, %[[W:.*]], %[[C64]], %[[LOGIT_ROWS]], %[[C64]], %[[T]], %[[THREADS]])
// CHECK: call @linear_f32_f32_any_store_avx2(%[[W]], %{{.*}}, %{{.*}}, %{{.*}}, %[[C64]], %[[LOGIT_ROWS]],
// CHECK: }
// CHECK-NEXT: return
// CHECK: func.func private @embedding_f32_avx2
// VNNI: call @linear_int8_g64_any_store_avx512vnni
// VNNI-NOT: avx2
func.func @forward() attributes {kernel.arena_bytes_per_row = 1536 : i64} {
  %t = kernel.weight @t : !kernel.weight<64x64, f32>
  %g = kernel.weight @g : !kernel.weight<1x64, raw>
  %r = kernel.weight @r : !kernel.weight<64x16, raw>
  %i = kernel.weight @i : !kernel.weight<128x64, int8>
  %h = kernel.buffer "h" tokens at 0 : memref<?x64xf32>
  %q = kernel.buffer "q" tokens at 256 : memref<?x128xi8>
  %qkv = kernel.buffer "qkv" tokens at 384 : memref<?x128xf32>
  %w = kernel.buffer "w" logits at 1024 : memref<?x64xf32>
  %whole = kernel.columns %qkv : memref<?x128xf32> -> memref<?x128xf32, strided<[128, 1], offset: 0>>
  kernel.embedding %t -> %h : !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.barrier
  kernel.rms_norm %h, %g -> %q group 64 {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  kernel.barrier
  kernel.linear store %q, %i -> %whole group 64 : memref<?x128xi8>, !kernel.weight<128x64, int8>, memref<?x128xf32, strided<[128, 1], offset: 0>>
  kernel.barrier
  kernel.rope_append %qkv, %r layer 0 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x128xf32>, !kernel.weight<64x16, raw>
  kernel.barrier
  kernel.attention %qkv -> %h layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  kernel.barrier
  kernel.gather_rows %h -> %w : memref<?x64xf32>, memref<?x64xf32>
  kernel.barrier
  %logits = kernel.logits : memref<?x64xf32>
  kernel.linear store %w, %t -> %logits : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  return
}
