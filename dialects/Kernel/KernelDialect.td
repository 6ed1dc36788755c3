//===- KernelDialect.td - The kernel dialect ---------------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_KERNEL_DIALECT_TD
#define LLMOPT_DIALECTS_KERNEL_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::llmopt::kernel";
  let summary = "Who computes what, where";
  let description = [{
    Operations on buffers in the arena, executed by every thread of a call. Each operation covers its own part of the
    work on every thread (a static partition); `kernel.barrier` separates operations that touch the same bytes. One
    function, `@forward`, is the body of all entries of a decoder.
  }];
  let useDefaultTypePrinterParser = 1;
}

#endif // LLMOPT_DIALECTS_KERNEL_DIALECT_TD
