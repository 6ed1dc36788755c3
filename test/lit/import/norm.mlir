// RUN: llmopt-opt %s -llmopt-infer-onnx-types -llmopt-fold-onnx -llmopt-raise-norm | FileCheck %s

// CHECK-LABEL: func.func @skip(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?x2xf32>, %[[SKIP:.*]]: tensor<?x?x2xf32>
// CHECK:         %[[SUM:.*]] = arith.addf %[[X]], %[[SKIP]] : tensor<?x?x2xf32>
// CHECK:         %[[GAMMA:.*]] = llmopt.weight "gamma"(dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>) : tensor<2xf32>
// CHECK:         %[[N:.*]] = llmopt.rms_norm %[[SUM]], %[[GAMMA]] {epsilon = 9.99999974E-6 : f32}
// CHECK:         return %[[N]], %[[SUM]]
func.func @skip(%x: tensor<?x?x2xf32>, %skip: tensor<?x?x2xf32>) -> (!onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0]> : tensor<2xf32>
  %0:4 = onnx.node "SkipSimplifiedLayerNormalization" domain "com.microsoft" (%x, %skip, %gamma) {epsilon = 1.0e-5 : f32}
    : (tensor<?x?x2xf32>, tensor<?x?x2xf32>, tensor<2xf32>) -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value)
  return %0#0, %0#3 : !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @operators(
// CHECK:         llmopt.rms_norm %{{.*}}, %{{.*}} {epsilon = 9.99999974E-6 : f32} : tensor<?x2xf32>, tensor<2xf32>
// CHECK:         llmopt.rms_norm %{{.*}}, %{{.*}} {epsilon = 5.000000e-01 : f32} : tensor<?x2xf32>, tensor<2xf32>
func.func @operators(%x: tensor<?x2xf32>) -> (!onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = onnx.node "SimplifiedLayerNormalization"(%x, %gamma) : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  %1 = onnx.node "RMSNormalization"(%x, %gamma) {epsilon = 0.5 : f32, axis = 1 : i64} : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  return %0, %1 : !onnx.value, !onnx.value
}

// gamma * (x * (1 / sqrt)), (x * reciprocal) * gamma, x / sqrt * gamma, and the square as a product.
// CHECK-LABEL: func.func @written(
// CHECK-SAME:    %[[X:.*]]: tensor<?x2xf32>
// CHECK:         llmopt.rms_norm %[[X]], %{{.*}} {epsilon = 2.500000e-01 : f32}
// CHECK:         llmopt.rms_norm %[[X]], %{{.*}} {epsilon = 2.500000e-01 : f32}
// CHECK:         llmopt.rms_norm %[[X]], %{{.*}} {epsilon = 2.500000e-01 : f32}
// CHECK-NOT:     onnx.node
func.func @written(%x: tensor<?x2xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0]> : tensor<2xf32>
  %two = onnx.initializer "two" = dense<2.0> : tensor<f32>
  %one = onnx.initializer "one" = dense<1.0> : tensor<f32>
  %eps = onnx.initializer "eps" = dense<0.25> : tensor<f32>
  %axes = onnx.initializer "axes" = dense<-1> : tensor<1xi64>
  %xf = onnx.node "Cast"(%x) {to = 1 : i64} : (tensor<?x2xf32>) -> !onnx.value
  %sq = onnx.node "Pow"(%xf, %two) : (!onnx.value, tensor<f32>) -> !onnx.value
  %mean = onnx.node "ReduceMean"(%sq, %axes) {keepdims = 1 : i64} : (!onnx.value, tensor<1xi64>) -> !onnx.value
  %sum = onnx.node "Add"(%mean, %eps) : (!onnx.value, tensor<f32>) -> !onnx.value
  %root = onnx.node "Sqrt"(%sum) : (!onnx.value) -> !onnx.value
  %inverse = onnx.node "Div"(%one, %root) : (tensor<f32>, !onnx.value) -> !onnx.value
  %scaled = onnx.node "Mul"(%xf, %inverse) : (!onnx.value, !onnx.value) -> !onnx.value
  %0 = onnx.node "Mul"(%gamma, %scaled) : (tensor<2xf32>, !onnx.value) -> !onnx.value
  %reciprocal = onnx.node "Reciprocal"(%root) : (!onnx.value) -> !onnx.value
  %scaled1 = onnx.node "Mul"(%reciprocal, %x) : (!onnx.value, tensor<?x2xf32>) -> !onnx.value
  %1 = onnx.node "Mul"(%scaled1, %gamma) : (!onnx.value, tensor<2xf32>) -> !onnx.value
  %sq2 = onnx.node "Mul"(%x, %x) : (tensor<?x2xf32>, tensor<?x2xf32>) -> !onnx.value
  %mean2 = onnx.node "ReduceMean"(%sq2) {axes = array<i64: 1>} : (!onnx.value) -> !onnx.value
  %sum2 = onnx.node "Add"(%eps, %mean2) : (tensor<f32>, !onnx.value) -> !onnx.value
  %root2 = onnx.node "Sqrt"(%sum2) : (!onnx.value) -> !onnx.value
  %quotient = onnx.node "Div"(%x, %root2) : (tensor<?x2xf32>, !onnx.value) -> !onnx.value
  %2 = onnx.node "Mul"(%quotient, %gamma) : (!onnx.value, tensor<2xf32>) -> !onnx.value
  return %0, %1, %2 : !onnx.value, !onnx.value, !onnx.value
}

// The mean of another tensor, over another axis, or of cubes is no normalisation.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     llmopt.rms_norm
func.func @others(%x: tensor<2x2xf32>, %y: tensor<2x2xf32>) -> (!onnx.value, !onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0]> : tensor<2xf32>
  %two = onnx.initializer "two" = dense<2.0> : tensor<f32>
  %three = onnx.initializer "three" = dense<3.0> : tensor<f32>
  %eps = onnx.initializer "eps" = dense<0.25> : tensor<f32>
  %sq = onnx.node "Pow"(%x, %two) : (tensor<2x2xf32>, tensor<f32>) -> !onnx.value
  %mean = onnx.node "ReduceMean"(%sq) {axes = array<i64: 1>} : (!onnx.value) -> !onnx.value
  %sum = onnx.node "Add"(%mean, %eps) : (!onnx.value, tensor<f32>) -> !onnx.value
  %root = onnx.node "Sqrt"(%sum) : (!onnx.value) -> !onnx.value
  %q = onnx.node "Div"(%y, %root) : (tensor<2x2xf32>, !onnx.value) -> !onnx.value
  %0 = onnx.node "Mul"(%q, %gamma) : (!onnx.value, tensor<2xf32>) -> !onnx.value
  %mean1 = onnx.node "ReduceMean"(%sq) {axes = array<i64: 0>} : (!onnx.value) -> !onnx.value
  %sum1 = onnx.node "Add"(%mean1, %eps) : (!onnx.value, tensor<f32>) -> !onnx.value
  %root1 = onnx.node "Sqrt"(%sum1) : (!onnx.value) -> !onnx.value
  %q1 = onnx.node "Div"(%x, %root1) : (tensor<2x2xf32>, !onnx.value) -> !onnx.value
  %1 = onnx.node "Mul"(%q1, %gamma) : (!onnx.value, tensor<2xf32>) -> !onnx.value
  %cube = onnx.node "Pow"(%x, %three) : (tensor<2x2xf32>, tensor<f32>) -> !onnx.value
  %mean2 = onnx.node "ReduceMean"(%cube) {axes = array<i64: 1>} : (!onnx.value) -> !onnx.value
  %sum2 = onnx.node "Add"(%mean2, %eps) : (!onnx.value, tensor<f32>) -> !onnx.value
  %root2 = onnx.node "Sqrt"(%sum2) : (!onnx.value) -> !onnx.value
  %q2 = onnx.node "Div"(%x, %root2) : (tensor<2x2xf32>, !onnx.value) -> !onnx.value
  %2 = onnx.node "Mul"(%q2, %gamma) : (!onnx.value, tensor<2xf32>) -> !onnx.value
  return %0, %1, %2 : !onnx.value, !onnx.value, !onnx.value
}

// CHECK-LABEL: func.func @refused(
// CHECK-DAG:     llmopt.refusal = "it normalises over more than the last dimension"
// CHECK-DAG:     llmopt.refusal = "stash_type must be float32"
// CHECK-DAG:     llmopt.refusal = "its weight must be a constant of type tensor<2xf32>"
// CHECK-DAG:     llmopt.refusal = "its epsilon is negative"
// CHECK-DAG:     llmopt.refusal = "a bias is not supported"
// CHECK-DAG:     llmopt.refusal = "its input is not a float32 tensor of known rank"
func.func @refused(%x: tensor<?x2xf32>, %gamma_in: tensor<2xf32>, %h: tensor<?x2xf16>)
    -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value) {
  %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = onnx.node "SimplifiedLayerNormalization"(%x, %gamma) {axis = 0 : i64} : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  %1 = onnx.node "SimplifiedLayerNormalization"(%x, %gamma) {stash_type = 10 : i64} : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  %2 = onnx.node "SimplifiedLayerNormalization"(%x, %gamma_in) : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  %3 = onnx.node "SimplifiedLayerNormalization"(%x, %gamma) {epsilon = -1.0 : f32} : (tensor<?x2xf32>, tensor<2xf32>) -> !onnx.value
  %4 = onnx.node "SkipSimplifiedLayerNormalization" domain "com.microsoft" (%x, %x, %gamma, %gamma)
    : (tensor<?x2xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>) -> !onnx.value
  %5 = onnx.node "SimplifiedLayerNormalization"(%h, %gamma) : (tensor<?x2xf16>, tensor<2xf32>) -> !onnx.value
  return %0, %1, %2, %3, %4, %5 : !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value, !onnx.value
}
