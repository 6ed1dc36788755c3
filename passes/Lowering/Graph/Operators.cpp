//===- Operators.cpp - Lookup of operators ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Operators.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace llmopt::graph {

using Table = llvm::StringMap<SmallVector<const OperatorRow *, 1>>;

static Table makeTable() {
  Table table;
  const ArrayRef<OperatorRow> tables[] = {
      activationOperators(),
      argReductionOperators(),
      arithmeticOperators(),
      attentionOperators(),
      bitCastOperators(),
      castOperators(),
      channelNormOperators(),
      controlFlowOperators(),
      convOperators(),
      convTransposeOperators(),
      deformConvOperators(),
      determinantOperators(),
      einsumOperators(),
      foldingOperators(),
      fourierOperators(),
      gatheringOperators(),
      gemmOperators(),
      generationOperators(),
      gridSampleOperators(),
      groupQueryAttentionOperators(),
      layoutOperators(),
      lineNormOperators(),
      logicOperators(),
      loopOperators(),
      lossOperators(),
      matMulOperators(),
      mixtureOperators(),
      multiHeadAttentionOperators(),
      nBitsOperators(),
      optionalOperators(),
      paddingOperators(),
      poolingOperators(),
      quantizationOperators(),
      quantizedConvOperators(),
      quantizedElementOperators(),
      quantizedGatherOperators(),
      quantizedMatMulOperators(),
      quantizedPoolingOperators(),
      randomOperators(),
      recurrentOperators(),
      reductionOperators(),
      regionOperators(),
      resizeOperators(),
      rotaryOperators(),
      scanOperators(),
      scatteringOperators(),
      sequenceOperators(),
      shapeOperators(),
      signalOperators(),
      slicingOperators(),
      softmaxOperators(),
      sortingOperators(),
      stateOperators(),
      suppressionOperators(),
      unaryOperators(),
      uniqueOperators(),
  };
  for (ArrayRef<OperatorRow> rows : tables)
    for (const OperatorRow &row : rows)
      table[row.name].push_back(&row);
  return table;
}

const OperatorRow *findOperator(onnx::NodeOp node) {
  static const Table table = makeTable();
  auto found = table.find(node.getOpType());
  if (found == table.end())
    return nullptr;
  StringRef domain =
      node.getDomain() == onnx::kDefaultDomain ? "" : node.getDomain();
  int64_t version = node.getOpsetVersion().value_or(1);
  for (const OperatorRow *row : found->second)
    if (row->domain == domain && version >= row->firstVersion &&
        version <= row->lastVersion)
      return row;
  return nullptr;
}

} // namespace llmopt::graph
