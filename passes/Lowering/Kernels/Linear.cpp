//===- Linear.cpp - Linear kernels by key -----------------------*- C++ -*-===//
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

static StringRef signatureOf(const LinearKernelKey &key) {
  return key.epilogue == Epilogue::SiluMulQuantize ? "pippiiiiiipp"
                                                   : "pippiiiiiip";
}

StringRef stringify(RowRange rows) {
  switch (rows) {
  case RowRange::Decode:
    return "decode";
  case RowRange::Small:
    return "small";
  case RowRange::Prefill:
    return "prefill";
  }
  llvm_unreachable("unknown row range");
}

StringRef stringify(Epilogue epilogue) {
  switch (epilogue) {
  case Epilogue::Store:
    return "store";
  case Epilogue::Add:
    return "add";
  case Epilogue::SiluMul:
    return "silu_mul";
  case Epilogue::SiluMulQuantize:
    return "silu_mul_quantize";
  case Epilogue::GeluMul:
    return "gelu_mul";
  case Epilogue::GeluTanhMul:
    return "gelu_tanh_mul";
  }
  llvm_unreachable("unknown epilogue");
}

/// Ranges that share the strip kernel are one kernel.
static LinearKernelKey canonical(LinearKernelKey key) {
  if (!isPanelKernel(key))
    key.rows = RowRange::Prefill;
  return key;
}

static bool isFloat(PackedLayout layout) {
  return layout == PackedLayout::F32 || layout == PackedLayout::BF16;
}

static std::string nameOf(const LinearKernelKey &key, StringRef rows) {
  std::string activations =
      key.group == 0 ? "f32" : llvm::formatv("g{0}", key.group).str();
  std::string layout = stringify(key.format);
  llvm::replace(layout, '-', '_');
  std::string epilogue = stringify(key.epilogue).str();
  if (key.outputGroup)
    epilogue += llvm::formatv("_g{0}", key.outputGroup);
  return llvm::formatv("linear_{0}_{1}_{2}_{3}_{4}", layout, activations, rows,
                       epilogue, stringify(key.isa));
}

std::string kernelName(const LinearKernelKey &key) {
  return nameOf(key, stringify(canonical(key).rows));
}

func::FuncOp getOrCreateKernel(ModuleOp module, const LinearKernelKey &key) {
  assert(key.group % kMaskBlockColumns == 0 && "groups are whole blocks");
  assert((!isFloat(key.format.layout) || key.group == 0) &&
         "float weights take float rows");
  assert((key.group == 0 || key.format.group % key.group == 0) &&
         "groups of activations divide those of the weight");
  assert((key.epilogue == Epilogue::SiluMulQuantize) ==
             (key.outputGroup != 0) &&
         "records have groups");
  return getOrCreateFunction(module, kernelName(key), signatureOf(key), key.isa,
                             [&](KernelBuilder &k, ValueRange arguments) {
                               LinearArgs args(arguments);
                               if (isPanelKernel(key))
                                 emitPanelKernel(k, key, args);
                               else
                                 emitStripKernel(k, module, key, args);
                             });
}

func::FuncOp getOrCreateLinear(ModuleOp module, LinearKernelKey key) {
  constexpr RowRange ranges[] = {RowRange::Decode, RowRange::Small,
                                 RowRange::Prefill};
  SmallVector<func::FuncOp, 3> kernels;
  for (RowRange rows : ranges) {
    key.rows = rows;
    kernels.push_back(getOrCreateKernel(module, key));
  }
  if (llvm::all_equal(kernels))
    return kernels[0];
  return getOrCreateFunction(
      module, nameOf(key, "any"), signatureOf(key), key.isa,
      [&](KernelBuilder &k, ValueRange arguments) {
        LinearArgs args(arguments);
        Value one = k.less(args.rows, 2), small = k.less(args.rows, 7);
        k.ifThen(one, [&] { k.call(kernels[0], arguments); });
        k.ifThen(k.bitXor(one, small), [&] { k.call(kernels[1], arguments); });
        k.ifThen(k.less(k.size(6), args.rows),
                 [&] { k.call(kernels[2], arguments); });
      });
}

int64_t gatedFloats(int64_t columns, int64_t group) {
  // Those of a group, and a scale and a bias.
  int64_t floats = llvm::divideCeil(columns, group) * (group + 2);
  return llvm::alignTo(floats, kPanelRows);
}

int64_t scratchBytes(const LinearKernelKey &key, int64_t columns) {
  if (isFloat(key.format.layout))
    return 0;
  if (isPanelKernel(key))
    return key.group == 0 ? kMaskBlockColumns * 4 : 0;
  int64_t padded = paddedColumns(PackedLayout::Int8, columns);
  if (key.format.layout == PackedLayout::Int4Groups && key.group != 0)
    return tileShape(key).panels *
           panelBytes(expandedFormat(key.format), columns);
  int64_t expanded = panelBytes(PackedLayout::Int8, columns);
  bool sparse = isSparse(key.format.layout);
  int64_t panels = tileShape(key).panels;
  if (key.group != 0)
    return sparse ? panels * expanded : 0;
  return panels * padded * kVectorBytes + (sparse ? expanded : 0);
}

int64_t linearScratchBytes(LinearKernelKey key, int64_t columns) {
  int64_t bytes = 0;
  for (RowRange rows : {RowRange::Decode, RowRange::Small, RowRange::Prefill}) {
    key.rows = rows;
    bytes = std::max(bytes, scratchBytes(key, columns));
  }
  return bytes;
}

} // namespace llmopt
