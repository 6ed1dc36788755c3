// RUN: llmopt-opt %s -llmopt-import='max-positions=2' | FileCheck %s

// Attention in primitive nodes, as exporters write it: shape arithmetic, a mask of comparisons, rotary factors of position ids,
// concatenation with the past, repeated key heads. Two query heads share a key head; a head has four features.

// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[IDS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>, onnx.name = "input_ids"}
// CHECK-SAME:    %[[MASK:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>, onnx.name = "attention_mask"}
// CHECK-SAME:    %[[POS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>, onnx.name = "position_ids"}
// CHECK-SAME:    %[[PK:.*]]: tensor<?x1x?x4xf32> {llmopt.role = #llmopt.role<key>, onnx.name = "past.key"}
// CHECK-SAME:    %[[PV:.*]]: tensor<?x1x?x4xf32> {llmopt.role = #llmopt.role<value>, onnx.name = "past.value"}

// The table holds cos(p), cos(p / 4), sin(p), sin(p / 4).
// CHECK-DAG:   %[[ROPE:.*]] = llmopt.weight "rotary"(dense<{{\[\[}}1.000000e+00, 1.000000e+00, 0.000000e+00, 0.000000e+00], [0.540302277, 0.968912422, 0.841470957, 0.247403964]]> : tensor<2x4xf32>)
// CHECK:       %[[X:.*]] = llmopt.embedding %[[IDS]]
// CHECK:       %[[Q:.*]] = llmopt.linear %[[X]]
// CHECK:       %[[K:.*]] = llmopt.linear %[[X]]
// CHECK:       %[[V:.*]] = llmopt.linear %[[X]]
// CHECK:       %[[QR:.*]] = llmopt.rope %[[Q]] at %[[POS]], %[[ROPE]] {head_dim = 4 : i64, heads = 2 : i64}
// CHECK:       %[[KR:.*]] = llmopt.rope %[[K]] at %[[POS]], %[[ROPE]] {head_dim = 4 : i64, heads = 1 : i64}
// CHECK:       %[[A:.*]], %[[NK:.*]], %[[NV:.*]] = llmopt.attention %[[QR]], %[[KR]], %[[V]] past(%[[PK]], %[[PV]]) mask(%[[MASK]]) left
// CHECK-SAME:    {head_dim = 4 : i64, heads = 2 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32}
// CHECK:       %[[Y:.*]] = llmopt.linear %[[A]], %{{.*}} {head}
// CHECK:       return %[[Y]], %[[NK]], %[[NV]]

// What is almost the same must not pass: a mask that hides the own token,
// RUN: sed 's/"LessOrEqual"/"Less"/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=OWN
// OWN: error: node '{{.*}}': operator MatMul (domain ai.onnx, version 20) cannot be compiled: as attention: its mask is not causal with padding: for a key not after the query that the attention mask keeps the score is
// one that shows the future,
// RUN: sed 's/"And"(/"Or"(/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=FUTURE
// FUTURE: as attention: its mask is not causal with padding: for a key not after the query that the attention mask drops the score is
// one that only lowers the scores,
// RUN: sed 's/-3.40282347E+38/-1.0e4/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=WEAK
// WEAK: as attention: its mask is not causal with padding
// one that forgets the past,
// RUN: sed 's/"Add"(%%rows, %%p)/"Add"(%%rows, %%zero)/; s/%%rows, %%zero) : (!onnx.value, !onnx.value)/%%rows, %%zero) : (!onnx.value, tensor<i64>)/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=PAST
// PAST: as attention: its mask is not causal with padding
// a rotation in the wrong direction is another table, but one of even and odd elements is refused,
// RUN: sed 's/"Concat"(%%angle, %%angle) {axis = -1 : i64}/"Concat"(%%angle, %%posf, %%posf) {axis = -1 : i64}/; s/%%posf, %%posf) {axis = -1 : i64} : (!onnx.value, !onnx.value)/%%posf, %%posf) {axis = -1 : i64} : (!onnx.value, !onnx.value, !onnx.value)/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=HALVES
// HALVES: as attention: its rotary factors differ between the halves of a head; only the rotation by halves is supported
// keys before the past,
// RUN: sed 's/"Concat"(%%past_k, %%kr) {axis = 2 : i64} : (tensor<?x1x?x4xf32>, !onnx.value)/"Concat"(%%kr, %%past_k) {axis = 2 : i64} : (!onnx.value, tensor<?x1x?x4xf32>)/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=ORDER
// ORDER: as attention: its past keys are not an input [batch, heads, past, head size]
// and a softmax over the queries.
// RUN: sed 's/"Softmax"(%%masked) {axis = -1/"Softmax"(%%masked) {axis = 2/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=SOFTMAX
// SOFTMAX: as attention: its softmax is not over the keys

// A window of three keys that a query sees is found in the comparison with its first key,
// RUN: sed 's/^    %%causal = \(.*\)/%%upto = \1\n%%start = onnx.node "Sub"(%%query_column, %%three) : (!onnx.value, tensor<i64>) -> !onnx.value\n%%near = onnx.node "Greater"(%%key_row, %%start) : (!onnx.value, !onnx.value) -> !onnx.value\n%%causal = onnx.node "And"(%%upto, %%near) : (!onnx.value, !onnx.value) -> !onnx.value/; s/^    %%zero = .*/&\n%%three = onnx.initializer "three" = dense<3> : tensor<i64>/' %s > %t.window.mlir
// RUN: llmopt-opt %t.window.mlir -llmopt-import='max-positions=2' | FileCheck %s --check-prefix=WINDOW
// WINDOW: llmopt.attention {{.*}} left {head_dim = 4 : i64, heads = 2 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32, window = 3 : i64}
// but not where keys before it are only less likely.
// RUN: sed 's/"And"(%%causal, %%kept4)/"And"(%%upto, %%kept4)/; s/^    %%masked = .*/%%far = onnx.node "Where"(%%near, %%all_visible, %%few) : (!onnx.value, tensor<f32>, tensor<f32>) -> !onnx.value\n%%lowered = onnx.node "Add"(%%scores, %%far) : (!onnx.value, !onnx.value) -> !onnx.value\n%%masked = onnx.node "Add"(%%lowered, %%bias) : (!onnx.value, !onnx.value) -> !onnx.value/; s/^    %%zero = .*/&\n%%few = onnx.initializer "few" = dense<-3.0> : tensor<f32>/' %t.window.mlir | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=BEYOND
// BEYOND: as attention: its mask is not causal with padding: for a key beyond the window that the attention mask keeps the score is

// A projection may have a bias, which is a vector and no mask.
// RUN: sed 's/^    %%q = \(.*\)/%%q0 = \1\n%%q = onnx.node "Add"(%%q0, %%bq) : (!onnx.value, tensor<8xf32>) -> !onnx.value/; s/^    %%zero = .*/&\n%%bq = onnx.initializer "bq" = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>/' %s > %t.bias.mlir
// RUN: llmopt-opt %t.bias.mlir -llmopt-import='max-positions=2' | FileCheck %s --check-prefix=BIAS
// BIAS: %[[BQ:.*]] = llmopt.bias %{{.*}}, %{{.*}} : tensor<?x?x8xf32>
// BIAS: llmopt.rope %[[BQ]]

module attributes {onnx.opset = {ai.onnx = 20 : i64}} {
  func.func @main(
      %ids: tensor<?x?xi64> {onnx.name = "input_ids"},
      %mask: tensor<?x?xi64> {onnx.name = "attention_mask"},
      %positions: tensor<?x?xi64> {onnx.name = "position_ids"},
      %past_k: tensor<?x1x?x4xf32> {onnx.name = "past.key"},
      %past_v: tensor<?x1x?x4xf32> {onnx.name = "past.value"})
      -> (!onnx.value {onnx.name = "logits"}, !onnx.value {onnx.name = "present.key"},
          !onnx.value {onnx.name = "present.value"}) {
    %zero = onnx.initializer "zero" = dense<0> : tensor<i64>
    %one = onnx.initializer "one" = dense<1> : tensor<i64>
    %axis0 = onnx.initializer "axis0" = dense<[0]> : tensor<1xi64>
    %axis1 = onnx.initializer "axis1" = dense<[1]> : tensor<1xi64>
    %axis2 = onnx.initializer "axis2" = dense<[2]> : tensor<1xi64>
    %axis3 = onnx.initializer "axis3" = dense<[3]> : tensor<1xi64>
    %axes12 = onnx.initializer "axes12" = dense<[1, 2]> : tensor<2xi64>
    %two = onnx.initializer "two" = dense<[2]> : tensor<1xi64>
    %end = onnx.initializer "end" = dense<[9223372036854775807]> : tensor<1xi64>
    %heads_shape = onnx.initializer "heads_shape" = dense<[0, 0, 2, 4]> : tensor<4xi64>
    %kv_shape = onnx.initializer "kv_shape" = dense<[0, 0, 1, 4]> : tensor<4xi64>
    %merged = onnx.initializer "merged" = dense<[0, 0, -1]> : tensor<3xi64>
    %group = onnx.initializer "group" = dense<[1, 2]> : tensor<2xi64>
    %four = onnx.initializer "four" = dense<[4]> : tensor<1xi64>
    %none_visible = onnx.initializer "none_visible" = dense<-3.40282347E+38> : tensor<f32>
    %all_visible = onnx.initializer "all_visible" = dense<0.0> : tensor<f32>
    %scale = onnx.initializer "scale" = dense<0.5> : tensor<f32>
    %inv_freq = onnx.initializer "inv_freq" = dense<[1.0, 0.25]> : tensor<2xf32>
    %table = onnx.initializer "table" = dense<0.5> : tensor<5x8xf32>
    %wq = onnx.initializer "wq" = dense<1.5> : tensor<8x8xf32>
    %wk = onnx.initializer "wk" = dense<2.5> : tensor<8x4xf32>
    %wv = onnx.initializer "wv" = dense<3.5> : tensor<8x4xf32>
    %head = onnx.initializer "head" = dense<4.5> : tensor<8x5xf32>
    %s1 = onnx.node "Shape"(%ids) {end = 2 : i64, start = 1 : i64} : (tensor<?x?xi64>) -> !onnx.value
    %s = onnx.node "Squeeze"(%s1) : (!onnx.value) -> !onnx.value
    %b1 = onnx.node "Shape"(%ids) {end = 1 : i64} : (tensor<?x?xi64>) -> !onnx.value
    %p1 = onnx.node "Shape"(%past_v) {end = 3 : i64, start = 2 : i64} : (tensor<?x1x?x4xf32>) -> !onnx.value
    %p = onnx.node "Squeeze"(%p1) : (!onnx.value) -> !onnx.value
    %t = onnx.node "Add"(%p, %s) : (!onnx.value, !onnx.value) -> !onnx.value
    %t1 = onnx.node "Unsqueeze"(%t, %axis0) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %x = onnx.node "Gather"(%table, %ids) {axis = 0 : i64} : (tensor<5x8xf32>, tensor<?x?xi64>) -> !onnx.value
    %q = onnx.node "MatMul"(%x, %wq) : (!onnx.value, tensor<8x8xf32>) -> !onnx.value
    %k = onnx.node "MatMul"(%x, %wk) : (!onnx.value, tensor<8x4xf32>) -> !onnx.value
    %v = onnx.node "MatMul"(%x, %wv) : (!onnx.value, tensor<8x4xf32>) -> !onnx.value
    %keys = onnx.node "Range"(%zero, %t, %one) : (tensor<i64>, !onnx.value, tensor<i64>) -> !onnx.value
    %rows = onnx.node "Range"(%zero, %s, %one) : (tensor<i64>, !onnx.value, tensor<i64>) -> !onnx.value
    %queries = onnx.node "Add"(%rows, %p) : (!onnx.value, !onnx.value) -> !onnx.value
    %key_row = onnx.node "Unsqueeze"(%keys, %axis0) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %query_column = onnx.node "Unsqueeze"(%queries, %axis1) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %causal = onnx.node "LessOrEqual"(%key_row, %query_column) : (!onnx.value, !onnx.value) -> !onnx.value
    %kept = onnx.node "Cast"(%mask) {to = 9 : i64} : (tensor<?x?xi64>) -> !onnx.value
    %kept4 = onnx.node "Unsqueeze"(%kept, %axes12) : (!onnx.value, tensor<2xi64>) -> !onnx.value
    %visible = onnx.node "And"(%causal, %kept4) : (!onnx.value, !onnx.value) -> !onnx.value
    %bias = onnx.node "Where"(%visible, %all_visible, %none_visible) : (!onnx.value, tensor<f32>, tensor<f32>) -> !onnx.value
    %pos3 = onnx.node "Unsqueeze"(%positions, %axis2) : (tensor<?x?xi64>, tensor<1xi64>) -> !onnx.value
    %posf = onnx.node "Cast"(%pos3) {to = 1 : i64} : (!onnx.value) -> !onnx.value
    %angle = onnx.node "Mul"(%posf, %inv_freq) : (!onnx.value, tensor<2xf32>) -> !onnx.value
    %angles = onnx.node "Concat"(%angle, %angle) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
    %c = onnx.node "Cos"(%angles) : (!onnx.value) -> !onnx.value
    %cos = onnx.node "Unsqueeze"(%c, %axis1) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %sn = onnx.node "Sin"(%angles) : (!onnx.value) -> !onnx.value
    %sin = onnx.node "Unsqueeze"(%sn, %axis1) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %qs = onnx.node "Reshape"(%q, %heads_shape) : (!onnx.value, tensor<4xi64>) -> !onnx.value
    %qh = onnx.node "Transpose"(%qs) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %ks = onnx.node "Reshape"(%k, %kv_shape) : (!onnx.value, tensor<4xi64>) -> !onnx.value
    %kh = onnx.node "Transpose"(%ks) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %vs = onnx.node "Reshape"(%v, %kv_shape) : (!onnx.value, tensor<4xi64>) -> !onnx.value
    %vh = onnx.node "Transpose"(%vs) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %qa = onnx.node "Slice"(%qh, %axis0, %two, %axis3) : (!onnx.value, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
    %qb = onnx.node "Slice"(%qh, %two, %end, %axis3) : (!onnx.value, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
    %qn = onnx.node "Neg"(%qb) : (!onnx.value) -> !onnx.value
    %qc = onnx.node "Concat"(%qn, %qa) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
    %qx = onnx.node "Mul"(%qh, %cos) : (!onnx.value, !onnx.value) -> !onnx.value
    %qy = onnx.node "Mul"(%qc, %sin) : (!onnx.value, !onnx.value) -> !onnx.value
    %qr = onnx.node "Add"(%qx, %qy) : (!onnx.value, !onnx.value) -> !onnx.value
    %ka = onnx.node "Slice"(%kh, %axis0, %two, %axis3) : (!onnx.value, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
    %kb = onnx.node "Slice"(%kh, %two, %end, %axis3) : (!onnx.value, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> !onnx.value
    %kn = onnx.node "Neg"(%kb) : (!onnx.value) -> !onnx.value
    %kc = onnx.node "Concat"(%kn, %ka) {axis = -1 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
    %kx = onnx.node "Mul"(%kh, %cos) : (!onnx.value, !onnx.value) -> !onnx.value
    %ky = onnx.node "Mul"(%kc, %sin) : (!onnx.value, !onnx.value) -> !onnx.value
    %kr = onnx.node "Add"(%kx, %ky) : (!onnx.value, !onnx.value) -> !onnx.value
    %present_k = onnx.node "Concat"(%past_k, %kr) {axis = 2 : i64} : (tensor<?x1x?x4xf32>, !onnx.value) -> !onnx.value
    %present_v = onnx.node "Concat"(%past_v, %vh) {axis = -2 : i64} : (tensor<?x1x?x4xf32>, !onnx.value) -> !onnx.value
    %wide = onnx.node "Concat"(%b1, %group, %t1, %four) {axis = 0 : i64} : (!onnx.value, tensor<2xi64>, !onnx.value, tensor<1xi64>) -> !onnx.value
    %all = onnx.node "Concat"(%b1, %two, %t1, %four) {axis = 0 : i64} : (!onnx.value, tensor<1xi64>, !onnx.value, tensor<1xi64>) -> !onnx.value
    %k5 = onnx.node "Unsqueeze"(%present_k, %axis2) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %ke = onnx.node "Expand"(%k5, %wide) : (!onnx.value, !onnx.value) -> !onnx.value
    %kf = onnx.node "Reshape"(%ke, %all) : (!onnx.value, !onnx.value) -> !onnx.value
    %v5 = onnx.node "Unsqueeze"(%present_v, %axis2) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %ve = onnx.node "Expand"(%v5, %wide) : (!onnx.value, !onnx.value) -> !onnx.value
    %vf = onnx.node "Reshape"(%ve, %all) : (!onnx.value, !onnx.value) -> !onnx.value
    %kt = onnx.node "Transpose"(%kf) {perm = array<i64: 0, 1, 3, 2>} : (!onnx.value) -> !onnx.value
    %qscaled = onnx.node "Mul"(%qr, %scale) : (!onnx.value, tensor<f32>) -> !onnx.value
    %scores = onnx.node "MatMul"(%qscaled, %kt) : (!onnx.value, !onnx.value) -> !onnx.value
    %masked = onnx.node "Add"(%scores, %bias) : (!onnx.value, !onnx.value) -> !onnx.value
    %probabilities = onnx.node "Softmax"(%masked) {axis = -1 : i64} : (!onnx.value) -> !onnx.value
    %o = onnx.node "MatMul"(%probabilities, %vf) : (!onnx.value, !onnx.value) -> !onnx.value
    %ot = onnx.node "Transpose"(%o) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %r = onnx.node "Reshape"(%ot, %merged) : (!onnx.value, tensor<3xi64>) -> !onnx.value
    %y = onnx.node "MatMul"(%r, %head) : (!onnx.value, tensor<8x5xf32>) -> !onnx.value
    return %y, %present_k, %present_v : !onnx.value, !onnx.value, !onnx.value
  }
}
