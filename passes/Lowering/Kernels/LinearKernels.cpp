//===- LinearKernels.cpp - Bodies of the linear kernels ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/KernelFunction.h"
#include "passes/Lowering/Kernels/LinearEmitters.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmopt {

LinearArgs::LinearArgs(ValueRange arguments)
    : x(arguments[0]), xStride(arguments[1]), w(arguments[2]), y(arguments[3]),
      yStride(arguments[4]), rows(arguments[5]), panels(arguments[6]),
      columns(arguments[7]), thread(arguments[8]), threads(arguments[9]),
      scratch(arguments[10]),
      floats(arguments.size() > 11 ? Value(arguments[11]) : Value()) {}

TileShape tileShape(const LinearKernelKey &key) {
  bool pairs = isGated(key.epilogue);
  bool quantized = key.group != 0;
  // A bf16 panel takes registers for its vector and for the floats of it.
  bool isBF16 = key.format.layout == PackedLayout::BF16;
  // 32 registers of a panel's width: 24 sums, or 12 with as many integer
  // accumulators.
  if (key.isa == Isa::Avx512Vnni && isBF16)
    return {5, 4};
  if (key.isa == Isa::Avx512Vnni)
    return quantized ? TileShape{6, 2} : TileShape{6, 4};
  // 16 registers of half a panel's width.
  if (quantized)
    return pairs ? TileShape{2, 2} : TileShape{4, 1};
  if (pairs)
    return {2, 2};
  return isBF16 ? TileShape{5, 1} : TileShape{6, 1};
}

/// Stores the products of rows with one panel at `outputs`, in whose rows
/// `room` floats are left: a row may end within the last panel of a weight.
static void storePanel(KernelBuilder &k, Epilogue epilogue,
                       ArrayRef<Value> products, ArrayRef<Value> outputs,
                       Value room) {
  if (epilogue == Epilogue::Add) {
    for (auto [product, y] : llvm::zip_equal(products, outputs))
      k.store(k.add(k.load(k.floats(), y), product), y);
    return;
  }
  Value partial = k.less(room, kLanes);
  k.ifThen(partial, [&] {
    for (auto [product, y] : llvm::zip_equal(products, outputs))
      k.storeFloats(product, y, room);
  });
  k.ifThen(k.less(k.size(kLanes - 1), room), [&] {
    for (auto [product, y] : llvm::zip_equal(products, outputs))
      k.store(product, y);
  });
}

static Value activate(KernelBuilder &k, Epilogue epilogue, Value gate) {
  switch (epilogue) {
  case Epilogue::GeluMul:
    return k.gelu(gate);
  case Epilogue::GeluTanhMul:
    return k.geluTanh(gate);
  default:
    return k.silu(gate);
  }
}

static void storeGated(KernelBuilder &k, Epilogue epilogue,
                       ArrayRef<Value> gates, ArrayRef<Value> ups,
                       ArrayRef<Value> outputs) {
  for (auto [gate, up, y] : llvm::zip_equal(gates, ups, outputs))
    k.store(k.mul(activate(k, epilogue, gate), up), y);
}

/// The pointers moved on by a number of bytes.
static Values advance(KernelBuilder &k, ArrayRef<Value> pointers, Value bytes) {
  return Values(llvm::map_range(
      pointers, [&](Value pointer) { return k.at(pointer, bytes); }));
}

/// Pointers to `count` rows.
static Values rowPointers(KernelBuilder &k, Value first, Value strideBytes,
                          int64_t count) {
  Values rows{first};
  while (static_cast<int64_t>(rows.size()) < count)
    rows.push_back(k.at(rows.back(), strideBytes));
  return rows;
}

/// Where panel `index` starts in the weight.
static Value storedPanel(KernelBuilder &k, const LinearKernelKey &key,
                         const LinearArgs &args, Value index) {
  if (key.format.hasGroups())
    return GroupReader(k, key.format, args.w, args.columns).panel(index);
  return panelAddress(k, key.format.layout, args.w, index, args.columns);
}

//===----------------------------------------------------------------------===//
// Panels one after the other
//===----------------------------------------------------------------------===//

/// Whether the key's registers can take a sparse panel.
static bool readsSparse(const LinearKernelKey &key) {
  PackedLayout layout = key.format.layout;
  if (key.isa == Isa::Avx2)
    return !isSparse(layout);
  if (layout == PackedLayout::Int8Gather)
    return key.group != 0 && key.group % kWindowColumns == 0;
  return layout != PackedLayout::Int8TwoOfFour || key.group != 0;
}

bool isPanelKernel(const LinearKernelKey &key) {
  if (!readsSparse(key))
    return false;
  bool decode = key.rows == RowRange::Decode;
  if (key.format.layout == PackedLayout::F32 || key.group == 0)
    return decode;
  // One sequential stream suits the memory better than a strip of panels does;
  // AVX2 has registers for one row only.
  if (key.isa == Isa::Avx2)
    return decode;
  // Gathered codes stay sparse for any number of rows.
  return key.rows != RowRange::Prefill ||
         key.format.layout == PackedLayout::Int8Gather;
}

/// Products of `rows` rows with panel `index`.
static Values panelProduct(KernelBuilder &k, const LinearKernelKey &key,
                           const LinearArgs &args, const Values &rows,
                           Value index) {
  PackedLayout layout = key.format.layout;
  QuantizedRows quantized{rows, args.columns, key.group};
  Value panel = storedPanel(k, key, args, index);
  if (key.format.hasGroups()) {
    GroupReader weight(k, key.format, args.w, args.columns);
    if (key.group == 0)
      return {decodedGroupProduct(k, weight, rows[0], panel, args.columns,
                                  args.scratch)};
    return groupedProduct(k, quantized, weight, panel);
  }
  if (layout == PackedLayout::F32)
    return {f32DecodeProduct(k, rows[0], panel, args.columns)};
  if (key.format.layout == PackedLayout::BF16)
    return {bf16DecodeProduct(k, rows[0], panel, args.columns)};
  if (key.group == 0)
    return {
        decodedProduct(k, layout, rows[0], panel, args.columns, args.scratch)};
  if (layout == PackedLayout::Int8Bitmask)
    return bitmaskProduct(k, quantized, panel);
  if (layout == PackedLayout::Int8TwoOfFour)
    return twoOfFourProduct(k, quantized, panel);
  if (layout == PackedLayout::Int8Gather)
    return gatherProduct(k, quantized, panel);
  return denseInt8Product(k, quantized, panel, chainsFor(rows.size()));
}

/// Panels first..last-1 for a fixed number of rows.
static void emitPanelRange(KernelBuilder &k, const LinearKernelKey &key,
                           const LinearArgs &args, int64_t rowCount,
                           Value first, Value last) {
  bool pairs = isGated(key.epilogue);
  Value strideBytes = k.mul(args.yStride, 4);
  Values rows = rowPointers(k, args.x, args.xStride, rowCount);
  Values outputs = rowPointers(k, args.y, strideBytes, rowCount);
  // A gate's product waits in the carried values for that of its up panel.
  Values carried(pairs ? rowCount : 0, k.splat(0.0f));
  k.loop(first, last, k.size(1), carried, [&](Value panel, ValueRange gates) {
    Values results = panelProduct(k, key, args, rows, panel);
    if (!pairs) {
      storePanel(k, key.epilogue, results,
                 advance(k, outputs, k.mul(panel, kVectorBytes)),
                 k.sub(args.yStride, k.mul(panel, kPanelRows)));
      return Values();
    }
    k.ifThen(k.equal(k.rem(panel, 2), 1), [&] {
      Value bytes = k.mul(k.div(panel, 2), kVectorBytes);
      storeGated(k, key.epilogue, Values(gates), results,
                 advance(k, outputs, bytes));
    });
    return results;
  });
}

/// The row at `index` of both sides and all after it.
static LinearArgs fromRow(KernelBuilder &k, LinearArgs args, Value index) {
  args.x = k.at(args.x, k.mul(index, args.xStride));
  args.y = k.at(args.y, k.mul(k.mul(index, args.yStride), 4));
  return args;
}

/// Panels first..last-1 for any number of rows: a panel, or a pair of them,
/// stays in the cache for all rows.
static void emitPanelsByRows(KernelBuilder &k, const LinearKernelKey &key,
                             const LinearArgs &args, Value first, Value last) {
  constexpr int64_t maxRows = 6;
  int64_t unit = key.epilogue == Epilogue::SiluMul ? 2 : 1;
  k.loop(first, last, k.size(unit), [&](Value panel) {
    k.loop(args.rows, maxRows, [&](Value row) {
      LinearArgs rest = fromRow(k, args, row);
      Value rows = k.min(k.sub(args.rows, row), maxRows);
      k.switchOn(rows, 1, maxRows, [&](int64_t count) {
        emitPanelRange(k, key, rest, count, panel, k.add(panel, unit));
      });
    });
  });
}

/// All panels of the thread for a fixed number of rows; 0: any number.
static void emitPanelLoop(KernelBuilder &k, LinearKernelKey key,
                          const LinearArgs &args, int64_t rowCount) {
  auto emitRange = [&](const LinearArgs &part, Value first, Value end) {
    if (rowCount == 0)
      emitPanelsByRows(k, key, part, first, end);
    else
      emitPanelRange(k, key, part, rowCount, first, end);
  };
  if (key.epilogue == Epilogue::SiluMulQuantize) {
    key.epilogue = Epilogue::SiluMul;
    return emitGatedGroups(k, key.outputGroup, args, emitRange);
  }
  int64_t unit = isGated(key.epilogue) ? 2 : 1;
  auto [first, last] =
      k.partition(k.div(args.panels, unit), args.thread, args.threads);
  emitRange(args, k.mul(first, unit), k.mul(last, unit));
}

void emitPanelKernel(KernelBuilder &k, const LinearKernelKey &key,
                     const LinearArgs &args) {
  if (key.rows == RowRange::Decode)
    return emitPanelLoop(k, key, args, 1);
  if (key.rows == RowRange::Prefill)
    return emitPanelLoop(k, key, args, 0);
  constexpr int64_t maxRows = 6;
  k.switchOn(args.rows, 1, maxRows,
             [&](int64_t rows) { emitPanelLoop(k, key, args, rows); });
}

//===----------------------------------------------------------------------===//
// Strips by tiles
//===----------------------------------------------------------------------===//

namespace {

/// Arguments of a tile function, which multiplies a fixed number of rows with
/// the one to `shape.panels` panels of a strip.
struct TileArgs {
  explicit TileArgs(ValueRange arguments)
      : x(arguments[0]), xStride(arguments[1]), w(arguments[2]),
        panelBytes(arguments[3]), y(arguments[4]), yStrideBytes(arguments[5]),
        panels(arguments[6]), columns(arguments[7]), room(arguments[8]),
        prefetches{arguments[9], arguments[10]} {}

  Value x, xStride, w, panelBytes, y, yStrideBytes, panels, columns;
  Value room; ///< floats left in a row of y
  Prefetches prefetches;
};
constexpr StringLiteral kTileSignature = "pipipiiiipp";

/// A strip of panels in a dense layout.
struct Strip {
  Value panels, panelBytes;
};

} // namespace

/// What a tile multiplies: panels of a format, with rows of floats or with
/// records.
struct TileKey {
  PackedFormat format; ///< F32, BF16, Int8 or Int8Groups
  int64_t group;       ///< of the records; 0: floats
  Epilogue epilogue;
  TileShape shape;
  Isa isa;
};

/// Products of the rows with the panels, [row * panels + panel].
static Values tileProduct(KernelBuilder &k, const TileKey &key,
                          const TileArgs &args, const Values &rows,
                          ArrayRef<Value> panels) {
  if (key.format.layout == PackedLayout::BF16)
    return bf16Product(k, rows, panels, args.columns);
  if (key.group == 0)
    return f32Product(k, rows, panels, args.columns);
  QuantizedRows quantized{rows, args.columns, key.group};
  if (!key.format.hasGroups())
    return denseInt8Product(k, quantized, panels, /*chains=*/1,
                            args.prefetches);
  GroupReader weight(k, key.format, args.w, args.columns);
  return groupedProduct(k, quantized, weight, panels, args.prefetches);
}

static void emitTile(KernelBuilder &k, const TileKey &key,
                     const TileArgs &args) {
  TileShape shape = key.shape;
  Values rows = rowPointers(k, args.x, args.xStride, shape.rows);
  Values outputs = rowPointers(k, args.y, args.yStrideBytes, shape.rows);
  // A strip at the end of the weight may be short: it reads its last panel
  // again.
  Values panels;
  Value last = k.sub(args.panels, 1);
  for (int64_t p = 0; p < shape.panels; ++p)
    panels.push_back(k.at(args.w, k.mul(k.min(last, p), args.panelBytes)));

  Values results = tileProduct(k, key, args, rows, panels);
  auto ofPanel = [&](int64_t p) {
    Values products;
    for (int64_t row = 0; row < shape.rows; ++row)
      products.push_back(results[row * shape.panels + p]);
    return products;
  };
  bool pairs = isGated(key.epilogue);
  for (int64_t p = 0; p < shape.panels; p += pairs ? 2 : 1)
    k.ifThen(k.less(k.size(p), args.panels), [&] {
      int64_t place = pairs ? p / 2 : p;
      Values y = advance(k, outputs, k.size(place * kVectorBytes));
      if (pairs)
        storeGated(k, key.epilogue, ofPanel(p), ofPanel(p + 1), y);
      else
        storePanel(k, key.epilogue, ofPanel(p), y,
                   k.sub(args.room, p * kPanelRows));
    });
}

static func::FuncOp getOrCreateTile(ModuleOp module, const TileKey &key) {
  std::string operands = stringify(key.format);
  if (key.group != 0)
    operands =
        llvm::formatv("{0}_g{1}", stringify(key.format), key.group).str();
  llvm::replace(operands, '-', '_');
  std::string name = llvm::formatv("tile_{0}_{1}x{2}_{3}_{4}", operands,
                                   key.shape.rows, key.shape.panels,
                                   stringify(key.epilogue), stringify(key.isa));
  return getOrCreateFunction(module, name, kTileSignature, key.isa,
                             [&](KernelBuilder &k, ValueRange arguments) {
                               emitTile(k, key, TileArgs(arguments));
                             });
}

/// Decodes or expands panels of a layout with groups to scratch.
static Strip prepareGroups(KernelBuilder &k, const LinearKernelKey &key,
                           const LinearArgs &args, Value first, Value count) {
  GroupReader weight(k, key.format, args.w, args.columns);
  if (key.group != 0 && !weight.hasNibbles())
    return {weight.panel(first), weight.panelBytes()};
  Value bytes = k.mul(paddedColumns(k, args.columns), kVectorBytes);
  if (key.group != 0)
    bytes =
        GroupReader(k, expandedFormat(key.format), args.scratch, args.columns)
            .panelBytes();
  k.loop(count, 1, [&](Value p) {
    Value panel = weight.panel(k.add(first, p));
    Value out = k.at(args.scratch, k.mul(p, bytes));
    if (key.group != 0)
      expandGroups(k, weight, panel, args.columns, out);
    else
      decodeGroups(k, weight, panel, args.columns, out);
  });
  return {args.scratch, bytes};
}

/// Makes panels first..first+count-1 available in a dense layout.
static Strip prepareStrip(KernelBuilder &k, const LinearKernelKey &key,
                          const LinearArgs &args, Value first, Value count) {
  PackedLayout layout = key.format.layout;
  Value padded = paddedColumns(k, args.columns);
  Value int8Bytes = k.add(k.mul(padded, kPanelRows), kVectorBytes);
  Value f32Bytes = k.mul(padded, kVectorBytes);
  auto panelAt = [&](Value index) {
    return panelAddress(k, layout, args.w, index, args.columns);
  };

  if (key.format.hasGroups())
    return prepareGroups(k, key, args, first, count);
  if (layout == PackedLayout::F32)
    return {panelAt(first), k.mul(args.columns, kVectorBytes)};
  if (layout == PackedLayout::BF16)
    return {panelAt(first), bf16PanelBytes(k, args.columns)};
  if (key.group != 0) {
    if (!isSparse(layout))
      return {panelAt(first), int8Bytes};
    k.loop(count, 1, [&](Value p) {
      expandPanel(k, layout, panelAt(k.add(first, p)), args.columns,
                  k.at(args.scratch, k.mul(p, int8Bytes)));
    });
    return {args.scratch, int8Bytes};
  }

  // Float activations: decoded panels, and behind them room for an expanded
  // one.
  int64_t stripPanels = tileShape(key).panels;
  Value expanded = k.at(args.scratch, k.mul(f32Bytes, stripPanels));
  k.loop(count, 1, [&](Value p) {
    Value panel = panelAt(k.add(first, p));
    if (isSparse(layout)) {
      expandPanel(k, layout, panel, args.columns, expanded);
      panel = expanded;
    }
    decodePanel(k, panel, args.columns, k.at(args.scratch, k.mul(p, f32Bytes)));
  });
  return {args.scratch, f32Bytes};
}

/// The format in which tiles read a strip.
static PackedFormat stripFormat(const LinearKernelKey &key) {
  if (key.format.layout == PackedLayout::BF16)
    return PackedLayout::BF16;
  if (key.group == 0)
    return PackedLayout::F32;
  if (!key.format.hasGroups())
    return PackedLayout::Int8;
  return key.format.layout == PackedLayout::Int4Groups
             ? expandedFormat(key.format)
             : key.format;
}

/// Strips first..last-1 of all rows.
static void emitStripRange(KernelBuilder &k, ModuleOp module,
                           const LinearKernelKey &key, const LinearArgs &args,
                           Value firstStrip, Value lastStrip) {
  TileShape shape = tileShape(key);
  int64_t outputPanelBytes =
      isGated(key.epilogue) ? kVectorBytes / 2 : kVectorBytes;
  PackedFormat format = stripFormat(key);
  SmallVector<func::FuncOp> tiles;
  for (int64_t rows = 1; rows <= shape.rows; ++rows)
    tiles.push_back(getOrCreateTile(
        module,
        {format, key.group, key.epilogue, {rows, shape.panels}, key.isa}));

  Value yStrideBytes = k.mul(args.yStride, 4);
  Value padded = paddedColumns(k, args.columns);
  k.loop(firstStrip, lastStrip, k.size(1), [&](Value index) {
    Value first = k.mul(index, shape.panels);
    Value count = k.min(k.sub(args.panels, first), shape.panels);
    Strip strip = prepareStrip(k, key, args, first, count);
    Value y = k.at(args.y, k.mul(first, outputPanelBytes));
    Value room = k.sub(args.yStride, k.mul(first, kPanelRows));
    Value nextStrip = storedPanel(k, key, args, k.add(first, count));
    k.loop(args.rows, shape.rows, [&](Value row) {
      Value rows = k.min(k.sub(args.rows, row), shape.rows);
      Value nextRow = k.add(row, rows);
      nextRow = k.select(k.less(nextRow, args.rows), nextRow, k.size(0));
      Value done = k.mul(k.div(row, shape.rows), k.mul(padded, kPrefetchBytes));
      k.switchOn(rows, 1, shape.rows, [&](int64_t tileRows) {
        k.call(tiles[tileRows - 1],
               {k.at(args.x, k.mul(row, args.xStride)), args.xStride,
                strip.panels, strip.panelBytes,
                k.at(y, k.mul(row, yStrideBytes)), yStrideBytes, count,
                args.columns, room, k.at(nextStrip, done),
                k.at(args.x, k.mul(nextRow, args.xStride))});
      });
    });
  });
}

void emitStripKernel(KernelBuilder &k, ModuleOp module,
                     const LinearKernelKey &key, const LinearArgs &args) {
  int64_t panels = tileShape(key).panels;
  if (key.epilogue == Epilogue::SiluMulQuantize) {
    LinearKernelKey part = key;
    part.epilogue = Epilogue::SiluMul;
    return emitGatedGroups(
        k, key.outputGroup, args,
        [&](const LinearArgs &partArgs, Value first, Value end) {
          emitStripRange(k, module, part, partArgs, k.div(first, panels),
                         k.divideCeil(end, panels));
        });
  }
  auto [first, last] =
      k.partition(k.divideCeil(args.panels, panels), args.thread, args.threads);
  emitStripRange(k, module, key, args, first, last);
}

} // namespace llmopt
