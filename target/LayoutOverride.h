//===- LayoutOverride.h - Layouts that a user asks for ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_LAYOUTOVERRIDE_H
#define LLMOPT_TARGET_LAYOUTOVERRIDE_H

#include "target/PackedFormat.h"

namespace llmopt {

/// A layout that a user asks for where a weight's name matches.
struct LayoutOverride {
  std::string pattern; ///< a regular expression that a part of the name matches
  PackedLayout layout;
};

/// Parses "REGEX:NAME" with a name of int8, int8-bitmask, int8-2of4 and
/// int8-gather. Returns nothing and says why in `error` where it is wrong.
std::optional<LayoutOverride> parseLayoutOverride(llvm::StringRef text,
                                                  std::string &error);

} // namespace llmopt

#endif // LLMOPT_TARGET_LAYOUTOVERRIDE_H
