//===- Functions.h - Functions of floats in generated code ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generated code calls no library. These functions take an f32 or f64, a scalar
// or a vector, and give the same; infinities, NaNs and denormal numbers are
// treated as the C library does. Errors are a few units in the last place of
// f32 and below 1e-13 of the result of f64.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_FUNCTIONS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_FUNCTIONS_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

mlir::Value exp(GraphBuilder &g, mlir::Value x);
/// e^x - 1
mlir::Value expm1(GraphBuilder &g, mlir::Value x);
mlir::Value log(GraphBuilder &g, mlir::Value x);
/// ln(1 + x)
mlir::Value log1p(GraphBuilder &g, mlir::Value x);
mlir::Value pow(GraphBuilder &g, mlir::Value x, mlir::Value y);
/// The remainder of the division that rounds to zero; of scalars.
mlir::Value remainder(GraphBuilder &g, mlir::Value x, mlir::Value y);
mlir::Value sqrt(GraphBuilder &g, mlir::Value x);

mlir::Value tanh(GraphBuilder &g, mlir::Value x);
mlir::Value erf(GraphBuilder &g, mlir::Value x);
/// 1 / (1 + e^-x)
mlir::Value sigmoid(GraphBuilder &g, mlir::Value x);
/// x sigmoid(x)
mlir::Value silu(GraphBuilder &g, mlir::Value x);
/// ln(1 + e^x)
mlir::Value softplus(GraphBuilder &g, mlir::Value x);
/// x (1 + erf(x / sqrt(2))) / 2
mlir::Value gelu(GraphBuilder &g, mlir::Value x);
/// The approximation of gelu by tanh.
mlir::Value geluTanh(GraphBuilder &g, mlir::Value x);
/// x tanh(softplus(x))
mlir::Value mish(GraphBuilder &g, mlir::Value x);

mlir::Value sin(GraphBuilder &g, mlir::Value x);
mlir::Value cos(GraphBuilder &g, mlir::Value x);
mlir::Value tan(GraphBuilder &g, mlir::Value x);
mlir::Value asin(GraphBuilder &g, mlir::Value x);
mlir::Value acos(GraphBuilder &g, mlir::Value x);
mlir::Value atan(GraphBuilder &g, mlir::Value x);
mlir::Value sinh(GraphBuilder &g, mlir::Value x);
mlir::Value cosh(GraphBuilder &g, mlir::Value x);
mlir::Value asinh(GraphBuilder &g, mlir::Value x);
mlir::Value acosh(GraphBuilder &g, mlir::Value x);
mlir::Value atanh(GraphBuilder &g, mlir::Value x);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_FUNCTIONS_H
