//===- Operators.h - Tables of operators that graphs are made of -*- C++ -*-==//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per file of emitters; Operators.cpp lists them.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_OPERATORS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_OPERATORS_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

llvm::ArrayRef<OperatorRow> activationOperators();
llvm::ArrayRef<OperatorRow> argReductionOperators();
llvm::ArrayRef<OperatorRow> arithmeticOperators();
llvm::ArrayRef<OperatorRow> attentionOperators();
llvm::ArrayRef<OperatorRow> bitCastOperators();
llvm::ArrayRef<OperatorRow> castOperators();
llvm::ArrayRef<OperatorRow> channelNormOperators();
llvm::ArrayRef<OperatorRow> controlFlowOperators();
llvm::ArrayRef<OperatorRow> convOperators();
llvm::ArrayRef<OperatorRow> convTransposeOperators();
llvm::ArrayRef<OperatorRow> deformConvOperators();
llvm::ArrayRef<OperatorRow> determinantOperators();
llvm::ArrayRef<OperatorRow> einsumOperators();
llvm::ArrayRef<OperatorRow> foldingOperators();
llvm::ArrayRef<OperatorRow> fourierOperators();
llvm::ArrayRef<OperatorRow> gatheringOperators();
llvm::ArrayRef<OperatorRow> gemmOperators();
llvm::ArrayRef<OperatorRow> generationOperators();
llvm::ArrayRef<OperatorRow> gridSampleOperators();
llvm::ArrayRef<OperatorRow> groupQueryAttentionOperators();
llvm::ArrayRef<OperatorRow> layoutOperators();
llvm::ArrayRef<OperatorRow> lineNormOperators();
llvm::ArrayRef<OperatorRow> logicOperators();
llvm::ArrayRef<OperatorRow> loopOperators();
llvm::ArrayRef<OperatorRow> lossOperators();
llvm::ArrayRef<OperatorRow> matMulOperators();
llvm::ArrayRef<OperatorRow> mixtureOperators();
llvm::ArrayRef<OperatorRow> multiHeadAttentionOperators();
llvm::ArrayRef<OperatorRow> nBitsOperators();
llvm::ArrayRef<OperatorRow> optionalOperators();
llvm::ArrayRef<OperatorRow> paddingOperators();
llvm::ArrayRef<OperatorRow> poolingOperators();
llvm::ArrayRef<OperatorRow> quantizationOperators();
llvm::ArrayRef<OperatorRow> quantizedConvOperators();
llvm::ArrayRef<OperatorRow> quantizedElementOperators();
llvm::ArrayRef<OperatorRow> quantizedGatherOperators();
llvm::ArrayRef<OperatorRow> quantizedMatMulOperators();
llvm::ArrayRef<OperatorRow> quantizedPoolingOperators();
llvm::ArrayRef<OperatorRow> randomOperators();
llvm::ArrayRef<OperatorRow> recurrentOperators();
llvm::ArrayRef<OperatorRow> reductionOperators();
llvm::ArrayRef<OperatorRow> regionOperators();
llvm::ArrayRef<OperatorRow> resizeOperators();
llvm::ArrayRef<OperatorRow> rotaryOperators();
llvm::ArrayRef<OperatorRow> scanOperators();
llvm::ArrayRef<OperatorRow> scatteringOperators();
llvm::ArrayRef<OperatorRow> sequenceOperators();
llvm::ArrayRef<OperatorRow> shapeOperators();
llvm::ArrayRef<OperatorRow> signalOperators();
llvm::ArrayRef<OperatorRow> slicingOperators();
llvm::ArrayRef<OperatorRow> softmaxOperators();
llvm::ArrayRef<OperatorRow> sortingOperators();
llvm::ArrayRef<OperatorRow> stateOperators();
llvm::ArrayRef<OperatorRow> suppressionOperators();
llvm::ArrayRef<OperatorRow> unaryOperators();
llvm::ArrayRef<OperatorRow> uniqueOperators();

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_OPERATORS_H
