//===- ONNXDialect.td - The onnx dialect -------------------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_ONNX_ONNXDIALECT_TD
#define LLMOPT_DIALECTS_ONNX_ONNXDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"

def ONNX_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::llmopt::onnx";
  let summary = "what an ONNX file says, and nothing more";
  let description = [{
    A model is a `func.func @main` whose body holds one `onnx.node` per ONNX
    node, in the order of the file. Nothing is interpreted: the meaning of an
    operator, the type and the shape of its results are the business of the
    Import passes.

    Discardable attributes:

    | attribute | on | value |
    |---|---|---|
    | `onnx.opset` | module | dictionary domain -> version (i64); the default domain is called `ai.onnx` |
    | `onnx.model_name` | module | string: the name of the main graph |
    | `onnx.name` | arguments and results of functions | string: the name of the value in the file |
    | `onnx.dims` | arguments and results of functions | one string per dimension: the name the file gives it, or ""; information only, equal names do not promise equal sizes |
    | `onnx.type` | results of functions | the type the file declares for an output; information only |

    Every op has a location `loc("node name"("file":N:0))`; N counts the nodes
    of its graph from 1.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

def ONNX_ValueType : TypeDef<ONNX_Dialect, "Value"> {
  let mnemonic = "value";
  let summary = "a value whose type and rank the file does not say";
}

def ONNX_AnyValue : AnyTypeOf<[ONNX_ValueType, AnyTensor],
                              "an ONNX value or a tensor">;

def ONNX_FileBlobAttr : AttrDef<ONNX_Dialect, "FileBlob", [TypedAttrInterface]> {
  let mnemonic = "blob";
  let summary = "tensor data that stays in a file";
  let description = [{
    `bytes` bytes from `offset` (in bytes) of `file` hold the elements of the
    tensor type, row-major, little endian; a bool takes a byte, every other
    type its own width. Elements of 2 or 4 bits are packed from the lowest bits
    of a byte up, without gaps between rows; only the last byte is padded.
    `file` is a path relative to the directory of the model; "" is the .onnx
    file itself.

    Constraints:
    * C1: the type is a ranked tensor of static shape with integer or
      floating-point elements of 1, 2, 4, 8, 16, 32 or 64 bits.
    * C2: `offset` and `bytes` are not negative, and neither is their sum.
    * C3: `bytes` is the size of the tensor, rounded up to whole bytes.

    ```mlir
    #onnx.blob<"model.onnx.data", 2304, 2211840> : tensor<576x960xf32>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"path relative to the model">:$file,
    "int64_t":$offset,
    "int64_t":$bytes,
    AttributeSelfTypeParameter<"", "::mlir::ShapedType">:$type);
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::ShapedType":$type,
                                        "::llvm::StringRef":$file,
                                        "int64_t":$offset,
                                        "int64_t":$bytes), [{
      return $_get(type.getContext(), file, offset, bytes, type);
    }]>
  ];
  let assemblyFormat = "`<` $file `,` $offset `,` $bytes `>`";
  let genVerifyDecl = 1;
}

#endif // LLMOPT_DIALECTS_ONNX_ONNXDIALECT_TD
