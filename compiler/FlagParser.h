//===- FlagParser.h - Command lines of the tools ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_FLAGPARSER_H
#define LLMOPT_COMPILER_FLAGPARSER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace llmopt {

/// Takes the text of a flag's value; returns why it is refused, or an empty
/// string.
using FlagAction = std::function<std::string(llvm::StringRef)>;

/// One flag of a tool.
struct Flag {
  std::string name; ///< without dashes
  std::string
      values; ///< for the help text, such as "none|int8"; empty: takes no value
  std::string help; ///< one line
  FlagAction action;
  bool joined = false; ///< the value may follow without '=', as in -O2
};

/// Parses `-flag=value`, `--flag=value`, `-flag value` and positional
/// arguments. The tools have their own parser because LLVM's knows all options
/// of the libraries that are linked, and ends the process with a code of its
/// own.
class FlagParser {
public:
  /// `usage` is the line after "usage:", `overview` says what the tool does.
  FlagParser(llvm::StringRef tool, llvm::StringRef usage,
             llvm::StringRef overview);

  /// Flags added from now on are listed under `title` in the help text.
  void beginGroup(llvm::StringRef title);
  void add(Flag flag);

  template <typename T>
  void addChoice(llvm::StringRef name,
                 std::vector<std::pair<std::string, T>> choices, T &target,
                 llvm::StringRef help) {
    std::vector<std::string> names;
    for (const auto &choice : choices)
      names.push_back(choice.first);
    std::string values = joinValues(names);
    add({name.str(), values, help.str(),
         [=, &target](llvm::StringRef text) -> std::string {
           for (const auto &choice : choices)
             if (text == choice.first) {
               target = choice.second;
               return "";
             }
           return "expects " + values;
         }});
  }
  /// An integer in [low, high].
  void addNumber(llvm::StringRef name, unsigned low, unsigned high,
                 unsigned &target, llvm::StringRef help, bool joined = false);
  /// A number in [0, 1).
  void addFraction(llvm::StringRef name, double &target, llvm::StringRef help);
  /// A number that is not negative.
  void addPositive(llvm::StringRef name, double &target, llvm::StringRef help);
  /// Any text but the empty one; `what` names it in the help text.
  void addText(llvm::StringRef name, llvm::StringRef what, std::string &target,
               llvm::StringRef help);
  void addList(llvm::StringRef name, llvm::StringRef what,
               std::vector<std::string> &target, llvm::StringRef help);

  struct Result {
    std::vector<std::string> positional;
    std::vector<std::string> given;  ///< names of the flags, in order
    std::vector<std::string> errors; ///< one line each
    bool help = false, version = false;
  };

  /// `arguments` are those after the program's name. Actions run in order; each
  /// flag may be given once.
  Result parse(llvm::ArrayRef<const char *> arguments);

  void printHelp(llvm::raw_ostream &os) const;

  /// Prints the help text or the version where the command line asks for it;
  /// true if it does, and the tool has nothing else to do.
  bool answer(const Result &result, llvm::raw_ostream &os) const;

private:
  struct Group {
    std::string title;
    std::vector<Flag> flags;
  };

  static std::string joinValues(llvm::ArrayRef<std::string> values);
  const Flag *find(llvm::StringRef name) const;
  /// The flag of `argument` (without dashes) and its value, where it is part of
  /// it.
  const Flag *match(llvm::StringRef argument, llvm::StringRef &value,
                    bool &hasValue) const;
  std::string unknown(llvm::StringRef argument) const;

  std::string tool, usage, overview;
  std::vector<Group> groups;
};

/// "llmopt 0.1.0".
std::string producerName();

} // namespace llmopt

#endif // LLMOPT_COMPILER_FLAGPARSER_H
