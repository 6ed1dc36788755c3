//===- QuantizedGather.cpp - Rows of a quantized table ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// A table of codes: element q stands for (q - zero) * scale, with a scale and
/// a zero for every block of elements along a dimension.
struct QuantizedTable {
  Tensor codes, scales;
  std::optional<Tensor> zeros;
  int64_t axis;    ///< of the blocks
  int64_t block;   ///< elements of a block
  int64_t perByte; ///< codes in an element of `codes`, first in the low bits

  Value code(GraphBuilder &g, const Tensor &tensor, Values at) const;
  Value element(GraphBuilder &g, const Values &at) const;
};
} // namespace

/// A code as f32.
Value QuantizedTable::code(GraphBuilder &g, const Tensor &tensor,
                           Values at) const {
  Type f32 = g.b.getF32Type();
  if (perByte == 1)
    return castElement(g, g.element(tensor, at), tensor.type, ElementType(f32));
  Value place = g.rem(at.back(), perByte);
  at.back() = g.div(at.back(), perByte);
  Value byte = asNumber(g, tensor.type, g.element(tensor, at));
  Value shift = g.mul(place, 8 / perByte);
  byte = arith::ShRUIOp::create(g.b, g.loc, byte, shift);
  byte = arith::AndIOp::create(g.b, g.loc, byte,
                               g.number((1 << (8 / perByte)) - 1));
  return castElement(g, byte, g.b.getI64Type(), f32);
}

Value QuantizedTable::element(GraphBuilder &g, const Values &at) const {
  Values ofBlock = at;
  ofBlock[axis] = g.div(at[axis], block);
  Value scale = g.element(scales, ofBlock);
  Value zero;
  if (zeros)
    zero = code(g, *zeros, ofBlock);
  else
    // Unsigned bytes count from the middle of their range.
    zero = g.constant(g.b.getF32Type(), codes.type.bits() < 8 ? 0
                                        : perByte == 1        ? 128
                                                              : 8);
  Value distance = arith::SubFOp::create(g.b, g.loc, code(g, codes, at), zero);
  return mulValues(g, distance, scale);
}

/// The table with its logical dimensions.
static FailureOr<QuantizedTable> quantizedTable(Node &node, Values &dims) {
  GraphBuilder &g = node.g;
  QuantizedTable table;
  for (size_t i = 0; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).isExpression())
      node.buffer(i);
  table.codes = node.input(0);
  table.scales = node.input(2);
  if (node.hasInput(3))
    table.zeros = node.input(3);
  int64_t bits = node.attribute("bits", int64_t(4));
  ElementType type = table.codes.type;
  bool isByte = type.get().isUnsignedInteger(8);
  if (!isByte && type.bits() != 4)
    return node.refuse("data must be uint8, int4 or uint4");
  if (bits != 4 && !(bits == 8 && isByte))
    return node.refuse("bits is " + Twine(bits) + ", expected 4" +
                       (isByte ? " or 8" : ""));
  table.perByte = isByte ? 8 / bits : 1;
  table.block = node.attribute("block_size", int64_t(128));
  if (table.block < 1)
    return node.refuse("block_size is " + Twine(table.block) +
                       ", expected 1 or more");
  dims = table.codes.dims;
  FailureOr<int64_t> axis =
      node.axis(node.attribute("quantize_axis", int64_t(1)), dims.size());
  if (failed(axis))
    return failure();
  table.axis = *axis;
  dims.back() = g.mul(dims.back(), table.perByte);
  if (table.scales.rank() != int64_t(dims.size()) ||
      (table.zeros && table.zeros->rank() != int64_t(dims.size())))
    return node.refuse("data, scales and zero_points differ in their number "
                       "of dimensions");
  for (auto [number, dim] : llvm::enumerate(dims)) {
    Value blocks = int64_t(number) == table.axis
                       ? g.divideCeil(dim, g.number(table.block))
                       : dim;
    g.require(g.equal(table.scales.dims[number], blocks),
              node.describe() + ": there is not one scale per block");
    if (!table.zeros)
      continue;
    bool isPacked = number + 1 == dims.size() && table.perByte > 1;
    if (isPacked)
      blocks = g.divideCeil(blocks, g.number(table.perByte));
    g.require(g.equal(table.zeros->dims[number], blocks),
              node.describe() + ": there is not one zero point per block");
  }
  return table;
}

static LogicalResult emitGatherBlockQuantized(Node &node) {
  GraphBuilder &g = node.g;
  Values sizes;
  FailureOr<QuantizedTable> checkedTable = quantizedTable(node, sizes);
  if (failed(checkedTable))
    return failure();
  QuantizedTable table = *checkedTable;
  FailureOr<int64_t> checked =
      node.axis(node.attribute("gather_axis", int64_t(0)), sizes.size());
  if (failed(checked) || failed(node.requireFloat(2)))
    return failure();
  int64_t axis = *checked;
  if (axis == table.axis)
    return node.refuse("gather_axis and quantize_axis must differ");
  if (table.perByte > 1 && axis + 1 == int64_t(sizes.size()))
    return node.refuse("gather_axis must not be the dimension that is packed");
  Tensor indices = node.input(1);
  if (!indices.type.isInteger())
    return node.refuse("indices must be integers");
  Values dims(ArrayRef(sizes).take_front(axis));
  dims.append(indices.dims);
  dims.append(sizes.begin() + axis + 1, sizes.end());
  g.require(g.logicalOr(g.less(g.number(0), sizes[axis]),
                        g.equal(g.count(indices), 0)),
            node.describe() + ": there is nothing to gather from");
  int64_t places = indices.rank();
  auto element = [=](GraphBuilder &g, ArrayRef<Value> at) {
    Value index =
        asNumber(g, indices.type, g.element(indices, at.slice(axis, places)));
    Value size = sizes[axis];
    index = g.select(g.less(index, 0), g.add(index, size), index);
    Value isValid =
        g.logicalAnd(g.logicalNot(g.less(index, 0)), g.less(index, size));
    Values own(at.take_front(axis));
    own.push_back(g.select(isValid, index, g.number(0)));
    own.append(at.begin() + axis + places, at.end());
    Value value = table.element(g, own);
    // Unlike Gather's, what an index out of range selects is 0.
    return g.select(isValid, value, g.constant(value.getType(), 0));
  };
  node.setResult(
      0, computed(g, table.scales.type, dims, {}, /*fold=*/false, element));
  return success();
}

static const OperatorRow rows[] = {
    {"GatherBlockQuantized", emitGatherBlockQuantized, 3, 4, 1, 1, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> quantizedGatherOperators() { return rows; }

} // namespace llmopt::graph
