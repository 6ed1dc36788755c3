// Passes that need the memory plan say so.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -kernel-insert-barriers
// RUN: not llmopt-opt %s -split-input-file -kernel-verify-barriers 2>&1 | FileCheck %s
// RUN: not llmopt-opt %s -split-input-file -kernel-expand 2>&1 | FileCheck %s --check-prefix=EXPAND
// RUN: not llmopt-opt %s -split-input-file -kernel-specialize-row 2>&1 | FileCheck %s --check-prefix=SPECIALIZE

// CHECK: error: 'kernel.gather_rows' op works on a buffer without a place in the arena (kernel-plan-memory)
// SPECIALIZE: error: there is no function @forward on kernel operations (llmopt-to-kernel)
// EXPAND: error: there is no function @forward with planned buffers (llmopt-bufferize)
func.func @unplanned() {
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" logits : memref<?x64xf32>
  // expected-error @below {{works on a buffer without a place in the arena (kernel-plan-memory)}}
  kernel.gather_rows %a -> %b : memref<?x64xf32>, memref<?x64xf32>
  return
}

// -----

// EXPAND: error: 'kernel.gather_rows' op covers all rows, but follows operations on rows of logits
func.func @forward() attributes {kernel.arena_bytes_per_row = 1024 : i64} {
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" logits at 256 : memref<?x64xf32>
  %c = kernel.buffer "c" tokens at 512 : memref<?x64xf32>
  kernel.gather_rows %a -> %b : memref<?x64xf32>, memref<?x64xf32>
  kernel.gather_rows %a -> %c : memref<?x64xf32>, memref<?x64xf32>
  return
}

// -----

// EXPAND: error: 'arith.constant' op is no kernel operation
func.func @forward() attributes {kernel.arena_bytes_per_row = 0 : i64} {
  %0 = arith.constant 0 : i64
  return
}

// -----

// EXPAND: error: 'kernel.buffer' op has no place in the arena (kernel-plan-memory)
func.func @forward() attributes {kernel.arena_bytes_per_row = 0 : i64} {
  %b = kernel.buffer "b" logits : memref<?x64xf32>
  return
}

// -----

// CHECK: error: barriers can only be verified in straight-line code
func.func @branches(%c: i1) {
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" logits at 256 : memref<?x64xf32>
  cf.cond_br %c, ^one, ^two
^one:
  kernel.gather_rows %a -> %b : memref<?x64xf32>, memref<?x64xf32>
  cf.br ^two
^two:
  return
}

// -----

// CHECK: error: 'kernel.gather_rows' op writes a private buffer, but every thread computes only a part of it
func.func @private_part() {
  %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
  %b = kernel.buffer "b" logits private at 0 : memref<?x64xf32>
  kernel.gather_rows %a -> %b : memref<?x64xf32>, memref<?x64xf32>
  return
}

// -----

// EXPAND: error: there is no function @forward with planned buffers (llmopt-bufferize)
func.func @forward(%a: memref<?x64xf32>) attributes {kernel.arena_bytes_per_row = 0 : i64} {
  return
}
