//===- KernelLibrary.h - The kernels of Kernels.inc, compiled and loaded --===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_BENCHMARKS_KERNELS_KERNELLIBRARY_H
#define LLMOPT_BENCHMARKS_KERNELS_KERNELLIBRARY_H

#include "passes/Lowering/Kernels/Kernels.h"
#include "runtime/include/llmopt/ModelABI.h"
#include <memory>
#include <vector>

namespace llmopt {

// The C types of the kernels' arguments, see docs/Kernels.md.
using LinearFunction = void (*)(const void *x, int64_t xStrideBytes,
                                const void *w, float *y, int64_t yStrideFloats,
                                int64_t rows, int64_t panels, int64_t columns,
                                int64_t thread, int64_t threads, void *scratch);
using GatedFunction = void (*)(const void *x, int64_t xStrideBytes,
                               const void *w, void *records,
                               int64_t recordBytes, int64_t rows,
                               int64_t panels, int64_t columns, int64_t thread,
                               int64_t threads, void *scratch, float *floats);
using RmsNormFunction = void (*)(const float *x, int64_t xStride,
                                 const float *gamma, float *y, int64_t yStride,
                                 int64_t rows, int64_t columns, float epsilon,
                                 int64_t thread, int64_t threads);
using LayerNormFunction = void (*)(const float *x, int64_t xStride,
                                   const float *gamma, const float *beta,
                                   float *y, int64_t yStride, int64_t rows,
                                   int64_t columns, float epsilon,
                                   int64_t thread, int64_t threads);
using LayerNormQuantizeFunction = void (*)(const float *x, int64_t xStride,
                                           const float *gamma,
                                           const float *beta, void *records,
                                           int64_t recordBytes, int64_t rows,
                                           int64_t columns, float epsilon,
                                           int64_t thread, int64_t threads);
using BiasFunction = void (*)(float *y, int64_t yStride, const float *bias,
                              int64_t rows, int64_t columns, int64_t thread,
                              int64_t threads);
using HeadNormFunction = void (*)(float *y, int64_t yStride, const float *gamma,
                                  int64_t rows, int64_t heads, int64_t length,
                                  float epsilon, int64_t thread,
                                  int64_t threads);
using ScaleFunction = void (*)(float *y, int64_t yStride, float factor,
                               int64_t rows, int64_t columns, int64_t thread,
                               int64_t threads);
using AddFunction = void (*)(const float *x, int64_t xStride, float *y,
                             int64_t yStride, int64_t rows, int64_t columns,
                             int64_t thread, int64_t threads);
using AddPositionsFunction = void (*)(const int32_t *positions,
                                      const float *table, int64_t offset,
                                      float *y, int64_t yStride, int64_t rows,
                                      int64_t columns, int64_t thread,
                                      int64_t threads);
using RmsNormQuantizeFunction = void (*)(const float *x, int64_t xStride,
                                         const float *gamma, void *records,
                                         int64_t recordBytes, int64_t rows,
                                         int64_t columns, float epsilon,
                                         int64_t thread, int64_t threads);
using QuantizeFunction = void (*)(const float *x, int64_t xStride,
                                  void *records, int64_t recordBytes,
                                  int64_t rows, int64_t columns, int64_t thread,
                                  int64_t threads);
using EmbeddingFunction = void (*)(const int64_t *tokens, const void *w,
                                   float *y, int64_t yStride, int64_t rows,
                                   int64_t columns, int64_t thread,
                                   int64_t threads);
using GatherRowsFunction = void (*)(const float *x, int64_t xStride,
                                    const uint32_t *index, float *y,
                                    int64_t yStride, int64_t rows,
                                    int64_t columns, int64_t thread,
                                    int64_t threads);
using RopeAppendFunction = void (*)(const llmopt_call *call, float *qkv,
                                    int64_t strideFloats, const float *table,
                                    int64_t layer, int64_t thread,
                                    int64_t threads);
using MergeFunction = void (*)(const llmopt_call *call, const void *parts,
                               float *y);
using AttentionFunction = void (*)(const llmopt_call *call, const float *qkv,
                                   int64_t strideFloats, float *y,
                                   int64_t yStrideFloats, int64_t layer,
                                   int64_t thread, int64_t threads,
                                   void *scratch);

/// Exports a kernel, which is private to its module otherwise.
void exportFunction(mlir::func::FuncOp function);

/// The keys of Kernels.inc for one instruction set.
std::vector<LinearKernelKey> linearKernels(Isa isa);
std::vector<LinearKernelKey> gatedKernels(Isa isa);
std::vector<RowKernelKey> rowKernels(Isa isa);
std::vector<AttentionKernelKey> attentionKernels(Isa isa);
/// The two kernels that do for one row what an attention does.
AttentionKernelKey partsKernel(AttentionKernelKey key);
AttentionKernelKey mergeKernel(AttentionKernelKey key);

/// All kernels of Kernels.inc for a CPU, compiled to a shared library that is
/// loaded into this process.
class KernelLibrary {
public:
  /// Returns null and prints the reason on failure.
  static std::unique_ptr<KernelLibrary> build(const CpuTarget &target);
  /// The same for the functions that `populate` puts into a module.
  static std::unique_ptr<KernelLibrary>
  build(const CpuTarget &target,
        llvm::function_ref<void(mlir::ModuleOp)> populate);
  ~KernelLibrary();
  KernelLibrary(const KernelLibrary &) = delete;
  KernelLibrary &operator=(const KernelLibrary &) = delete;

  /// The function of a kernel's name; null if there is none.
  template <typename Function> Function get(const std::string &name) const {
    return reinterpret_cast<Function>(symbol(name));
  }

private:
  explicit KernelLibrary(void *handle) : handle(handle) {}
  void *symbol(const std::string &name) const;

  void *handle;
};

} // namespace llmopt

#endif // LLMOPT_BENCHMARKS_KERNELS_KERNELLIBRARY_H
