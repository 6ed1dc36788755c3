//===- RowKernels.cpp - Norms, quantization, embedding, gathering ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/KernelFunction.h"
#include "passes/Lowering/Kernels/RowEmitters.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmopt {

void quantizeGroup(KernelBuilder &k, Value first, Value last, Value record,
                   Value scaleAt, Value biasAt, RowLoader load) {
  Value largest =
      k.loop(first, last, k.size(kLanes), k.splat(0.0f),
             [&](Value column, ValueRange in) {
               return Values{k.max(k.absolute(load(column)), in[0])};
             })[0];
  Value maximum = k.reduceMax(largest);
  // Below this the inverse would overflow; such a group counts as zero.
  Value isZero = k.less(maximum, k.constantF32(0x1p-100f));
  Value zero = k.constantF32(0.0f), limit = k.constantF32(127.0f);
  Value inverse = k.broadcast(k.select(isZero, zero, k.div(limit, maximum)));
  k.store(k.select(isZero, zero, k.div(maximum, limit)), scaleAt);

  auto narrow = VectorType::get(kLanes, k.i8Type());
  Value sums = k.loop(first, last, k.size(kLanes), k.constant(k.ints(), 0),
                      [&](Value column, ValueRange in) {
                        Value q = k.roundToInt(k.mul(load(column), inverse));
                        k.store(k.truncate(q, narrow), k.at(record, column));
                        return Values{k.add(in[0], q)};
                      })[0];
  k.store(k.mul(k.reduceAdd(sums), -128), biasAt);
}

void forEachRow(KernelBuilder &k, Value rows, Value thread, Value threads,
                function_ref<void(Value)> body) {
  auto [first, last] = k.partition(rows, thread, threads);
  k.loop(first, last, k.size(1), body);
}

Value rowAt(KernelBuilder &k, Value base, Value row, Value strideFloats) {
  return k.at(base, k.mul(k.mul(row, strideFloats), 4));
}

Value loadColumns(KernelBuilder &k, Value row, Value column, Value columns) {
  // The padding of a record may lie wholly past the end.
  Value count = k.sub(columns, k.min(column, columns));
  return k.loadFloats(k.at(row, k.mul(column, 4)), count);
}

Value inverseRms(KernelBuilder &k, Value row, Value columns, Value epsilon) {
  Value sums =
      k.loop(columns, kLanes, k.splat(0.0f), [&](Value column, ValueRange in) {
        Value x = loadColumns(k, row, column, columns);
        return Values{k.fma(x, x, in[0])};
      })[0];
  Value mean = k.div(k.reduceAdd(sums), k.toFloat(columns));
  Value root = k.squareRoot(k.add(mean, epsilon));
  return k.broadcast(k.div(k.constantF32(1.0f), root));
}

namespace {

/// Mean and 1 / sqrt(variance + epsilon) of a row, in every lane.
struct Moments {
  Value mean, inverseDeviation;
};

Moments momentsOf(KernelBuilder &k, Value row, Value columns, Value epsilon) {
  Value sums =
      k.loop(columns, kLanes, k.splat(0.0f), [&](Value column, ValueRange in) {
        return Values{k.add(in[0], loadColumns(k, row, column, columns))};
      })[0];
  Value count = k.toFloat(columns);
  Value mean = k.div(k.reduceAdd(sums), count), means = k.broadcast(mean);
  Value squares =
      k.loop(columns, kLanes, k.splat(0.0f), [&](Value column, ValueRange in) {
        Value x = k.sub(loadColumns(k, row, column, columns), means);
        return Values{k.fma(x, x, in[0])};
      })[0];
  // Lanes past the end hold -mean.
  Value past = k.toFloat(k.sub(k.roundUp(columns, kLanes), columns));
  Value sum = k.sub(k.reduceAdd(squares), k.mul(past, k.mul(mean, mean)));
  Value root = k.squareRoot(k.add(k.div(sum, count), epsilon));
  return {means, k.broadcast(k.div(k.constantF32(1.0f), root))};
}

void quantizeRow(KernelBuilder &k, Value columns, int64_t group, Value record,
                 RowLoader load) {
  Value padded = k.roundUp(columns, kMaskBlockColumns);
  Value groups = k.divideCeil(columns, group);
  Value scales = k.at(record, padded);
  Value biases = k.at(scales, k.mul(groups, 4));
  k.loop(groups, 1, [&](Value index) {
    Value first = k.mul(index, group), slot = k.mul(index, 4);
    Value last = k.min(k.add(first, group), padded);
    quantizeGroup(k, first, last, record, k.at(scales, slot),
                  k.at(biases, slot), load);
  });
}

} // namespace

void emitRmsNorm(KernelBuilder &k, ValueRange args) {
  Value x = args[0], xStride = args[1], gamma = args[2], y = args[3],
        yStride = args[4], rows = args[5], columns = args[6];
  forEachRow(k, rows, args[8], args[9], [&](Value row) {
    Value from = rowAt(k, x, row, xStride), to = rowAt(k, y, row, yStride);
    Value inverse = inverseRms(k, from, columns, args[7]);
    k.loop(columns, kLanes, [&](Value column) {
      Value value = k.mul(k.mul(loadColumns(k, from, column, columns), inverse),
                          loadColumns(k, gamma, column, columns));
      k.store(value, k.at(to, k.mul(column, 4)));
    });
  });
}

void emitRmsNormQuantize(KernelBuilder &k, int64_t group, ValueRange args) {
  Value x = args[0], xStride = args[1], gamma = args[2], records = args[3],
        recordBytes = args[4], rows = args[5], columns = args[6];
  forEachRow(k, rows, args[8], args[9], [&](Value row) {
    Value from = rowAt(k, x, row, xStride);
    Value inverse = inverseRms(k, from, columns, args[7]);
    quantizeRow(k, columns, group, k.at(records, k.mul(row, recordBytes)),
                [&](Value column) {
                  Value value = loadColumns(k, from, column, columns);
                  return k.mul(k.mul(value, inverse),
                               loadColumns(k, gamma, column, columns));
                });
  });
}

/// Arguments of layer_norm.
static Value normalizedColumns(KernelBuilder &k, const Moments &moments,
                               Value row, Value column, ValueRange args) {
  Value columns = args[7];
  Value value = k.sub(loadColumns(k, row, column, columns), moments.mean);
  return k.fma(k.mul(value, moments.inverseDeviation),
               loadColumns(k, args[2], column, columns),
               loadColumns(k, args[3], column, columns));
}

void emitLayerNorm(KernelBuilder &k, ValueRange args) {
  forEachRow(k, args[6], args[9], args[10], [&](Value row) {
    Value from = rowAt(k, args[0], row, args[1]);
    Value to = rowAt(k, args[4], row, args[5]);
    Moments moments = momentsOf(k, from, args[7], args[8]);
    k.loop(args[7], kLanes, [&](Value column) {
      k.store(normalizedColumns(k, moments, from, column, args),
              k.at(to, k.mul(column, 4)));
    });
  });
}

void emitLayerNormQuantize(KernelBuilder &k, int64_t group, ValueRange args) {
  forEachRow(k, args[6], args[9], args[10], [&](Value row) {
    Value from = rowAt(k, args[0], row, args[1]);
    Moments moments = momentsOf(k, from, args[7], args[8]);
    quantizeRow(k, args[7], group, k.at(args[4], k.mul(row, args[5])),
                [&](Value column) {
                  return normalizedColumns(k, moments, from, column, args);
                });
  });
}

void emitQuantize(KernelBuilder &k, int64_t group, ValueRange args) {
  Value x = args[0], xStride = args[1], records = args[2],
        recordBytes = args[3], rows = args[4], columns = args[5];
  forEachRow(k, rows, args[6], args[7], [&](Value row) {
    Value from = rowAt(k, x, row, xStride);
    quantizeRow(
        k, columns, group, k.at(records, k.mul(row, recordBytes)),
        [&](Value column) { return loadColumns(k, from, column, columns); });
  });
}

void emitGatherRows(KernelBuilder &k, ValueRange args) {
  Value x = args[0], xStride = args[1], index = args[2], y = args[3],
        yStride = args[4], rows = args[5], columns = args[6];
  forEachRow(k, rows, args[7], args[8], [&](Value row) {
    Value source = k.zeroExtend(k.load(k.i32Type(), k.at(index, k.mul(row, 4))),
                                k.i64Type());
    Value from = rowAt(k, x, source, xStride), to = rowAt(k, y, row, yStride);
    k.loop(columns, kLanes, [&](Value column) {
      k.store(loadColumns(k, from, column, columns),
              k.at(to, k.mul(column, 4)));
    });
  });
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

/// Row `lane` of an f32 panel.
static void embedF32(KernelBuilder &k, Value panel, Value lane, Value columns,
                     Value y) {
  Value source = k.at(panel, k.mul(lane, 4));
  k.loop(columns, 1, [&](Value column) {
    Value value =
        k.load(k.f32Type(), k.at(source, k.mul(column, kVectorBytes)));
    k.store(value, k.at(y, k.mul(column, 4)));
  });
}

/// Row `lane` of a bf16 panel.
static void embedBF16(KernelBuilder &k, Value panel, Value lane, Value columns,
                      Value y) {
  Value source = k.at(panel, k.mul(lane, 4));
  k.loop(columns, 1, [&](Value column) {
    Value pair = k.load(k.i32Type(),
                        k.at(source, k.mul(k.div(column, 2), kVectorBytes)));
    Value isOdd = k.equal(k.rem(column, 2), 1);
    Value even = k.shiftLeft(pair, k.constant(k.i32Type(), 16));
    Value bits = k.select(isOdd, k.bitAnd(pair, 0xffff0000), even);
    k.store(bits, k.at(y, k.mul(column, 4)));
  });
}

/// Row `lane` of an int8 panel, four columns at a time.
static void embedInt8(KernelBuilder &k, Value panel, Value lane, Value columns,
                      Value y) {
  auto bytes = VectorType::get(4, k.i8Type());
  auto ints = VectorType::get(4, k.i32Type());
  Value scale = k.load(k.f32Type(), k.at(panel, k.mul(lane, 4)));
  Value source = k.at(k.at(panel, kVectorBytes), k.mul(lane, 4));
  k.loop(columns, 4, [&](Value column) {
    Value codes = k.load(bytes, k.at(source, k.mul(column, kPanelRows)));
    Value values = k.toFloat(k.sub(k.zeroExtend(codes, ints), 128));
    Value to = k.at(y, k.mul(column, 4));
    for (int64_t j = 0; j < 4; ++j)
      k.ifThen(k.less(k.add(column, j), columns),
               [&] { k.store(k.mul(k.extract(values, j), scale), to, 4 * j); });
  });
}

/// Row `lane` of a bitmask panel: the stream is walked by counting mask bits.
static void embedBitmask(KernelBuilder &k, Value panel, Value lane,
                         Value columns, Value y) {
  constexpr int64_t steps = kMaskBlockColumns / 4;
  Value scale = k.load(k.f32Type(), k.at(panel, k.mul(lane, 4)));
  Value firstBit = k.mul(lane, 4);
  Value below = k.sub(k.shiftLeft(k.size(1), firstBit), 1);
  Value blocks = k.divideCeil(columns, kMaskBlockColumns);
  k.loop(blocks, 1, k.at(panel, kVectorBytes), [&](Value block, ValueRange in) {
    Value masks = in[0];
    Value values = k.at(in[0], steps * 8);
    return k.loop(k.size(steps), 1, values, [&](Value step, ValueRange rest) {
      Value mask = k.load(k.i64Type(), k.at(masks, k.mul(step, 8)));
      Value column = k.add(k.mul(block, kMaskBlockColumns), k.mul(step, 4));
      Value next = k.at(rest[0], k.popcount(k.bitAnd(mask, below)));
      Value bits = k.shiftRight(mask, firstBit);
      for (int64_t j = 0; j < 4; ++j) {
        Value set = k.bitAnd(k.shiftRight(bits, k.size(j)), 1);
        Value code =
            k.sub(k.zeroExtend(k.load(k.i8Type(), next), k.i32Type()), 128);
        Value value = k.select(k.equal(set, 1), k.mul(k.toFloat(code), scale),
                               k.constantF32(0.0f));
        Value to = k.add(column, j);
        k.ifThen(k.less(to, columns),
                 [&] { k.store(value, k.at(y, k.mul(to, 4))); });
        next = k.at(next, set);
      }
      return Values{k.at(rest[0], k.popcount(mask))};
    });
  });
}

void emitEmbedding(KernelBuilder &k, const PackedFormat &format,
                   ValueRange args) {
  Value tokens = args[0], w = args[1], y = args[2], yStride = args[3],
        rows = args[4], columns = args[5];
  forEachRow(k, rows, args[6], args[7], [&](Value row) {
    Value token = k.load(k.i64Type(), k.at(tokens, k.mul(row, 8)));
    Value panel = k.div(token, kPanelRows), lane = k.rem(token, kPanelRows);
    Value to = rowAt(k, y, row, yStride);
    Value padded = k.roundUp(columns, kMaskBlockColumns);
    switch (format.layout) {
    case PackedLayout::F32:
      return embedF32(k, k.at(w, k.mul(panel, k.mul(columns, kVectorBytes))),
                      lane, columns, to);
    case PackedLayout::BF16:
      return embedBF16(k, panelAddress(k, format.layout, w, panel, columns),
                       lane, columns, to);
    case PackedLayout::Int8:
      return embedInt8(
          k,
          k.at(w, k.mul(panel, k.add(k.mul(padded, kPanelRows), kVectorBytes))),
          lane, columns, to);
    case PackedLayout::Int8Bitmask:
      return embedBitmask(k, panelAddress(k, format.layout, w, panel, columns),
                          lane, columns, to);
    case PackedLayout::Int8TwoOfFour:
    case PackedLayout::Int8Gather:
      llvm_unreachable("refused by the verifier of kernel.embedding");
    case PackedLayout::Int8Groups:
    case PackedLayout::Int4Groups: {
      GroupReader reader(k, format, w, columns);
      return embedGroups(k, reader, reader.panel(panel), lane, columns, to);
    }
    }
  });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

StringRef stringify(RowKernel kernel) {
  switch (kernel) {
  case RowKernel::RmsNorm:
    return "rms_norm";
  case RowKernel::RmsNormQuantize:
    return "rms_norm_quantize";
  case RowKernel::LayerNorm:
    return "layer_norm";
  case RowKernel::LayerNormQuantize:
    return "layer_norm_quantize";
  case RowKernel::Bias:
    return "bias";
  case RowKernel::BiasRelu:
    return "bias_relu";
  case RowKernel::BiasGelu:
    return "bias_gelu";
  case RowKernel::BiasGeluTanh:
    return "bias_gelu_tanh";
  case RowKernel::HeadNorm:
    return "head_norm";
  case RowKernel::Scale:
    return "scale";
  case RowKernel::Softcap:
    return "softcap";
  case RowKernel::Add:
    return "add";
  case RowKernel::AddPositions:
    return "add_positions";
  case RowKernel::Quantize:
    return "quantize";
  case RowKernel::Embedding:
    return "embedding";
  case RowKernel::GatherRows:
    return "gather_rows";
  }
  llvm_unreachable("unknown row kernel");
}

static StringRef signature(RowKernel kernel) {
  switch (kernel) {
  case RowKernel::RmsNorm:
  case RowKernel::RmsNormQuantize:
    return "pippiiifii";
  case RowKernel::LayerNorm:
  case RowKernel::LayerNormQuantize:
    return "pipppiiifii";
  case RowKernel::Bias:
  case RowKernel::BiasRelu:
  case RowKernel::BiasGelu:
  case RowKernel::BiasGeluTanh:
    return "pipiiii";
  case RowKernel::HeadNorm:
    return "pipiiifii";
  case RowKernel::Scale:
  case RowKernel::Softcap:
    return "pifiiii";
  case RowKernel::Add:
    return "pipiiiii";
  case RowKernel::AddPositions:
    return "ppipiiiii";
  case RowKernel::Quantize:
    return "pipiiiii";
  case RowKernel::Embedding:
    return "pppiiiii";
  case RowKernel::GatherRows:
    return "pippiiiii";
  }
  llvm_unreachable("unknown row kernel");
}

std::string kernelName(const RowKernelKey &key) {
  std::string name = stringify(key.kernel).str();
  if (key.group != 0)
    name += llvm::formatv("_g{0}", key.group);
  if (key.kernel == RowKernel::Embedding)
    name += "_" + stringify(key.format);
  llvm::replace(name, '-', '_');
  return name + "_" + stringify(key.isa).str();
}

func::FuncOp getOrCreateKernel(ModuleOp module, const RowKernelKey &key) {
  assert(key.group % kMaskBlockColumns == 0 && "groups are whole blocks");
  return getOrCreateFunction(
      module, kernelName(key), signature(key.kernel), key.isa,
      [&](KernelBuilder &k, ValueRange arguments) {
        switch (key.kernel) {
        case RowKernel::RmsNorm:
          return emitRmsNorm(k, arguments);
        case RowKernel::RmsNormQuantize:
          return emitRmsNormQuantize(k, key.group, arguments);
        case RowKernel::LayerNorm:
          return emitLayerNorm(k, arguments);
        case RowKernel::LayerNormQuantize:
          return emitLayerNormQuantize(k, key.group, arguments);
        case RowKernel::Bias:
        case RowKernel::BiasRelu:
        case RowKernel::BiasGelu:
        case RowKernel::BiasGeluTanh:
          return emitBias(k, key.kernel, arguments);
        case RowKernel::HeadNorm:
          return emitHeadNorm(k, arguments);
        case RowKernel::Scale:
        case RowKernel::Softcap:
          return emitScale(k, key.kernel, arguments);
        case RowKernel::Add:
          return emitAdd(k, arguments);
        case RowKernel::AddPositions:
          return emitAddPositions(k, arguments);
        case RowKernel::Quantize:
          return emitQuantize(k, key.group, arguments);
        case RowKernel::Embedding:
          return emitEmbedding(k, key.format, arguments);
        case RowKernel::GatherRows:
          return emitGatherRows(k, arguments);
        }
      });
}

} // namespace llmopt
