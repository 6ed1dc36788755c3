//===- FourierTransform.h - Discrete Fourier transforms ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A transform of n = a * b elements is computed in two steps, b transforms of
// a elements and then a of b, where a is the largest divisor of n up to its
// root; it takes about n * (a + b) steps. Vectors hold elements of different
// lines, so that any length is computed in whole vectors.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_FOURIERTRANSFORM_H
#define LLMOPT_PASSES_LOWERING_GRAPH_FOURIERTRANSFORM_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// A complex number; no imaginary part where all of them are 0.
struct ComplexValue {
  mlir::Value real, imaginary;
};

class FourierTransform {
public:
  /// Of `length` elements (1 or more) with parts of `type`, f32 or f64.
  FourierTransform(GraphBuilder &g, mlir::Type type, mlir::Value length,
                   bool isInverse, bool isReal);

  using Load =
      llvm::function_ref<ComplexValue(mlir::Value line, mlir::Value i)>;
  using Store = llvm::function_ref<void(mlir::Value line, mlir::Value i,
                                        const ComplexValue &element)>;
  /// Transforms `lines` lines. Elements [0, results) of each are stored; those
  /// of an inverse transform have been divided by the length.
  void run(mlir::Value lines, mlir::Value results, Load load, Store store);

private:
  /// Memory of a task: two arrays of vectors for each part.
  struct Task {
    mlir::Value real[2], imaginary[2];
  };
  void makeTable();
  Task taskMemory(mlir::Value memory, mlir::Value task) const;
  ComplexValue root(mlir::Value index) const;
  void firstStep(const Task &task);
  void secondStep(const Task &task, mlir::Value results);
  ComplexValue sum(mlir::Value count, mlir::Value realFrom,
                   mlir::Value imaginaryFrom, mlir::Value start,
                   mlir::Value step, mlir::Value rootStep) const;
  mlir::Value loadVector(mlir::Value array, mlir::Value i) const;
  void storeVector(mlir::Value array, mlir::Value i, mlir::Value value) const;
  mlir::Value lanePointer(mlir::Value array, mlir::Value i,
                          mlir::Value lane) const;

  GraphBuilder &g;
  const mlir::Type type, vectorType;
  const int64_t bytes; ///< of a part of an element
  const mlir::Value length;
  const bool isInverse, isReal;
  mlir::Value a, b; ///< the factors of the length
  Tensor table;     ///< [length, 2]: cosines and sines of the roots
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_FOURIERTRANSFORM_H
