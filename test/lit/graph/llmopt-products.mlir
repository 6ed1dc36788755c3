// Raised products in graphs: places of their weights, kernels, errors.
// RUN: llmopt-opt %s -split-input-file -llmopt-place-graph -kernel-expand-graph -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @graph(
// CHECK:         kernel.parallel_for
// CHECK:           call @quantize_g64_avx2
// CHECK:         kernel.parallel_for
// CHECK:           call @linear_int8_g64_any_store_avx2
// CHECK:         kernel.parallel_for
// CHECK:           call @linear_f32_f32_any_store_avx2
module {
  func.func @main(%x: tensor<?x64xf32>) -> tensor<*xf32> {
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0} : !llmopt.packed<32x64, #llmopt.format<int8, dense>>
    %v = llmopt.encoded_weight "v" codes(#llmopt.random<3>) {zeros = 0} : !llmopt.packed<10x32, #llmopt.format<f32, dense>>
    %0 = llmopt.linear %x, %w activations(64) : (tensor<?x64xf32>, !llmopt.packed<32x64, #llmopt.format<int8, dense>>) -> tensor<*xf32>
    %1 = llmopt.linear %0, %v : (tensor<*xf32>, !llmopt.packed<10x32, #llmopt.format<f32, dense>>) -> tensor<*xf32>
    return %1 : tensor<*xf32>
  }
}

// -----

module {
  func.func @main(%x: tensor<?x4xf32>) -> tensor<*xf32> {
    %w = llmopt.weight "w"(#llmopt.random<1>) : tensor<2x4xf32>
    // expected-error @below {{as llmopt.linear: its weight is not encoded (llmopt-encode)}}
    %0 = llmopt.linear %x, %w : (tensor<?x4xf32>, tensor<2x4xf32>) -> tensor<*xf32>
    return %0 : tensor<*xf32>
  }
}

// -----

module {
  func.func @main(%x: tensor<?x4xf32>) -> tensor<*xf32> {
    // expected-error @below {{weight has no layout yet; run llmopt-encode first}}
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0} : !llmopt.packed<2x4, #llmopt.format<f32>>
    %0 = llmopt.linear %x, %w : (tensor<?x4xf32>, !llmopt.packed<2x4, #llmopt.format<f32>>) -> tensor<*xf32>
    return %0 : tensor<*xf32>
  }
}

// -----

module {
  func.func @main(%x: tensor<?x3xf32>) -> tensor<*xf32> {
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0} : !llmopt.packed<2x4, #llmopt.format<f32, dense>>
    // expected-error @below {{its inputs do not fit: the rows of the first have 3 elements, the weight takes 4}}
    %0 = llmopt.linear %x, %w : (tensor<?x3xf32>, !llmopt.packed<2x4, #llmopt.format<f32, dense>>) -> tensor<*xf32>
    return %0 : tensor<*xf32>
  }
}

// -----

module {
  func.func @main(%x: tensor<f32>) -> tensor<*xf32> {
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0} : !llmopt.packed<2x4, #llmopt.format<f32, dense>>
    // expected-error @below {{its input must be a float32 tensor of at least one dimension}}
    %0 = llmopt.linear %x, %w : (tensor<f32>, !llmopt.packed<2x4, #llmopt.format<f32, dense>>) -> tensor<*xf32>
    return %0 : tensor<*xf32>
  }
}

// -----

module {
  func.func @main(%x: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
    // expected-error @below {{as llmopt.glu: it cannot be part of a graph}}
    %0 = llmopt.glu silu %x, %x : tensor<?x2x4xf32>
    return %0 : tensor<?x2x4xf32>
  }
}

// -----

module {
  func.func @main() -> tensor<*xf32> {
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0} : !llmopt.packed<4x2, #llmopt.format<f32, dense>>
    %ids = onnx.initializer "ids" = dense<[1, -5]> : tensor<2xi64>
    // expected-error @below {{index -5 is out of range for 4 rows}}
    %0 = llmopt.embedding %ids, %w : (tensor<2xi64>, !llmopt.packed<4x2, #llmopt.format<f32, dense>>) -> tensor<*xf32>
    return %0 : tensor<*xf32>
  }
}
