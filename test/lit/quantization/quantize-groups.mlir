// Codes with a scale per group of columns.
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-quantize='linears=int4' | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -llmopt-quantize='linears=int4 group-size=128 embedding=int8' | FileCheck %s --check-prefix=WIDE
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int4 half-scales=false' | FileCheck %s --check-prefix=FLOAT
// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(llmopt-quantize-weights{linears=int4},llmopt-encode-weights{cpus=znver4})' | FileCheck %s --check-prefix=LAYOUT
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int4 zero-points half-scales=false' | FileCheck %s --check-prefix=POINTS
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int3' | FileCheck %s --check-prefix=INT3
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int2' | FileCheck %s --check-prefix=INT2
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=nf4' | FileCheck %s --check-prefix=NF4
// RUN: llmopt-opt %s -split-input-file -llmopt-quantize='linears=int8 group-size=32' | FileCheck %s --check-prefix=INT8

// The largest weight of a group becomes 7; ties go to even. 1/7 is rounded to f16, 0.14282.
// CHECK-LABEL: func.func @linear
// WIDE-LABEL: func.func @linear
// FLOAT-LABEL: func.func @linear
// LAYOUT-LABEL: func.func @linear
func.func @linear(%x: tensor<?x34xf32>) -> tensor<?x1xf32> {
  // CHECK: codes(dense<{{\[}}[7, -7, 2, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, -4]]> : tensor<1x34xi8>)
  // CHECK-SAME: scales(dense<{{\[}}[1.000000e+00, 0.142822266]]> : tensor<1x2xf32>)
  // CHECK-SAME: zeros = 27 : i64} : !llmopt.packed<1x34, #llmopt.format<int4 group(32) f16>>
  // POINTS: codes(dense<{{\[}}[15, 0, 10, 11, 12, 8,
  // POINTS-SAME: scales(dense<{{\[}}[0.933333337, 0.106666669]]> : tensor<1x2xf32>) zero_points(dense<{{\[}}[8, 6]]> : tensor<1x2xi8>)
  // POINTS-SAME: #llmopt.format<int4 group(32) zero_points>>
  // INT3: codes(dense<{{\[}}[3, -3, 1, 1, 1, 0,
  // INT3-SAME: 3, -2]]> : tensor<1x34xi8>) scales({{.*}}) {{.*}} #llmopt.format<int3 group(32) f16>>
  // INT2: codes(dense<{{\[}}[1, -1, 0, 0, 0, 0,
  // INT2-SAME: 1, -1]]> : tensor<1x34xi8>) scales({{.*}}) {{.*}} #llmopt.format<int2 group(32) f16>>
  // NF4: codes(dense<{{\[}}[15, 0, 10, 11, 12, 7,
  // NF4-SAME: scales(dense<7.000000e+00> : tensor<1x1xf32>) {{.*}} zeros = 27 : i64} : !llmopt.packed<1x34, #llmopt.format<nf4 group(64) f16>>
  // INT8: codes(dense<{{\[}}[127, -127, 27, 45, 64, 0,
  // INT8-SAME: #llmopt.format<int8 group(32) f16>>
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
