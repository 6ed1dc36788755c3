//===- WireSchema.h - The parts of a model that the reader uses -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_WIRESCHEMA_H
#define LLMOPT_FRONTENDS_ONNX_WIRESCHEMA_H

#include "llvm/ADT/ArrayRef.h"

namespace llmopt::onnx {

/// The messages that the scanner looks into.
enum class Message {
  Model,
  Function,
  Graph,
  Node,
  Attribute,
  Tensor,
  ValueInfo,
  Type,
  TensorType,
  Shape,
};

/// What becomes of a field.
enum class FieldAction {
  /// Kept as it is: numbers, strings, and messages of a few of them.
  Copy,
  /// A message that only its presence matters of; its content goes.
  Presence,
  /// A message of the kind `child`.
  Descend,
  /// Data of a tensor, which may be large.
  Data,
  /// Not supported.
  Refuse,
};

/// How a field of a message is treated.
struct FieldRule {
  unsigned field;
  FieldAction action;
  Message child = Message::Model;
};

/// The fields of a message that the reader uses. It has no use for others, such
/// as documentation, metadata and the types of intermediate values.
llvm::ArrayRef<FieldRule> getFieldRules(Message message);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_WIRESCHEMA_H
