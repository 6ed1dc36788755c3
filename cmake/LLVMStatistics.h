//===- LLVMStatistics.h - Statistics as LLVM was built with -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llvm::Statistic has a counter or nothing, as NDEBUG says where its header is
// included first. The installed libraries are built with NDEBUG: a file that
// is not would see fields of Pass::Statistic that MLIR's constructor does not
// initialise. So this header comes first in the precompiled one.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_CMAKE_LLVMSTATISTICS_H
#define LLMOPT_CMAKE_LLVMSTATISTICS_H

#ifdef NDEBUG
#include "llvm/ADT/Statistic.h" // IWYU pragma: export
#else
#define NDEBUG
#include "llvm/ADT/Statistic.h" // IWYU pragma: export
#undef NDEBUG
#include <cassert> // brings assert() back
#endif

#endif // LLMOPT_CMAKE_LLVMSTATISTICS_H
