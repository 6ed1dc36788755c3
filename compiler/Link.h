//===- Link.h - Linking of objects into a shared library --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_LINK_H
#define LLMOPT_COMPILER_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace llmopt {

/// Links objects, given as bytes, into the shared library `path` with the
/// linker in this process. The output is the same for the same objects, appears
/// under its name only when complete, and depends on no other library. On
/// failure returns false, leaves nothing behind and sets `error`. Not to be
/// called from several threads at once; resets the values of LLVM's own
/// command-line options.
bool linkSharedLibrary(llvm::ArrayRef<llvm::StringRef> objects,
                       llvm::StringRef path, std::string &error);

} // namespace llmopt

#endif // LLMOPT_COMPILER_LINK_H
