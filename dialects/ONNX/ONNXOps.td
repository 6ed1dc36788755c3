//===- ONNXOps.td - Operations of the onnx dialect ---------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_ONNX_ONNXOPS_TD
#define LLMOPT_DIALECTS_ONNX_ONNXOPS_TD

include "dialects/ONNX/ONNXDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class ONNX_Op<string mnemonic, list<Trait> traits = []>
    : Op<ONNX_Dialect, mnemonic, traits>;

def ONNX_TensorDataAttr : Attr<
    Or<[CPred<"::llvm::isa<::mlir::ElementsAttr>($_self)">,
        CPred<"::llvm::isa<::llmopt::onnx::FileBlobAttr>($_self)">]>,
    "elements or #onnx.blob"> {
  let storageType = "::mlir::TypedAttr";
  let returnType = "::mlir::TypedAttr";
  let convertFromStorage = "$_self";
}

def ONNX_NodeOp : ONNX_Op<"node", [SingleBlock]> {
  let summary = "one node of an ONNX graph, not interpreted";
  let description = [{
    `op_type` and `domain` name the operator ("" is the default domain);
    `version` is the version of its operator set where it differs from the
    module's `onnx.opset`. `node_attrs` holds the attributes of the node by
    name; graph attributes become regions, whose names are `subgraph_names`.
    An input that the file leaves out is an `onnx.none`. A subgraph sees the
    values of the graphs around it. The types of its arguments are those that
    the file declares, information only: a loop may change the shape.

    | ONNX attribute | entry of `node_attrs` |
    |---|---|
    | INT, FLOAT, STRING | `i64` integer, `f32` float, string |
    | INTS, FLOATS | `array<i64: ...>`, `array<f32: ...>` |
    | STRINGS | array of strings |
    | TENSOR | elements, or `#onnx.blob` |

    A node may be dropped when nothing uses its results, but two equal nodes
    are not merged: nothing here knows which operators draw random numbers.

    Constraints:
    * C1: `op_type` is not empty.
    * C2: `version` is at least 1.
    * C3: `outputs`, the names of the results, has one entry per result.
    * C4: `subgraph_names` has one entry per region; the entries are not
      empty, differ, and are no names of `node_attrs`.
    * C5: every entry of `node_attrs` has one of the forms of the table.
    * C6: every region ends with `onnx.return`.

    ```mlir
    %1 = onnx.node "Transpose"(%0) {perm = array<i64: 1, 0>}
           : (tensor<576x1536xf32>) -> !onnx.value
    %2 = onnx.node "If"(%c) subgraphs "then_branch" {
      onnx.return %0 : !onnx.value
    }, "else_branch" {
      onnx.return %1 : !onnx.value
    } : (tensor<i1>) -> !onnx.value
    %3 = onnx.node "QuickGelu" domain "com.microsoft" (%2)
           : (!onnx.value) -> !onnx.value
    ```
  }];
  let arguments = (ins
    StrAttr:$op_type,
    DefaultValuedStrAttr<StrAttr, "">:$domain,
    OptionalAttr<ConfinedAttr<I64Attr, [IntMinValue<1>]>>:$version,
    Variadic<ONNX_AnyValue>:$inputs,
    DefaultValuedAttr<DictionaryAttr, "{}">:$node_attrs,
    OptionalAttr<StrArrayAttr>:$outputs,
    DefaultValuedAttr<StrArrayAttr, "{}">:$subgraph_names);
  let results = (outs Res<Variadic<ONNX_AnyValue>, "", [MemAlloc]>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$subgraphs);
  let assemblyFormat = [{
    $op_type (`domain` $domain^)? (`version` $version^)? `(` $inputs `)`
    `` custom<NodeAttributes>($node_attrs) (`outputs` $outputs^)?
    `` custom<Subgraphs>($subgraph_names, $subgraphs)
    attr-dict-with-keyword `:` functional-type($inputs, $results)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The attribute `name` of the node; null when it is absent or of another
    /// kind than `AttrT`.
    template <typename AttrT = ::mlir::Attribute>
    AttrT getNodeAttr(::llvm::StringRef name) {
      return ::llvm::dyn_cast_or_null<AttrT>(getNodeAttrs().get(name));
    }

    /// The region of the graph attribute `name`; null when it is absent.
    ::mlir::Region *getSubgraph(::llvm::StringRef name);

    /// The version of the operator set that defines the node: `version`, or
    /// else the entry of its domain in the module's `onnx.opset`; nullopt when
    /// neither is there.
    std::optional<int64_t> getOpsetVersion();

    /// The tensor of a Constant, which ONNX has five ways to write; null for
    /// other operators and for what is no dense tensor of numbers.
    ::mlir::TypedAttr getConstantTensor();
  }];
}

def ONNX_InitializerOp : ONNX_Op<"initializer", [
    Pure, AllTypesMatch<["value", "result"]>]> {
  let summary = "a named constant tensor of an ONNX graph";
  let description = [{
    Data of up to a kilobyte is held by value, more stays in its file.

    Constraints:
    * C1: `name` is not empty.
    * C2: the value and the result have one type, a ranked tensor of static
      shape.

    ```mlir
    %s = onnx.initializer "shape" = dense<[1, -1]> : tensor<2xi64>
    %w = onnx.initializer "gate.weight" =
           #onnx.blob<"model.onnx.data", 4096, 3538944> : tensor<576x1536xf32>
    ```
  }];
  let arguments = (ins
    ConfinedAttr<StrAttr, [AttrConstraint<
      CPred<"!::llvm::cast<::mlir::StringAttr>($_self).getValue().empty()">,
      "not empty">]>:$name,
    ONNX_TensorDataAttr:$value);
  let results = (outs StaticShapeTensorOf<[AnyType]>:$result);
  let assemblyFormat = "$name `=` $value attr-dict";
}

def ONNX_NoneOp : ONNX_Op<"none", [Pure]> {
  let summary = "an optional input that a node leaves out";
  let results = (outs ONNX_ValueType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def ONNX_ReturnOp : ONNX_Op<"return", [
    Pure, Terminator, ReturnLike, ParentOneOf<["NodeOp"]>]> {
  let summary = "ends a subgraph and names its outputs";
  let arguments = (ins Variadic<ONNX_AnyValue>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif // LLMOPT_DIALECTS_ONNX_ONNXOPS_TD
