// A reduction reads its input as an expression: no buffer, one loop. Vectors run
// along contiguous lines, or hold neighbouring lines. Reductions of lists of
// scalars are done while code is generated.
// RUN: llmopt-opt %s -kernel-expand-graph -canonicalize -cse | FileCheck %s

module attributes {onnx.opset = {"ai.onnx" = 17 : i64}} {
  // CHECK-LABEL: func.func @graph(
  // CHECK-COUNT-1: llvm.call %{{.*}}(%arg0, %c12_i64)
  // CHECK: kernel.parallel_for %c3_i64
  // CHECK: %[[SUM:.*]] = scf.for %{{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (vector<16xf32>)
  // CHECK: %[[SQUARE:.*]] = arith.mulf %{{.*}} : vector<16xf32>
  // CHECK: arith.addf %[[ACC]], %[[SQUARE]] : vector<16xf32>
  // CHECK: vector.shuffle %[[SUM]], %[[SUM]] [8, 9, 10, 11, 12, 13, 14, 15]
  // CHECK: arith.divf
  // CHECK: llvm.store
  // CHECK: kernel.parallel_for %c1_i64
  // CHECK: scf.for {{.*}} -> (vector<64xf32>)
  // CHECK-NOT: kernel.parallel_for
  // CHECK: llvm.store %c192_i64
  func.func @main(%x: tensor<3x64xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
    %0 = onnx.node "Mul"(%x, %x) : (tensor<3x64xf32>, tensor<3x64xf32>) -> !onnx.value
    %1 = onnx.node "ReduceMean"(%0) {axes = array<i64: 1>} : (!onnx.value) -> !onnx.value
    %2 = onnx.node "ReduceMax"(%x) {axes = array<i64: 0>} : (tensor<3x64xf32>) -> !onnx.value
    %3 = onnx.node "Shape"(%x) : (tensor<3x64xf32>) -> !onnx.value
    %4 = onnx.node "ReduceProd"(%3) : (!onnx.value) -> !onnx.value
    return %1, %2, %4 : !onnx.value, !onnx.value, !onnx.value
  }
}
