//===- KernelClasses.h - What an entry executes -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELCLASSES_H
#define LLMOPT_PASSES_LOWERING_KERNELCLASSES_H

#include "dialects/Kernel/KernelOps.h"
#include "llvm/ADT/StringMap.h"
#include <string>
#include <vector>

namespace llmopt {

/// llmopt_kernel_class, with an owned label.
struct KernelClass {
  std::string label;
  uint32_t calls = 0, flags = 0;
  uint64_t weightBytes = 0, rowOperations = 0, keyCacheBytes = 0;
};

/// The kernels of @forward and @forward_row by kind and size, in the order of
/// their first use.
class KernelClasses {
public:
  /// Counts a kernel operation or barrier of a function with planned buffers
  /// and returns the index of its class. `flags` are those of
  /// llmopt_kernel_flag.
  unsigned add(mlir::Operation *op, uint32_t flags);

  size_t size() const { return classes.size(); }
  /// The value of the attribute kernel.classes.
  mlir::ArrayAttr attribute(mlir::MLIRContext *context) const;

private:
  std::vector<KernelClass> classes;
  llvm::StringMap<unsigned> indices; ///< by flags and label
  std::string previous;              ///< kind of the last kernel
};

/// The kernel classes that kernel-expand left on the entry.
std::vector<KernelClass> readKernelClasses(mlir::Operation *entry);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELCLASSES_H
