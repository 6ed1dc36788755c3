//===- CodedWeight.h - A weight that becomes codes --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_CODEDWEIGHT_H
#define LLMOPT_PASSES_QUANTIZATION_CODEDWEIGHT_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "passes/Quantization/MatrixCodes.h"
#include "passes/Quantization/Options.h"
#include "passes/Quantization/SparseStructure.h"

namespace llmopt {

class WeightStore;

/// The format of an encoding, null for none. `group` 0 stands for the default.
FormatAttr codedFormat(mlir::MLIRContext *context,
                       WeightQuantization quantization, int64_t group,
                       bool zeroPoints, bool halfScales);

/// What the codes of a format stand for.
CodeScheme schemeOf(FormatAttr format);

/// The product whose weight this use is, if it is one.
CompressibleOp productOf(mlir::OpOperand &use);

/// The activation group of products with weights of a format: `wanted` where it
/// divides the groups of the weights, or else the default for these. A tied
/// head may have other groups than the linears.
int64_t activationGroupOf(FormatAttr format, int64_t wanted);

/// Emits an error where rounding to nearest needs a scale that the format
/// cannot hold.
mlir::LogicalResult checkScales(WeightOp weight, FormatAttr format,
                                llvm::ArrayRef<float> values);

/// A plain weight on its way to an encoded one. Whoever chooses the codes,
/// their numbers are checked, stored and compared with the imported weight
/// here.
class CodedWeight {
public:
  /// Reserves the places of the numbers: in the order of the weights.
  CodedWeight(WeightOp weight, FormatAttr format, WeightStore &store);

  WeightOp getWeight() const { return weight; }
  FormatAttr getFormat() const { return format; }
  int64_t getZeros() const { return zeros; }
  double getError() const { return error; }

  /// The weight as it is now; an error if a value is not finite. From several
  /// threads at a time for several weights, as storeCodes.
  mlir::FailureOr<std::vector<float>> read();

  /// Stores codes for the weights `values` (what they were before rounding).
  /// Scales that are not finite are an error.
  mlir::LogicalResult storeCodes(const MatrixCodes &codes,
                                 llvm::ArrayRef<float> values);

  /// Puts the encoded weight in the place of the plain one, for all products
  /// and embeddings. With an activation group (0: automatic), their products
  /// become integer products.
  EncodedWeightOp replace(std::optional<int64_t> activationGroup);

private:
  /// Numbers of a new weight: their type, the place that is reserved for them,
  /// and where they came to be.
  struct Numbers {
    mlir::RankedTensorType type;
    WeightBlobAttr place;
    mlir::Attribute source;
  };

  Numbers reserve(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  mlir::LogicalResult store(Numbers &numbers, llvm::ArrayRef<char> bytes);

  WeightOp weight;
  FormatAttr format;
  WeightStore *weightStore;
  Numbers codes, scales, zeroPoints;
  int64_t zeros = 0;
  double error = 0;
  SparseStructure structure;
};

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_CODEDWEIGHT_H
