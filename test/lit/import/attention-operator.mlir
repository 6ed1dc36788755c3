// RUN: llmopt-opt %s -llmopt-import='max-positions=2' | FileCheck %s

// The operators of version 23: RotaryEmbedding and Attention, whose key heads are fewer than its query heads.

// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[IDS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>
// CHECK-SAME:    %[[MASK:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>
// CHECK-SAME:    %[[POS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<positions>
// CHECK-DAG:   %[[ROPE:.*]] = llmopt.weight "rotary"(dense<{{\[\[}}1.000000e+00, 1.000000e+00, 0.000000e+00, 0.000000e+00], [0.540302277, 0.968912422, 0.841470957, 0.247403964]]> : tensor<2x4xf32>)
// CHECK:       %[[Q:.*]] = llmopt.rope %{{.*}} at %[[POS]], %[[ROPE]] {head_dim = 4 : i64, heads = 2 : i64}
// CHECK:       %[[K:.*]] = llmopt.rope %{{.*}} at %[[POS]], %[[ROPE]] {head_dim = 4 : i64, heads = 1 : i64}
// CHECK:       llmopt.attention %[[Q]], %[[K]], %{{.*}} mask(%[[MASK]]) left
// CHECK-SAME:    {head_dim = 4 : i64, heads = 2 : i64, kv_heads = 1 : i64, scale = 2.500000e-01 : f32}

// Without position ids and past, positions count from 0.
// RUN: sed -e 's/"attention_mask"},/"attention_mask"}/' -e 's/%%positions: tensor<?x?xi64> {onnx.name = "position_ids"}//' \
// RUN:     -e 's/^    %%p = .*/    %%p = onnx.node "Unsqueeze"(%%count, %%axes02) : (!onnx.value, tensor<2xi64>) -> !onnx.value/' \
// RUN:     -e 's|^ *// INSERT: ||' %s | llmopt-opt -llmopt-import='max-positions=2' | FileCheck %s --check-prefix=COUNT
// COUNT-LABEL: func.func @main(
// COUNT-SAME:    %[[IDS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>{{.*}}, %[[MASK:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>
// COUNT:       %[[POS:.*]] = llmopt.row_positions %[[IDS]], %[[MASK]]
// COUNT:       llmopt.rope %{{.*}} at %[[POS]]

// RUN: sed 's/scale = 0.25/softcap = 3.0/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=SOFTCAP
// SOFTCAP: operator Attention (domain ai.onnx, version 23) cannot be compiled: as attention: a soft cap is not supported
// RUN: sed 's/is_causal = 1/is_causal = 0/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=FUTURE
// FUTURE: as attention: its mask is not causal with padding: for a key after the query that the attention mask keeps the score is fmul({{.*}}product{{.*}})
// RUN: sed 's/"RotaryEmbedding"(%%qh, %%cos, %%sin)/"RotaryEmbedding"(%%qh, %%cos, %%sin) {interleaved = 1 : i64}/' %s | not llmopt-opt -llmopt-import 2>&1 | FileCheck %s --check-prefix=INTERLEAVED
// INTERLEAVED: operator RotaryEmbedding (domain ai.onnx, version 23) cannot be compiled: the shape or the meaning of its result cannot be told

module attributes {onnx.opset = {ai.onnx = 23 : i64}} {
  func.func @main(%ids: tensor<?x?xi64> {onnx.name = "input_ids"}, %mask: tensor<?x?xi64> {onnx.name = "attention_mask"},
                  %positions: tensor<?x?xi64> {onnx.name = "position_ids"}) -> (!onnx.value {onnx.name = "logits"}) {
    %axis2 = onnx.initializer "axis2" = dense<2> : tensor<1xi64>
    %axes12 = onnx.initializer "axes12" = dense<[1, 2]> : tensor<2xi64>
    %heads = onnx.initializer "heads" = dense<[0, 0, 2, 4]> : tensor<4xi64>
    %kv_heads = onnx.initializer "kv_heads" = dense<[0, 0, 1, 4]> : tensor<4xi64>
    %merged = onnx.initializer "merged" = dense<[0, 0, -1]> : tensor<3xi64>
    %inv_freq = onnx.initializer "inv_freq" = dense<[1.0, 0.25]> : tensor<2xf32>
    %table = onnx.initializer "table" = dense<0.5> : tensor<5x8xf32>
    %wq = onnx.initializer "wq" = dense<1.5> : tensor<8x8xf32>
    %wk = onnx.initializer "wk" = dense<2.5> : tensor<8x4xf32>
    // INSERT: %axes02 = onnx.initializer "axes02" = dense<[0, 2]> : tensor<2xi64>
    // INSERT: %zero = onnx.initializer "zero" = dense<0> : tensor<i64>
    // INSERT: %one = onnx.initializer "one" = dense<1> : tensor<i64>
    // INSERT: %s1 = onnx.node "Shape"(%ids) {end = 2 : i64, start = 1 : i64} : (tensor<?x?xi64>) -> !onnx.value
    // INSERT: %s = onnx.node "Squeeze"(%s1) : (!onnx.value) -> !onnx.value
    // INSERT: %count = onnx.node "Range"(%zero, %s, %one) : (tensor<i64>, !onnx.value, tensor<i64>) -> !onnx.value
    %x = onnx.node "Gather"(%table, %ids) : (tensor<5x8xf32>, tensor<?x?xi64>) -> !onnx.value
    %q = onnx.node "MatMul"(%x, %wq) : (!onnx.value, tensor<8x8xf32>) -> !onnx.value
    %k = onnx.node "MatMul"(%x, %wk) : (!onnx.value, tensor<8x4xf32>) -> !onnx.value
    %qs = onnx.node "Reshape"(%q, %heads) : (!onnx.value, tensor<4xi64>) -> !onnx.value
    %ks = onnx.node "Reshape"(%k, %kv_heads) : (!onnx.value, tensor<4xi64>) -> !onnx.value
    %qh = onnx.node "Transpose"(%qs) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %kh = onnx.node "Transpose"(%ks) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %p = onnx.node "Unsqueeze"(%positions, %axis2) : (tensor<?x?xi64>, tensor<1xi64>) -> !onnx.value
    %pf = onnx.node "Cast"(%p) {to = 1 : i64} : (!onnx.value) -> !onnx.value
    %angle = onnx.node "Mul"(%pf, %inv_freq) : (!onnx.value, tensor<2xf32>) -> !onnx.value
    %cos = onnx.node "Cos"(%angle) : (!onnx.value) -> !onnx.value
    %sin = onnx.node "Sin"(%angle) : (!onnx.value) -> !onnx.value
    %qr = onnx.node "RotaryEmbedding"(%qh, %cos, %sin) : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
    %kr = onnx.node "RotaryEmbedding"(%kh, %cos, %sin) : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
    %kept = onnx.node "Cast"(%mask) {to = 9 : i64} : (tensor<?x?xi64>) -> !onnx.value
    %kept4 = onnx.node "Unsqueeze"(%kept, %axes12) : (!onnx.value, tensor<2xi64>) -> !onnx.value
    %o = onnx.node "Attention"(%qr, %kr, %kh, %kept4) {is_causal = 1 : i64, scale = 0.25 : f32}
      : (!onnx.value, !onnx.value, !onnx.value, !onnx.value) -> !onnx.value
    %ot = onnx.node "Transpose"(%o) {perm = array<i64: 0, 2, 1, 3>} : (!onnx.value) -> !onnx.value
    %r = onnx.node "Reshape"(%ot, %merged) : (!onnx.value, tensor<3xi64>) -> !onnx.value
    %head = onnx.node "Transpose"(%table) : (tensor<5x8xf32>) -> !onnx.value
    %y = onnx.node "MatMul"(%r, %head) : (!onnx.value, !onnx.value) -> !onnx.value
    return %y : !onnx.value
  }
}
