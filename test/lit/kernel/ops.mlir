// Round trip of every kernel operation.
// RUN: llmopt-opt %s | llmopt-opt | FileCheck %s

// CHECK: kernel.weight_data @gamma "norm" : !kernel.weight<1x64, raw> at 0 bytes 256 parts [{rows = 1 : i64}]
kernel.weight_data @gamma "norm" : !kernel.weight<1x64, raw> at 0 bytes 256 parts [{rows = 1 : i64}]
kernel.weight_data @rope "rope" : !kernel.weight<128x16, raw> at 256 bytes 8192 parts [{rows = 128 : i64}]
kernel.weight_data @table "table" : !kernel.weight<64x64, f32> at 8448 bytes 16448 parts [{rows = 64 : i64}]
// CHECK: kernel.weight_data @gu "gate_up" : !kernel.weight<64x64, int8_bitmask> at 24896 bytes 4096 parts [{rows = 32 : i64}, {rows = 32 : i64}] {interleaved, zeros = 7 : i64}
kernel.weight_data @gu "gate_up" : !kernel.weight<64x64, int8_bitmask> at 24896 bytes 4096 parts [{rows = 32 : i64}, {rows = 32 : i64}] {interleaved, zeros = 7 : i64}

// CHECK-LABEL: func.func @forward
func.func @forward() {
  // CHECK: kernel.buffer "hidden" tokens at 0 : memref<?x64xf32>
  %h = kernel.buffer "hidden" tokens at 0 : memref<?x64xf32>
  %q = kernel.buffer "records" tokens at 256 : memref<?x128xi8>
  %qkv = kernel.buffer "qkv" tokens : memref<?x128xf32>
  %g = kernel.buffer "gated" tokens : memref<?x32xf32>
  // CHECK: kernel.buffer "last" logits : memref<?x64xf32>
  %l = kernel.buffer "last" logits : memref<?x64xf32>
  // CHECK: kernel.weight @gamma : !kernel.weight<1x64, raw>
  %gamma = kernel.weight @gamma : !kernel.weight<1x64, raw>
  %rope = kernel.weight @rope : !kernel.weight<128x16, raw>
  %table = kernel.weight @table : !kernel.weight<64x64, f32>
  %gu = kernel.weight @gu : !kernel.weight<64x64, int8_bitmask>
  // CHECK: kernel.embedding %{{.*}} -> %{{.*}} : !kernel.weight<64x64, f32>, memref<?x64xf32>
  kernel.embedding %table -> %h : !kernel.weight<64x64, f32>, memref<?x64xf32>
  // CHECK: kernel.barrier
  kernel.barrier
  // CHECK: kernel.rms_norm %{{.*}}, %{{.*}} -> %{{.*}} group 64 {epsilon = {{.*}} : f32}
  kernel.rms_norm %h, %gamma -> %q group 64 {epsilon = 1.0e-5 : f32} : memref<?x64xf32>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  // CHECK: kernel.layer_norm %{{.*}}, %{{.*}}, %{{.*}} -> %{{.*}} group 64 {epsilon = {{.*}} : f32}
  kernel.layer_norm %h, %gamma, %gamma -> %q group 64 {epsilon = 1.0e-5 : f32}
    : memref<?x64xf32>, !kernel.weight<1x64, raw>, !kernel.weight<1x64, raw>, memref<?x128xi8>
  // CHECK: kernel.bias relu %{{.*}}, %{{.*}} : memref<?x64xf32>, !kernel.weight<1x64, raw>
  kernel.bias relu %h, %gamma : memref<?x64xf32>, !kernel.weight<1x64, raw>
  // CHECK: kernel.linear silu_mul %{{.*}}, %{{.*}} -> %{{.*}} group 64
  kernel.linear silu_mul %q, %gu -> %g group 64 : memref<?x128xi8>, !kernel.weight<64x64, int8_bitmask>, memref<?x32xf32>
  // CHECK: kernel.quantize %{{.*}} -> %{{.*}} columns 64 group 64
  kernel.quantize %h -> %q columns 64 group 64 : memref<?x64xf32>, memref<?x128xi8>
  // CHECK: kernel.rope_append %{{.*}}, %{{.*}} layer 0
  kernel.rope_append %qkv, %rope layer 0 {heads = 4, kv_heads = 2, head_dim = 16} : memref<?x128xf32>, !kernel.weight<128x16, raw>
  // CHECK: kernel.attention %{{.*}} -> %{{.*}} layer 0
  kernel.attention %qkv -> %h layer 0 {heads = 4, kv_heads = 2, head_dim = 16, scale = 0.25 : f32} : memref<?x128xf32>, memref<?x64xf32>
  // CHECK: kernel.gather_rows
  kernel.gather_rows %h -> %l : memref<?x64xf32>, memref<?x64xf32>
  // CHECK: kernel.logits : memref<?x64xf32>
  %logits = kernel.logits : memref<?x64xf32>
  kernel.linear store %l, %table -> %logits : memref<?x64xf32>, !kernel.weight<64x64, f32>, memref<?x64xf32>
  return
}

// CHECK-LABEL: func.func @gated
func.func @gated(%x: memref<?x128xi8>, %w: !kernel.weight<64x64, int8>, %y: memref<?x64xi8>, %f: memref<?x48xf32>) {
  // CHECK: kernel.linear silu_mul_quantize %{{.*}}, %{{.*}} -> %{{.*}} group 64 through %{{.*}} to 32 :
  kernel.linear silu_mul_quantize %x, %w -> %y group 64 through %f to 32
    : memref<?x128xi8>, !kernel.weight<64x64, int8>, memref<?x64xi8>, memref<?x48xf32>
  return
}
