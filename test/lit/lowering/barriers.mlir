// Barriers: inserted where bytes are shared, as few as possible, and the check that finds a missing one.
// RUN: llmopt-opt %s -kernel-insert-barriers -kernel-verify-barriers | FileCheck %s
// RUN: not llmopt-opt %s -kernel-verify-barriers 2>&1 | FileCheck %s --check-prefix=MISSING

kernel.weight_data @t "table" : !kernel.weight<64x64, f32> at 0 bytes 16448 parts [{rows = 64 : i64}]
kernel.weight_data @g "norm" : !kernel.weight<1x64, raw> at 16448 bytes 256 parts [{rows = 1 : i64}]
kernel.weight_data @r "rope" : !kernel.weight<64x16, raw> at 16704 bytes 4096 parts [{rows = 64 : i64}]

// The first reader of %a needs one; the second operation on another slot does not, and neither does a second reader.
// CHECK-LABEL: func.func @shared
// CHECK: kernel.embedding
// CHECK-NEXT: kernel.embedding
// CHECK-NEXT: kernel.barrier
// CHECK-NEXT: kernel.gather_rows
// CHECK-NEXT: kernel.gather_rows
// CHECK-NEXT: return
// MISSING: error: 'kernel.gather_rows' op reads what 'kernel.embedding' writes, and no barrier separates them
// MISSING: note: the other operation
func.func @shared() {
  %t = kernel.weight @t : !kernel.weight<64x64, f32>
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" tokens at 256 : memref<?x64xf32>
  %c = kernel.buffer "c" logits at 512 : memref<?x64xf32>
  %d = kernel.buffer "d" logits at 768 : memref<?x64xf32>
  kernel.embedding %t -> %a : !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.embedding %t -> %b : !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.gather_rows %a -> %c : memref<?x64xf32>, memref<?x64xf32>
  kernel.gather_rows %a -> %d : memref<?x64xf32>, memref<?x64xf32>
  return
}

// Different buffers that share bytes conflict: a write after a read.
// CHECK-LABEL: func.func @reused
// CHECK: kernel.gather_rows
// CHECK-NEXT: kernel.barrier
// CHECK-NEXT: kernel.embedding
func.func @reused() {
  %t = kernel.weight @t : !kernel.weight<64x64, f32>
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" tokens at 192 : memref<?x64xf32>
  %c = kernel.buffer "c" logits at 512 : memref<?x64xf32>
  kernel.gather_rows %a -> %c : memref<?x64xf32>, memref<?x64xf32>
  kernel.embedding %t -> %b : !kernel.weight<64x64, f32>, memref<?x64xf32>
  return
}

// Columns of one buffer that do not overlap need none; the cache is memory too.
// CHECK-LABEL: func.func @columns
// CHECK: kernel.linear
// CHECK-NEXT: kernel.linear
// CHECK-NEXT: kernel.barrier
// CHECK-NEXT: kernel.rope_append
// CHECK-NEXT: kernel.barrier
// CHECK-NEXT: kernel.attention
func.func @columns() {
  %t = kernel.weight @t : !kernel.weight<64x64, f32>
  %r = kernel.weight @r : !kernel.weight<64x16, raw>
  %x = kernel.buffer "x" tokens at 0 : memref<?x64xf32>
  %qkv = kernel.buffer "qkv" tokens at 256 : memref<?x128xf32>
  %other = kernel.buffer "other" tokens at 768 : memref<?x128xf32>
  %y = kernel.buffer "y" tokens at 1280 : memref<?x64xf32>
  %q = kernel.columns %qkv : memref<?x128xf32> -> memref<?x64xf32, strided<[128, 1], offset: 0>>
  %kv = kernel.columns %qkv : memref<?x128xf32> -> memref<?x64xf32, strided<[128, 1], offset: 64>>
  kernel.linear store %x, %t -> %q : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32, strided<[128, 1], offset: 0>>
  kernel.linear store %x, %t -> %kv : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32, strided<[128, 1], offset: 64>>
  kernel.rope_append %qkv, %r layer 0 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x128xf32>, !kernel.weight<64x16, raw>
  // Reads the cache that rope_append wrote, and no bytes of the arena that it touched.
  kernel.attention %other -> %y layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  return
}
