//===- Error.h - Statuses with a message ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_ERROR_H
#define LLMOPT_RUNTIME_ERROR_H

#include "llmopt/Runtime.h"

namespace llmopt::runtime {

/// Stores the message, formatted like printf, for llmopt_last_error of this
/// thread and returns `status`.
llmopt_status fail(llmopt_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Message of the last fail() of this thread, empty if there was none.
const char *lastError();

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_ERROR_H
