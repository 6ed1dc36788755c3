//===- ModelFacts.h - Derived facts of a compiled library -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_INSPECT_MODELFACTS_H
#define LLMOPT_TOOLS_LLMOPT_INSPECT_MODELFACTS_H

#include "llmopt/Runtime.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"

namespace llmopt::tools {

/// Derived facts of a weight, or of all of them together.
struct Totals {
  uint64_t elements = 0, zeros = 0, bytes = 0;

  void add(const llmopt_weight_descriptor &weight) {
    elements += weight.rows * weight.columns;
    zeros += weight.zeros;
    bytes += weight.bytes;
  }
  double zeroFraction() const {
    return elements ? static_cast<double>(zeros) / static_cast<double>(elements)
                    : 0;
  }
  double bitsPerWeight() const {
    return elements ? 8.0 * static_cast<double>(bytes) /
                          static_cast<double>(elements)
                    : 0;
  }
};

llvm::StringRef nameOfPadding(int32_t padding);
llvm::StringRef nameOfKVFormat(int32_t format);
/// Hexadecimal digits of the build id.
std::string buildIdOf(const llmopt_model_descriptor &model);
Totals totalsOf(llvm::ArrayRef<llmopt_weight_descriptor> weights);

/// Name of the kernel of each weight, by the weight's name, as far as the
/// report in the library says it.
llvm::StringMap<std::string> kernelsOf(const llmopt_model_descriptor &model);

/// The report in the library; null without one, or if it cannot be read.
std::optional<llvm::json::Value> reportOf(const llmopt_model_descriptor &model);

/// Everything that llmopt-inspect knows.
llvm::json::Object toJSON(const llmopt_model_info &info);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_INSPECT_MODELFACTS_H
