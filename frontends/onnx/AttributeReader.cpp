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
using ::onnx::FunctionProto;
using ::onnx::NodeProto;

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

//===----------------------------------------------------------------------===//
// Attributes of functions
//===----------------------------------------------------------------------===//

/// The default of an attribute of `function`; null when it has none.
static const AttributeProto *findDefault(const FunctionProto &function,
                                         StringRef name) {
  auto it = llvm::find_if(function.attribute_proto(),
                          [&](const AttributeProto &attribute) {
                            return attribute.name() == name;
                          });
  return it == function.attribute_proto().end() ? nullptr : &*it;
}

static bool hasAttribute(const FunctionProto &function, StringRef name) {
  return llvm::is_contained(function.attribute(), name) ||
         findDefault(function, name);
}

/// What `proto` of a node refers to: itself, a value of `bound`, or null when
/// that attribute of the function has no value.
static FailureOr<const AttributeProto *>
resolveReference(const AttributeProto &proto, const BoundAttributes *bound,
                 StringRef where, ImportState &state) {
  StringRef name = proto.ref_attr_name();
  if (name.empty())
    return &proto;
  if (!bound)
    return state.reporter.malformed(
        where + " refers to an attribute of a function, but is not in one");
  if (!getHeldTypes(proto).empty())
    return state.reporter.malformed(
        where + " has a value and refers to the attribute " + quoteName(name));
  if (!hasAttribute(*bound->function, name))
    return state.reporter.malformed(where + " refers to the attribute " +
                                    quoteName(name) +
                                    ", which the function does not have");
  const AttributeProto *value = bound->values.lookup(name);
  if (value && proto.type() != AttributeProto::UNDEFINED &&
      value->type() != proto.type())
    return state.reporter.malformed(
        where + " has the type " +
        ::onnx::AttributeProto_AttributeType_Name(proto.type()) +
        ", but refers to the attribute " + quoteName(name) + " of type " +
        ::onnx::AttributeProto_AttributeType_Name(value->type()));
  return value;
}

/// Calls `use` with the name, the value and the description of each attribute
/// of `node`, all checked.
static LogicalResult forEachAttribute(
    const NodeProto &node, const BoundAttributes *bound, StringRef where,
    ImportState &state,
    function_ref<LogicalResult(StringRef, const AttributeProto &, StringRef)>
        use) {
  llvm::StringSet<> names;
  for (const AttributeProto &proto : node.attribute()) {
    if (proto.name().empty())
      return state.reporter.malformed(where + " has an attribute without a "
                                              "name");
    std::string whereAttr =
        (where + ": attribute " + quoteName(proto.name())).str();
    if (!names.insert(proto.name()).second)
      return state.reporter.malformed(whereAttr + " is given twice");
    FailureOr<const AttributeProto *> value =
        resolveReference(proto, bound, whereAttr, state);
    if (failed(value))
      return failure();
    if (!*value)
      continue;
    if (failed(checkHeldValue(**value, whereAttr, state)) ||
        failed(use(proto.name(), **value, whereAttr)))
      return failure();
  }
  return success();
}

FailureOr<BoundAttributes> llmopt::onnx::bindAttributes(
    const NodeProto &node, const FunctionProto &function,
    const BoundAttributes *bound, StringRef where, ImportState &state) {
  BoundAttributes result{&function, {}};
  auto bind = [&](StringRef name, const AttributeProto &value,
                  StringRef whereAttr) -> LogicalResult {
    if (!hasAttribute(function, name))
      return state.reporter.malformed(whereAttr +
                                      " is none of the called function");
    if (value.type() == AttributeProto::GRAPH)
      return state.reporter.unsupported(
          whereAttr + " passes a graph to a function, which is not supported");
    result.values[name] = &value;
    return success();
  };
  if (failed(forEachAttribute(node, bound, where, state, bind)))
    return failure();
  for (const AttributeProto &value : function.attribute_proto()) {
    std::string whereAttr = "function " + quoteName(function.name()) +
                            ": attribute " + quoteName(value.name());
    if (!value.ref_attr_name().empty())
      return state.reporter.malformed(whereAttr +
                                      " refers to another attribute");
    if (!result.values.contains(value.name()) &&
        (failed(checkHeldValue(value, whereAttr, state)) ||
         failed(bind(value.name(), value, whereAttr))))
      return failure();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Attributes of nodes
//===----------------------------------------------------------------------===//

/// Reads a value that is not a graph. What functions use is read once: a body
/// may be inlined many times.
static FailureOr<Attribute> readShared(const AttributeProto &proto,
                                       const BoundAttributes *bound,
                                       StringRef where, ImportState &state) {
  if (!bound)
    return readValue(proto, where, state);
  if (Attribute value = state.values.lookup(&proto))
    return value;
  FailureOr<Attribute> value = readValue(proto, where, state);
  if (succeeded(value))
    state.values[&proto] = *value;
  return value;
}

FailureOr<NodeAttributes>
llmopt::onnx::readAttributes(const NodeProto &node,
                             const BoundAttributes *bound, StringRef where,
                             ImportState &state) {
  NodeAttributes result;
  SmallVector<NamedAttribute> values;
  auto add = [&](StringRef name, const AttributeProto &proto,
                 StringRef whereAttr) -> LogicalResult {
    if (proto.type() == AttributeProto::GRAPH) {
      result.graphNames.push_back(proto.name());
      result.graphs.push_back(&proto.g());
      return success();
    }
    FailureOr<Attribute> value = readShared(proto, bound, whereAttr, state);
    if (failed(value))
      return failure();
    values.emplace_back(StringAttr::get(state.context, name), *value);
    return success();
  };
  if (failed(forEachAttribute(node, bound, where, state, add)))
    return failure();
  result.values = DictionaryAttr::get(state.context, values);
  return result;
}
