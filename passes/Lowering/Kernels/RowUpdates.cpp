//===- RowUpdates.cpp - Kernels that change rows in place -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/RowEmitters.h"

using namespace mlir;

namespace llmopt {

/// Replaces columns column..+15 of a row of `columns` floats by
/// update(column, floats), for all columns.
static void updateColumns(KernelBuilder &k, Value row, Value columns,
                          function_ref<Value(Value, Value)> update) {
  k.loop(columns, kLanes, [&](Value column) {
    k.storeFloats(update(column, loadColumns(k, row, column, columns)),
                  k.at(row, k.mul(column, 4)), k.sub(columns, column));
  });
}

static Value activate(KernelBuilder &k, RowKernel kernel, Value x) {
  switch (kernel) {
  case RowKernel::BiasRelu:
    return k.max(x, k.splat(0.0f));
  case RowKernel::BiasGelu:
    return k.gelu(x);
  case RowKernel::BiasGeluTanh:
    return k.geluTanh(x);
  default:
    return x;
  }
}

void emitBias(KernelBuilder &k, RowKernel kernel, ValueRange args) {
  Value y = args[0], yStride = args[1], bias = args[2], rows = args[3],
        columns = args[4];
  forEachRow(k, rows, args[5], args[6], [&](Value row) {
    updateColumns(
        k, rowAt(k, y, row, yStride), columns, [&](Value column, Value x) {
          return activate(k, kernel,
                          k.add(x, loadColumns(k, bias, column, columns)));
        });
  });
}

void emitHeadNorm(KernelBuilder &k, ValueRange args) {
  Value y = args[0], yStride = args[1], gamma = args[2], rows = args[3],
        heads = args[4], length = args[5], epsilon = args[6];
  forEachRow(k, rows, args[7], args[8], [&](Value row) {
    Value first = rowAt(k, y, row, yStride);
    k.loop(heads, 1, [&](Value index) {
      Value head = rowAt(k, first, index, length);
      Value inverse = inverseRms(k, head, length, epsilon);
      updateColumns(k, head, length, [&](Value column, Value x) {
        return k.mul(k.mul(x, inverse), loadColumns(k, gamma, column, length));
      });
    });
  });
}

void emitScale(KernelBuilder &k, RowKernel kernel, ValueRange args) {
  Value y = args[0], yStride = args[1], rows = args[3], columns = args[4];
  forEachRow(k, rows, args[5], args[6], [&](Value row) {
    Value factor = k.broadcast(args[2]);
    updateColumns(k, rowAt(k, y, row, yStride), columns, [&](Value, Value x) {
      return kernel == RowKernel::Scale
                 ? k.mul(x, factor)
                 : k.mul(k.tanh(k.div(x, factor)), factor);
    });
  });
}

void emitAdd(KernelBuilder &k, ValueRange args) {
  Value x = args[0], xStride = args[1], y = args[2], yStride = args[3],
        rows = args[4], columns = args[5];
  forEachRow(k, rows, args[6], args[7], [&](Value row) {
    Value from = rowAt(k, x, row, xStride);
    updateColumns(k, rowAt(k, y, row, yStride), columns,
                  [&](Value column, Value value) {
                    return k.add(value, loadColumns(k, from, column, columns));
                  });
  });
}

void emitAddPositions(KernelBuilder &k, ValueRange args) {
  Value positions = args[0], table = args[1], offset = args[2], y = args[3],
        yStride = args[4], rows = args[5], columns = args[6];
  forEachRow(k, rows, args[7], args[8], [&](Value row) {
    Value position = k.signExtend(
        k.load(k.i32Type(), k.at(positions, k.mul(row, 4))), k.i64Type());
    Value from = rowAt(k, table, k.add(position, offset), columns);
    updateColumns(k, rowAt(k, y, row, yStride), columns,
                  [&](Value column, Value value) {
                    return k.add(value, loadColumns(k, from, column, columns));
                  });
  });
}

} // namespace llmopt
