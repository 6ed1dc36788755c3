//===- Diagnostics.cpp - Errors as one line each ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"

using namespace llmopt;
using namespace mlir;

std::string llmopt::oneLine(StringRef text) {
  std::string line;
  llvm::raw_string_ostream os(line);
  SmallVector<StringRef> parts;
  text.trim().split(parts, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  llvm::interleave(
      parts, os,
      [&](StringRef part) {
        // Bytes beyond ASCII are left alone: names may be UTF-8.
        for (char c : part.trim())
          if (llvm::isPrint(c) || static_cast<unsigned char>(c) >= 0x80)
            os << c;
          else
            os << "\\x" << llvm::toHex(StringRef(&c, 1));
      },
      "; ");
  return line;
}

/// Name of the node that a location stands for; empty if there is none.
static StringRef nodeName(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName();
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (StringRef name = nodeName(part); !name.empty())
        return name;
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return nodeName(call.getCallee());
  return "";
}

DiagnosticPrinter::DiagnosticPrinter(MLIRContext &context, StringRef model,
                                     Progress &progress)
    : model(model), progress(progress),
      handler(&context, [this](Diagnostic &diagnostic) { print(diagnostic); }) {
}

void DiagnosticPrinter::print(Diagnostic &diagnostic) {
  StringRef kind = "error";
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    ++errors;
    break;
  case DiagnosticSeverity::Warning:
    kind = "warning";
    break;
  case DiagnosticSeverity::Remark:
    return;
  case DiagnosticSeverity::Note:
    kind = "note";
    break;
  }
  std::string text = model + ": ";
  StringRef name = nodeName(diagnostic.getLocation());
  std::string message = diagnostic.str();
  // Messages that name the node themselves are not made to do so twice.
  if (!name.empty() &&
      message.find("'" + name.str() + "'") == std::string::npos)
    text += "node '" + name.str() + "': ";
  progress.message(kind, oneLine(text + message));
  for (Diagnostic &note : diagnostic.getNotes())
    progress.message("note", oneLine(model + ": " + note.str()));
}
