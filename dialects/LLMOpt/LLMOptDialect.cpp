//===- LLMOptDialect.cpp - Attributes and types of llmopt -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptDialect.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace llmopt;
using namespace mlir;

#include "dialects/LLMOpt/LLMOptDialect.cpp.inc"
#include "dialects/LLMOpt/LLMOptEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/LLMOpt/LLMOptAttributes.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/LLMOpt/LLMOptTypes.cpp.inc"

void LLMOptDialect::initialize() {
  weightStore = std::make_unique<WeightStore>();
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/LLMOpt/LLMOptOps.cpp.inc"
      >();
}

LLMOptDialect::~LLMOptDialect() = default;

void LLMOptDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/LLMOpt/LLMOptAttributes.cpp.inc"
      >();
}

void LLMOptDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/LLMOpt/LLMOptTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// WeightBlobAttr
//===----------------------------------------------------------------------===//

Attribute WeightBlobAttr::parse(AsmParser &parser, Type) {
  std::string file;
  int64_t offset = 0, bytes = 0;
  bool transposed = false;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseString(&file) || parser.parseComma() ||
      parser.parseInteger(offset) || parser.parseComma() ||
      parser.parseInteger(bytes))
    return {};
  Type element;
  while (!transposed && succeeded(parser.parseOptionalComma())) {
    if (succeeded(parser.parseOptionalKeyword("transposed")))
      transposed = true;
    else if (element || parser.parseType(element))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(location); },
                    parser.getContext(), file, offset, bytes, transposed,
                    element);
}

void WeightBlobAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printer.printString(getFile());
  printer << ", " << getOffset() << ", " << getBytes();
  if (getElement())
    printer << ", " << getElement();
  if (getTransposed())
    printer << ", transposed";
  printer << '>';
}

LogicalResult
WeightBlobAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef,
                       int64_t offset, int64_t bytes, bool, Type element) {
  if (element && !element.isF16() && !element.isBF16())
    return emitError() << "the elements of a blob are f16 or bf16 where they "
                          "are named, got "
                       << element;
  if (offset < 0 || bytes < 0)
    return emitError() << "blob offset and bytes must not be negative, got "
                       << offset << " and " << bytes;
  return success();
}

//===----------------------------------------------------------------------===//
// PackedType
//===----------------------------------------------------------------------===//

Type PackedType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  SmallVector<int64_t, 2> shape;
  FormatAttr format;
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false,
                                /*withTrailingX=*/false) ||
      parser.parseComma() || parser.parseAttribute(format) ||
      parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(location) << "a packed weight has rows and columns, got "
                               << shape.size() << " dimensions";
    return {};
  }
  return getChecked([&] { return parser.emitError(location); },
                    parser.getContext(), shape[0], shape[1], format);
}

void PackedType::print(AsmPrinter &printer) const {
  printer << '<' << getRows() << 'x' << getColumns() << ", ";
  printer.printAttribute(getFormat());
  printer << '>';
}

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t rows, int64_t columns, FormatAttr) {
  if (rows <= 0 || columns <= 0)
    return emitError() << "rows and columns must be positive, got " << rows
                       << " and " << columns;
  return success();
}
