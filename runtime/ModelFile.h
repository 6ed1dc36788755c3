//===- ModelFile.h - Checks of a library file before it is loaded ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_MODELFILE_H
#define LLMOPT_RUNTIME_MODELFILE_H

#include "runtime/Memory.h"

#include "llmopt/Runtime.h"

namespace llmopt::runtime {

/// An open library file whose footer, sizes and code have been checked.
class ModelFile {
public:
  ModelFile() = default;
  ModelFile(const ModelFile &) = delete;
  ModelFile &operator=(const ModelFile &) = delete;
  ~ModelFile();

  /// Opens and checks, in this order: regular file, footer magic, footer
  /// checksum, ABI version, sizes, code checksum, ELF header.
  llmopt_status open(const char *path);

  const llmopt_footer &footer() const { return trailer; }
  /// Maps the packed weights; empty on failure or if there are none.
  Mapping mapWeights() const;
  /// Reads `bytes` of the packed weights from `offset` on; false if that fails,
  /// with the reason in errno.
  bool readWeights(void *to, uint64_t offset, uint64_t bytes) const;

private:
  llmopt_status readFooter(const char *path);
  llmopt_status checkSizes(const char *path) const;
  llmopt_status checkCode(const char *path) const;

  int descriptor = -1;
  uint64_t fileBytes = 0;
  llmopt_footer trailer = {};
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_MODELFILE_H
