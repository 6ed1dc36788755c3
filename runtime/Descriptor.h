//===- Descriptor.h - Checks of the descriptor of a loaded library --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_DESCRIPTOR_H
#define LLMOPT_RUNTIME_DESCRIPTOR_H

#include "llmopt/Runtime.h"

namespace llmopt::runtime {

/// Checks that `descriptor`, which may be null, has this version's layout,
/// belongs to `footer` and is consistent in itself. `path` is for messages.
llmopt_status checkDescriptor(const char *path, const llmopt_footer &footer,
                              const llmopt_model_descriptor *descriptor);

/// Index of the first tensor with `role` (and `layer`), or -1.
int findRole(const llmopt_tensor_descriptor *tensors, uint32_t count,
             llmopt_role role, int32_t layer = 0);

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_DESCRIPTOR_H
