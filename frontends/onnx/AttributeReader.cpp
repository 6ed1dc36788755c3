//===- AttributeReader.cpp - Attributes of nodes ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/AttributeReader.h"
#include "frontends/onnx/TensorReader.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
using ::onnx::AttributeProto;

/// The types of the values that `proto` holds, whatever `type` says.
static SmallVector<AttributeProto::AttributeType>
getHeldTypes(const AttributeProto &proto) {
  SmallVector<AttributeProto::AttributeType> types;
  auto note = [&](bool isHeld, AttributeProto::AttributeType type) {
    if (isHeld)
      types.push_back(type);
  };
  note(proto.has_f(), AttributeProto::FLOAT);
  note(proto.has_i(), AttributeProto::INT);
  note(proto.has_s(), AttributeProto::STRING);
  note(proto.has_t(), AttributeProto::TENSOR);
  note(proto.has_g(), AttributeProto::GRAPH);
  note(proto.has_sparse_tensor(), AttributeProto::SPARSE_TENSOR);
  note(proto.has_tp(), AttributeProto::TYPE_PROTO);
  note(proto.floats_size() != 0, AttributeProto::FLOATS);
  note(proto.ints_size() != 0, AttributeProto::INTS);
  note(proto.strings_size() != 0, AttributeProto::STRINGS);
  note(proto.tensors_size() != 0, AttributeProto::TENSORS);
  note(proto.graphs_size() != 0, AttributeProto::GRAPHS);
  note(proto.sparse_tensors_size() != 0, AttributeProto::SPARSE_TENSORS);
  note(proto.type_protos_size() != 0, AttributeProto::TYPE_PROTOS);
  return types;
}

/// Fails unless `proto` holds a value of its type and nothing else. Writers of
/// proto3 leave out a 0 or "", so that a scalar may be missing.
static LogicalResult checkHeldValue(const AttributeProto &proto,
                                    StringRef where, ImportState &state) {
  SmallVector<AttributeProto::AttributeType> held = getHeldTypes(proto);
  bool needsValue = proto.type() == AttributeProto::TENSOR ||
                    proto.type() == AttributeProto::GRAPH;
  if (held.empty() && !needsValue)
    return success();
  if (held.size() == 1 && held.front() == proto.type())
    return success();
  return state.reporter.malformed(
      where + " does not hold one value of its type " +
      ::onnx::AttributeProto_AttributeType_Name(proto.type()));
}

/// Reads a value that is not a graph.
static FailureOr<Attribute> readValue(const AttributeProto &proto,
                                      StringRef where, ImportState &state) {
  Builder b(state.context);
  switch (proto.type()) {
  case AttributeProto::INT:
    return Attribute(b.getI64IntegerAttr(proto.i()));
  case AttributeProto::FLOAT:
    return Attribute(b.getF32FloatAttr(proto.f()));
  case AttributeProto::STRING:
    return Attribute(b.getStringAttr(proto.s()));
  case AttributeProto::INTS:
    return Attribute(b.getDenseI64ArrayAttr(
        SmallVector<int64_t>(proto.ints().begin(), proto.ints().end())));
  case AttributeProto::FLOATS:
    return Attribute(b.getDenseF32ArrayAttr(
        ArrayRef(proto.floats().data(), proto.floats_size())));
  case AttributeProto::STRINGS:
    return Attribute(b.getStrArrayAttr(SmallVector<StringRef>(
        proto.strings().begin(), proto.strings().end())));
  case AttributeProto::TENSOR: {
    FailureOr<TypedAttr> tensor = readTensor(proto.t(), where, state);
    if (failed(tensor))
      return failure();
    return Attribute(*tensor);
  }
  case AttributeProto::UNDEFINED:
    return state.reporter.malformed(where + " has no type");
  default:
    return state.reporter.unsupported(
        where + " has the type " +
        ::onnx::AttributeProto_AttributeType_Name(proto.type()) +
        ", which is not supported");
  }
}

FailureOr<NodeAttributes>
llmopt::onnx::readAttributes(const ::onnx::NodeProto &node, StringRef where,
                             ImportState &state) {
  NodeAttributes result;
  llvm::StringSet<> names;
  SmallVector<NamedAttribute> values;
  for (const AttributeProto &proto : node.attribute()) {
    if (proto.name().empty())
      return state.reporter.malformed(where + " has an attribute without a "
                                              "name");
    std::string whereAttr =
        (where + ": attribute " + quoteName(proto.name())).str();
    if (!names.insert(proto.name()).second)
      return state.reporter.malformed(whereAttr + " is given twice");
    if (!proto.ref_attr_name().empty())
      return state.reporter.malformed(
          whereAttr + " refers to an attribute of a function, but is not in "
                      "one");
    if (failed(checkHeldValue(proto, whereAttr, state)))
      return failure();
    if (proto.type() == AttributeProto::GRAPH) {
      result.graphs.push_back(&proto);
      continue;
    }
    FailureOr<Attribute> value = readValue(proto, whereAttr, state);
    if (failed(value))
      return failure();
    values.emplace_back(StringAttr::get(state.context, proto.name()), *value);
  }
  result.values = DictionaryAttr::get(state.context, values);
  return result;
}
