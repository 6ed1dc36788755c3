//===- TokenFile.h - Token ids from files and flags -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_TOKENFILE_H
#define LLMOPT_COMPILER_TOKENFILE_H

#include "llvm/Support/Error.h"

#include <vector>

namespace llmopt {

/// Token ids separated by commas or white space, such as "1, 2,3".
llvm::Expected<std::vector<int32_t>> parseTokens(llvm::StringRef text);

/// Reads a file of token ids, by its name: .npy (int32, int64, uint16 or
/// uint32; any shape, in memory order); .bin (little-endian, 16 bits each if
/// `vocabulary` allows, else 32); .jsonl (a list of ids in every line); any
/// other as text for parseTokens. "-" is standard input, as text. Every id is
/// checked against `vocabulary`.
llvm::Expected<std::vector<int32_t>> readTokenFile(llvm::StringRef path,
                                                   uint32_t vocabulary);

} // namespace llmopt

#endif // LLMOPT_COMPILER_TOKENFILE_H
