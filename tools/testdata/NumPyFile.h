//===- NumPyFile.h - Tensors in NumPy's format ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_TESTDATA_NUMPYFILE_H
#define LLMOPT_TOOLS_TESTDATA_NUMPYFILE_H

#include "tools/testdata/TestData.h"

namespace llmopt::tools {

/// Reads a .npy file as a tensor of `type`. What NumPy has no type for is an
/// unsigned integer of its size: bf16 is uint16, small floats and integers of
/// less than 8 bits are bytes.
llvm::Expected<Tensor> readNumPyFile(llvm::StringRef path, int32_t type);

/// Writes `tensor`, whose data are `data`.
llvm::Error writeNumPyFile(llvm::StringRef path, int32_t type,
                           llvm::ArrayRef<int64_t> dims,
                           llvm::ArrayRef<char> data);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_TESTDATA_NUMPYFILE_H
