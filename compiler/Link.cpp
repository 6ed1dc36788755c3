//===- Link.cpp - Linking of objects into a shared library ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Link.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace llmopt {

namespace {

bool writeFile(StringRef path, StringRef bytes, std::string &error) {
  std::error_code code;
  raw_fd_ostream stream(path, code);
  if (!code) {
    stream << bytes;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    error = "cannot write '" + path.str() + "': " + code.message();
  return !code;
}

/// Runs the linker on the files; its messages become `error`.
bool runLinker(ArrayRef<std::string> inputs, StringRef output,
               std::string &error) {
  std::string outputPath = output.str();
  SmallVector<const char *> arguments{
      "ld.lld",      "-shared",         "--build-id=none",
      "-z",          "noexecstack",     "-z",
      "defs",        "--gc-sections",   "--hash-style=gnu",
      "--threads=1", "-soname",         "model.so",
      "-o",          outputPath.c_str()};
  for (const std::string &input : inputs)
    arguments.push_back(input.c_str());
  std::string messages;
  raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0 && result.canRunAgain)
    return true;
  error = "linking failed: " + StringRef(messages).trim().str();
  if (!result.canRunAgain)
    error += " (the linker cannot run again in this process)";
  return false;
}

} // namespace

bool linkSharedLibrary(ArrayRef<StringRef> objects, StringRef path,
                       std::string &error) {
  // Beside the output, so that the last step is a rename within one file
  // system.
  SmallString<128> folder;
  SmallString<128> prefix(path);
  prefix += ".tmp";
  sys::fs::make_absolute(prefix);
  if (std::error_code code = sys::fs::createUniqueDirectory(prefix, folder)) {
    error = "cannot write beside '" + path.str() + "': " + code.message();
    return false;
  }
  scope_exit cleanUp([&] { sys::fs::remove_directories(folder); });

  SmallVector<std::string> inputs;
  for (auto [index, object] : enumerate(objects)) {
    SmallString<128> file(folder);
    sys::path::append(file, "object" + utostr(index) + ".o");
    inputs.push_back(file.str().str());
    if (!writeFile(file, object, error))
      return false;
  }
  SmallString<128> library(folder);
  sys::path::append(library, "library.so");
  if (!runLinker(inputs, library, error))
    return false;
  if (std::error_code code = sys::fs::rename(library, path)) {
    error = "cannot write '" + path.str() + "': " + code.message();
    return false;
  }
  return true;
}

} // namespace llmopt
