// Views of columns: round trip and what the verifier refuses.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @view
func.func @view() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  // CHECK: kernel.columns %{{.*}} : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 64>>
  %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 64>>
  return
}

// -----

func.func @dense() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  // expected-error @below {{result must be strided by the rows of 'memref<?x128xf32>', got 'memref<?x32xf32>'}}
  %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32>
  return
}

// -----

func.func @stride() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  // expected-error @below {{result must be strided by the rows of}}
  %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32, strided<[64, 1], offset: 64>>
  return
}

// -----

func.func @beyond() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  // expected-error @below {{columns must be multiples of 16 within 'memref<?x128xf32>', got 32 from 112 on}}
  %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 112>>
  return
}

// -----

func.func @unaligned() {
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  // expected-error @below {{columns must be multiples of 16 within 'memref<?x128xf32>', got 32 from 8 on}}
  %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 8>>
  return
}
