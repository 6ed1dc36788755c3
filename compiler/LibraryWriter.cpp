//===- LibraryWriter.cpp - The file of a compiled model ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/LibraryWriter.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MathExtras.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace llmopt;

LibraryLayout LibraryLayout::compute(uint64_t codeBytes,
                                     uint64_t weightsBytes) {
  uint64_t weightsOffset = llvm::alignTo(codeBytes, LLMOPT_WEIGHTS_ALIGNMENT);
  return {codeBytes, weightsOffset, weightsBytes,
          weightsOffset + weightsBytes + sizeof(llmopt_footer)};
}

static llvm::Error systemError(int code) {
  return llvm::createStringError("cannot write the library: " +
                                 llvm::sys::StrError(code));
}

llvm::Expected<int> llmopt::createLibraryFile(llvm::StringRef path,
                                              const LibraryLayout &layout) {
  int descriptor = open(path.str().c_str(),
                        O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, /*mode=*/0777);
  if (descriptor < 0)
    return systemError(errno);
  int code = ftruncate(descriptor, layout.fileBytes) ? errno : 0;
  if (!code)
    code = posix_fallocate(descriptor, layout.weightsOffset,
                           layout.fileBytes - layout.weightsOffset);
  if (!code)
    return descriptor;
  close(descriptor);
  return systemError(code);
}

llvm::Error llmopt::writeAt(int descriptor, const void *data, uint64_t bytes,
                            uint64_t offset) {
  const char *from = static_cast<const char *>(data);
  while (bytes) {
    ssize_t written = pwrite(descriptor, from, bytes, offset);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return systemError(errno);
    from += written;
    offset += written;
    bytes -= written;
  }
  return llvm::Error::success();
}

llvm::Error llmopt::finishLibraryFile(int descriptor, llvm::StringRef code,
                                      const LibraryLayout &layout,
                                      const BuildId &buildId) {
  if (code.size() > layout.weightsOffset)
    return llvm::createStringError(
        "the code outgrew the place before the weights");
  llmopt_footer footer = {};
  memcpy(footer.magic, LLMOPT_FOOTER_MAGIC, sizeof(footer.magic));
  footer.abi_version = LLMOPT_ABI_VERSION;
  footer.footer_bytes = sizeof(footer);
  footer.file_bytes = layout.fileBytes;
  footer.code_bytes = code.size();
  footer.weights_offset = layout.weightsOffset;
  footer.weights_bytes = layout.weightsBytes;
  llvm::copy(buildId, footer.build_id);
  footer.code_checksum = llmopt_checksum(code.data(), code.size());
  footer.footer_checksum =
      llmopt_checksum(&footer, offsetof(llmopt_footer, footer_checksum));
  if (llvm::Error error = writeAt(descriptor, code.data(), code.size(), 0))
    return error;
  return writeAt(descriptor, &footer, sizeof(footer),
                 layout.fileBytes - sizeof(footer));
}
