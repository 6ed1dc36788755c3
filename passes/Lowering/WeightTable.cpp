//===- WeightTable.cpp - Weights of the library -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/WeightTable.h"
#include "passes/Lowering/WeightParts.h"
#include "passes/Quantization/PackedSize.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llmopt;
using namespace mlir;

FailureOr<Value> WeightTable::add(Value weight, std::string name,
                                  kernel::WeightType type,
                                  ArrayRef<Attribute> parts, bool interleaved) {
  FailureOr<int64_t> bytes = packedBytes(weight);
  if (failed(bytes))
    return failure();
  std::string symbol = ("w" + Twine(known.size())).str();
  kernel::WeightDataOp::create(data, weight.getLoc(), symbol, name, type,
                               nextOffset, *bytes, data.getArrayAttr(parts),
                               interleaved, countZeros(weight));
  nextOffset = llvm::alignTo(nextOffset + *bytes, kAlignment);
  Value reference =
      kernel::WeightOp::create(references, weight.getLoc(), type, symbol);
  known[weight] = reference;
  return reference;
}

FailureOr<Value> WeightTable::packed(Value weight, Operation *user) {
  if (Value reference = known.lookup(weight))
    return reference;
  SmallVector<Value> weights = {weight};
  auto concat = weight.getDefiningOp<ConcatWeightsOp>();
  if (concat)
    weights = llvm::to_vector(concat.getWeights());
  SmallVector<Attribute> parts;
  SmallVector<StringRef> names;
  for (Value part : weights) {
    auto encoded = part.getDefiningOp<EncodedWeightOp>();
    if (!encoded)
      return user->emitOpError(
          "has no kernel form: its weight is not encoded (llmopt-encode)");
    parts.push_back(makeWeightPart(encoded));
    names.push_back(encoded.getName());
  }
  auto type = cast<PackedType>(weight.getType());
  FailureOr<PackedFormat> format = packedFormat(type.getFormat());
  if (failed(format))
    return user->emitOpError("has no kernel form: the layout of its weight is "
                             "undecided (llmopt-encode)");
  return add(weight, llvm::join(names, "+"), weightType(type, *format), parts,
             concat && concat.getInterleaved());
}

FailureOr<Value> WeightTable::raw(Value weight, Operation *user) {
  if (Value reference = known.lookup(weight))
    return reference;
  auto plain = weight.getDefiningOp<WeightOp>();
  if (!plain)
    return user->emitOpError(
        "has no kernel form: its scale or table is no llmopt.weight");
  ArrayRef<int64_t> shape = plain.getType().getShape();
  int64_t rows = shape.size() == 2 ? shape[0] : 1;
  return add(weight, plain.getName().str(),
             kernel::WeightType::get(data.getContext(), rows, shape.back(),
                                     kernel::PackFormat::Raw),
             makeWeightPart(data, plain.getSource(), rows), false);
}
