// Codes with a scale per group of columns.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-quantize='linears=int4' | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-quantize='linears=int4 group-size=128 embedding=int8' | FileCheck %s --check-prefix=WIDE
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int4 half-scales=false' | FileCheck %s --check-prefix=FLOAT
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(llmopt-quantize-weights{linears=int4},llmopt-encode-weights{cpus=znver4})' | FileCheck %s --check-prefix=LAYOUT

// The largest weight of a group becomes 7; ties go to even. 1/7 is rounded to f16, 0.14282.
// CHECK-LABEL: func.func @linear
// WIDE-LABEL: func.func @linear
// FLOAT-LABEL: func.func @linear
// LAYOUT-LABEL: func.func @linear
func.func @linear(%x: tensor<?x34xf32>) -> tensor<?x1xf32> {
  // CHECK: codes(dense<{{\[}}[7, -7, 2, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, -4]]> : tensor<1x34xi8>)
  // CHECK-SAME: scales(dense<{{\[}}[1.000000e+00, 0.142822266]]> : tensor<1x2xf32>)
  // CHECK-SAME: zeros = 27 : i64} : !llmopt.packed<1x34, #llmopt.format<int4 group(32) f16>>
  // WIDE: !llmopt.packed<1x34, #llmopt.format<int4 group(128) f16>>
  // FLOAT: scales(dense<{{\[}}[1.000000e+00, 0.142857149]]> : tensor<1x2xf32>)
  // FLOAT-SAME: #llmopt.format<int4 group(32)>>
  // LAYOUT: reason = "codes with a scale per group are always dense"
  // LAYOUT-SAME: #llmopt.format<int4 group(32) f16, dense>>
  %w = llmopt.weight "w"(dense<[[7.0, -7.0, 1.5, 2.5, 3.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -0.6]]> : tensor<1x34xf32>) : tensor<1x34xf32>
  // CHECK: llmopt.linear %{{.*}}, %{{.*}} activations(32)
  // WIDE: llmopt.linear %{{.*}}, %{{.*}} activations(64)
  %y = llmopt.linear %x, %w : (tensor<?x34xf32>, tensor<1x34xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}
