//===- WireSchema.cpp - The parts of a model that the reader uses ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/WireSchema.h"
#include "llvm/Support/ErrorHandling.h"
#include <onnx-ml.pb.h>

using namespace llmopt::onnx;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;
using ::onnx::TypeProto_Tensor;
using ::onnx::ValueInfoProto;
using enum llmopt::onnx::FieldAction;

static constexpr FieldRule kModel[] = {
    {ModelProto::kIrVersionFieldNumber, Copy},
    {ModelProto::kOpsetImportFieldNumber, Copy},
    {ModelProto::kGraphFieldNumber, Descend, Message::Graph},
    {ModelProto::kFunctionsFieldNumber, Descend, Message::Function},
};

static constexpr FieldRule kFunction[] = {
    {FunctionProto::kNameFieldNumber, Copy},
    {FunctionProto::kDomainFieldNumber, Copy},
    {FunctionProto::kOverloadFieldNumber, Copy},
    {FunctionProto::kInputFieldNumber, Copy},
    {FunctionProto::kOutputFieldNumber, Copy},
    {FunctionProto::kAttributeFieldNumber, Copy},
    {FunctionProto::kAttributeProtoFieldNumber, Descend, Message::Attribute},
    {FunctionProto::kNodeFieldNumber, Descend, Message::Node},
    {FunctionProto::kOpsetImportFieldNumber, Copy},
};

static constexpr FieldRule kGraph[] = {
    {GraphProto::kNameFieldNumber, Copy},
    {GraphProto::kNodeFieldNumber, Descend, Message::Node},
    {GraphProto::kInitializerFieldNumber, Descend, Message::Tensor},
    {GraphProto::kSparseInitializerFieldNumber, Presence},
    {GraphProto::kInputFieldNumber, Descend, Message::ValueInfo},
    {GraphProto::kOutputFieldNumber, Descend, Message::ValueInfo},
};

static constexpr FieldRule kNode[] = {
    {NodeProto::kInputFieldNumber, Copy},
    {NodeProto::kOutputFieldNumber, Copy},
    {NodeProto::kNameFieldNumber, Copy},
    {NodeProto::kOpTypeFieldNumber, Copy},
    {NodeProto::kDomainFieldNumber, Copy},
    {NodeProto::kOverloadFieldNumber, Copy},
    {NodeProto::kAttributeFieldNumber, Descend, Message::Attribute},
};

static constexpr FieldRule kAttribute[] = {
    {AttributeProto::kNameFieldNumber, Copy},
    {AttributeProto::kRefAttrNameFieldNumber, Copy},
    {AttributeProto::kTypeFieldNumber, Copy},
    {AttributeProto::kFFieldNumber, Copy},
    {AttributeProto::kIFieldNumber, Copy},
    {AttributeProto::kSFieldNumber, Copy},
    {AttributeProto::kTFieldNumber, Descend, Message::Tensor},
    {AttributeProto::kGFieldNumber, Descend, Message::Graph},
    {AttributeProto::kSparseTensorFieldNumber, Presence},
    {AttributeProto::kTpFieldNumber, Presence},
    {AttributeProto::kFloatsFieldNumber, Copy},
    {AttributeProto::kIntsFieldNumber, Copy},
    {AttributeProto::kStringsFieldNumber, Copy},
    {AttributeProto::kTensorsFieldNumber, Presence},
    {AttributeProto::kGraphsFieldNumber, Presence},
    {AttributeProto::kSparseTensorsFieldNumber, Presence},
    {AttributeProto::kTypeProtosFieldNumber, Presence},
};

static constexpr FieldRule kTensor[] = {
    {TensorProto::kDimsFieldNumber, Copy},
    {TensorProto::kDataTypeFieldNumber, Copy},
    {TensorProto::kSegmentFieldNumber, Refuse},
    {TensorProto::kFloatDataFieldNumber, Data},
    {TensorProto::kInt32DataFieldNumber, Copy},
    {TensorProto::kStringDataFieldNumber, Copy},
    {TensorProto::kInt64DataFieldNumber, Copy},
    {TensorProto::kNameFieldNumber, Copy},
    {TensorProto::kRawDataFieldNumber, Data},
    {TensorProto::kExternalDataFieldNumber, Copy},
    {TensorProto::kDataLocationFieldNumber, Copy},
    {TensorProto::kDoubleDataFieldNumber, Data},
    {TensorProto::kUint64DataFieldNumber, Copy},
};

static constexpr FieldRule kValueInfo[] = {
    {ValueInfoProto::kNameFieldNumber, Copy},
    {ValueInfoProto::kTypeFieldNumber, Descend, Message::Type},
};

static constexpr FieldRule kType[] = {
    {TypeProto::kTensorTypeFieldNumber, Descend, Message::TensorType},
    {TypeProto::kSequenceTypeFieldNumber, Presence},
    {TypeProto::kMapTypeFieldNumber, Presence},
    {TypeProto::kOptionalTypeFieldNumber, Presence},
    {TypeProto::kSparseTensorTypeFieldNumber, Presence},
    {TypeProto::kOpaqueTypeFieldNumber, Presence},
};

static constexpr FieldRule kTensorType[] = {
    {TypeProto_Tensor::kElemTypeFieldNumber, Copy},
    {TypeProto_Tensor::kShapeFieldNumber, Descend, Message::Shape},
};

static constexpr FieldRule kShape[] = {
    {TensorShapeProto::kDimFieldNumber, Copy},
};

llvm::ArrayRef<FieldRule> llmopt::onnx::getFieldRules(Message message) {
  switch (message) {
  case Message::Model:
    return kModel;
  case Message::Function:
    return kFunction;
  case Message::Graph:
    return kGraph;
  case Message::Node:
    return kNode;
  case Message::Attribute:
    return kAttribute;
  case Message::Tensor:
    return kTensor;
  case Message::ValueInfo:
    return kValueInfo;
  case Message::Type:
    return kType;
  case Message::TensorType:
    return kTensorType;
  case Message::Shape:
    return kShape;
  }
  llvm_unreachable("all messages are listed");
}
