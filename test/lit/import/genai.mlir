// RUN: llmopt-opt %s -weights-of=%s -llmopt-import | FileCheck %s

// A block as the onnxruntime-genai builder writes it: packed projection, GroupQueryAttention with rotary caches, the table of
// the embedding stored as the transpose of the head, a fourth output that nothing uses. The bytes of this file serve as the weights.

// Options that mean something else, and lengths that do not come from the mask, are refused.
// RUN: sed 's/softcap = 0.0/rotary_interleaved = 1 : i64, softcap = 0.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=INTERLEAVED
// INTERLEAVED: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: interleaved rotary embedding is not supported
// RUN: sed 's/softcap = 0.0/softcap = -30.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=SOFTCAP
// SOFTCAP: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: softcap must be finite and not negative
// RUN: sed 's/softcap = 0.0/local_window_size = 0 : i64, softcap = 0.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=WINDOW
// WINDOW: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: local_window_size is 0, expected -1 or a positive number
// RUN: sed 's/softcap = 0.0/local_window_size = 4 : i64, sliding_window_cache = 1 : i64, softcap = 0.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=WINDOWCACHE
// WINDOWCACHE: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: a cache of the window alone is not supported
// RUN: sed 's/softcap = 0.0/local_window_size = 4 : i64, softcap = 30.0/' %s | llmopt-opt -weights-of=%s -llmopt-import | FileCheck %s --check-prefix=BOTH
// BOTH: llmopt.attention {{.*}} right {head_dim = 2 : i64, heads = 2 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32, softcap = 3.000000e+01 : f32, window = 4 : i64}
// RUN: sed 's/softcap = 0.0/causal = 0 : i64, softcap = 0.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=CAUSAL
// CAUSAL: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: attention that is not causal is not supported
// RUN: sed 's/softcap = 0.0/smooth_softmax = 1 : i64, softcap = 0.0/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=SMOOTH
// SMOOTH: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: smooth softmax is not supported
// RUN: sed 's/%%total, %%cos, %%sin, %%none, %%none/%%total, %%cos, %%sin, %%none, %%one/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=BIAS
// BIAS: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: input 10 (position ids, bias, sinks or quantization) is not supported
// RUN: sed 's/"Sub"(%%sum, %%axis)/"Sub"(%%axis, %%sum)/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=LENGTHS
// LENGTHS: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: seqlens_k is not ReduceSum(attention_mask, axis 1) - 1 of an integer input [batch, total]
// RUN: sed 's/%%lengths, %%total/%%lengths, %%lengths/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=TOTAL
// TOTAL: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: total_sequence_length is not the number of columns of the attention mask
// RUN: sed 's/kv_num_heads = 1/kv_num_heads = 3/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=HEADS
// HEADS: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: num_heads and kv_num_heads do not fit the query
// RUN: sed 's/dense<\[\[1.0\], \[0.5\]\]> : tensor<2x1xf32>/dense<1.0> : tensor<3x1xf32>/; s/tensor<2x1xf32>, tensor<2x1xf32>, !onnx/tensor<3x1xf32>, tensor<2x1xf32>, !onnx/' %s | not llmopt-opt -weights-of=%s -llmopt-import 2>&1 | FileCheck %s --check-prefix=CACHES
// CACHES: operator GroupQueryAttention (domain com.microsoft, version 1) cannot be compiled: cos_cache and sin_cache must be matrices

// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[IDS:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>, onnx.name = "input_ids"}
// CHECK-SAME:    %[[MASK:.*]]: tensor<?x?xi64> {llmopt.role = #llmopt.role<mask>, onnx.name = "attention_mask"}
// CHECK-SAME:    %[[PK:.*]]: tensor<?x1x?x2xf32> {llmopt.role = #llmopt.role<key>, onnx.name = "past.key"}
// CHECK-SAME:    %[[PV:.*]]: tensor<?x1x?x2xf32> {llmopt.role = #llmopt.role<value>, onnx.name = "past.value"}
// CHECK-SAME:    -> (tensor<?x?x3xf32> {llmopt.role = #llmopt.role<logits>, onnx.name = "logits"}
// CHECK-SAME:    tensor<?x1x?x2xf32> {llmopt.role = #llmopt.role<key>, onnx.name = "present.key"}
// CHECK-SAME:    tensor<?x1x?x2xf32> {llmopt.role = #llmopt.role<value>, onnx.name = "present.value"}
// CHECK-DAG:   %[[ROPE:.*]] = llmopt.weight "rotary"(dense<{{\[\[}}1.000000e+00, 0.000000e+00], [5.000000e-01, 2.500000e-01]]> : tensor<2x2xf32>)
// CHECK-DAG:   %[[TABLE:.*]] = llmopt.weight "head"(#llmopt.blob<"genai.mlir", 0, 48, transposed>) : tensor<3x4xf32>
// CHECK-DAG:   %[[GAMMA:.*]] = llmopt.weight "gamma"
// CHECK-DAG:   %[[QKV:.*]] = llmopt.weight "qkv"(#llmopt.blob<"genai.mlir", 48, 128, transposed>) : tensor<8x4xf32>
// CHECK:       %[[POS:.*]] = llmopt.row_positions %[[IDS]], %[[MASK]]
// CHECK:       %[[X:.*]] = llmopt.embedding %[[IDS]], %[[TABLE]]
// CHECK:       %[[N:.*]] = llmopt.rms_norm %[[X]], %[[GAMMA]] {epsilon = 9.99999974E-6 : f32}
// CHECK:       %[[P:.*]] = llmopt.linear %[[N]], %[[QKV]] : (tensor<?x?x4xf32>, tensor<8x4xf32>) -> tensor<?x?x8xf32>
// CHECK:       %[[S:.*]]:3 = llmopt.split %[[P]] : tensor<?x?x8xf32> -> tensor<?x?x4xf32>, tensor<?x?x2xf32>, tensor<?x?x2xf32>
// CHECK:       %[[Q:.*]] = llmopt.rope %[[S]]#0 at %[[POS]], %[[ROPE]] {head_dim = 2 : i64, heads = 2 : i64}
// CHECK:       %[[K:.*]] = llmopt.rope %[[S]]#1 at %[[POS]], %[[ROPE]] {head_dim = 2 : i64, heads = 1 : i64}
// CHECK:       %[[A:.*]], %[[NK:.*]], %[[NV:.*]] = llmopt.attention %[[Q]], %[[K]], %[[S]]#2 past(%[[PK]], %[[PV]]) mask(%[[MASK]]) right
// CHECK-SAME:    {head_dim = 2 : i64, heads = 2 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32}
// CHECK:       %[[R:.*]] = arith.addf %[[X]], %[[A]]
// CHECK:       %[[L:.*]] = llmopt.rms_norm %[[R]], %[[GAMMA]] {epsilon = 9.99999996E-13 : f32}
// CHECK:       %[[Y:.*]] = llmopt.linear %[[L]], %[[TABLE]] {head}
// CHECK:       return %[[Y]], %[[NK]], %[[NV]]
// CHECK-NOT:   onnx.node
module attributes {onnx.opset = {ai.onnx = 22 : i64, com.microsoft = 1 : i64}} {
  func.func @main(
      %ids: tensor<?x?xi64> {onnx.dims = ["b", "s"], onnx.name = "input_ids"},
      %mask: tensor<?x?xi64> {onnx.name = "attention_mask"},
      %past_k: tensor<?x1x?x?xf32> {onnx.name = "past.key"},
      %past_v: tensor<?x1x?x?xf32> {onnx.name = "past.value"})
      -> (!onnx.value {onnx.name = "logits", onnx.type = tensor<?x?x3xf32>}, !onnx.value {onnx.name = "present.key"},
          !onnx.value {onnx.name = "present.value"}) {
    %head = onnx.initializer "head" = #onnx.blob<"genai.mlir", 0, 48> : tensor<4x3xf32>
    %gamma = onnx.initializer "gamma" = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    %qkv = onnx.initializer "qkv" = #onnx.blob<"genai.mlir", 48, 128> : tensor<4x8xf32>
    %cos = onnx.initializer "cos_cache" = dense<[[1.0], [0.5]]> : tensor<2x1xf32>
    %sin = onnx.initializer "sin_cache" = dense<[[0.0], [0.25]]> : tensor<2x1xf32>
    %none = onnx.none : !onnx.value
    %axis = onnx.node "Constant"() {value = dense<1> : tensor<1xi64>} : () -> !onnx.value
    %one = onnx.node "Constant"() {value = dense<1> : tensor<i64>} : () -> !onnx.value
    %sum = onnx.node "ReduceSum"(%mask, %axis) {keepdims = 0 : i64} : (tensor<?x?xi64>, !onnx.value) -> !onnx.value
    %less = onnx.node "Sub"(%sum, %axis) : (!onnx.value, !onnx.value) -> !onnx.value
    %lengths = onnx.node "Cast"(%less) {to = 6 : i64} : (!onnx.value) -> !onnx.value
    %shape = onnx.node "Shape"(%mask) : (tensor<?x?xi64>) -> !onnx.value
    %columns = onnx.node "Gather"(%shape, %one) {axis = 0 : i64} : (!onnx.value, !onnx.value) -> !onnx.value
    %total = onnx.node "Cast"(%columns) {to = 6 : i64} : (!onnx.value) -> !onnx.value
    %table = onnx.node "Transpose"(%head) {perm = array<i64: 1, 0>} : (tensor<4x3xf32>) -> !onnx.value
    %x = onnx.node "Gather"(%table, %ids) : (!onnx.value, tensor<?x?xi64>) -> !onnx.value
    %n = onnx.node "SimplifiedLayerNormalization"(%x, %gamma) {axis = -1 : i64, epsilon = 1.0e-5 : f32, stash_type = 1 : i64}
      : (!onnx.value, tensor<4xf32>) -> !onnx.value
    %p = onnx.node "MatMul"(%n, %qkv) : (!onnx.value, tensor<4x8xf32>) -> !onnx.value
    %a:4 = onnx.node "GroupQueryAttention" domain "com.microsoft"
        (%p, %none, %none, %past_k, %past_v, %lengths, %total, %cos, %sin, %none, %none, %none)
        {do_rotary = 1 : i64, kv_num_heads = 1 : i64, num_heads = 2 : i64, scale = 0.5 : f32, softcap = 0.0 : f32}
      : (!onnx.value, !onnx.value, !onnx.value, tensor<?x1x?x?xf32>, tensor<?x1x?x?xf32>, !onnx.value, !onnx.value,
         tensor<2x1xf32>, tensor<2x1xf32>, !onnx.value, !onnx.value, !onnx.value)
      -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value)
    %l = onnx.node "SkipSimplifiedLayerNormalization" domain "com.microsoft" (%x, %a#0, %gamma)
      : (!onnx.value, !onnx.value, tensor<4xf32>) -> !onnx.value
    %y = onnx.node "MatMul"(%l, %head) : (!onnx.value, tensor<4x3xf32>) -> !onnx.value
    return %y, %a#1, %a#2 : !onnx.value, !onnx.value, !onnx.value
  }
}
