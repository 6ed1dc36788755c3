// Buffers share bytes where their lifetimes do not overlap.
// RUN: llmopt-opt %s -kernel-plan-memory | FileCheck %s

kernel.weight_data @t "table" : !kernel.weight<64x64, f32> at 0 bytes 16448 parts [{rows = 64 : i64}]

// CHECK: func.func @chain() attributes {kernel.arena_bytes_per_row = 512 : i64}
func.func @chain() {
  %t = kernel.weight @t : !kernel.weight<64x64, f32>
  // CHECK-NOT: "unused"
  %unused = kernel.buffer "unused" tokens : memref<?x256xf32>
  // %a and %c never live at one time; %b lives with both; %d and %e live with %c, but not with each other or with %b.
  // CHECK: kernel.buffer "a" tokens at 0 :
  // CHECK: kernel.buffer "b" tokens at 256 :
  // CHECK: kernel.buffer "c" tokens at 0 :
  // CHECK: kernel.buffer "d" tokens at 256 :
  // CHECK: kernel.buffer "e" tokens at 256 :
  %a = kernel.buffer "a" tokens : memref<?x64xf32>
  %b = kernel.buffer "b" tokens : memref<?x64xf32>
  %c = kernel.buffer "c" tokens : memref<?x64xf32>
  %d = kernel.buffer "d" tokens : memref<?x16xf32>
  %e = kernel.buffer "e" tokens : memref<?x64xf32>
  kernel.embedding %t -> %a : !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.linear store %a, %t -> %b : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.linear store %b, %t -> %c : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  %d4 = kernel.columns %d : memref<?x16xf32> -> memref<?x16xf32, strided<[16, 1], offset: 0>>
  %c4 = kernel.columns %c : memref<?x64xf32> -> memref<?x16xf32, strided<[64, 1], offset: 0>>
  kernel.gather_rows %c4 -> %d4 : memref<?x16xf32, strided<[64, 1], offset: 0>>, memref<?x16xf32, strided<[16, 1], offset: 0>>
  kernel.linear store %c, %t -> %e : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  return
}
