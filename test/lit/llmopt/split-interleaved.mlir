// Interleaved splits: round trip and what the verifier refuses.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @halves
func.func @halves(%x: tensor<?x64xf32>) {
  // CHECK: llmopt.split interleaved %{{.*}} : tensor<?x64xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  %g, %u = llmopt.split interleaved %x : tensor<?x64xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  return
}

// -----

func.func @unequal(%x: tensor<?x64xf32>) {
  // expected-error @below {{interleaved needs two equal parts of a multiple of 16 columns}}
  %g, %u = llmopt.split interleaved %x : tensor<?x64xf32> -> tensor<?x48xf32>, tensor<?x16xf32>
  return
}

// -----

func.func @panels(%x: tensor<?x48xf32>) {
  // expected-error @below {{interleaved needs two equal parts of a multiple of 16 columns}}
  %g, %u = llmopt.split interleaved %x : tensor<?x48xf32> -> tensor<?x24xf32>, tensor<?x24xf32>
  return
}
