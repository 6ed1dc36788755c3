//===- LLMOptOps.td - Operations of the llmopt dialect -----*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_OPS_TD
#define LLMOPT_DIALECTS_LLMOPT_OPS_TD

include "dialects/LLMOpt/LLMOptAttributes.td"
include "dialects/LLMOpt/LLMOptInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

class LLMOpt_Op<string mnemonic, list<Trait> traits = []> : Op<LLMOpt_Dialect, mnemonic, traits>;
class LLMOpt_PureOp<string mnemonic, list<Trait> traits = []> : LLMOpt_Op<mnemonic, [Pure] # traits>;

/// [..., features] in f32; the leading dimensions are batch and sequence, or rows.
def LLMOpt_Activations : RankedTensorOf<[F32]>;
/// [...] token ids or positions.
def LLMOpt_Indices : RankedTensorOf<[I32, I64]>;
/// The same in a graph, where the shape of a value need not be known before it is executed.
def LLMOpt_AnyActivations : TensorOf<[F32]>;
def LLMOpt_AnyIndices : TensorOf<[I32, I64]>;
/// A weight, plain [N, K] or encoded.
def LLMOpt_Matrix : AnyTypeOf<[2DTensorOf<[F32]>, LLMOpt_PackedType]>;
def LLMOpt_Vector : 1DTensorOf<[F32]>;
def LLMOpt_WeightSource : AnyAttrOf<[LLMOpt_BlobAttr, LLMOpt_RandomAttr, ElementsAttr]>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def LLMOpt_WeightOp : LLMOpt_PureOp<"weight"> {
  let summary = "a plain float weight";
  let description = [{
    ```mlir
    %g = llmopt.weight "gate" (#llmopt.blob<"model.onnx.data", 1024, 3538944, transposed>) : tensor<1536x576xf32>
    ```
    Matrices are [N, K]: N outputs, K inputs. `original` is the source before passes changed the weight; the error of an encoding is
    measured against it.

    Constraints (of source and original): W1 the shape is static; W2 a blob has exactly the bytes of the type; W3 a literal has the type.
  }];
  let arguments = (ins StrAttr:$name, LLMOpt_WeightSource:$source, OptionalAttr<LLMOpt_WeightSource>:$original);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = "$name `(` $source `)` attr-dict `:` qualified(type($result))";
  let builders = [
    OpBuilder<(ins "::mlir::Type":$type, "::mlir::StringAttr":$name, "::mlir::Attribute":$source), [{
      build($_builder, $_state, type, name, source, /*original=*/::mlir::Attribute());
    }]>,
    OpBuilder<(ins "::mlir::Type":$type, "::llvm::StringRef":$name, "::mlir::Attribute":$source), [{
      build($_builder, $_state, type, $_builder.getStringAttr(name), source);
    }]>
  ];
  let hasVerifier = 1;
}

def LLMOpt_EncodedWeightOp : LLMOpt_PureOp<"encoded_weight"> {
  let summary = "a weight in an encoded format";
  let description = [{
    ```mlir
    %g = llmopt.encoded_weight "gate" codes(#llmopt.blob<"<spill>", 0, 884736>) scales(#llmopt.blob<"<spill>", 884736, 6144>)
           {zeros = 530841 : i64} : !llmopt.packed<1536x576, #llmopt.format<int8, bitmask>>
    ```
    `codes` are the row-major [N, K] numbers before packing (int8, or f32 values for the f32 and bf16 encodings), `scales` one f32 per row, or per row and
    group of columns [N, G]; `zero_points` likewise, where the format has them. Scales that the format stores as f16 are rounded when packed.
    `zeros` counts the weights that are exactly zero. The packer arranges the bytes when the library is written. For the report: `error` is
    the relative Frobenius error ||W' - W|| / ||W|| against the imported weight, `reason` says why this layout was chosen, `pattern`
    ("2:4": at most 2 of every 4 columns), `dead_rows` and `dead_columns` what is regular about the zeros of the weight before its encoding.

    Constraints: E1 encodings with codes have scales, f32 has none; E2 codes, scales and zero points have the sizes that the type implies;
    E3 0 <= zeros <= N * K; E4 the error is not negative; E5 0 <= dead rows <= N, 0 <= dead columns <= K; E6 there are zero points exactly where the
    format says so.
  }];
  let arguments = (ins StrAttr:$name, LLMOpt_WeightSource:$codes, OptionalAttr<LLMOpt_WeightSource>:$scales,
                       OptionalAttr<LLMOpt_WeightSource>:$zero_points, I64Attr:$zeros, OptionalAttr<F64Attr>:$error, OptionalAttr<StrAttr>:$reason, OptionalAttr<StrAttr>:$pattern,
                       OptionalAttr<I64Attr>:$dead_rows, OptionalAttr<I64Attr>:$dead_columns);
  let results = (outs LLMOpt_PackedType:$result);
  let assemblyFormat = "$name `codes` `(` $codes `)` (`scales` `(` $scales^ `)`)? "
                       "(`zero_points` `(` $zero_points^ `)`)? attr-dict `:` qualified(type($result))";
  let extraClassDeclaration = [{
    /// tensor<NxKxi8> or tensor<NxKxf32>, by the encoding.
    ::mlir::RankedTensorType getCodesType();
    /// tensor<Nxf32> for a scale per row, tensor<NxGxf32> for groups.
    ::mlir::RankedTensorType getScalesType();
    /// tensor<NxGxi8>.
    ::mlir::RankedTensorType getZeroPointsType();
    /// Checks codes, scales and zero points against the type.
    ::llvm::LogicalResult verifySources();
  }];
  let hasVerifier = 1;
}

def LLMOpt_ConcatWeightsOp : LLMOpt_PureOp<"concat_weights"> {
  let summary = "one weight from the rows of several";
  let description = [{
    ```mlir
    %qkv = llmopt.concat_weights %q, %k, %v : (!llmopt.packed<576x576, #f>, ...) -> !llmopt.packed<960x576, #f>
    %gu = llmopt.concat_weights interleaved %gate, %up : ...
    ```
    Products that share their activations become one. `interleaved` alternates panels of 16 rows of the two weights (gate and up), so that
    one kernel holds both factors of a gated unit in registers.

    Constraints: C1 equal columns and formats; C2 the rows add up; C3 `interleaved` has two weights with equal rows; C4 all rows are
    multiples of 16.
  }];
  let arguments = (ins Variadic<LLMOpt_PackedType>:$weights, UnitAttr:$interleaved);
  let results = (outs LLMOpt_PackedType:$result);
  let assemblyFormat = "(`interleaved` $interleaved^)? $weights attr-dict `:` functional-type($weights, $result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

def LLMOpt_EmbeddingOp : LLMOpt_PureOp<"embedding"> {
  let summary = "rows of a table";
  let description = [{
    `result[..., :] = table[ids[...], :]`. In a graph, a negative id counts from the end of the table, and ids and result may have any rank.

    Constraints: D1 the result has the shape of ids followed by the table's columns (of ranked ids and results).
  }];
  let arguments = (ins LLMOpt_AnyIndices:$ids, LLMOpt_Matrix:$table);
  let results = (outs LLMOpt_AnyActivations:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` functional-type(operands, $result)";
  let hasVerifier = 1;
}

def LLMOpt_LinearOp : LLMOpt_PureOp<"linear", [DeclareOpInterfaceMethods<LLMOpt_CompressibleOp>]> {
  let summary = "product with a constant weight";
  let description = [{
    `result[..., n] = sum_k input[..., k] * weight[n, k]`

    ```mlir
    %y = llmopt.linear %x, %w activations(64) {head} : (tensor<?x?x576xf32>, !llmopt.packed<...>) -> tensor<?x?x49152xf32>
    ```
    `activations(G)`: the input is quantized to int8 at run time, with a scale per row and group of G columns, and the product
    is an integer product. Without it activations stay float. `head` marks the output head. In a graph, input and result may have any rank.

    Constraints: L1 the input's last dimension is K, the result's N, the leading dimensions agree (of ranked inputs and results); L2
    `activations` needs a weight with codes; L3 G is a positive multiple of 32; L4 G divides the groups of the weight, if it has some, as every
    integer sum is scaled once.
  }];
  let arguments = (ins LLMOpt_AnyActivations:$input, LLMOpt_Matrix:$weight, OptionalAttr<I64Attr>:$activation_group, UnitAttr:$head);
  let results = (outs LLMOpt_AnyActivations:$result);
  let assemblyFormat = [{
    $input `,` $weight (`activations` `(` $activation_group^ `)`)? attr-dict `:` functional-type(operands, $result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// The rest of a transformer block
//===----------------------------------------------------------------------===//

def LLMOpt_RMSNormOp : LLMOpt_PureOp<"rms_norm", [AllTypesMatch<["input", "result"]>]> {
  let summary = "root mean square normalisation";
  let description = [{
    `result = input / sqrt(mean(input²) + epsilon) * gamma`, over the last dimension (Zhang and Sennrich, 2019).

    Constraints: R1 gamma has the length of the last dimension; R2 epsilon is not negative.
  }];
  let arguments = (ins LLMOpt_Activations:$input, LLMOpt_Vector:$gamma, F32Attr:$epsilon);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input `,` $gamma attr-dict `:` type($input) `,` qualified(type($gamma))";
  let hasVerifier = 1;
}

def LLMOpt_LayerNormOp : LLMOpt_PureOp<"layer_norm", [AllTypesMatch<["input", "result"]>]> {
  let summary = "layer normalisation";
  let description = [{
    `result = (input - mean(input)) / sqrt(variance(input) + epsilon) * gamma + beta`, over the last dimension (Ba et al., 2016).

    Constraints: Z1 gamma and beta have the length of the last dimension; Z2 epsilon is not negative.
  }];
  let arguments = (ins LLMOpt_Activations:$input, LLMOpt_Vector:$gamma, LLMOpt_Vector:$beta, F32Attr:$epsilon);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input `,` $gamma `,` $beta attr-dict `:` type($input) `,` qualified(type($gamma))  `,` qualified(type($beta))";
  let hasVerifier = 1;
}

def LLMOpt_HeadNormOp : LLMOpt_PureOp<"head_norm", [AllTypesMatch<["input", "result"]>]> {
  let summary = "root mean square normalisation of every head";
  let description = [{
    `llmopt.rms_norm` of consecutive parts of the last dimension, which have the length of gamma: of the heads of queries or keys (Henry et al., 2020).

    Constraints: N1 the length of gamma divides the last dimension; N2 epsilon is not negative.
  }];
  let arguments = (ins LLMOpt_Activations:$input, LLMOpt_Vector:$gamma, F32Attr:$epsilon);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input `,` $gamma attr-dict `:` type($input) `,` qualified(type($gamma))";
  let hasVerifier = 1;
}

def LLMOpt_Activation : LLMOpt_Enum<"Activation", "function of a sum", [
  I32EnumAttrCase<"Relu", 0, "relu">,
  I32EnumAttrCase<"Gelu", 1, "gelu">,
  I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">
]>;

def LLMOpt_BiasOp : LLMOpt_PureOp<"bias", [AllTypesMatch<["input", "result"]>]> {
  let summary = "addition of a constant vector";
  let description = [{
    `result = activation(input + bias)` over the last dimension; the sum itself without an activation. relu(x) = max(x, 0);
    gelu(x) = x / 2 * (1 + erf(x / sqrt(2))); gelu_tanh is its approximation x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).

    Constraints: U1 the bias has the length of the last dimension.
  }];
  let arguments = (ins LLMOpt_Activations:$input, LLMOpt_Vector:$bias, OptionalAttr<LLMOpt_Activation>:$activation);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "($activation^)? $input `,` $bias attr-dict `:` type($input) `,` qualified(type($bias))";
  let hasVerifier = 1;
}

def LLMOpt_ScaleOp : LLMOpt_PureOp<"scale", [AllTypesMatch<["input", "result"]>]> {
  let summary = "product with a constant";
  let description = [{
    `result = factor * input`, of embeddings or logits.

    Constraints: B1 the factor is finite.
  }];
  let arguments = (ins LLMOpt_Activations:$input, F32Attr:$factor);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def LLMOpt_SoftcapOp : LLMOpt_PureOp<"softcap", [AllTypesMatch<["input", "result"]>]> {
  let summary = "smooth bounds of logits";
  let description = [{
    `result = cap * tanh(input / cap)`

    Constraints: F1 the cap is finite and positive.
  }];
  let arguments = (ins LLMOpt_Activations:$input, F32Attr:$cap);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def LLMOpt_PositionEmbeddingOp : LLMOpt_PureOp<"position_embedding"> {
  let summary = "learned vectors of positions";
  let description = [{
    `result[..., :] = table[positions[...] + offset, :]`. The table stays in floats.

    Constraints: V1 the result has the shape of positions followed by the table's columns; V2 the offset is not negative and less than the
    table's rows.
  }];
  let arguments = (ins LLMOpt_Indices:$positions, 2DTensorOf<[F32]>:$table, I64Attr:$offset);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$positions `,` $table `offset` $offset attr-dict `:` functional-type(operands, $result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Positions that the table has.
    int64_t getPositionCount() { return getTable().getType().getDimSize(0) - getOffset(); }
  }];
}

def LLMOpt_GluActivation : LLMOpt_Enum<"GluActivation", "function of the gate", [
  I32EnumAttrCase<"Silu", 0, "silu">,
  I32EnumAttrCase<"Gelu", 1, "gelu">,
  I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">
]>;

def LLMOpt_GluOp : LLMOpt_PureOp<"glu", [SameOperandsAndResultType]> {
  let summary = "gated linear unit";
  let description = [{ `result = activation(gate) * up`; silu(x) = x / (1 + exp(-x)), the others as in `llmopt.bias`. }];
  let arguments = (ins LLMOpt_GluActivation:$activation, LLMOpt_Activations:$gate, LLMOpt_Activations:$up);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$activation $gate `,` $up attr-dict `:` qualified(type($result))";
}

def LLMOpt_SplitOp : LLMOpt_PureOp<"split"> {
  let summary = "consecutive parts of the last dimension";
  let description = [{
    `%q, %k, %v = llmopt.split %qkv : tensor<?x960xf32> -> tensor<?x576xf32>, tensor<?x192xf32>, tensor<?x192xf32>`

    With `interleaved` the two parts alternate in panels of 16 columns, as the rows of an interleaved `llmopt.concat_weights` do.

    Constraints: S1 the parts' last dimensions add up to the input's; S2 the leading dimensions agree; S3 `interleaved` has two equal parts of a multiple
    of 16 columns.
  }];
  let arguments = (ins LLMOpt_Activations:$input, UnitAttr:$interleaved);
  let results = (outs Variadic<LLMOpt_Activations>:$parts);
  let assemblyFormat = "(`interleaved` $interleaved^)? $input attr-dict `:` type($input) `->` type($parts)";
  let hasVerifier = 1;
}

def LLMOpt_RowPositionsOp : LLMOpt_PureOp<"row_positions"> {
  let summary = "positions of the new tokens when only their count is masked";
  let description = [{
    `result[b, i] = past_b + i` for right-padded batches, where the row's `past_b` is `sum(mask[b, :]) - sequence`, or 0 for a
    prompt (mask and ids have equal width).
  }];
  let arguments = (ins LLMOpt_Indices:$ids, LLMOpt_Indices:$mask);
  let results = (outs LLMOpt_Indices:$result);
  let assemblyFormat = "$ids `,` $mask attr-dict `:` functional-type(operands, $result)";
}

def LLMOpt_RopeOp : LLMOpt_PureOp<"rope", [AllTypesMatch<["input", "result"]>]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates the first columns of each head of `input[..., heads * head_dim]` (Su et al., 2021), as many as the table has, halves convention:
    with 2d columns, c = table[p, 0:d], s = table[p, d:2d], (x1, x2) the halves of the first 2d elements of a head:
    `(x1, x2) -> (x1 * c - x2 * s, x2 * c + x1 * s)`; the rest of the head stays. Position p comes from `positions[...]`.

    Constraints: O1 head_dim is even and positive, heads * head_dim is the last dimension; O2 the table's columns are even, positive and at
    most head_dim; O3 positions have the input's leading dimensions.
  }];
  let arguments = (ins LLMOpt_Activations:$input, LLMOpt_Indices:$positions, 2DTensorOf<[F32]>:$table, I64Attr:$heads, I64Attr:$head_dim);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$input `at` $positions `,` $table attr-dict `:` type($input) `,` type($positions) `,` qualified(type($table))";
  let hasVerifier = 1;
}

class LLMOpt_AttentionBase<string mnemonic, list<Trait> traits> : LLMOpt_Op<mnemonic, traits> {
  code geometryDeclaration = [{
    /// Query heads that share a key head.
    int64_t getGroup() { return getHeads() / getKvHeads(); }
  }];
}

def LLMOpt_AttentionOp : LLMOpt_AttentionBase<"attention", [Pure, AttrSizedOperandSegments]> {
  let summary = "causal grouped-query attention over past and new keys, functional";
  let description = [{
    ```mlir
    %o, %pk, %pv = llmopt.attention %q, %k, %v past(%past_k, %past_v) mask(%mask) right
                     {heads = 9, kv_heads = 3, head_dim = 64, scale = 0.125 : f32} : ...
    ```
    query [batch, sequence, heads * head_dim], key and value [batch, sequence, kv_heads * head_dim] (the rotary embedding is applied already),
    past and present [batch, kv_heads, tokens, head_dim]. present = past then new; for `right` padding, row b's new keys are stored after its
    own sum(mask[b]) - sequence past keys. Query i of a row sees the keys up to its own position that the mask keeps, of these only the last
    `window` where that is not 0, counted with hidden ones: `softmax(cap(scale * q k^T)) v`, with `cap(x) = softcap * tanh(x / softcap)`,
    or x where softcap is 0; a row that sees no key is unspecified.

    Constraints: A1 heads is a positive multiple of kv_heads, head_dim is positive; A2 last dimensions are heads * head_dim and
    kv_heads * head_dim; A3 past keys and values come together, [batch, kv_heads, tokens, head_dim]; A4 padding is `none` exactly when
    there is no mask; A6 query, key, value and result have three dimensions, of which the first two can be equal; A8 window is not
    negative; A9 softcap is finite and not negative.
  }];
  let arguments = (ins LLMOpt_Activations:$query, LLMOpt_Activations:$key, LLMOpt_Activations:$value,
                       Optional<4DTensorOf<[F32]>>:$past_key, Optional<4DTensorOf<[F32]>>:$past_value, Optional<LLMOpt_Indices>:$mask,
                       LLMOpt_Padding:$padding, I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim, F32Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window, DefaultValuedAttr<F32Attr, "0.0f">:$softcap);
  let results = (outs LLMOpt_Activations:$result, 4DTensorOf<[F32]>:$present_key, 4DTensorOf<[F32]>:$present_value);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`past` `(` $past_key^ `,` $past_value `)`)? (`mask` `(` $mask^ `)`)? $padding attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = geometryDeclaration;
  let hasVerifier = 1;
}

def LLMOpt_CachedAttentionOp : LLMOpt_AttentionBase<"cached_attention", [MemoryEffects<[MemRead, MemWrite]>, AllTypesMatch<["query", "result"]>]> {
  let summary = "attention of rows over the KV cache, stateful";
  let description = [{
    `llmopt.attention` after the stateful entry is formed: rows [rows, features] belong to the sequences of the call, keys and values are appended to the
    cache of `layer`, and masks, positions and lengths are the call's.

    Constraints: A1, A2, A8, A9 as for `llmopt.attention`; A5 layer is not negative; A7 query, key, value and result have two dimensions, of
    which the first can be equal.
  }];
  let arguments = (ins LLMOpt_Activations:$query, LLMOpt_Activations:$key, LLMOpt_Activations:$value,
                       I64Attr:$layer, I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim, F32Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window, DefaultValuedAttr<F32Attr, "0.0f">:$softcap);
  let results = (outs LLMOpt_Activations:$result);
  let assemblyFormat = "$query `,` $key `,` $value `layer` $layer attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = geometryDeclaration;
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Parts of graphs, whose types may be unknown before the graph is compiled
//===----------------------------------------------------------------------===//

def LLMOpt_SdpaOp : LLMOpt_PureOp<"sdpa"> {
  let summary = "scaled dot-product attention between tensors of a graph";
  let description = [{
    ```mlir
    %o = llmopt.sdpa %q, %k, %v biases(%mask) {scale = 0.125 : f32, softcap = 50.0 : f32}
           : (!onnx.value, !onnx.value, !onnx.value, tensor<?x1x?x?xf32>) -> !onnx.value
    ```
    `result = softmax(cap(scale * query key^T) + biases) value` over the last two dimensions, [rows, columns] of the query, [keys, columns]
    of the key ([columns, keys] with `key_transposed`) and [keys, columns of the result] of the value; the dimensions before them agree, or those
    of keys and values are 1. `cap(x) = softcap * tanh(x / softcap)`, or x without softcap. Biases are broadcast to the scores: masks,
    relative positions, ALiBi. A row all of whose keys have a bias of minus infinity is zero.

    Unlike `llmopt.attention`, it has no state and says nothing of heads; masks and past keys are tensors like others.

    Constraints: X1 scale is finite; X2 softcap is not negative; X3 tensors are of floats.
  }];
  let arguments = (ins AnyType:$query, AnyType:$key, AnyType:$value, Variadic<AnyType>:$biases, F32Attr:$scale,
                       DefaultValuedAttr<F32Attr, "0.0f">:$softcap, UnitAttr:$key_transposed);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`biases` `(` $biases^ `)`)? attr-dict `:` functional-type(operands, $result)
  }];
  let hasVerifier = 1;
}

def LLMOpt_RotaryOp : LLMOpt_PureOp<"rotary"> {
  let summary = "rotary position embedding with factors that a graph computes";
  let description = [{
    ```mlir
    %y = llmopt.rotary %x, %cos, %sin {axis = -1 : i64} : (!onnx.value, !onnx.value, !onnx.value) -> !onnx.value
    ```
    `result = input * cosine + turned(input) * sine`, where turned(x) is -x[half:] followed by x[:half] along the axis, the last
    one for -1. `half` is half of the dimension unless it is given. The factors are broadcast.

    Constraints: Y1 the axis is -1 or not negative; Y2 half is positive; Y3 tensors are of floats.
  }];
  let arguments = (ins AnyType:$input, AnyType:$cosine, AnyType:$sine, I64Attr:$axis, OptionalAttr<I64Attr>:$half);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input `,` $cosine `,` $sine attr-dict `:` functional-type(operands, $result)";
  let hasVerifier = 1;
}

#endif // LLMOPT_DIALECTS_LLMOPT_OPS_TD
