//===- OutputFile.cpp - Files that appear when complete ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/OutputFile.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmopt;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

static llvm::Error cannotWrite(llvm::StringRef file, llvm::StringRef reason) {
  return llvm::createStringError("cannot write '" + file + "': " + reason);
}

llvm::Expected<std::unique_ptr<OutputFile>>
OutputFile::create(llvm::StringRef file, ProcessGuard &guard) {
  std::unique_ptr<OutputFile> output(new OutputFile(file.str(), guard));
  if (file == "-")
    return output;
  fs::file_status status;
  std::error_code error = fs::status(file, status);
  if (!error && fs::is_directory(status))
    return cannotWrite(file, "it is a directory");
  if (!error && !fs::is_regular_file(status))
    return output;
  if (!error) {
    // A link is followed: what it names is replaced, not the link.
    llvm::SmallString<256> real;
    if (!fs::real_path(file, real))
      output->path = real.str().str();
    if (fs::access(file, fs::AccessMode::Write))
      return cannotWrite(file, "permission denied");
  }
  llvm::SmallString<256> prefix(path::parent_path(output->path));
  path::append(prefix, "." + path::filename(output->path) + ".tmp");
  // A relative prefix would mean the directory for temporary files.
  if (std::error_code code = fs::make_absolute(prefix))
    return cannotWrite(file, code.message());
  llvm::SmallString<256> directory;
  if (std::error_code code = fs::createUniqueDirectory(prefix, directory))
    return cannotWrite(file, code.message());
  output->directory = directory.str().str();
  guard.protect(output->directory);
  return output;
}

OutputFile::~OutputFile() {
  if (isStream())
    return;
  removeTree(directory.c_str());
  guard.release(directory);
}

std::string OutputFile::temporaryPath() const { return scratchPath("output"); }

std::string OutputFile::scratchPath(llvm::StringRef name) const {
  llvm::SmallString<256> result(directory);
  path::append(result, name);
  return result.str().str();
}

llvm::Error OutputFile::fill(llvm::StringRef contents) {
  std::error_code code;
  std::string target = isStream() ? path : temporaryPath();
  llvm::raw_fd_ostream os(target, code);
  if (!code) {
    os << contents;
    os.flush();
    code = os.error();
    os.clear_error();
  }
  if (code)
    return cannotWrite(path == "-" ? "standard output" : path, code.message());
  return llvm::Error::success();
}

llvm::Error OutputFile::commit() {
  if (isStream())
    return llvm::Error::success();
  if (std::error_code code = fs::rename(temporaryPath(), path))
    return cannotWrite(path, code.message());
  return llvm::Error::success();
}

llvm::Error OutputFile::write(llvm::StringRef contents) {
  if (llvm::Error error = fill(contents))
    return error;
  return commit();
}
