//===- LLMOptDialect.td - The llmopt dialect ---------------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_DIALECT_TD
#define LLMOPT_DIALECTS_LLMOPT_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def LLMOpt_Dialect : Dialect {
  let name = "llmopt";
  let cppNamespace = "::llmopt";
  let summary = "Language models as compression sees them";
  let description = [{
    Holds the operations that quantization, sparsity and mask rearrangement reason about: products with constant
    weights, normalisation, rotary embedding, attention, gated units. Everything else is upstream
    (`arith`, `tensor`, `func`).

    Weights are references, never constants: an attribute says where the bytes are (`#llmopt.blob`), and the
    dialect's `WeightStore` reads and writes them.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasNonDefaultDestructor = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    /// The files that the blobs of this context refer to, and the spill file that passes write new weights to.
    WeightStore &getWeightStore() { return *weightStore; }

  private:
    std::unique_ptr<WeightStore> weightStore;
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // LLMOPT_DIALECTS_LLMOPT_DIALECT_TD
