//===- ModelSource.cpp - The file that a model is read from -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/ModelSource.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cerrno>
#include <unistd.h>
#include <vector>

using namespace llmopt;

static llvm::Error inputError(int code) {
  return llvm::createStringError("cannot read standard input: " +
                                 llvm::sys::StrError(code));
}

/// Copies standard input to the file.
static llvm::Error copyInput(int descriptor) {
  std::vector<char> block(1 << 20);
  for (;;) {
    ssize_t got = read(STDIN_FILENO, block.data(), block.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return inputError(errno);
    if (got == 0)
      return llvm::Error::success();
    for (ssize_t done = 0; done < got;) {
      ssize_t written = write(descriptor, block.data() + done, got - done);
      if (written < 0)
        return inputError(errno);
      done += written;
    }
  }
}

llvm::Expected<std::unique_ptr<ModelSource>>
ModelSource::open(llvm::StringRef path) {
  std::unique_ptr<ModelSource> source(new ModelSource);
  source->realPath = source->displayName = path.str();
  if (path != "-")
    return source;
  source->displayName = "<stdin>";
  llvm::SmallString<128> temporary;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile(
          "llmopt-model", "onnx", source->descriptor, temporary))
    return inputError(code.value());
  llvm::sys::fs::remove(temporary);
  source->realPath = "/proc/self/fd/" + std::to_string(source->descriptor);
  if (llvm::Error error = copyInput(source->descriptor))
    return error;
  return source;
}

ModelSource::~ModelSource() {
  if (descriptor >= 0)
    close(descriptor);
}

std::string ModelSource::name() const {
  return descriptor >= 0 ? "stdin" : llvm::sys::path::stem(realPath).str();
}
