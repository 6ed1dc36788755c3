// RUN: rm -rf %t && mkdir -p %t && cp %s %t/share.mlir
// RUN: printf '1111222233334444''1111333322224444' > %t/tied.bin
// RUN: llmopt-opt %s -weights-of=%t/model.onnx -llmopt-share-weights | FileCheck %s
// RUN: sed 's/"share.mlir"/"missing"/' %s | not llmopt-opt -weights-of=%t/model.onnx -llmopt-share-weights 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: sed 's/"share.mlir", 0/"share.mlir", 1000000/' %s | not llmopt-opt -weights-of=%t/model.onnx -llmopt-share-weights 2>&1 | FileCheck %s --check-prefix=SHORT

// MISSING: error: cannot read weights from '{{.*}}missing'
// SHORT: error: weight needs bytes 1000000 to 1000016 of 'share.mlir'

// b and c are equal to a; d differs in one value.
// CHECK-LABEL: func.func @example(
// CHECK-NEXT:    %[[A:.*]] = llmopt.weight "a"
// CHECK-NEXT:    %[[D:.*]] = llmopt.weight "d"
// CHECK-NEXT:    %[[S:.*]] = llmopt.weight "s"
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[A]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[A]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[A]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[D]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[S]]
func.func @example(%ids: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  %a = llmopt.weight "a"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %0 = llmopt.embedding %ids, %a : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %b = llmopt.weight "b"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %1 = llmopt.embedding %ids, %b : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %c = llmopt.weight "c"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %2 = llmopt.embedding %ids, %c : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %d = llmopt.weight "d"(dense<[[1.0, 2.0], [3.0, 5.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
  %3 = llmopt.embedding %ids, %d : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %s = llmopt.weight "s"(dense<0.0> : tensor<2x2xf32>) : tensor<2x2xf32>
  %4 = llmopt.embedding %ids, %s : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %0, %1, %2, %3, %4 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// The first bytes of this file: v is t, u is another matrix.
// CHECK-LABEL: func.func @files(
// CHECK-NEXT:    %[[T:.*]] = llmopt.weight "t"(#llmopt.blob<"share.mlir", 0, 16>)
// CHECK-NEXT:    %[[U:.*]] = llmopt.weight "u"(#llmopt.blob<"share.mlir", 0, 16, transposed>)
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[T]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[U]]
// CHECK-NEXT:    llmopt.embedding %{{.*}}, %[[T]]
func.func @files(%ids: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  %t = llmopt.weight "t"(#llmopt.blob<"share.mlir", 0, 16>) : tensor<2x2xf32>
  %0 = llmopt.embedding %ids, %t : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %u = llmopt.weight "u"(#llmopt.blob<"share.mlir", 0, 16, transposed>) : tensor<2x2xf32>
  %1 = llmopt.embedding %ids, %u : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %v = llmopt.weight "v"(#llmopt.blob<"share.mlir", 0, 16>) : tensor<2x2xf32>
  %2 = llmopt.embedding %ids, %v : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %0, %1, %2 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// Equal content, stored row by row and column by column.
// CHECK-LABEL: func.func @tied(
// CHECK-NEXT:    %[[T:.*]] = llmopt.weight "table"
// CHECK-NEXT:    %[[X:.*]] = llmopt.embedding %{{.*}}, %[[T]]
// CHECK-NEXT:    llmopt.linear %[[X]], %[[T]]
func.func @tied(%ids: tensor<?xi64>) -> tensor<?x2xf32> {
  %t = llmopt.weight "table"(#llmopt.blob<"tied.bin", 0, 16>) : tensor<2x2xf32>
  %0 = llmopt.embedding %ids, %t : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %h = llmopt.weight "head"(#llmopt.blob<"tied.bin", 16, 16, transposed>) : tensor<2x2xf32>
  %1 = llmopt.linear %0, %h : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}
