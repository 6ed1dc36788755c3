//===- LayoutOverride.cpp - Layouts that a user asks for --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/LayoutOverride.h"
#include "llvm/Support/Regex.h"

using namespace llvm;
using namespace llmopt;

std::optional<LayoutOverride> llmopt::parseLayoutOverride(StringRef text,
                                                          std::string &error) {
  auto [pattern, name] = text.rsplit(':');
  if (pattern.empty() || name.empty()) {
    error = "expects REGEX:NAME, got '" + text.str() + "'";
    return std::nullopt;
  }
  if (!llvm::Regex(pattern).isValid(error)) {
    error = "'" + pattern.str() + "' is no regular expression: " + error;
    return std::nullopt;
  }
  for (PackedLayout layout :
       {PackedLayout::Int8, PackedLayout::Int8Bitmask,
        PackedLayout::Int8TwoOfFour, PackedLayout::Int8Gather})
    if (name == stringify(layout))
      return LayoutOverride{pattern.str(), layout};
  error = "expects int8, int8-bitmask, int8-2of4 or int8-gather as a format, "
          "got '" +
          name.str() + "'";
  return std::nullopt;
}
