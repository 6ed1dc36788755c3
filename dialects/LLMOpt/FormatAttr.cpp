//===- FormatAttr.cpp - Formats of weights ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace llmopt;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

FormatAttr FormatAttr::getF32(MLIRContext *context, Layout layout) {
  return get(context, Encoding::F32, 0, 0, Float32Type::get(context), false,
             DenseF32ArrayAttr(), layout);
}

FormatAttr FormatAttr::getBF16(MLIRContext *context, Layout layout) {
  return get(context, Encoding::BF16, 0, 0, Float32Type::get(context), false,
             DenseF32ArrayAttr(), layout);
}

FormatAttr FormatAttr::getInt8(MLIRContext *context, Layout layout) {
  return get(context, Encoding::Int, 8, 0, Float32Type::get(context), false,
             DenseF32ArrayAttr(), layout);
}

ArrayRef<float> FormatAttr::getNormalFloats() {
  static constexpr float values[] = {-1.0f,
                                     -0.6961928009986877f,
                                     -0.5250730514526367f,
                                     -0.39491748809814453f,
                                     -0.28444138169288635f,
                                     -0.18477343022823334f,
                                     -0.09105003625154495f,
                                     0.0f,
                                     0.07958029955625534f,
                                     0.16093020141124725f,
                                     0.24611230194568634f,
                                     0.33791524171829224f,
                                     0.44070982933044434f,
                                     0.5626170039176941f,
                                     0.7229568362236023f,
                                     1.0f};
  return values;
}

int64_t FormatAttr::getGroups(int64_t columns) const {
  if (!hasCodes())
    return 0;
  return getGroup() ? llvm::divideCeil(columns, getGroup()) : 1;
}

FormatAttr FormatAttr::withLayout(Layout layout) const {
  return get(getContext(), getEncoding(), getBits(), getGroup(), getScale(),
             getZeroPoints(), getTable(), layout);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// Parses the first word: "f32", "bf16", "int" or "table" and bits, or "nf4".
static LogicalResult parseEncoding(AsmParser &parser, Encoding &encoding,
                                   int64_t &bits, DenseF32ArrayAttr &table) {
  SMLoc location = parser.getCurrentLocation();
  StringRef word;
  if (parser.parseKeyword(&word))
    return failure();
  encoding = Encoding::F32;
  bits = 0;
  if (word == "f32")
    return success();
  if (word == "bf16") {
    encoding = Encoding::BF16;
    return success();
  }
  if (word == "nf4") {
    encoding = Encoding::Table;
    bits = 4;
    table = DenseF32ArrayAttr::get(parser.getContext(),
                                   FormatAttr::getNormalFloats());
    return success();
  }
  encoding = word.consume_front("int") ? Encoding::Int : Encoding::Table;
  if ((encoding == Encoding::Table && !word.consume_front("table")) ||
      word.getAsInteger(10, bits))
    return parser.emitError(location, "expected an encoding: f32, bf16, "
                                      "int2 to int8, table2 to table4 or nf4");
  return success();
}

static LogicalResult parseTable(AsmParser &parser, DenseF32ArrayAttr &table) {
  SmallVector<float> values;
  auto parseValue = [&]() -> ParseResult {
    double value;
    if (parser.parseFloat(value))
      return failure();
    values.push_back(float(value));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseValue))
    return failure();
  table = DenseF32ArrayAttr::get(parser.getContext(), values);
  return success();
}

Attribute FormatAttr::parse(AsmParser &parser, Type) {
  SMLoc location = parser.getCurrentLocation();
  Encoding encoding;
  int64_t bits, group = 0;
  DenseF32ArrayAttr table;
  Layout layout = Layout::Undecided;
  if (parser.parseLess() ||
      failed(parseEncoding(parser, encoding, bits, table)))
    return {};
  if (succeeded(parser.parseOptionalKeyword("group")) &&
      (parser.parseLParen() || parser.parseInteger(group) ||
       parser.parseRParen()))
    return {};
  Type scale = Float32Type::get(parser.getContext());
  if (succeeded(parser.parseOptionalKeyword("f16")))
    scale = Float16Type::get(parser.getContext());
  bool zeroPoints = succeeded(parser.parseOptionalKeyword("zero_points"));
  if (encoding == Encoding::Table && !table &&
      failed(parseTable(parser, table)))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    FailureOr<Layout> parsed = FieldParser<Layout>::parse(parser);
    if (failed(parsed))
      return {};
    layout = *parsed;
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(location); },
                    parser.getContext(), encoding, bits, group, scale,
                    zeroPoints, table, layout);
}

void FormatAttr::print(AsmPrinter &printer) const {
  bool isNormal = getEncoding() == Encoding::Table && getBits() == 4 &&
                  getTable().asArrayRef() == getNormalFloats();
  printer << '<';
  if (isNormal)
    printer << "nf4";
  else
    printer << stringifyEncoding(getEncoding());
  if (hasCodes() && !isNormal)
    printer << getBits();
  if (getGroup())
    printer << " group(" << getGroup() << ')';
  if (getScale().isF16())
    printer << " f16";
  if (getZeroPoints())
    printer << " zero_points";
  if (getTable() && !isNormal) {
    printer << " [";
    llvm::interleaveComma(getTable().asArrayRef(), printer, [&](float value) {
      printer.printFloat(APFloat(value));
    });
    printer << ']';
  }
  if (getLayout() != Layout::Undecided)
    printer << ", " << stringifyLayout(getLayout());
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

static LogicalResult verifyTable(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t bits, ArrayRef<float> values) {
  if (int64_t(values.size()) != int64_t(1) << bits)
    return emitError() << "a table of " << bits << " bits has "
                       << (int64_t(1) << bits) << " values, got "
                       << values.size();
  if (!llvm::all_of(values, [](float value) { return std::isfinite(value); }))
    return emitError() << "the values of a table must be finite";
  if (llvm::all_of(values, [](float value) { return value == 0; }))
    return emitError() << "the values of a table must not all be zero";
  return success();
}

static LogicalResult verifyGroup(function_ref<InFlightDiagnostic()> emitError,
                                 Encoding encoding, int64_t bits,
                                 int64_t group) {
  if (group < 0 || group % 32)
    return emitError() << "a group must be a positive multiple of 32 columns, "
                          "got "
                       << group;
  bool isFloat = encoding == Encoding::F32 || encoding == Encoding::BF16;
  if (isFloat && group)
    return emitError() << stringifyEncoding(encoding) << " has no groups, got "
                       << group;
  if (!isFloat && !group && (encoding != Encoding::Int || bits != 8))
    return emitError() << "codes other than int8 need groups";
  return success();
}

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Encoding encoding, int64_t bits, int64_t group,
                                 Type scale, bool zeroPoints,
                                 DenseF32ArrayAttr table, Layout layout) {
  bool isInt = encoding == Encoding::Int, isTable = encoding == Encoding::Table;
  if (isInt && (bits < 2 || bits > 8))
    return emitError() << "int needs 2 to 8 bits, got " << bits;
  if (isTable && (bits < 2 || bits > 4))
    return emitError() << "table needs 2 to 4 bits, got " << bits;
  if (isTable != bool(table))
    return emitError() << "exactly a table encoding has a table";
  if (failed(verifyGroup(emitError, encoding, bits, group)) ||
      (isTable && failed(verifyTable(emitError, bits, table))))
    return failure();
  if (zeroPoints && (!isInt || bits > 4))
    return emitError() << "zero points need int of at most 4 bits, got "
                       << stringifyEncoding(encoding) << bits;
  if (!scale.isF32() && !(scale.isF16() && group))
    return emitError() << "scales must be f32, or f16 of groups, got " << scale;
  bool isSparse = layout != Layout::Undecided && layout != Layout::Dense;
  if (isSparse && (!isInt || bits != 8 || group))
    return emitError() << "the " << stringifyLayout(layout)
                       << " layout needs int8 with a scale per row";
  return success();
}
