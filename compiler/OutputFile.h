//===- OutputFile.h - Files that appear when they are complete --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_OUTPUTFILE_H
#define LLMOPT_COMPILER_OUTPUTFILE_H

#include "compiler/ProcessGuard.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace llmopt {

/// A file that is written under a temporary name in its directory and takes its
/// own name when it is complete. Until then everything is in one hidden
/// directory, which is removed when the object is destroyed or the process
/// ends.
class OutputFile {
public:
  /// Checks that `path` can be written and makes the temporary directory. A
  /// path that exists and is neither a file nor a directory (a pipe, /dev/null)
  /// and "-" are streams: they are written in place.
  static llvm::Expected<std::unique_ptr<OutputFile>>
  create(llvm::StringRef path, ProcessGuard &guard);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  bool isStream() const { return directory.empty(); }
  /// The temporary path, for files only; the parent directory is private to
  /// this object.
  std::string temporaryPath() const;
  /// Another path in the temporary directory.
  std::string scratchPath(llvm::StringRef name) const;

  /// Writes the contents of the temporary file, or of the stream.
  llvm::Error fill(llvm::StringRef contents);
  /// Gives the temporary file its name; replaces an older file.
  llvm::Error commit();
  /// Both of them.
  llvm::Error write(llvm::StringRef contents);

private:
  OutputFile(std::string path, ProcessGuard &guard)
      : path(std::move(path)), guard(guard) {}

  std::string path;
  std::string directory; ///< empty for streams
  ProcessGuard &guard;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_OUTPUTFILE_H
