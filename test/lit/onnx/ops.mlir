// RUN: llmopt-opt %s | FileCheck %s
// RUN: llmopt-opt %s | llmopt-opt | FileCheck %s
// RUN: llmopt-opt %s -mlir-print-op-generic | llmopt-opt | FileCheck %s
// RUN: llmopt-opt %s -emit-bytecode | llmopt-opt | FileCheck %s

// CHECK: module attributes {onnx.model_name = "glu", onnx.opset = {ai.onnx = 20 : i64, com.microsoft = 1 : i64}}
module attributes {onnx.model_name = "glu", onnx.opset = {ai.onnx = 20 : i64, com.microsoft = 1 : i64}} {

// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?x576xf32> {onnx.dims = ["batch", "sequence", ""], onnx.name = "hidden"})
// CHECK-SAME:    -> (!onnx.value {onnx.dims = ["batch", "", ""], onnx.name = "out", onnx.type = tensor<?x?x1536xf32>})
func.func @main(%x: tensor<?x?x576xf32> {onnx.dims = ["batch", "sequence", ""], onnx.name = "hidden"})
    -> (!onnx.value {onnx.dims = ["batch", "", ""], onnx.name = "out", onnx.type = tensor<?x?x1536xf32>}) {
  // CHECK: %[[G:.*]] = onnx.initializer "gate.weight" = #onnx.blob<"model.onnx.data", 4096, 3538944> : tensor<576x1536xf32>
  %g = onnx.initializer "gate.weight" = #onnx.blob<"model.onnx.data", 4096, 3538944> : tensor<576x1536xf32>
  // CHECK: %[[V:.*]] = onnx.node "MatMul"(%[[X]], %[[G]]) : (tensor<?x?x576xf32>, tensor<576x1536xf32>) -> !onnx.value
  %0 = onnx.node "MatMul"(%x, %g) : (tensor<?x?x576xf32>, tensor<576x1536xf32>) -> !onnx.value
  // CHECK: return %[[V]] : !onnx.value
  return %0 : !onnx.value
}

// CHECK-LABEL: func.func @initializers
func.func @initializers() {
  // CHECK: onnx.initializer "shape" = dense<[1, -1]> : tensor<2xi64>
  %0 = onnx.initializer "shape" = dense<[1, -1]> : tensor<2xi64>
  // CHECK: onnx.initializer "odd \22 name\0A" = dense<true> : tensor<i1>
  %1 = onnx.initializer "odd \22 name\0A" = dense<true> : tensor<i1>
  // CHECK: onnx.initializer "empty" = dense<> : tensor<0x4xf16>
  %2 = onnx.initializer "empty" = dense<> : tensor<0x4xf16>
  // A bool takes a byte.
  // CHECK: onnx.initializer "flags" = #onnx.blob<"", 16, 2048> : tensor<2048xi1>
  %3 = onnx.initializer "flags" = #onnx.blob<"", 16, 2048> : tensor<2048xi1>
  // Elements of less than a byte are packed, over the ends of rows.
  // CHECK: onnx.initializer "codes" = #onnx.blob<"", 16, 7> : tensor<3x9xi2>
  %4 = onnx.initializer "codes" = #onnx.blob<"", 16, 7> : tensor<3x9xi2>
  // CHECK: onnx.initializer "fp4" = #onnx.blob<"", 16, 8> : tensor<3x5xf4E2M1FN>
  %5 = onnx.initializer "fp4" = #onnx.blob<"", 16, 8> : tensor<3x5xf4E2M1FN>
  // CHECK: onnx.initializer "scales" = #onnx.blob<"", 16, 15> : tensor<3x5xf8E8M0FNU>
  %6 = onnx.initializer "scales" = #onnx.blob<"", 16, 15> : tensor<3x5xf8E8M0FNU>
  // CHECK: onnx.initializer "nibbles" = dense<[-8, 7, -1]> : tensor<3xi4>
  %7 = onnx.initializer "nibbles" = dense<[-8, 7, -1]> : tensor<3xi4>
  return
}

// CHECK-LABEL: func.func @node_parts
func.func @node_parts(%x: !onnx.value) {
  // CHECK: %[[NONE:.*]] = onnx.none : !onnx.value
  %none = onnx.none : !onnx.value
  // CHECK: %{{.*}}:3 = onnx.node "GroupQueryAttention" domain "com.microsoft" version 1(%{{.*}}, %[[NONE]]) {num_heads = 9 : i64} outputs ["a", "", "b"] : (!onnx.value, !onnx.value) -> (!onnx.value, !onnx.value, !onnx.value)
  %0:3 = onnx.node "GroupQueryAttention" domain "com.microsoft" version 1(%x, %none) {num_heads = 9 : i64} outputs ["a", "", "b"] : (!onnx.value, !onnx.value) -> (!onnx.value, !onnx.value, !onnx.value)
  // CHECK: onnx.node "Constant"() {value = dense<1> : tensor<1xi64>} : () -> !onnx.value
  %1 = onnx.node "Constant"() {value = dense<1> : tensor<1xi64>} : () -> !onnx.value
  // CHECK: onnx.node "Constant"() {value = #onnx.blob<"", 64, 2048> : tensor<256xf64>} : () -> !onnx.value
  %2 = onnx.node "Constant"() {value = #onnx.blob<"", 64, 2048> : tensor<256xf64>} : () -> !onnx.value
  // CHECK: onnx.node "AllKinds"() {f = 5.000000e-01 : f32, fs = array<f32: 1.000000e+00, 2.000000e+00>, i = -1 : i64, is = array<i64>, s = "text", ss = ["a", "b"]} : () -> ()
  onnx.node "AllKinds"() {f = 0.5 : f32, fs = array<f32: 1.0, 2.0>, i = -1 : i64, is = array<i64>, s = "text", ss = ["a", "b"]} : () -> ()
  // CHECK: onnx.node "Discardable"() attributes {test.note} : () -> ()
  onnx.node "Discardable"() attributes {test.note} : () -> ()
  return
}

// CHECK-LABEL: func.func @subgraphs
func.func @subgraphs(%c: tensor<i1>, %x: !onnx.value, %n: tensor<i64>) -> !onnx.value {
  // CHECK: %[[IF:.*]] = onnx.node "If"(%{{.*}}) subgraphs "then_branch" {
  // CHECK-NEXT: onnx.return %{{.*}} : !onnx.value
  // CHECK-NEXT: }, "else_branch" {
  // CHECK-NEXT: %[[NEG:.*]] = onnx.node "Neg"
  // CHECK-NEXT: onnx.return %[[NEG]] : !onnx.value
  // CHECK-NEXT: } : (tensor<i1>) -> !onnx.value
  %0 = onnx.node "If"(%c) subgraphs "then_branch" {
    onnx.return %x : !onnx.value
  }, "else_branch" {
    %1 = onnx.node "Neg"(%x) : (!onnx.value) -> !onnx.value
    onnx.return %1 : !onnx.value
  } : (tensor<i1>) -> !onnx.value
  // CHECK: onnx.node "Loop"(%{{.*}}, %{{.*}}, %[[IF]]) subgraphs "body" {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<i64>, %[[COND:.*]]: !onnx.value, %[[STATE:.*]]: !onnx.value):
  // CHECK-NEXT: onnx.return %[[COND]], %[[STATE]] : !onnx.value, !onnx.value
  %2 = onnx.node "Loop"(%n, %c, %0) subgraphs "body" {
  ^bb0(%i: tensor<i64>, %cond: !onnx.value, %state: !onnx.value):
    onnx.return %cond, %state : !onnx.value, !onnx.value
  } : (tensor<i64>, tensor<i1>, !onnx.value) -> !onnx.value
  return %2 : !onnx.value
}

}
