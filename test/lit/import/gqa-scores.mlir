// The scores that GroupQueryAttention can return are in no memory of ours.
// RUN: llmopt-opt %s -verify-diagnostics -llmopt-import

module attributes {onnx.opset = {ai.onnx = 22 : i64, com.microsoft = 1 : i64}} {
  func.func @main(
      %ids: tensor<?x?xi64> {onnx.name = "input_ids"}, %mask: tensor<?x?xi64> {onnx.name = "attention_mask"},
      %past_k: tensor<?x1x?x?xf32> {onnx.name = "past.key"}, %past_v: tensor<?x1x?x?xf32> {onnx.name = "past.value"})
      -> (!onnx.value {onnx.name = "logits"}, !onnx.value {onnx.name = "scores"}) {
    %table = onnx.initializer "table" = dense<1.0> : tensor<3x8xf32>
    %axis = onnx.initializer "axis" = dense<1> : tensor<1xi64>
    %one = onnx.initializer "one" = dense<1> : tensor<i64>
    %none = onnx.none : !onnx.value
    %sum = onnx.node "ReduceSum"(%mask, %axis) {keepdims = 0 : i64} : (tensor<?x?xi64>, tensor<1xi64>) -> !onnx.value
    %lengths = onnx.node "Sub"(%sum, %axis) : (!onnx.value, tensor<1xi64>) -> !onnx.value
    %shape = onnx.node "Shape"(%mask) : (tensor<?x?xi64>) -> !onnx.value
    %total = onnx.node "Gather"(%shape, %one) {axis = 0 : i64} : (!onnx.value, tensor<i64>) -> !onnx.value
    %x = onnx.node "Gather"(%table, %ids) : (tensor<3x8xf32>, tensor<?x?xi64>) -> !onnx.value
    // expected-error @below {{its fourth output (products of queries and keys) is used}}
    %a:4 = onnx.node "GroupQueryAttention" domain "com.microsoft" (%x, %none, %none, %past_k, %past_v, %lengths, %total)
        {kv_num_heads = 1 : i64, num_heads = 2 : i64}
      : (!onnx.value, !onnx.value, !onnx.value, tensor<?x1x?x?xf32>, tensor<?x1x?x?xf32>, !onnx.value, !onnx.value)
        -> (!onnx.value, !onnx.value, !onnx.value, !onnx.value)
    return %a#0, %a#3 : !onnx.value, !onnx.value
  }
}
