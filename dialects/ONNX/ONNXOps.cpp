//===- ONNXOps.cpp - Operations of the onnx dialect -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmopt::onnx;

//===----------------------------------------------------------------------===//
// NodeOp: assembly
//===----------------------------------------------------------------------===//

/// Parses `{name = value, ...}`, the attributes of a node, or nothing.
static ParseResult parseNodeAttributes(OpAsmParser &parser,
                                       DictionaryAttr &attributes) {
  NamedAttrList list;
  if (parser.parseOptionalAttrDict(list))
    return failure();
  attributes = list.getDictionary(parser.getContext());
  return success();
}

static void printNodeAttributes(OpAsmPrinter &printer, Operation *,
                                DictionaryAttr attributes) {
  if (attributes && !attributes.empty())
    printer.printOptionalAttrDict(attributes.getValue());
}

/// Parses `subgraphs "name" { ... }, "name" { ... }`, or nothing.
static ParseResult
parseSubgraphs(OpAsmParser &parser, ArrayAttr &names,
               SmallVectorImpl<std::unique_ptr<Region>> &regions) {
  SmallVector<Attribute> list;
  auto parseSubgraph = [&]() -> ParseResult {
    std::string name;
    if (parser.parseString(&name))
      return failure();
    list.push_back(parser.getBuilder().getStringAttr(name));
    regions.push_back(std::make_unique<Region>());
    return parser.parseRegion(*regions.back());
  };
  if (succeeded(parser.parseOptionalKeyword("subgraphs")) &&
      parser.parseCommaSeparatedList(parseSubgraph))
    return failure();
  names = parser.getBuilder().getArrayAttr(list);
  return success();
}

static void printSubgraphs(OpAsmPrinter &printer, Operation *, ArrayAttr names,
                           MutableArrayRef<Region> regions) {
  if (regions.empty())
    return;
  printer << " subgraphs ";
  llvm::interleaveComma(llvm::seq<size_t>(0, regions.size()), printer,
                        [&](size_t i) {
                          printer << names[i] << ' ';
                          printer.printRegion(regions[i]);
                        });
}

#define GET_OP_CLASSES
#include "dialects/ONNX/ONNXOps.cpp.inc"

//===----------------------------------------------------------------------===//
// NodeOp: verification
//===----------------------------------------------------------------------===//

/// True for the forms that the description of `onnx.node` lists.
static bool isNodeAttribute(Attribute attr) {
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return integer.getType().isSignlessInteger(64);
  if (auto real = dyn_cast<FloatAttr>(attr))
    return real.getType().isF32();
  if (auto list = dyn_cast<ArrayAttr>(attr))
    return llvm::all_of(list, llvm::IsaPred<StringAttr>);
  // Dense arrays are no ElementsAttr, so that every kind is named here.
  return isa<StringAttr, DenseI64ArrayAttr, DenseF32ArrayAttr, ElementsAttr,
             FileBlobAttr>(attr);
}

LogicalResult NodeOp::verify() {
  if (getOpType().empty())
    return emitOpError("has an empty operator name");
  if (std::optional<ArrayAttr> outputs = getOutputs();
      outputs && outputs->size() != getNumResults())
    return emitOpError() << "names " << outputs->size() << " outputs, but has "
                         << getNumResults() << " results";
  ArrayAttr names = getSubgraphNames();
  if (names.size() != getSubgraphs().size())
    return emitOpError() << "names " << names.size() << " subgraphs, but has "
                         << getSubgraphs().size();
  llvm::StringSet<> seen;
  for (StringRef name : names.getAsValueRange<StringAttr>()) {
    if (name.empty())
      return emitOpError("has a subgraph without a name");
    if (!seen.insert(name).second || getNodeAttrs().contains(name))
      return emitOpError() << "has two attributes '" << name << "'";
  }
  for (NamedAttribute attr : getNodeAttrs())
    if (!isNodeAttribute(attr.getValue()))
      return emitOpError() << "has attribute '" << attr.getName().strref()
                           << "' of a kind that ONNX nodes do not have: "
                           << attr.getValue();
  return success();
}

LogicalResult NodeOp::verifyRegions() {
  for (auto [name, region] : llvm::zip(
           getSubgraphNames().getAsValueRange<StringAttr>(), getSubgraphs()))
    if (region.front().empty() || !isa<ReturnOp>(region.front().back()))
      return emitOpError() << "subgraph '" << name
                           << "' does not end with 'onnx.return'";
  return success();
}

//===----------------------------------------------------------------------===//
// NodeOp: queries
//===----------------------------------------------------------------------===//

Region *NodeOp::getSubgraph(StringRef name) {
  for (auto [subgraph, region] : llvm::zip(
           getSubgraphNames().getAsValueRange<StringAttr>(), getSubgraphs()))
    if (subgraph == name)
      return &region;
  return nullptr;
}

TypedAttr NodeOp::getConstantTensor() {
  bool isStandard = getDomain().empty() || getDomain() == kDefaultDomain;
  if (getOpType() != "Constant" || !isStandard || getNumResults() != 1)
    return {};
  if (auto value = getNodeAttr<TypedAttr>("value"))
    return isa<ElementsAttr, FileBlobAttr>(value) ? value : TypedAttr();
  auto scalar = [](TypedAttr number) {
    return DenseElementsAttr::get(RankedTensorType::get({}, number.getType()),
                                  Attribute(number));
  };
  if (auto number = getNodeAttr<IntegerAttr>("value_int"))
    return scalar(number);
  if (auto number = getNodeAttr<FloatAttr>("value_float"))
    return scalar(number);
  Builder builder(getContext());
  auto vectorOf = [](int64_t length, Type type) {
    return RankedTensorType::get({length}, type);
  };
  if (auto list = getNodeAttr<DenseI64ArrayAttr>("value_ints"))
    return DenseElementsAttr::get(vectorOf(list.size(), builder.getI64Type()),
                                  list.asArrayRef());
  if (auto list = getNodeAttr<DenseF32ArrayAttr>("value_floats"))
    return DenseElementsAttr::get(vectorOf(list.size(), builder.getF32Type()),
                                  list.asArrayRef());
  return {};
}

std::optional<int64_t> NodeOp::getOpsetVersion() {
  if (std::optional<uint64_t> version = getVersion())
    return *version;
  auto module = (*this)->getParentOfType<ModuleOp>();
  auto opset = module ? module->getAttrOfType<DictionaryAttr>(kOpsetAttr)
                      : DictionaryAttr();
  StringRef domain =
      getDomain().empty() ? StringRef(kDefaultDomain) : getDomain();
  auto version = opset ? opset.getAs<IntegerAttr>(domain) : IntegerAttr();
  if (!version)
    return std::nullopt;
  return version.getInt();
}
