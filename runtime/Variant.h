//===- Variant.h - Choice of the code for this machine ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_VARIANT_H
#define LLMOPT_RUNTIME_VARIANT_H

#include "llmopt/Runtime.h"

namespace llmopt::runtime {

/// A variant and the reason for it, one line.
struct VariantChoice {
  const llmopt_variant *variant = nullptr;
  char reason[256] = {};
};

/// Chooses the first variant, best first, whose features are all in `features`;
/// or the first one with the isa or cpu name `forced`, unless that is null or
/// empty.
llmopt_status chooseVariant(const llmopt_model_descriptor &model,
                            uint64_t features, const char *forced,
                            VariantChoice &choice);

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_VARIANT_H
