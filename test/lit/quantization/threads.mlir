// Equal input gives equal IR, spilled weights included, whatever the threads.
// RUN: llmopt-opt %s -mlir-disable-threading -llmopt-sparsify=ratio=0.5 -llmopt-quantize=linears=int8 -llmopt-encode=cpus=znver4 -o %t.one
// RUN: llmopt-opt %s -llmopt-sparsify=ratio=0.5 -llmopt-quantize=linears=int8 -llmopt-encode=cpus=znver4 -o %t.many
// RUN: diff %t.one %t.many
// RUN: FileCheck %s < %t.many

// CHECK-COUNT-6: llmopt.encoded_weight {{.*}} codes(#llmopt.blob<"<spill>"
func.func @f(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %a = llmopt.weight "a"(#llmopt.random<1>) : tensor<512x64xf32>
  %b = llmopt.weight "b"(#llmopt.random<2>) : tensor<64x512xf32>
  %c = llmopt.weight "c"(#llmopt.random<3>) : tensor<32x64xf32>
  %d = llmopt.weight "d"(#llmopt.random<4>) : tensor<64x32xf32>
  %e = llmopt.weight "e"(#llmopt.random<5>) : tensor<1024x64xf32>
  %f = llmopt.weight "f"(#llmopt.random<6>) : tensor<64x1024xf32>
  %0 = llmopt.linear %x, %a : (tensor<?x64xf32>, tensor<512x64xf32>) -> tensor<?x512xf32>
  %1 = llmopt.linear %0, %b : (tensor<?x512xf32>, tensor<64x512xf32>) -> tensor<?x64xf32>
  %2 = llmopt.linear %1, %c : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %3 = llmopt.linear %2, %d : (tensor<?x32xf32>, tensor<64x32xf32>) -> tensor<?x64xf32>
  %4 = llmopt.linear %3, %e : (tensor<?x64xf32>, tensor<1024x64xf32>) -> tensor<?x1024xf32>
  %5 = llmopt.linear %4, %f : (tensor<?x1024xf32>, tensor<64x1024xf32>) -> tensor<?x64xf32>
  return %5 : tensor<?x64xf32>
}
