// A vocabulary of no whole vectors: rows of the logits are padded to 16 floats.
// RUN: llmopt-opt %s -llmopt-to-kernel | FileCheck %s

#f32 = #llmopt.format<f32, dense>

// CHECK-LABEL: func.func @forward
// CHECK: %[[LOGITS:.*]] = kernel.logits : memref<?x48xf32>
// CHECK: kernel.linear store %{{.*}}, %{{.*}} -> %[[LOGITS]] : memref<?x64xf32>, !kernel.weight<37x64, f32>, memref<?x48xf32>
func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x37xf32> {
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<37x64, #f32>
  %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, !llmopt.packed<37x64, #f32>) -> tensor<?x64xf32>
  %logits = llmopt.linear %x, %table {head} : (tensor<?x64xf32>, !llmopt.packed<37x64, #f32>) -> tensor<?x37xf32>
  return %logits : tensor<?x37xf32>
}
