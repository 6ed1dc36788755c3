//===- LLMOptAttributes.td - Attributes and types ----------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_ATTRIBUTES_TD
#define LLMOPT_DIALECTS_LLMOPT_ATTRIBUTES_TD

include "dialects/LLMOpt/LLMOptDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class LLMOpt_Attr<string name, string attrMnemonic> : AttrDef<LLMOpt_Dialect, name> {
  let mnemonic = attrMnemonic;
}

class LLMOpt_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::llmopt";
}

//===----------------------------------------------------------------------===//
// Where weights are
//===----------------------------------------------------------------------===//

def LLMOpt_BlobAttr : LLMOpt_Attr<"WeightBlob", "blob"> {
  let summary = "bytes of a weight in a file";
  let description = [{
    `#llmopt.blob<"model.onnx.data", 1024, 3538944>` names `bytes` bytes at `offset` of a file. The name is
    relative to the model's directory; "" is the model file itself, "<spill>" the store's spill file, which holds what passes
    wrote. With `transposed` the bytes are the row-major [K, N] of a weight whose type says [N, K]. With `f16` or `bf16`
    (`#llmopt.blob<"", 64, 128, bf16, transposed>`) the file has elements of this type, which are read as f32.

    Constraints (checked by the verifier): B1 offset and bytes are not negative; B2 the element is f16 or bf16.
  }];
  let parameters = (ins StringRefParameter<"file">:$file, "int64_t":$offset, "int64_t":$bytes,
                        DefaultValuedParameter<"bool", "false">:$transposed, OptionalParameter<"::mlir::Type">:$element);
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$file, "int64_t":$offset, "int64_t":$bytes, "bool":$transposed), [{
    return $_get($_ctxt, file, offset, bytes, transposed, ::mlir::Type());
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def LLMOpt_RandomAttr : LLMOpt_Attr<"Random", "random"> {
  let summary = "seeded random weights, for tests";
  let description = [{
    `#llmopt.random<7>` stands for normally distributed values with standard deviation 1 / sqrt(K), drawn from a generator
    with this seed; equal everywhere. Int8 codes are drawn with standard deviation 32.
  }];
  let parameters = (ins "uint64_t":$seed);
  let assemblyFormat = "`<` $seed `>`";
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

def LLMOpt_Encoding : LLMOpt_Enum<"Encoding", "numbers that a weight is stored in", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"Int", 1, "int">,
  I32EnumAttrCase<"Table", 2, "table">,
  I32EnumAttrCase<"BF16", 3, "bf16">
]>;

def LLMOpt_Layout : LLMOpt_Enum<"Layout", "arrangement of the packed bytes", [
  I32EnumAttrCase<"Undecided", 0, "undecided">,
  I32EnumAttrCase<"Dense", 1, "dense">,
  I32EnumAttrCase<"Bitmask", 2, "bitmask">,
  I32EnumAttrCase<"TwoOfFour", 3, "two_of_four">,
  I32EnumAttrCase<"Gather", 4, "gather">
]>;

def LLMOpt_FormatAttr : LLMOpt_Attr<"Format", "format"> {
  let summary = "how a weight is encoded and laid out";
  let description = [{
    | text | value of a weight |
    |---|---|
    | `f32` | itself |
    | `bf16` | rounded to bf16, ties to even |
    | `int8` | code * scale of its row, codes in [-128, 127] |
    | `int4 group(32) f16` | code * scale of its row and group of 32 columns, codes in [-8, 7], scales stored as f16 |
    | `int4 group(32) f16 zero_points` | (code - zero point of the group) * scale, both in [0, 15] |
    | `table4 group(64) f16 [-1.0, ...]` | table[code] * scale, codes in [0, 15]; `nf4` stands for `table4` with NormalFloat's values (Dettmers et al., 2023) |

    The number behind `int` and `table` is that of the bits of a code; of less than 8 bits, codes are stored in containers of 4 or 8 bits. Scales are f32
    unless the format says `f16`. The layout follows: `#llmopt.format<int8, bitmask>` stores the non-zero codes and a bit per weight,
    `two_of_four` two codes of every four columns and two bits for the place of each, `gather` four codes of every row of a panel at a time, with a
    byte for the place of each. Without a layout, it is not chosen yet. `target/PackedFormat.h` defines the bytes.

    Constraints: F1 the sparse layouts (bitmask, two_of_four, gather) need int8 with a scale per row; F2 `int` has 2 to 8 bits, `table` 2 to 4; F3 a group is a positive multiple
    of 32 columns, and only int8 may be without; F4 a table has a finite value for every code, not all of them zero; F5 zero points
    need `int` of at most 4 bits; F6 scales are f32, or f16 of groups.
  }];
  let parameters = (ins EnumParameter<LLMOpt_Encoding>:$encoding, "int64_t":$bits, "int64_t":$group, "::mlir::Type":$scale,
                        "bool":$zero_points, "::mlir::DenseF32ArrayAttr":$table, EnumParameter<LLMOpt_Layout>:$layout);
  let skipDefaultBuilders = 1;
  let builders = [
    AttrBuilder<(ins "::llmopt::Encoding":$encoding, "int64_t":$bits, "int64_t":$group, "::mlir::Type":$scale, "bool":$zeroPoints,
                     "::mlir::DenseF32ArrayAttr":$table, CArg<"::llmopt::Layout", "::llmopt::Layout::Undecided">:$layout), [{
      return $_get($_ctxt, encoding, bits, group, scale, zeroPoints, table, layout);
    }]>
  ];
  let extraClassDeclaration = [{
    /// Floats as they are.
    static FormatAttr getF32(::mlir::MLIRContext *context, Layout layout = Layout::Undecided);
    /// Floats, of which the upper halves are stored.
    static FormatAttr getBF16(::mlir::MLIRContext *context, Layout layout = Layout::Undecided);
    /// Int8 with a scale per row.
    static FormatAttr getInt8(::mlir::MLIRContext *context, Layout layout = Layout::Undecided);
    /// The values of NF4.
    static ::llvm::ArrayRef<float> getNormalFloats();

    bool hasCodes() const { return getEncoding() == Encoding::Int || getEncoding() == Encoding::Table; }
    /// Scales of a row of so many columns.
    int64_t getGroups(int64_t columns) const;
    /// The same encoding with another layout.
    FormatAttr withLayout(Layout layout) const;
  }];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// The ONNX signature of a decoder
//===----------------------------------------------------------------------===//

def LLMOpt_Role : LLMOpt_Enum<"Role", "meaning of an argument or result", [
  I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Mask", 2, "mask">,
  I32EnumAttrCase<"Positions", 3, "positions">,
  I32EnumAttrCase<"Key", 4, "key">,
  I32EnumAttrCase<"Value", 5, "value">,
  I32EnumAttrCase<"Logits", 6, "logits">
]>;

def LLMOpt_RoleAttr : LLMOpt_Attr<"ArgumentRole", "role"> {
  let summary = "role of a function argument or result, and its layer";
  let description = [{
    `llmopt.role = #llmopt.role<key, 3>` on an argument: the past keys of layer 3; on a result: the present keys.
    The values are those of `llmopt_role` in the model ABI.
  }];
  let parameters = (ins EnumParameter<LLMOpt_Role>:$role, DefaultValuedParameter<"int64_t", "0">:$layer);
  let assemblyFormat = "`<` $role (`,` $layer^)? `>`";
}

def LLMOpt_Padding : LLMOpt_Enum<"Padding", "where the attention mask puts padding", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Left", 1, "left">,
  I32EnumAttrCase<"Right", 2, "right">
]>;

def LLMOpt_KVFormat : LLMOpt_Enum<"KVFormat", "numbers that the KV cache holds, as llmopt_kv_format of the model ABI", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"BF16", 1, "bf16">,
  I32EnumAttrCase<"Int8", 2, "int8">
]>;

def LLMOpt_KVParameter : EnumParameter<LLMOpt_KVFormat> {
  let defaultValue = "::llmopt::KVFormat::F32";
}

def LLMOpt_ArgumentAttr : LLMOpt_Attr<"Argument", "argument"> {
  let summary = "one input or output of the ONNX signature, kept when the functional entry is gone";
  let parameters = (ins StringRefParameter<"name">:$name, EnumParameter<LLMOpt_Role>:$role,
                        "int64_t":$layer, "::mlir::RankedTensorType":$type);
  let assemblyFormat = "`<` $name `,` $role `,` $layer `,` $type `>`";
}

def LLMOpt_DecoderAttr : LLMOpt_Attr<"Decoder", "decoder"> {
  let summary = "geometry of a decoder with a KV cache";
  let description = [{
    Module attribute `llmopt.decoder`, set when the stateful entry is formed; `inputs` and `outputs` are arrays of
    `#llmopt.argument` in the order of the ONNX signature. `kv` is the format of the cache; sessions keep it, `run` converts.
  }];
  let parameters = (ins "int64_t":$layers, "int64_t":$heads, "int64_t":$kv_heads, "int64_t":$head_dim,
                        "int64_t":$vocabulary, "int64_t":$max_positions, EnumParameter<LLMOpt_Padding>:$padding,
                        LLMOpt_KVParameter:$kv,
                        "::mlir::ArrayAttr":$inputs, "::mlir::ArrayAttr":$outputs);
  let assemblyFormat = "`<` struct(params) `>`";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def LLMOpt_PackedType : TypeDef<LLMOpt_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "an encoded weight";
  let description = [{
    `!llmopt.packed<1536x576, #llmopt.format<int8, bitmask>>`: N rows (outputs) by K columns (inputs).

    Constraints: P1 rows and columns are positive.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::llmopt::FormatAttr":$format);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

#endif // LLMOPT_DIALECTS_LLMOPT_ATTRIBUTES_TD
