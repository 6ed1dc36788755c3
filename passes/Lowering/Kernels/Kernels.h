//===- Kernels.h - Generated kernels by key ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels that lowering may call. A kernel is a private function, created
// in the module on first use; docs/Kernels.md lists its arguments.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_KERNELS_H
#define LLMOPT_PASSES_LOWERING_KERNELS_KERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "target/CallLayout.h"
#include "target/Isa.h"
#include "target/PackedFormat.h"

namespace llmopt {

//===----------------------------------------------------------------------===//
// Linear
//===----------------------------------------------------------------------===//

/// Numbers of activation rows for which a linear kernel is made.
enum class RowRange {
  Decode, ///< exactly 1
  Small,  ///< 1 to 6
  Prefill ///< any number
};

/// What happens to a product.
enum class Epilogue {
  Store,           ///< y = product
  Add,             ///< y += product
  SiluMul,         ///< panels alternate gate and up: y = silu(gate) * up
  SiluMulQuantize, ///< the same, quantized to records
  GeluMul,
  GeluTanhMul
};

/// True where panels alternate gate and up.
inline bool isGated(Epilogue epilogue) {
  return epilogue != Epilogue::Store && epilogue != Epilogue::Add;
}

llvm::StringRef stringify(RowRange rows);
llvm::StringRef stringify(Epilogue epilogue);

struct LinearKernelKey {
  PackedFormat format;
  /// Columns that share a scale in int8 activation records, a multiple of 32
  /// that divides the groups of the weight; 0 for float rows. Must be 0 for
  /// PackedLayout::F32 and BF16.
  int64_t group;
  RowRange rows;
  Epilogue epilogue;
  Isa isa;
  int64_t outputGroup = 0; ///< of the records that SiluMulQuantize makes
};

/// Symbol of a kernel, such as "linear_int8_g64_decode_store_avx512vnni".
std::string kernelName(const LinearKernelKey &key);

/// The kernel of a key; its body is emitted on the first request.
mlir::func::FuncOp getOrCreateKernel(mlir::ModuleOp module,
                                     const LinearKernelKey &key);

/// A function with the arguments of a linear kernel that calls the kernel for
/// its number of rows; `key.rows` is ignored.
mlir::func::FuncOp getOrCreateLinear(mlir::ModuleOp module,
                                     LinearKernelKey key);

/// Bytes of scratch per thread that a kernel needs for a weight of `columns`
/// columns; for getOrCreateLinear, the maximum over all row ranges.
int64_t scratchBytes(const LinearKernelKey &key, int64_t columns);
int64_t linearScratchBytes(LinearKernelKey key, int64_t columns);

/// Floats per row that SiluMulQuantize needs for records of `columns` columns.
int64_t gatedFloats(int64_t columns, int64_t group);

//===----------------------------------------------------------------------===//
// Row kernels
//===----------------------------------------------------------------------===//

enum class RowKernel {
  RmsNorm,
  RmsNormQuantize,
  LayerNorm,
  LayerNormQuantize,
  // In place.
  Bias,
  BiasRelu,
  BiasGelu,
  BiasGeluTanh,
  HeadNorm,
  Scale,
  Softcap,
  Add,
  AddPositions,
  Quantize,
  Embedding,
  GatherRows
};

llvm::StringRef stringify(RowKernel kernel);

struct RowKernelKey {
  RowKernel kernel;
  int64_t group;       ///< of the quantizing kernels, a multiple of 32; else 0
  PackedFormat format; ///< of Embedding; else F32
  Isa isa;
};

std::string kernelName(const RowKernelKey &key);
mlir::func::FuncOp getOrCreateKernel(mlir::ModuleOp module,
                                     const RowKernelKey &key);

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

enum class AttentionKernel {
  RopeAppend,
  Attention,
  AttentionParts, ///< of one row, the pages in parts that threads share
  MergeParts      ///< what they are together
};

llvm::StringRef stringify(AttentionKernel kernel);

struct AttentionKernelKey {
  AttentionKernel kernel;
  int64_t heads;
  int64_t kvHeads; ///< divides heads
  int64_t headDim; ///< a multiple of 8, at most 256
  float scale;     ///< of the scores; 1 for RopeAppend
  Isa isa;
  llmopt_kv_format kv = LLMOPT_KV_F32; ///< of the cache
  /// A query sees the last `window` keys, its own included; 0: all. Of
  /// Attention, else 0.
  int64_t window = 0;
  /// Scores become softcap * tanh(score / softcap); 0: they stay. Of Attention,
  /// else 0.
  float softcap = 0;
  /// First elements of a head that RopeAppend rotates, an even number; 0: all.
  int64_t rotated = 0;
  /// Into which the pages that a row sees are split at most, of AttentionParts
  /// and MergeParts; else 1.
  int64_t parts = 1;
};

/// Parts that give many threads an even share of the work, whatever their
/// number.
int64_t attentionParts(int64_t kvHeads);

/// Floats of what AttentionParts writes for the row.
int64_t partsFloats(int64_t heads, int64_t headDim, int64_t parts);

/// "f32", "bf16" or "int8".
llvm::StringRef stringify(llmopt_kv_format format);

std::string kernelName(const AttentionKernelKey &key);
mlir::func::FuncOp getOrCreateKernel(mlir::ModuleOp module,
                                     const AttentionKernelKey &key);
int64_t scratchBytes(const AttentionKernelKey &key);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_KERNELS_H
