//===- Descriptor.h - The tables of a compiled model ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_DESCRIPTOR_H
#define LLMOPT_COMPILER_DESCRIPTOR_H

#include "runtime/include/llmopt/ModelABI.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"
#include <array>
#include <string>
#include <vector>

namespace llmopt {

using BuildId = std::array<uint8_t, LLMOPT_BUILD_ID_BYTES>;

/// What llmopt_model_descriptor says, with owned strings; the fields are those
/// of ModelABI.h.
struct DescriptorContents {
  struct Tensor {
    std::string name;
    int32_t elementType, role, layer;
    std::vector<int64_t> dims; ///< at most LLMOPT_MAX_RANK
  };
  struct Weight {
    std::string name, format;
    uint64_t rows, columns, offset, bytes, zeros, checksum;
  };
  struct KernelClass {
    std::string label;
    uint32_t calls, flags;
    uint64_t weightBytes, rowOperations, keyCacheBytes;
  };
  struct Variant {
    std::string cpu, isa;
    uint64_t features = 0, arenaBytesPerRow = 0, scratchBytes = 0;
    std::string symbol; ///< name of the entry function, of the model's kind
    bool hasTimeStamps = false;
    std::vector<KernelClass> kernels;
  };

  BuildId buildId = {};
  std::string producer, modelName;
  uint64_t weightsBytes = 0, parameters = 0;
  int32_t kind = LLMOPT_KIND_DECODER;
  uint32_t layers = 0, heads = 0, kvHeads = 0, headDim = 0, vocabulary = 0;
  uint32_t maxPositions = 0, maxSequence = 0, maxBatch = 0;
  int32_t padding = LLMOPT_PADDING_NONE;
  int32_t kvFormat = LLMOPT_KV_F32;
  std::vector<Tensor> inputs, outputs;
  std::vector<Weight> weights;
  std::vector<Variant> variants; ///< best first
  std::string report;            ///< JSON; empty: none
};

/// Adds LLMOPT_DESCRIPTOR_SYMBOL, the only symbol that a library exports, and
/// the tables that it refers to. The module must have the data layout of the
/// target. The entries of the variants are declared as hidden.
void buildDescriptor(llvm::Module &module, const DescriptorContents &contents);

/// Hash over everything that a library holds: the tables (but for the id
/// itself) and the code of all variants. Equal libraries have equal ids.
BuildId computeBuildId(const DescriptorContents &contents,
                       llvm::ArrayRef<llvm::StringRef> objects);

} // namespace llmopt

#endif // LLMOPT_COMPILER_DESCRIPTOR_H
