//===- KernelOps.td - Operations of the kernel dialect -----*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_KERNEL_OPS_TD
#define LLMOPT_DIALECTS_KERNEL_OPS_TD

include "dialects/Kernel/KernelDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Attributes and types
//===----------------------------------------------------------------------===//

class Kernel_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::llmopt::kernel";
}

def Kernel_Epilogue : Kernel_Enum<"Epilogue", "what a product does with its sums", [
  I32EnumAttrCase<"Store", 0, "store">,
  I32EnumAttrCase<"Add", 1, "add">,
  I32EnumAttrCase<"SiluMul", 2, "silu_mul">,
  I32EnumAttrCase<"SiluMulQuantize", 3, "silu_mul_quantize">,
  I32EnumAttrCase<"GeluMul", 4, "gelu_mul">,
  I32EnumAttrCase<"GeluTanhMul", 5, "gelu_tanh_mul">
]>;

def Kernel_Activation : Kernel_Enum<"Activation", "what becomes of a sum with a bias, as for llmopt.bias", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Relu", 1, "relu">,
  I32EnumAttrCase<"Gelu", 2, "gelu">,
  I32EnumAttrCase<"GeluTanh", 3, "gelu_tanh">
]>;

def Kernel_KVFormat : Kernel_Enum<"KVFormat", "numbers that the KV cache holds, as llmopt_kv_format of the model ABI", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"BF16", 1, "bf16">,
  I32EnumAttrCase<"Int8", 2, "int8">
]>;

def Kernel_RowDomain : Kernel_Enum<"RowDomain", "which rows a buffer holds", [
  I32EnumAttrCase<"Tokens", 0, "tokens">,
  I32EnumAttrCase<"Logits", 1, "logits">
]>;

def Kernel_KeepMoment : Kernel_Enum<"KeepMoment", "when a caller accesses buffers", [
  I32EnumAttrCase<"In", 0, "in">,
  I32EnumAttrCase<"Out", 1, "out">
]>;

def Kernel_PackFormat : Kernel_Enum<"PackFormat", "layout of packed bytes, see target/PackedFormat.h", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"Int8", 1, "int8">,
  I32EnumAttrCase<"Int8Bitmask", 2, "int8_bitmask">,
  I32EnumAttrCase<"Raw", 3, "raw">,
  I32EnumAttrCase<"Bytes", 4, "bytes">,
  I32EnumAttrCase<"Int8Groups", 5, "int8_groups">,
  I32EnumAttrCase<"Int4Groups", 6, "int4_groups">,
  I32EnumAttrCase<"ConvF32", 7, "conv_f32">,
  I32EnumAttrCase<"ConvInt8", 8, "conv_int8">,
  I32EnumAttrCase<"DepthwiseF32", 9, "depthwise_f32">,
  I32EnumAttrCase<"DepthwiseInt8", 10, "depthwise_int8">,
  I32EnumAttrCase<"BF16", 11, "bf16">,
  I32EnumAttrCase<"Int8TwoOfFour", 12, "int8_2of4">,
  I32EnumAttrCase<"Int8Gather", 13, "int8_gather">
]>;

def Kernel_WeightType : TypeDef<Kernel_Dialect, "Weight"> {
  let mnemonic = "weight";
  let summary = "packed bytes of a weight";
  let description = [{
    `!kernel.weight<3072x576, int8_bitmask>`. `raw` is row-major f32, for norm scales ([1, n]) and rotary tables.
    `bytes` is a constant of a graph as the ONNX file holds it: one row of so many bytes. Formats with groups have the number of their columns behind
    them, `f16` for scales of this type (f32 without), `zero_points` and `table`: `!kernel.weight<3072x576, int4_groups(32) f16>`.
    `conv_*` and `depthwise_*` are weights of convolutions, a row for each channel of the result; their part says how many `taps` the kernel has.

    Constraints: T1 rows and columns are positive; T2 exactly the formats with groups have some, of a positive multiple of 32 columns, and what belongs to
    groups; T3 zero points or a table, not both, need int4_groups.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, EnumParameter<Kernel_PackFormat>:$format,
                        DefaultValuedParameter<"int64_t", "0">:$group, DefaultValuedParameter<"bool", "false">:$half_scales,
                        DefaultValuedParameter<"bool", "false">:$zero_points, DefaultValuedParameter<"bool", "false">:$table);
  let builders = [TypeBuilder<(ins "int64_t":$rows, "int64_t":$columns, "::llmopt::kernel::PackFormat":$format), [{
    return $_get($_ctxt, rows, columns, format, 0, false, false, false);
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Kernel_Floats : MemRefRankOf<[F32], [2]>;
def Kernel_Records : MemRefRankOf<[I8], [2]>;

class Kernel_Op<string mnemonic, list<Trait> traits = []> : Op<Kernel_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Weights and buffers
//===----------------------------------------------------------------------===//

def Kernel_WeightDataOp : Kernel_Op<"weight_data", [Symbol]> {
  let summary = "a packed weight of the library";
  let description = [{
    ```mlir
    kernel.weight_data @w3 "layers.0.gate_up" : !kernel.weight<3072x576, int8> at 28311552 bytes 1867840
      parts [{codes = #llmopt.blob<...>, scales = #llmopt.blob<...>, rows = 1536}, ...] {interleaved, zeros = 0 : i64}
    ```
    `offset` is relative to the packed weights of the library, `bytes` the packed size. `parts` are the sources of consecutive rows (of
    alternating panels of 16 rows, with `interleaved`); the packer reads them when the library is written. A part has `codes` and, as its format needs
    them, `scales`, `zero_points` and `table`.

    Constraints: K1 offset is a multiple of 64, bytes is positive; K2 the rows of the parts add up; K8 `interleaved` has two
    parts with equal rows, a multiple of 16.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$name, TypeAttrOf<Kernel_WeightType>:$type, I64Attr:$offset, I64Attr:$bytes,
                       TypedArrayAttrBase<DictionaryAttr, "weight parts">:$parts, UnitAttr:$interleaved, DefaultValuedAttr<I64Attr, "0">:$zeros);
  let assemblyFormat = [{
    $sym_name $name `:` $type `at` $offset `bytes` $bytes `parts` $parts attr-dict
  }];
  let hasVerifier = 1;
}

def Kernel_WeightOp : Kernel_Op<"weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reference to a packed weight";
  let description = [{
    Constraints: K3 the symbol is a kernel.weight_data of this type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Kernel_WeightType:$result);
  let assemblyFormat = "$weight attr-dict `:` qualified(type($result))";
}

def Kernel_BufferOp : Kernel_Op<"buffer", [Pure]> {
  let summary = "rows in the arena";
  let description = [{
    ```mlir
    %h = kernel.buffer "hidden" tokens at 2304 : memref<?x576xf32>
    ```
    One row per token of the call (`tokens`) or per row whose logits are wanted (`logits`). A row has the type's second dimension, a
    multiple of 64 bytes. The slot starts at `offset * capacity` bytes of the arena and takes `row bytes * capacity`; the memory plan assigns offsets, buffers
    whose lifetimes do not overlap share bytes.

    With `private` every thread has a buffer of its own, at `offset` of its scratch memory, with one row: what writes it is computed by every
    thread alone, so that no barrier has to wait for it. Only for `@forward_row`, which executes calls of one row.

    Constraints: K4 rows are dynamic, a row's bytes are a positive multiple of 64; K5 the offset is a multiple of 64.
  }];
  let arguments = (ins StrAttr:$name, Kernel_RowDomain:$rows, UnitAttr:$is_private, OptionalAttr<I64Attr>:$offset);
  let results = (outs AnyTypeOf<[Kernel_Floats, Kernel_Records]>:$result);
  let assemblyFormat = "$name $rows (`private` $is_private^)? (`at` $offset^)? attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Bytes of one row.
    int64_t getRowBytes();
  }];
}

def Kernel_ColumnsOp : Kernel_Op<"columns", [Pure]> {
  let summary = "consecutive columns of a buffer";
  let description = [{
    ```mlir
    %k = kernel.columns %qkv : memref<?x128xf32> -> memref<?x32xf32, strided<[128, 1], offset: 64>>
    ```
    A view, where products that could not become one write parts of the same rows.

    Constraints: K6 the result is strided by the rows of the buffer; K7 first column and number of columns are multiples of 16 and lie within
    the buffer.
  }];
  let arguments = (ins Kernel_Floats:$buffer);
  let results = (outs Kernel_Floats:$result);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// First column of the view.
    int64_t getFirstColumn();
    /// The view of `columns` columns from `first` on.
    static ::mlir::MemRefType viewType(::mlir::MemRefType buffer, int64_t first, int64_t columns);
  }];
}

def Kernel_KeepOp : Kernel_Op<"keep", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "buffers that the caller fills before a call or reads after it";
  let description = [{
    ```mlir
    kernel.keep in %hidden, %norm : memref<?x576xf32>, memref<?x576xf32>
    kernel.keep out %hidden : memref<?x576xf32>
    ```
    The first operation (`in`) or the last (`out`) of a part of a model that calibration executes on its own. Generates no code: it is an access to the
    buffers, so that they have their places from the start, or until the end.

    Constraints: K10 `in` stands before all operations that touch memory, `out` after them; K11 buffers are in the arena and different.
  }];
  let arguments = (ins Kernel_KeepMoment:$moment, Variadic<AnyTypeOf<[Kernel_Floats, Kernel_Records]>>:$buffers);
  let assemblyFormat = "$moment ($buffers^ `:` type($buffers))? attr-dict";
  let hasVerifier = 1;
}

def Kernel_LogitsOp : Kernel_Op<"logits", [Pure]> {
  let summary = "the caller's logits";
  let description = [{
    `[logit_rows, vocabulary padded to 16]`, outside of the arena.

    Constraints: K9 rows are dynamic, columns are static and positive.
  }];
  let results = (outs Kernel_Floats:$result);
  let assemblyFormat = "attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

def Kernel_EmbeddingOp : Kernel_Op<"embedding"> {
  let summary = "rows of the token table";
  let description = [{
    `output[r, :] = table[tokens[r], :]` for the tokens of the call.

    Constraints: E1 output has the table's columns; E2 the table's layout is neither int8_2of4 nor int8_gather.
  }];
  let arguments = (ins Kernel_WeightType:$table, Arg<Kernel_Floats, "", [MemWrite]>:$output);
  let assemblyFormat = "$table `->` $output attr-dict `:` qualified(type($table)) `,` type($output)";
  let hasVerifier = 1;
}

def Kernel_LinearOp : Kernel_Op<"linear"> {
  let summary = "product with a packed weight";
  let description = [{
    `output[m, n] (op)= sum_k input[m, k] * weight[n, k]`, see docs/Kernels.md for epilogues. With `group` the input holds int8 records
    (QuantizedRow of the weight's columns and this group), otherwise f32 rows.

    `silu_mul_quantize` makes int8 records of its results, of `output_group` columns to a scale; `floats` is where they stand before:

    ```mlir
    kernel.linear silu_mul_quantize %x, %w -> %records group 64 through %floats to 64 : memref<...>, !kernel.weight<...>, memref<...>, memref<...>
    ```

    Constraints: N1 record inputs come with a group and an integer weight, f32 inputs without a group; N2 the input's row fits the weight's columns;
    N3 the output has the weight's rows (half of them for the epilogues that multiply), up to the padding to 16; N4 the group is a positive multiple of 32;
    N5 input and output are different buffers; N6 the group divides those of the weight, if it has some; N7 exactly silu_mul_quantize has floats and
    an output group, and an input of records, its output holds such records, and floats have room for a group, a scale and a bias for each group of a
    record.
  }];
  let arguments = (ins Arg<AnyTypeOf<[Kernel_Floats, Kernel_Records]>, "", [MemRead]>:$input, Kernel_WeightType:$weight,
                       Arg<AnyTypeOf<[Kernel_Floats, Kernel_Records]>, "", [MemRead, MemWrite]>:$output,
                       Arg<Optional<Kernel_Floats>, "", [MemRead, MemWrite]>:$floats,
                       Kernel_Epilogue:$epilogue, OptionalAttr<I64Attr>:$group, OptionalAttr<I64Attr>:$output_group);
  let assemblyFormat = [{
    $epilogue $input `,` $weight `->` $output (`group` $group^)? (`through` $floats^)? (`to` $output_group^)? attr-dict
    `:` type($input) `,` qualified(type($weight)) `,` type($output) (`,` type($floats)^)?
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

def Kernel_RMSNormOp : Kernel_Op<"rms_norm"> {
  let summary = "normalised rows, optionally quantized to int8 records";
  let description = [{
    With `group` the output holds int8 records instead of floats.

    Constraints: G1 gamma is raw [1, columns] and the input has these columns; G2 record outputs come with a group and have its record size.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$input, Kernel_WeightType:$gamma,
                       Arg<AnyTypeOf<[Kernel_Floats, Kernel_Records]>, "", [MemWrite]>:$output, F32Attr:$epsilon, OptionalAttr<I64Attr>:$group);
  let assemblyFormat = "$input `,` $gamma `->` $output (`group` $group^)? attr-dict `:` type($input) `,` qualified(type($gamma)) `,` type($output)";
  let hasVerifier = 1;
}

def Kernel_LayerNormOp : Kernel_Op<"layer_norm"> {
  let summary = "rows without mean and with unit variance, optionally quantized to int8 records";
  let description = [{
    With `group` the output holds int8 records instead of floats.

    Constraints: G1 gamma and beta are raw [1, columns] and the input has these columns; G2 as for rms_norm.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$input, Kernel_WeightType:$gamma, Kernel_WeightType:$beta,
                       Arg<AnyTypeOf<[Kernel_Floats, Kernel_Records]>, "", [MemWrite]>:$output, F32Attr:$epsilon, OptionalAttr<I64Attr>:$group);
  let assemblyFormat = [{
    $input `,` $gamma `,` $beta `->` $output (`group` $group^)? attr-dict
    `:` type($input) `,` qualified(type($gamma)) `,` qualified(type($beta)) `,` type($output)
  }];
  let hasVerifier = 1;
}

def Kernel_BiasOp : Kernel_Op<"bias"> {
  let summary = "a constant row added in place";
  let description = [{
    `buffer[r, :] = activation(buffer[r, :] + bias)`

    Constraints: B1 the bias is raw [1, columns] and the buffer has these columns.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer, Kernel_WeightType:$bias,
                       DefaultValuedAttr<Kernel_Activation, "::llmopt::kernel::Activation::None">:$activation);
  let assemblyFormat = "($activation^)? $buffer `,` $bias attr-dict `:` type($buffer) `,` qualified(type($bias))";
  let hasVerifier = 1;
}

def Kernel_HeadNormOp : Kernel_Op<"head_norm"> {
  let summary = "heads normalised in place";
  let description = [{
    `llmopt.head_norm`, in place.

    Constraints: V1 gamma is raw [1, length], and its length divides the columns of the buffer.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer, Kernel_WeightType:$gamma, F32Attr:$epsilon);
  let assemblyFormat = "$buffer `,` $gamma attr-dict `:` type($buffer) `,` qualified(type($gamma))";
  let hasVerifier = 1;
}

def Kernel_ScaleOp : Kernel_Op<"scale"> {
  let summary = "rows multiplied by a constant in place";
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer, F32Attr:$factor);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer)";
}

def Kernel_SoftcapOp : Kernel_Op<"softcap"> {
  let summary = "rows bounded smoothly in place";
  let description = [{ `buffer[r, :] = cap * tanh(buffer[r, :] / cap)` }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer, F32Attr:$cap);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer)";
}

def Kernel_AddOp : Kernel_Op<"add"> {
  let summary = "rows added to others in place";
  let description = [{
    `buffer[r, :] += input[r, :]`

    Constraints: A1 equal columns; A2 input and buffer are different.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$input, Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer);
  let assemblyFormat = "$input `->` $buffer attr-dict `:` type($input) `,` type($buffer)";
  let hasVerifier = 1;
}

def Kernel_AddPositionsOp : Kernel_Op<"add_positions"> {
  let summary = "learned vectors of the call's positions, added in place";
  let description = [{
    `buffer[r, :] += table[positions[r] + offset, :]` for the tokens of the call.

    Constraints: P1 the table is raw and the buffer has its columns; P2 the offset is not negative and less than the table's rows.
  }];
  let arguments = (ins Kernel_WeightType:$table, Arg<Kernel_Floats, "", [MemRead, MemWrite]>:$buffer, I64Attr:$offset);
  let assemblyFormat = "$table `->` $buffer `offset` $offset attr-dict `:` qualified(type($table)) `,` type($buffer)";
  let hasVerifier = 1;
}

def Kernel_QuantizeOp : Kernel_Op<"quantize"> {
  let summary = "rows quantized to int8 records";
  let description = [{
    Constraints: Q1 the output has the record size of the columns and the group.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$input, Arg<Kernel_Records, "", [MemWrite]>:$output, I64Attr:$columns, I64Attr:$group);
  let assemblyFormat = "$input `->` $output `columns` $columns `group` $group attr-dict `:` type($input) `,` type($output)";
  let hasVerifier = 1;
}

def Kernel_GatherRowsOp : Kernel_Op<"gather_rows"> {
  let summary = "the rows whose logits are wanted";
  let description = [{
    Constraints: X1 equal columns; X2 input and output are different buffers.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$input, Arg<Kernel_Floats, "", [MemWrite]>:$output);
  let assemblyFormat = "$input `->` $output attr-dict `:` type($input) `,` type($output)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Kernel_RopeAppendOp : Kernel_Op<"rope_append", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "rotate q and k in place, append k and v to the cache";
  let description = [{
    A row of qkv is [q of all heads | k of all kv_heads | v of all kv_heads]. `kv` is the format of the cache.

    Constraints: H1 heads is a positive multiple of kv_heads, qkv has (heads + 2 kv_heads) * head_dim columns; H2 the table is raw, with an
    even number of columns, at most head_dim, as for `llmopt.rope`; H4 head_dim is a positive multiple of 8, at most 256.
  }];
  let arguments = (ins Kernel_Floats:$qkv, Kernel_WeightType:$table, I64Attr:$layer,
                       I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim,
                       DefaultValuedAttr<Kernel_KVFormat, "::llmopt::kernel::KVFormat::F32">:$kv);
  let assemblyFormat = "$qkv `,` $table `layer` $layer (`kv` $kv^)? attr-dict `:` type($qkv) `,` qualified(type($table))";
  let hasVerifier = 1;
}

def Kernel_AttentionOp : Kernel_Op<"attention", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "causal attention of the call's rows over the cache";
  let description = [{
    Reads q from qkv and keys and values of `layer` from the cache. `window` and `softcap` as for `llmopt.attention`.

    Constraints: H1 and H4 as for rope_append; H3 output has heads * head_dim columns; H5 qkv and output are different buffers;
    H6 window is not negative; H7 softcap is finite and not negative.
  }];
  let arguments = (ins Kernel_Floats:$qkv, Kernel_Floats:$output, I64Attr:$layer,
                       I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim, F32Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window, DefaultValuedAttr<F32Attr, "0.0f">:$softcap,
                       DefaultValuedAttr<Kernel_KVFormat, "::llmopt::kernel::KVFormat::F32">:$kv);
  let assemblyFormat = "$qkv `->` $output `layer` $layer (`kv` $kv^)? attr-dict `:` type($qkv) `,` type($output)";
  let hasVerifier = 1;
}

def Kernel_AttentionPartsOp : Kernel_Op<"attention_parts", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "attention of the only row, the cache in parts";
  let description = [{
    As `attention`, for calls of one row: the pages that it sees are split into at most `part_count` parts, depending on their number
    alone, so that more threads than there are kv heads share the work. `parts` gets one record per head and part for `merge_parts`. The
    records take the rows of 16 of the buffer, the least that it has.

    Constraints: H1, H4, H6 and H7 as for attention; A1 part_count is positive, 16 rows of `parts` hold heads * part_count records of
    16 + head_dim floats (head_dim rounded up to a multiple of 16); A2 qkv and parts are different buffers.
  }];
  let arguments = (ins Kernel_Floats:$qkv, Kernel_Floats:$parts, I64Attr:$layer, I64Attr:$part_count,
                       I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim, F32Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window, DefaultValuedAttr<F32Attr, "0.0f">:$softcap,
                       DefaultValuedAttr<Kernel_KVFormat, "::llmopt::kernel::KVFormat::F32">:$kv);
  let assemblyFormat = "$qkv `->` $parts `layer` $layer `parts` $part_count (`kv` $kv^)? attr-dict `:` type($qkv) `,` type($parts)";
  let hasVerifier = 1;
}

def Kernel_MergePartsOp : Kernel_Op<"merge_parts"> {
  let summary = "the result of attention from its parts";
  let description = [{
    `window`, `kv_heads` and `part_count` are those of the `attention_parts` that wrote `parts`.

    Constraints: H1, H4 and H6 as for attention; A1 as for attention_parts; A3 output has heads * head_dim columns; A4 output is a
    private buffer, as every thread computes all of it.
  }];
  let arguments = (ins Arg<Kernel_Floats, "", [MemRead]>:$parts, Arg<Kernel_Floats, "", [MemWrite]>:$output, I64Attr:$part_count,
                       I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$head_dim,
                       DefaultValuedAttr<I64Attr, "0">:$window);
  let assemblyFormat = "$parts `->` $output `parts` $part_count attr-dict `:` type($parts) `,` type($output)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

def Kernel_BarrierOp : Kernel_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for all threads of the call";
  let assemblyFormat = "attr-dict";
}

def Kernel_ParallelForOp : Kernel_Op<"parallel_for", [NoTerminator, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "a loop whose iterations all threads share";
  let description = [{
    ```mlir
    kernel.parallel_for %count grain %grain {
    ^bb0(%i: i64):
      ...
    }
    ```
    Executes the body for i in [0, count), in any order; a thread takes at least `grain` consecutive iterations. Part of the code of
    graphs (docs/Graph.md).

    Constraints: F1 the body has one argument, an i64; F2 loops do not nest.
  }];
  let arguments = (ins I64:$count, I64:$grain);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = "$count `grain` $grain $body attr-dict";
  let hasVerifier = 1;
}

#endif // LLMOPT_DIALECTS_KERNEL_OPS_TD
