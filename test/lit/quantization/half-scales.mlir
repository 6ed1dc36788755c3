// Scales that f16 cannot hold.
// RUN: llmopt-opt %s -verify-diagnostics -llmopt-quantize=linears=int4
// RUN: llmopt-opt %s -llmopt-quantize='linears=int4 half-scales=false' -o /dev/null

func.func @large(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // expected-error @below {{weight 'w' has values in row 1, group 0 that are too large for scales in f16; use f32 (-scale-type=f32)}}
  %w = llmopt.weight "w"(dense<[[1.0, 2.0], [1.0e6, 3.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
