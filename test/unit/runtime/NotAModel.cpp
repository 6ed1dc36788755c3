//===- NotAModel.cpp - Shared objects that are not models -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifdef CALL_MISSING_SYMBOL
extern "C" int symbolThatDoesNotExist();
extern "C" int someFunction() { return symbolThatDoesNotExist(); }
#else
extern "C" int someFunction() { return 1; }
#endif
