//===- Passes.td - Passes quantization and encoding of weights - -*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_PASSES_TD
#define LLMOPT_PASSES_QUANTIZATION_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // LLMOPT_PASSES_QUANTIZATION_PASSES_TD
