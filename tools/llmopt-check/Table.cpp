//===- Table.cpp - What is demanded of each model ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Table.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/LineIterator.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <optional>

using namespace llmopt::check;

/// Reads one line; the result is empty if it was understood, else the reason
/// why not.
static std::string readLine(llvm::StringRef line, ModelCase &model) {
  llvm::SmallVector<llvm::StringRef, 5> fields;
  line.split(fields, ',');
  for (llvm::StringRef &field : fields)
    field = field.trim();
  fields.resize(std::max<size_t>(fields.size(), 5));
  model.name = fields[0].str();
  Tolerance &tolerance = model.options.tolerance;
  model.compileOnly = fields[1] == "compile";
  std::optional<Tolerance::Rule> rule =
      llvm::StringSwitch<std::optional<Tolerance::Rule>>(fields[1])
          .Case("larger", Tolerance::Larger)
          .Case("sum", Tolerance::Sum)
          .Case("l2", Tolerance::RelativeL2)
          .Default(std::nullopt);
  if (fields.size() > 5 || fields[0].empty() || (!rule && !model.compileOnly))
    return "expected model,rule,relative,absolute,lengths with a rule of "
           "larger, sum, l2 or compile";
  if (model.compileOnly)
    return "";
  tolerance.rule = *rule;
  if (fields[2].getAsDouble(tolerance.relative) || tolerance.relative < 0)
    return "expected a relative tolerance, not '" + fields[2].str() + "'";
  tolerance.absolute = tolerance.relative;
  if (!fields[3].empty() &&
      (fields[3].getAsDouble(tolerance.absolute) || tolerance.absolute < 0))
    return "expected an absolute tolerance, not '" + fields[3].str() + "'";
  model.options.lengths = fields[4].str();
  return "";
}

llvm::Expected<std::vector<ModelCase>>
llmopt::check::readTable(llvm::StringRef path, llvm::StringRef root) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError(
        path + ": cannot read it: " + buffer.getError().message());
  std::vector<ModelCase> models;
  for (llvm::line_iterator line(**buffer, /*SkipBlanks=*/true, '#');
       !line.is_at_eof(); ++line) {
    ModelCase model;
    if (std::string reason = readLine(*line, model); !reason.empty())
      return llvm::createStringError(
          path + ":" + llvm::Twine(line.line_number()) + ": " + reason);
    llvm::SmallString<256> directory(root);
    llvm::sys::path::append(directory, model.name);
    model.directory = directory.str().str();
    models.push_back(std::move(model));
  }
  return models;
}
