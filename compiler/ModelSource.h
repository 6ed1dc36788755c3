//===- ModelSource.h - The file that a model is read from -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_MODELSOURCE_H
#define LLMOPT_COMPILER_MODELSOURCE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llmopt {

/// The path of a model. Standard input is copied to a file without a name
/// first, since weights are read from the model's file whenever they are
/// needed.
class ModelSource {
public:
  /// `path` as given on the command line; "-" is standard input.
  static llvm::Expected<std::unique_ptr<ModelSource>>
  open(llvm::StringRef path);
  ~ModelSource();
  ModelSource(const ModelSource &) = delete;
  ModelSource &operator=(const ModelSource &) = delete;

  /// The path to open.
  const std::string &path() const { return realPath; }
  /// The name for messages.
  const std::string &display() const { return displayName; }
  /// The file name without its directory and suffix.
  std::string name() const;

private:
  ModelSource() = default;

  std::string realPath, displayName;
  int descriptor = -1;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_MODELSOURCE_H
