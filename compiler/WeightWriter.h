//===- WeightWriter.h - Packs the weights of a library ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_WEIGHTWRITER_H
#define LLMOPT_COMPILER_WEIGHTWRITER_H

#include "compiler/Descriptor.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "target/PackedFormat.h"
#include "llvm/Support/Error.h"

namespace llmopt {

/// Name of a format in reports: encoding, granularity of scales and what else
/// there is, such as "int8/channel/bitmask", "int4/g32/f16" or "nf4/g64/f16".
std::string formatName(FormatAttr format);

/// The same of packed bytes, in descriptors; codes of less than 4 bits have
/// containers of 4.
std::string formatName(kernel::WeightType type);

/// The table of packed weights in the order of their `kernel.weight_data`
/// operations; offsets are relative to the first byte of the packed weights.
using WeightTable = std::vector<DescriptorContents::Weight>;

/// Takes the packed bytes of one weight and their offset. Called by several
/// threads at a time, never twice for the same bytes.
using WeightSink =
    llvm::function_ref<llvm::Error(uint64_t offset, llvm::ArrayRef<uint8_t>)>;

/// Told the name of each weight that is done, by several threads at a time.
using WeightProgress = llvm::function_ref<void(llvm::StringRef name)>;

/// Bytes of all packed weights of a module in the kernel dialect, from offset 0
/// to the end of the last one.
uint64_t packedWeightsBytes(mlir::ModuleOp module);

/// Packs every `kernel.weight_data` of the module, in parallel on the threads
/// of its context, and gives each to `sink`. Bytes between weights are not
/// written. At most one weight per thread is in memory. The result does not
/// depend on the number of threads.
///
/// On failure emits errors at the weights: sources that cannot be read, a size
/// other than planned, or what the sink reports.
mlir::FailureOr<WeightTable> packWeights(mlir::ModuleOp module, WeightSink sink,
                                         WeightProgress progress = {});

} // namespace llmopt

#endif // LLMOPT_COMPILER_WEIGHTWRITER_H
