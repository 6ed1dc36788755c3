// Elementwise nodes become one loop; their constants lie in the weights.
// RUN: llmopt-opt %s -llmopt-place-graph | FileCheck %s --check-prefix=PLACE
// RUN: llmopt-opt %s -llmopt-place-graph -kernel-expand-graph -canonicalize -cse | FileCheck %s
// RUN: llmopt-opt %s -llmopt-place-graph -llmopt-expand-graph | FileCheck %s --check-prefix=OUTLINE

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  // PLACE: onnx.initializer "w" = {{.*}} {kernel.constant = @constant_1}
  // PLACE: onnx.initializer "v" = {{.*}} {kernel.constant = @constant_1}
  // PLACE: kernel.weight_data @constant_1 "w" : !kernel.weight<1x16, bytes> at 0 bytes 16
  // PLACE-NOT: kernel.weight_data

  // CHECK-LABEL: func.func @graph(
  // CHECK-SAME: kernel.output_types = [tensor<?x4xf32>]
  // CHECK: %[[ROWS:.*]] = llvm.load {{.*}} -> i64
  // CHECK: %[[BYTES:.*]] = arith.muli %[[ROWS]], %c16_i64
  // CHECK: %[[OUT:.*]] = llvm.call %{{.*}}(%arg0, %[[BYTES]])
  // CHECK: kernel.parallel_for %[[ROWS]] grain
  // CHECK: scf.for
  // CHECK: arith.addf
  // CHECK: arith.mulf
  // CHECK: arith.mulf
  // CHECK: llvm.store
  // CHECK-NOT: kernel.parallel_for
  // CHECK: llvm.store %[[OUT]], %{{.*}} : !llvm.ptr, !llvm.ptr
  // CHECK-NOT: kernel.weight_data

  // OUTLINE-LABEL: func.func @graph(
  // OUTLINE: llvm.alloca
  // OUTLINE: %[[BODY:.*]] = constant @loop_0
  // OUTLINE: %[[ADDRESS:.*]] = builtin.unrealized_conversion_cast %[[BODY]]
  // OUTLINE: llvm.call %{{.*}}(%arg0, %[[ADDRESS]], %{{.*}}, %{{.*}}, %{{.*}})
  // OUTLINE: func.func private @loop_0(%{{.*}}: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64)
  // OUTLINE: scf.for %{{.*}} = %[[BEGIN]] to %[[END]]
  func.func @main(%x: tensor<?x4xf32>, %y: tensor<4xf32>) -> !onnx.value {
    %w = onnx.initializer "w" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    %v = onnx.initializer "v" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    %0 = onnx.node "Add"(%x, %y) : (tensor<?x4xf32>, tensor<4xf32>) -> !onnx.value
    %1 = onnx.node "Mul"(%0, %w) : (!onnx.value, tensor<4xf32>) -> !onnx.value
    %2 = onnx.node "Mul"(%1, %v) : (!onnx.value, tensor<4xf32>) -> !onnx.value
    return %2 : !onnx.value
  }
}
