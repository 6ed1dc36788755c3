//===- FlagParser.cpp - Command lines of the tools --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/FlagParser.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llmopt;
using llvm::StringRef;

std::string llmopt::producerName() { return "llmopt " LLMOPT_VERSION; }

FlagParser::FlagParser(StringRef tool, StringRef usage, StringRef overview)
    : tool(tool), usage(usage), overview(overview) {}

void FlagParser::beginGroup(StringRef title) {
  groups.push_back({title.str(), {}});
}

void FlagParser::add(Flag flag) {
  groups.back().flags.push_back(std::move(flag));
}

//===----------------------------------------------------------------------===//
// Kinds of values
//===----------------------------------------------------------------------===//

std::string FlagParser::joinValues(llvm::ArrayRef<std::string> values) {
  return llvm::join(values, "|");
}

void FlagParser::addNumber(StringRef name, unsigned low, unsigned high,
                           unsigned &target, StringRef help, bool joined) {
  auto action = [=, &target](StringRef text) -> std::string {
    unsigned value;
    if (text.getAsInteger(10, value) || value < low || value > high)
      return "expects a whole number from " + std::to_string(low) + " to " +
             std::to_string(high);
    target = value;
    return "";
  };
  add({name.str(), "N", help.str(), action, joined});
}

void FlagParser::addFraction(StringRef name, double &target, StringRef help) {
  add({name.str(), "R", help.str(), [&target](StringRef text) -> std::string {
         double value;
         // The comparison is false for NaN.
         if (text.getAsDouble(value) || !(value >= 0 && value < 1))
           return "expects a number from 0 to below 1";
         target = value;
         return "";
       }});
}

void FlagParser::addPositive(StringRef name, double &target, StringRef help) {
  add({name.str(), "R", help.str(), [&target](StringRef text) -> std::string {
         double value;
         if (text.getAsDouble(value) || !(value >= 0 && value < 1e300))
           return "expects a number that is not negative";
         target = value;
         return "";
       }});
}

void FlagParser::addText(StringRef name, StringRef what, std::string &target,
                         StringRef help) {
  add({name.str(), what.str(), help.str(),
       [&target](StringRef text) -> std::string {
         if (text.empty())
           return "expects a value";
         target = text.str();
         return "";
       }});
}

void FlagParser::addList(StringRef name, StringRef what,
                         std::vector<std::string> &target, StringRef help) {
  add({name.str(), what.str(), help.str(),
       [&target](StringRef text) -> std::string {
         llvm::SmallVector<StringRef> parts;
         text.split(parts, ',');
         if (llvm::is_contained(parts, ""))
           return "expects names separated by commas";
         target.clear();
         for (StringRef part : parts)
           target.push_back(part.str());
         return "";
       }});
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

const Flag *FlagParser::find(StringRef name) const {
  for (const Group &group : groups)
    for (const Flag &flag : group.flags)
      if (flag.name == name)
        return &flag;
  return nullptr;
}

const Flag *FlagParser::match(StringRef argument, StringRef &value,
                              bool &hasValue) const {
  hasValue = argument.contains('=');
  auto [name, text] = argument.split('=');
  value = text;
  if (const Flag *flag = find(name))
    return flag;
  for (const Group &group : groups)
    for (const Flag &flag : group.flags)
      if (flag.joined && argument.starts_with(flag.name)) {
        value = argument.drop_front(flag.name.size());
        hasValue = true;
        return &flag;
      }
  return nullptr;
}

/// The message for a flag that does not exist, with the nearest one that does.
std::string FlagParser::unknown(StringRef argument) const {
  StringRef name = argument.split('=').first;
  StringRef nearest;
  unsigned best = 3; // farther than two edits is no typing error
  for (const Group &group : groups)
    for (const Flag &flag : group.flags) {
      unsigned distance =
          name.edit_distance(flag.name, /*AllowReplacements=*/true, best);
      if (distance < best && distance < name.size()) {
        best = distance;
        nearest = flag.name;
      }
    }
  std::string message = "unknown flag '-" + name.str() + "'";
  if (!nearest.empty())
    return message + "; did you mean '-" + nearest.str() + "'?";
  return message + "; see '" + tool + " --help'";
}

FlagParser::Result FlagParser::parse(llvm::ArrayRef<const char *> arguments) {
  Result result;
  bool onlyPositional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    StringRef argument = arguments[i];
    if (onlyPositional || argument == "-" || !argument.starts_with("-")) {
      result.positional.push_back(argument.str());
      continue;
    }
    if (argument == "--") {
      onlyPositional = true;
      continue;
    }
    argument = argument.drop_front(argument.starts_with("--") ? 2 : 1);
    if (argument == "help" || argument == "h" || argument == "version") {
      (argument == "version" ? result.version : result.help) = true;
      continue;
    }
    StringRef value;
    bool hasValue;
    const Flag *flag = match(argument, value, hasValue);
    if (!flag) {
      result.errors.push_back(unknown(argument));
      continue;
    }
    std::string spelling = "'-" + flag->name + "'";
    if (flag->values.empty() ? hasValue
                             : !hasValue && i + 1 == arguments.size()) {
      result.errors.push_back(spelling + (flag->values.empty()
                                              ? " takes no value"
                                              : " needs a value"));
      continue;
    }
    if (!flag->values.empty() && !hasValue)
      value = arguments[++i];
    if (llvm::is_contained(result.given, flag->name)) {
      result.errors.push_back(spelling + " is given more than once");
      continue;
    }
    result.given.push_back(flag->name);
    std::string reason = flag->action(value);
    if (!reason.empty())
      result.errors.push_back(spelling + " " + reason + ", not '" +
                              value.str() + "'");
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Help
//===----------------------------------------------------------------------===//

void FlagParser::printHelp(llvm::raw_ostream &os) const {
  constexpr size_t kColumn = 38;
  auto print = [&](StringRef spelling, StringRef help) {
    os << "  " << llvm::left_justify(spelling, kColumn);
    if (spelling.size() >= kColumn)
      os << "\n  " << llvm::left_justify("", kColumn);
    os << help << "\n";
  };
  os << "usage: " << tool << ' ' << usage << "\n\n" << overview << "\n";
  for (const Group &group : groups) {
    os << "\n" << group.title << ":\n";
    for (const Flag &flag : group.flags) {
      StringRef separator = flag.values.empty() || flag.joined ? "" : "=";
      print("-" + flag.name + separator.str() + flag.values, flag.help);
    }
  }
  os << "\nGeneral:\n";
  print("-help", "show this text");
  print("-version", "show the version");
  os << "\nA flag may begin with one dash or two, and take its value after '=' "
        "or as the next "
        "argument.\n";
}

bool FlagParser::answer(const Result &result, llvm::raw_ostream &os) const {
  if (result.help)
    printHelp(os);
  if (result.version)
    os << producerName() << "\n";
  return result.help || result.version;
}
