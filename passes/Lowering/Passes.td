//===- Passes.td - Passes from llmopt to kernel, and kernel expansion -----===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_PASSES_TD
#define LLMOPT_PASSES_LOWERING_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// llmopt-select
//===----------------------------------------------------------------------===//

def FormSession : Pass<"llmopt-form-session", "::mlir::ModuleOp"> {
  let summary = "turn the functional entry of a decoder into a stateful one over rows";
  let description = [{
    `@main` has the ONNX signature; `@forward` sees all tokens of a call, one after the other, and the KV cache:

    ```mlir
    func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>}, %mask: ..., %positions: ..., %pk: ..., %pv: ...)
      %x = llmopt.embedding %ids, %table : (tensor<?x?xi64>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
      %r = llmopt.rope %q at %positions, ...
      %o, %nk, %nv = llmopt.attention %r, %k, %v past(%pk, %pv) mask(%mask) right ...
    ==>
    func.func @forward(%tokens: tensor<?xi64>, %positions: tensor<?xi32>) -> tensor<?x64xf32>
      %x = llmopt.embedding %tokens, %table : (tensor<?xi64>, tensor<64x32xf32>) -> tensor<?x32xf32>
      %r = llmopt.rope %q at %positions, ...
      %o = llmopt.cached_attention %r, %k, %v layer 0 ...
    ```
    `@main` is erased; its signature is kept in the module attribute `llmopt.decoder`. Refuses graphs in which anything but
    attention depends on the mask or past keys, anything but the rotary embedding depends on positions, or an operation has no
    meaning over rows.
  }];
  let options = [Option<"kv", "kv", "::llmopt::KVFormat", "::llmopt::KVFormat::F32", "numbers that the cache holds",
    [{::llvm::cl::values(clEnumValN(::llmopt::KVFormat::F32, "f32", "floats"),
                        clEnumValN(::llmopt::KVFormat::BF16, "bf16", "bfloat16"),
                        clEnumValN(::llmopt::KVFormat::Int8, "int8", "int8 with a scale per token and head"))}]>];
  let dependentDialects = ["::llmopt::LLMOptDialect", "::mlir::func::FuncDialect"];
}

def FuseLinears : Pass<"llmopt-fuse-linears", "::mlir::func::FuncOp"> {
  let summary = "make one product of those that share their activations";
  let description = [{
    ```mlir
    %q = llmopt.linear %x, %wq    %k = llmopt.linear %x, %wk    %v = llmopt.linear %x, %wv
    llmopt.cached_attention (rope %q), (rope %k), %v
    ==>
    %w = llmopt.concat_weights %wq, %wk, %wv
    %y = llmopt.linear %x, %w
    %q, %k, %v = llmopt.split %y

    %g = llmopt.linear %x, %wg    %u = llmopt.linear %x, %wu    llmopt.glu silu %g, %u
    ==>
    %w = llmopt.concat_weights interleaved %wg, %wu
    %y = llmopt.linear %x, %w
    %g, %u = llmopt.split interleaved %y
    ```
    Encoded weights of one encoding with different layouts get the layout of the larger part first. Products with different encodings or
    activation groups, and weights whose rows are no multiple of 16, stay separate.
  }];
  let dependentDialects = ["::llmopt::LLMOptDialect"];
  let statistics = [
    Statistic<"numFused", "fused", "products that became part of another">
  ];
}

//===----------------------------------------------------------------------===//
// llmopt-bufferize
//===----------------------------------------------------------------------===//

def ToKernel : Pass<"llmopt-to-kernel", "::mlir::ModuleOp"> {
  let summary = "turn @forward on tensors into kernel operations on buffers";
  let description = [{
    ```mlir
    %n = llmopt.rms_norm %h, %gamma
    %d = llmopt.linear %n, %w activations(64)
    %r = arith.addf %h, %d
    ==>
    kernel.rms_norm %h, %gamma -> %records group 64
    kernel.linear add %records, %w -> %h group 64
    ```
    Every weight becomes a `kernel.weight_data` with its place in the library. A sum with a product is added into the buffer of the
    other term, which nothing else may read afterwards. After the last attention the rows whose logits are wanted are gathered, and
    everything from there on covers only these.
  }];
  let dependentDialects = ["::llmopt::kernel::KernelDialect", "::mlir::func::FuncDialect"];
}

def SpecializeRow : Pass<"kernel-specialize-row", "::mlir::ModuleOp"> {
  let summary = "add @forward_row, a copy of @forward for calls of one row";
  let description = [{
    ```mlir
    func.func @forward() {
      %r = kernel.buffer "records" tokens : memref<?x128xi8>
      kernel.rms_norm %h, %gamma -> %r group 64
    ==>
    func.func @forward_row() {
      %r = kernel.buffer "records" tokens private : memref<?x128xi8>
      kernel.rms_norm %h, %gamma -> %r group 64
    ```
    Of one row, every thread normalises and quantizes its own copy, which takes no longer than one thread's doing it for all and needs
    no barrier before products read it. The row whose logits are wanted is the only one, so that it is not gathered. Attention of few
    kv heads is split into parts of the cache (`attention_parts`), which every thread brings together for itself.
  }];
  let dependentDialects = ["::llmopt::kernel::KernelDialect"];
}

def PlanMemory : Pass<"kernel-plan-memory", "::mlir::func::FuncOp"> {
  let summary = "give every buffer its place in the arena";
  let description = [{
    ```mlir
    %a = kernel.buffer "a" tokens : memref<?x64xf32>
    ==>
    %a = kernel.buffer "a" tokens at 0 : memref<?x64xf32>
    ```
    Buffers whose lifetimes do not overlap share bytes. Larger buffers are placed first, each at the lowest offset that is free
    during its lifetime. The function gets `kernel.arena_bytes_per_row`.
  }];
  let dependentDialects = ["::llmopt::kernel::KernelDialect"];
}

def InsertBarriers : Pass<"kernel-insert-barriers", "::mlir::func::FuncOp"> {
  let summary = "separate operations that touch the same bytes";
  let description = [{
    ```mlir
    kernel.embedding %table -> %h
    kernel.rms_norm %h, %gamma -> %n
    ==>
    kernel.embedding %table -> %h
    kernel.barrier
    kernel.rms_norm %h, %gamma -> %n
    ```
    Reads and writes of arena bytes, of the KV cache and of the logits conflict as usual. Every barrier stands as late as
    possible, which gives the fewest of them in straight-line code.
  }];
  let dependentDialects = ["::llmopt::kernel::KernelDialect"];
  let statistics = [
    Statistic<"numBarriers", "barriers", "barriers inserted">
  ];
}

def VerifyBarriers : Pass<"kernel-verify-barriers", "::mlir::func::FuncOp"> {
  let summary = "check that a barrier separates every conflicting pair of operations";
  let description = [{
    Compares all pairs, independently of how barriers were placed:

    ```mlir
    kernel.embedding %table -> %h
    kernel.rms_norm %h, %gamma -> %n   // error: no barrier separates it from 'kernel.embedding'
    ```
  }];
}

//===----------------------------------------------------------------------===//
// llmopt-expand-kernels
//===----------------------------------------------------------------------===//

def ExpandKernels : Pass<"kernel-expand", "::mlir::ModuleOp"> {
  let summary = "turn kernel operations into calls of generated kernels";
  let description = [{
    ```mlir
    func.func @forward() {
      kernel.rms_norm %h, %gamma -> %n {epsilon = 1.0e-5 : f32} : ...
      kernel.barrier
    ==>
    func.func @forward(%call: !llvm.ptr, %thread: i32) {
      %capacity = llvm.load ...  // and the other fields of llmopt_call
      %n = llvm.getelementptr %arena[%capacity * offset]
      call @rms_norm_avx2(%h, %stride, %gamma, %n, ...)
      llvm.call %barrier(%call, %thread)
    ```
    The kernels are emitted into the module, one for each key. What covers the rows whose logits are wanted is skipped when there are
    none. The function gets `kernel.scratch_bytes` and `kernel.classes`, the kernels by kind and size; weight_data operations are erased.
  }];
  let options = [Option<"isa", "isa", "::llmopt::Isa", "::llmopt::Isa::Avx2", "instruction set of the kernels",
    [{::llvm::cl::values(clEnumValN(::llmopt::Isa::Avx2, "avx2", "256-bit vectors"),
                         clEnumValN(::llmopt::Isa::Avx512Vnni, "avx512vnni", "512-bit vectors with integer products"))}]>,
    Option<"profile", "profile", "bool", "false", "add the time of every kernel to llmopt_call.counters">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

def PlaceConstants : Pass<"llmopt-place-constants", "::mlir::ModuleOp"> {
  let summary = "give the constants of a graph a place among the packed weights";
  let description = [{
    ```mlir
    %w = onnx.initializer "w" = #onnx.blob<"model.onnx.data", 4096, 3538944> : tensor<576x1536xf32>
    ==>
    kernel.weight_data @constant_1 "w" : !kernel.weight<1x3538944, bytes> at 0 bytes 3538944
      parts [{codes = #llmopt.blob<"model.onnx.data", 4096, 3538944>, rows = 1} ]
    %w = onnx.initializer "w" = ... {kernel.constant = @constant_1}
    ```
    Equal constants get one place. Constant nodes become initializers before.
  }];
  let dependentDialects = ["::llmopt::LLMOptDialect", "::llmopt::kernel::KernelDialect"];
}

def ExpandGraph : Pass<"kernel-expand-graph", "::mlir::ModuleOp"> {
  let summary = "turn a graph of ONNX nodes into code";
  let description = [{
    ```mlir
    func.func @main(%x: tensor<?xf32>, %y: tensor<?xf32>) -> !onnx.value {
      %0 = onnx.node "Add"(%x, %y)
    ==>
    func.func @graph(%call: !llvm.ptr) {
      %inputs = llvm.load %call[...]
      %n = llvm.load %inputs[dims]
      ...
      kernel.parallel_for %chunks grain %g {
      ^bb0(%chunk: i64):
        scf.for %i = ... { vectors of 16 elements }
      }
    ```
    Nodes become code in their order; elementwise operators and movements of elements are evaluated inside the loops of their readers
    (docs/Graph.md). weight_data operations are erased.
  }];
  let options = [Option<"isa", "isa", "::llmopt::Isa", "::llmopt::Isa::Avx2", "instruction set of the code",
    [{::llvm::cl::values(clEnumValN(::llmopt::Isa::Avx2, "avx2", "256-bit vectors"),
                         clEnumValN(::llmopt::Isa::Avx512Vnni, "avx512vnni", "512-bit vectors with integer products"))}]>];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::llmopt::kernel::KernelDialect"];
}

def OutlineLoops : Pass<"kernel-outline-loops", "::mlir::ModuleOp"> {
  let summary = "make functions of the loops of all threads";
  let description = [{
    ```mlir
    kernel.parallel_for %count grain %grain { ^bb0(%i: i64): ... %captured ... }
    ==>
    func.func private @loop_0(%context: !llvm.ptr, %begin: i64, %end: i64) { for %i in [begin, end) }
    llvm.store %captured, %frame
    llvm.call %parallel(%call, @loop_0, %frame, %count, %grain)
    ```
    Loops with equal bodies share a function: the layers of a model are compiled once.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::scf::SCFDialect"];
}

#endif // LLMOPT_PASSES_LOWERING_PASSES_TD
