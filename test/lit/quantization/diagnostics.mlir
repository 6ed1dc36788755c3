// RUN: llmopt-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(llmopt-quantize-weights{linears=int8 embedding=int8},llmopt-encode-weights{cpus=znver4})'
// RUN: not llmopt-opt %s -split-input-file -llmopt-quantize='linears=int8 activation-group=48' 2>&1 | FileCheck %s --check-prefix=GROUP
// RUN: not llmopt-opt %s -split-input-file -llmopt-quantize='linears=int4 group-size=48' 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not llmopt-opt %s -split-input-file -llmopt-quantize='linears=int4 activation-group=64' 2>&1 | FileCheck %s --check-prefix=DIVIDES
// RUN: not llmopt-opt %s -split-input-file -llmopt-quantize='linears=nf4 zero-points' 2>&1 | FileCheck %s --check-prefix=POINTS
// RUN: not llmopt-opt %s -split-input-file -llmopt-quantize='linears=int7' 2>&1 | FileCheck %s --check-prefix=ENCODING
// RUN: not llmopt-opt %s -split-input-file -llmopt-encode=cpus=no-such-cpu 2>&1 | FileCheck %s --check-prefix=CPU

// GROUP: error: activation group must be a multiple of 32, got 48
// SIZE: error: group size must be a multiple of 32, got 48
// DIVIDES: error: activation group must divide the group size, got 64 and 32
// POINTS: error: zero points need int4, int3 or int2
// ENCODING: Cannot find option named 'int7'!
// CPU: error: {{.*}}no-such-cpu

func.func @not_finite(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-error @below {{weight 'w' has the value nan at [1, 0]; quantization needs finite weights}}
  %w = llmopt.weight "w"(dense<[[1.0, 2.0], [0x7FC00000, 3.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

func.func @unreadable(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-error @below {{weight refers to 16 spilled bytes at 4096, but none were written}}
  %w = llmopt.weight "w"(#llmopt.blob<"<spill>", 4096, 16>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

#open = #llmopt.format<int8>
func.func @too_late() {
  // expected-error @below {{the layout must be chosen before 'llmopt.concat_weights' uses the weight}}
  %a = llmopt.encoded_weight "a" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<16x32, #open>
  %c = llmopt.concat_weights %a, %a : (!llmopt.packed<16x32, #open>, !llmopt.packed<16x32, #open>) -> !llmopt.packed<32x32, #open>
  return
}
