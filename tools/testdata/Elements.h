//===- Elements.h - Elements of tensors as numbers --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_TESTDATA_ELEMENTS_H
#define LLMOPT_TOOLS_TESTDATA_ELEMENTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <vector>

namespace llmopt::tools {

/// How ONNX names and stores an element type.
struct ElementType {
  int32_t type;  ///< llmopt_element_type
  unsigned bits; ///< of an element in raw data
  bool isFloat;  ///< else integer or bool
  bool isSigned; ///< of integers
  const char *name;
};

/// The element type of an onnx.TensorProto.DataType; none for strings and
/// complex numbers.
std::optional<ElementType> fromOnnx(int32_t dataType);
/// The same by llmopt_element_type, which must be valid.
const ElementType &describe(int32_t type);

/// Little-endian packed elements of less than 8 bits, first in the low bits, as
/// a byte each.
std::vector<char> unpack(llvm::StringRef packed, int64_t count,
                         const ElementType &type);

/// Value of element `index` of a buffer.
double valueAt(const void *data, int64_t index, int32_t type);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_TESTDATA_ELEMENTS_H
