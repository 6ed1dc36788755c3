//===- LibraryWriter.h - The file of a compiled model -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_LIBRARYWRITER_H
#define LLMOPT_COMPILER_LIBRARYWRITER_H

#include "compiler/Descriptor.h"
#include "llvm/Support/Error.h"

namespace llmopt {

/// Where the parts of a library file are, in bytes; see ModelABI.h.
struct LibraryLayout {
  uint64_t codeBytes;
  uint64_t weightsOffset;
  uint64_t weightsBytes;
  uint64_t fileBytes;

  /// The layout with the least padding.
  static LibraryLayout compute(uint64_t codeBytes, uint64_t weightsBytes);
};

/// Makes an empty file `path` of the size of a library and reserves the space
/// on the disk from the weights on, so that a full disk is known before the
/// work. Returns the descriptor, open for reading and writing, owned by the
/// caller.
llvm::Expected<int> createLibraryFile(llvm::StringRef path,
                                      const LibraryLayout &layout);

/// Writes bytes at an offset of a file.
llvm::Error writeAt(int descriptor, const void *data, uint64_t bytes,
                    uint64_t offset);

/// Writes the ELF image and the footer around weights that are written already.
/// The image must fit before the weights.
llvm::Error finishLibraryFile(int descriptor, llvm::StringRef code,
                              const LibraryLayout &layout,
                              const BuildId &buildId);

} // namespace llmopt

#endif // LLMOPT_COMPILER_LIBRARYWRITER_H
