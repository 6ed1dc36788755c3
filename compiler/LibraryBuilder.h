//===- LibraryBuilder.h - A library from code and weights -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_LIBRARYBUILDER_H
#define LLMOPT_COMPILER_LIBRARYBUILDER_H

#include "compiler/Descriptor.h"
#include "compiler/ExitCode.h"
#include "compiler/LibraryWriter.h"
#include "compiler/Options.h"
#include "compiler/OutputFile.h"
#include "compiler/Progress.h"
#include "compiler/Variant.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MemoryBuffer.h"

namespace llmopt {

/// What a graph is: its signature from `@main`, the types of its outputs from
/// its code. Weights and variants are to be added.
DescriptorContents
describeGraph(mlir::ModuleOp module,
              llvm::ArrayRef<mlir::RankedTensorType> outputTypes,
              llvm::StringRef name);

/// The descriptor of a module after bufferization: geometry, signature and
/// sizes; without weights, variants and report.
DescriptorContents describeModel(mlir::ModuleOp module,
                                 const CompileOptions &options,
                                 llvm::StringRef name);

/// Puts a library together: packs the weights of a module into the temporary
/// file of an output and links the code of the variants with the tables around
/// them.
class LibraryBuilder {
public:
  /// `contents` comes from describeModel, with its report set; build fills in
  /// the weights, variants and build id.
  LibraryBuilder(mlir::ModuleOp module,
                 llvm::ArrayRef<CompiledVariant> variants,
                 DescriptorContents &contents, const OutputFile &output,
                 Progress &progress)
      : module(module), variants(variants), contents(contents), output(output),
        progress(progress) {}

  /// Builds the library in the temporary file, which is not committed. Errors
  /// are printed; those of the model's weights have ExitCode::BadModel.
  ExitCode build();

  /// Bytes of the file that was built.
  uint64_t fileBytes() const { return layout.fileBytes; }

private:
  ExitCode packInto(int file);
  ExitCode finish(int file);
  /// Links the code with the tables as they are.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> link();
  ExitCode fail(llvm::Error error);

  mlir::ModuleOp module;
  llvm::ArrayRef<CompiledVariant> variants;
  DescriptorContents &contents;
  const OutputFile &output;
  Progress &progress;
  LibraryLayout layout = {};
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_LIBRARYBUILDER_H
