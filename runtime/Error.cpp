//===- Error.cpp - Statuses with a message ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"

#include <cstdarg>
#include <cstdio>

namespace llmopt::runtime {

namespace {
constexpr size_t kMessageBytes = 1024;
} // namespace

static char *messageBuffer() {
  static thread_local char buffer[kMessageBytes];
  return buffer;
}

llmopt_status fail(llmopt_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(messageBuffer(), kMessageBytes, format, arguments);
  va_end(arguments);
  return status;
}

const char *lastError() { return messageBuffer(); }

} // namespace llmopt::runtime
