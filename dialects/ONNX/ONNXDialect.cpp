//===- ONNXDialect.cpp - The onnx dialect -----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/ONNX/ONNXDialect.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llmopt::onnx;

#include "dialects/ONNX/ONNXDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/ONNX/ONNXTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/ONNX/ONNXAttributes.cpp.inc"

void ONNXDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/ONNX/ONNXTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/ONNX/ONNXAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/ONNX/ONNXOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// FileBlobAttr
//===----------------------------------------------------------------------===//

unsigned llmopt::onnx::getStoredBits(Type elementType) {
  if (!elementType.isIntOrFloat())
    return 0;
  switch (unsigned bits = elementType.getIntOrFloatBitWidth()) {
  case 1:
    return 8;
  case 2:
  case 4:
  case 8:
  case 16:
  case 32:
  case 64:
    return bits;
  default:
    return 0;
  }
}

std::optional<int64_t> llmopt::onnx::getStoredBytes(ShapedType type) {
  if (!type.hasStaticShape())
    return std::nullopt;
  unsigned width = getStoredBits(type.getElementType());
  if (width == 0)
    return std::nullopt;
  // A zero anywhere makes the tensor empty, whatever the other sizes are.
  if (llvm::is_contained(type.getShape(), 0))
    return 0;
  int64_t count = 1;
  for (int64_t size : type.getShape())
    if (llvm::MulOverflow(count, size, count))
      return std::nullopt;
  if (width < 8)
    return llvm::divideCeil(count, 8 / width);
  int64_t bytes;
  if (llvm::MulOverflow<int64_t>(count, width / 8, bytes))
    return std::nullopt;
  return bytes;
}

LogicalResult FileBlobAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef file, int64_t offset,
                                   int64_t bytes, ShapedType type) {
  std::optional<int64_t> expected;
  if (isa<RankedTensorType>(type))
    expected = getStoredBytes(type);
  if (!expected)
    return emitError() << "blob of type " << type
                       << " is not a tensor of static shape with elements of "
                          "1, 2, 4, 8, 16, 32 or 64 bits";
  int64_t end;
  if (offset < 0 || bytes < 0 || llvm::AddOverflow(offset, bytes, end))
    return emitError() << "blob at offset " << offset << " of " << bytes
                       << " bytes is no range of a file";
  if (bytes != *expected)
    return emitError() << "blob has " << bytes << " bytes, but " << type
                       << " takes " << *expected;
  return success();
}

//===----------------------------------------------------------------------===//
// Discardable attributes
//===----------------------------------------------------------------------===//

static bool isPositiveI64(Attribute attr) {
  auto integer = dyn_cast<IntegerAttr>(attr);
  return integer && integer.getType().isSignlessInteger(64) &&
         integer.getInt() >= 1;
}

LogicalResult ONNXDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attr) {
  if (attr.getName() == kOpsetAttr) {
    auto opset = dyn_cast<DictionaryAttr>(attr.getValue());
    if (!isa<ModuleOp>(op) || !opset ||
        !llvm::all_of(opset, [](NamedAttribute entry) {
          return isPositiveI64(entry.getValue());
        }))
      return op->emitError() << "'" << kOpsetAttr
                             << "' must be a dictionary of a module from "
                                "domains to versions of at least 1 (i64)";
    return success();
  }
  if (attr.getName() == kModelNameAttr) {
    if (!isa<ModuleOp>(op) || !isa<StringAttr>(attr.getValue()))
      return op->emitError()
             << "'" << kModelNameAttr << "' must be a string of a module";
    return success();
  }
  return op->emitError() << "'" << attr.getName().strref()
                         << "' is no attribute of an operation";
}

/// Verifies `onnx.name` and `onnx.dims` of a value of the given type.
static LogicalResult verifyValueAttr(Operation *op, NamedAttribute attr,
                                     Type type) {
  if (attr.getName() == kNameAttr) {
    if (!isa<StringAttr>(attr.getValue()))
      return op->emitError() << "'" << kNameAttr << "' must be a string";
    return success();
  }
  if (attr.getName() == kDimsAttr) {
    auto dims = dyn_cast<ArrayAttr>(attr.getValue());
    if (!dims || !llvm::all_of(dims, llvm::IsaPred<StringAttr>))
      return op->emitError() << "'" << kDimsAttr << "' must hold strings";
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.getRank() != static_cast<int64_t>(dims.size()))
      return op->emitError() << "'" << kDimsAttr << "' names " << dims.size()
                             << " dimensions of a value of type " << type;
    return success();
  }
  return op->emitError() << "'" << attr.getName().strref()
                         << "' is no attribute of a value";
}

LogicalResult ONNXDialect::verifyRegionArgAttribute(Operation *op,
                                                    unsigned regionIndex,
                                                    unsigned argIndex,
                                                    NamedAttribute attr) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  return verifyValueAttr(op, attr,
                         function ? function.getArgumentTypes()[argIndex]
                                  : ValueType::get(getContext()));
}

LogicalResult ONNXDialect::verifyRegionResultAttribute(Operation *op,
                                                       unsigned regionIndex,
                                                       unsigned resultIndex,
                                                       NamedAttribute attr) {
  if (attr.getName() == kTypeAttr) {
    auto declared = dyn_cast<TypeAttr>(attr.getValue());
    if (!declared || !isa<TensorType>(declared.getValue()))
      return op->emitError() << "'" << kTypeAttr << "' must be a tensor type";
    return success();
  }
  Type type = ValueType::get(getContext());
  if (auto function = dyn_cast<FunctionOpInterface>(op)) {
    type = function.getResultTypes()[resultIndex];
    auto declared =
        function.getResultAttrOfType<TypeAttr>(resultIndex, kTypeAttr);
    if (declared && isa<ValueType>(type))
      type = declared.getValue();
  }
  return verifyValueAttr(op, attr, type);
}
