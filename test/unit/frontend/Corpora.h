//===- Corpora.h - Models of the shared corpora -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_FRONTEND_CORPORA_H
#define LLMOPT_TEST_UNIT_FRONTEND_CORPORA_H

#include "ImportFixture.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include <cstdlib>
#include <map>

namespace llmopt::onnx {

/// The folder of the corpora: LLMOPT_CORPORA, or ../shared/corpora beside the
/// source tree.
inline std::string getCorporaPath() {
  if (const char *path = std::getenv("LLMOPT_CORPORA"))
    return path;
  return LLMOPT_SOURCE_DIR "/../shared/corpora";
}

/// An unpacked archive of ONNX models, without their test data.
class Corpus {
public:
  /// Unpacks onnx/`name`.tar.gz if it is there.
  explicit Corpus(llvm::StringRef name) {
    std::string archive = getCorporaPath() + "/onnx/" + name.str() + ".tar.gz";
    llvm::ErrorOr<std::string> tar = llvm::sys::findProgramByName("tar");
    if (!llvm::sys::fs::exists(archive) || !tar)
      return;
    llvm::StringRef arguments[] = {
        "tar", "-xzf",          archive,
        "-C",  directory.get(), "--exclude=test_data_set_*"};
    isThere = llvm::sys::ExecuteAndWait(*tar, arguments) == 0;
    EXPECT_TRUE(isThere) << "cannot unpack " << archive;
  }

  explicit operator bool() const { return isThere; }

  /// The models: paths of .onnx files by the names of their folders.
  std::map<std::string, std::string> getModels() const {
    namespace fs = llvm::sys::fs;
    std::map<std::string, std::string> models;
    std::error_code error;
    for (fs::recursive_directory_iterator it(directory.get(), error), end;
         it != end && !error; it.increment(error)) {
      llvm::StringRef path = it->path();
      if (path.ends_with(".onnx"))
        models[llvm::sys::path::filename(llvm::sys::path::parent_path(path))
                   .str()] = path.str();
    }
    EXPECT_FALSE(error) << error.message();
    return models;
  }

private:
  TemporaryDirectory directory;
  bool isThere = false;
};

} // namespace llmopt::onnx

#endif // LLMOPT_TEST_UNIT_FRONTEND_CORPORA_H
