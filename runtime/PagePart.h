//===- PagePart.h - Keys or values of one head in a page --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_PAGEPART_H
#define LLMOPT_RUNTIME_PAGEPART_H

#include "llmopt/ModelABI.h"

namespace llmopt::runtime {

/// The keys or the values of one layer and head in a page, read and written a
/// token at a time in the format of the cache (ModelABI.h). Generated code
/// writes the same bytes for the same floats.
class PagePart {
public:
  PagePart(uint8_t *bytes, int32_t format, uint32_t dim, bool isKey)
      : bytes(bytes), format(format), dim(dim), isKey(isKey) {}

  /// `from` and `to` have head_dim floats.
  void write(uint32_t slot, const float *from) const;
  void read(uint32_t slot, float *to) const;

private:
  /// Index of component i of a token, in elements.
  uint64_t indexOf(uint32_t slot, uint32_t i) const;
  void writeCodes(uint32_t slot, const float *from) const;
  float *scales() const {
    return reinterpret_cast<float *>(bytes +
                                     uint64_t{dim} * LLMOPT_PAGE_TOKENS);
  }

  uint8_t *bytes;
  int32_t format; ///< llmopt_kv_format
  uint32_t dim;
  bool isKey;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_PAGEPART_H
