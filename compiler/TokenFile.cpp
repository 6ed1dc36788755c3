//===- TokenFile.cpp - Token ids from files and flags -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/TokenFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace llmopt {

using Tokens = std::vector<int32_t>;

template <typename... Args>
static Error fail(const char *format, Args... arguments) {
  return createStringError(inconvertibleErrorCode(), format, arguments...);
}

Expected<Tokens> parseTokens(StringRef text) {
  Tokens tokens;
  while (true) {
    text = text.ltrim(", \t\r\n");
    if (text.empty())
      return tokens;
    const StringRef word =
        text.take_until([](char c) { return c == ',' || isSpace(c); });
    int32_t token;
    if (word.getAsInteger(10, token))
      return fail("'%s' is not a token id", word.str().c_str());
    tokens.push_back(token);
    text = text.drop_front(word.size());
  }
}

/// Little-endian integers of `width` bytes; a trailing part of one is an error.
static Expected<Tokens> readIntegers(StringRef data, unsigned width) {
  if (data.size() % width != 0)
    return fail("the data has %zu bytes, which is not a multiple of %u",
                data.size(), width);
  Tokens tokens;
  tokens.reserve(data.size() / width);
  for (; !data.empty(); data = data.drop_front(width)) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i)
      value |= uint64_t{static_cast<uint8_t>(data[i])} << (8 * i);
    // What does not fit becomes an id that no vocabulary has.
    tokens.push_back(value <= INT32_MAX ? static_cast<int32_t>(value) : -1);
  }
  return tokens;
}

/// A NumPy file: magic, version, length of the header, header (a Python dict),
/// elements.
static Expected<Tokens> readNumPy(StringRef data) {
  if (!data.consume_front("\x93NUMPY") || data.size() < 4)
    return fail("it has no NumPy header");
  const unsigned lengthBytes = data[0] == 1 ? 2 : 4;
  if (data.size() < 2 + lengthBytes)
    return fail("its header is truncated");
  const char *length = data.data() + 2;
  const size_t headerBytes = lengthBytes == 2
                                 ? support::endian::read16le(length)
                                 : support::endian::read32le(length);
  data = data.drop_front(2 + lengthBytes);
  if (data.size() < headerBytes)
    return fail("its header is truncated");
  const StringRef header = data.take_front(headerBytes);
  data = data.drop_front(headerBytes);
  const StringRef type = header.split("'descr': '").second.split('\'').first;
  if (header.contains("'fortran_order': True"))
    return fail("its elements are in Fortran order");
  if (type == "<i8")
    return readIntegers(data, 8);
  if (type == "<i4" || type == "<u4")
    return readIntegers(data, 4);
  if (type == "<u2")
    return readIntegers(data, 2);
  return fail("its element type is '%s', expected <i8, <i4, <u4 or <u2",
              type.str().c_str());
}

/// A list of ids in every line that is not empty.
static Expected<Tokens> readLists(StringRef data) {
  Tokens tokens;
  for (unsigned number = 1; !data.empty(); ++number) {
    StringRef line;
    std::tie(line, data) = data.split('\n');
    if (line.trim().empty())
      continue;
    Expected<json::Value> value = json::parse(line);
    if (!value)
      return fail("line %u: %s", number, toString(value.takeError()).c_str());
    const json::Array *list = value->getAsArray();
    if (!list)
      return fail("line %u is no list of token ids", number);
    for (const json::Value &item : *list) {
      const std::optional<int64_t> token = item.getAsInteger();
      if (!token)
        return fail("line %u has an item that is no token id", number);
      tokens.push_back(isInt<32>(*token) ? static_cast<int32_t>(*token) : -1);
    }
  }
  return tokens;
}

Expected<Tokens> readTokenFile(StringRef path, uint32_t vocabulary) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFileOrSTDIN(path);
  if (!file)
    return createStringError(file.getError(), "cannot read '%s': %s",
                             path.str().c_str(),
                             file.getError().message().c_str());
  const StringRef data = (*file)->getBuffer();
  Expected<Tokens> tokens =
      path.ends_with(".npy")   ? readNumPy(data)
      : path.ends_with(".bin") ? readIntegers(data, vocabulary <= 65536 ? 2 : 4)
      : path.ends_with(".jsonl") ? readLists(data)
                                 : parseTokens(data);
  if (!tokens)
    return fail("cannot read tokens from '%s': %s", path.str().c_str(),
                toString(tokens.takeError()).c_str());
  for (size_t i = 0; i < tokens->size(); ++i)
    if (static_cast<uint32_t>((*tokens)[i]) >= vocabulary)
      return fail("token %zu of '%s' is %d, outside of the vocabulary of %u", i,
                  path.str().c_str(), (*tokens)[i], vocabulary);
  return tokens;
}

} // namespace llmopt
