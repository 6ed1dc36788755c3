//===- NumPyFile.cpp - Tensors in NumPy's format ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/testdata/NumPyFile.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmopt::tools;

/// NumPy's name of the elements.
static llvm::StringRef numPyType(int32_t type) {
  switch (type) {
  case LLMOPT_F32:
    return "<f4";
  case LLMOPT_F64:
    return "<f8";
  case LLMOPT_F16:
    return "<f2";
  case LLMOPT_I64:
    return "<i8";
  case LLMOPT_U64:
    return "<u8";
  case LLMOPT_I32:
    return "<i4";
  case LLMOPT_U32:
    return "<u4";
  case LLMOPT_I16:
    return "<i2";
  case LLMOPT_U16:
  case LLMOPT_BF16:
    return "<u2";
  case LLMOPT_BOOL:
    return "|b1";
  case LLMOPT_I8:
  case LLMOPT_I4:
  case LLMOPT_I2:
    return "|i1";
  default:
    return "|u1";
  }
}

static llvm::Error fail(llvm::StringRef path, const llvm::Twine &reason) {
  return llvm::createStringError("cannot read '" + path + "': " + reason);
}

/// Reads the numbers of "(2, 3, )".
static bool readShape(llvm::StringRef text, std::vector<int64_t> &dims,
                      int64_t &elements) {
  elements = 1;
  while (!text.empty()) {
    auto [number, rest] = text.split(',');
    text = rest.trim();
    int64_t dim;
    if (number.trim().getAsInteger(10, dim) || dim < 0 ||
        llvm::MulOverflow(elements, dim, elements) || elements > INT64_MAX / 8)
      return false;
    dims.push_back(dim);
  }
  return dims.size() <= LLMOPT_MAX_RANK;
}

llvm::Expected<Tensor> llmopt::tools::readNumPyFile(llvm::StringRef path,
                                                    int32_t type) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fail(path, buffer.getError().message());
  llvm::StringRef data = (*buffer)->getBuffer();
  if (!data.consume_front("\x93NUMPY") || data.size() < 6)
    return fail(path, "it has no NumPy header");
  const unsigned lengthBytes = data[0] == 1 ? 2 : 4;
  const size_t headerBytes =
      lengthBytes == 2 ? llvm::support::endian::read16le(data.data() + 2)
                       : llvm::support::endian::read32le(data.data() + 2);
  llvm::StringRef header = data.substr(2 + lengthBytes, headerBytes);
  llvm::StringRef elements = data.drop_front(
      std::min(data.size(), size_t{2} + lengthBytes + headerBytes));
  if (header.contains("'fortran_order': True"))
    return fail(path, "its elements are in Fortran order");
  llvm::StringRef found = header.split("'descr': '").second.split('\'').first;
  if (found != numPyType(type))
    return fail(path, "its element type is '" + found + "', expected '" +
                          numPyType(type) + "'");
  Tensor tensor;
  tensor.type = type;
  int64_t count;
  llvm::StringRef shape =
      header.split("'shape': (").second.split(')').first.trim();
  if (!readShape(shape, tensor.dims, count))
    return fail(path, "its shape (" + shape + ") is not supported");
  if (elements.size() != uint64_t(count) * llmopt_element_bytes(type))
    return fail(path, "it has " + llvm::Twine(elements.size()) +
                          " bytes of elements, its shape needs " +
                          llvm::Twine(count * llmopt_element_bytes(type)));
  tensor.data.assign(elements.begin(), elements.end());
  return tensor;
}

llvm::Error llmopt::tools::writeNumPyFile(llvm::StringRef path, int32_t type,
                                          llvm::ArrayRef<int64_t> dims,
                                          llvm::ArrayRef<char> data) {
  constexpr size_t kAlignment = 64, kPrefix = 10;
  std::string header = ("{'descr': '" + numPyType(type) +
                        "', 'fortran_order': False, 'shape': (")
                           .str();
  for (int64_t dim : dims)
    header += std::to_string(dim) + ", ";
  header += "), }";
  header.resize(llvm::alignTo(kPrefix + header.size() + 1, kAlignment) -
                    kPrefix - 1,
                ' ');
  header += '\n';
  std::error_code code;
  llvm::raw_fd_ostream os(path, code);
  if (!code) {
    os << llvm::StringRef("\x93NUMPY\x01\x00", 8)
       << static_cast<char>(header.size() & 255)
       << static_cast<char>(header.size() >> 8) << header
       << llvm::StringRef(data.data(), data.size());
    os.close();
    code = os.error();
    os.clear_error();
  }
  if (code)
    return llvm::createStringError("cannot write '" + path +
                                   "': " + code.message());
  return llvm::Error::success();
}
