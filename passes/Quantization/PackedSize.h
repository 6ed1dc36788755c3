//===- PackedSize.h - Packed bytes of encoded weights -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_PACKEDSIZE_H
#define LLMOPT_PASSES_QUANTIZATION_PACKEDSIZE_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Support/LLVM.h"
#include "target/PackedFormat.h"

namespace llmopt {

/// The packed format that a format stands for. Fails, without a diagnostic,
/// where the layout is undecided.
mlir::FailureOr<PackedFormat> packedFormat(FormatAttr format);

/// Bytes that a weight takes in the library: of an `llmopt.encoded_weight`, of
/// an `llmopt.concat_weights` of them, or of an `llmopt.weight` (raw, row-major
/// f32). The bitmask layout reads the codes from the weight store. On failure
/// emits an error at the weight: its layout is undecided, its codes cannot be
/// read, it is not one of these operations.
mlir::FailureOr<int64_t> packedBytes(mlir::Value weight);

/// Zeros of an encoded weight or the sum over a concatenation's parts; 0 for
/// plain weights.
int64_t countZeros(mlir::Value weight);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_PACKEDSIZE_H
