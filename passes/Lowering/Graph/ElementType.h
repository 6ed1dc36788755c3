//===- ElementType.h - Element types of graph tensors -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An ONNX element type is kept as the MLIR type of the onnx dialect: unsigned
// integers are `ui8`, signed ones `i8`, booleans `i1`. Two more types follow
// from it:
//
//  * the storage type is what a buffer holds: a bool and every integer of less
//    than 8 bits take a byte, float8 and float4 the bits of their encoding in a
//    byte;
//  * the compute type is what a scalar of generated code has: f16, bf16 and the
//    float8 and float4 kinds are computed in f32 and are storage only, a bool
//    is i1, sub-byte integers are i8, everything else is itself without sign.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTTYPE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTTYPE_H

#include "mlir/IR/BuiltinTypes.h"
#include <optional>

namespace llmopt::graph {

class ElementType {
public:
  ElementType() = default;
  ElementType(mlir::Type type) : type(type) {}

  /// The type of a number of ONNX's TensorProto.DataType, or of its name
  /// ("FLOAT"); nullopt for strings, complex and unknown ones.
  static std::optional<ElementType> fromNumber(int64_t dataType,
                                               mlir::MLIRContext *context);
  static std::optional<ElementType> fromName(llvm::StringRef name,
                                             mlir::MLIRContext *context);

  mlir::Type get() const { return type; }
  bool operator==(const ElementType &other) const = default;

  bool isFloat() const { return mlir::isa<mlir::FloatType>(type); }
  bool isInteger() const {
    return mlir::isa<mlir::IntegerType>(type) && !isBool();
  }
  bool isBool() const { return type.isSignlessInteger(1); }
  bool isUnsigned() const { return type.isUnsignedInteger(); }
  /// A float of which a buffer holds fewer bits than f32 has.
  bool isSmallFloat() const { return isFloat() && bits() < 32; }
  /// A float8 or float4 kind: no hardware type, converted by integer
  /// arithmetic.
  bool isMiniFloat() const { return isFloat() && bits() < 16; }
  /// Bits that ONNX gives an element: 1 for a bool, 4 for int4.
  unsigned bits() const { return type.getIntOrFloatBitWidth(); }

  /// Type of an element in a buffer; signless.
  mlir::Type storage() const;
  /// Bytes of an element in a buffer.
  int64_t bytes() const;
  /// Type of an element in an expression; signless.
  mlir::Type compute() const;

private:
  mlir::Type type;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTTYPE_H
