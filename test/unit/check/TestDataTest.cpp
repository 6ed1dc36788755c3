//===- TestDataTest.cpp - Tensors of all element types from files --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/testdata/TestData.h"
#include "tools/testdata/Elements.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>
#include <onnx-ml.pb.h>

using namespace llmopt::tools;

namespace {

llvm::Expected<Tensor> read(const onnx::TensorProto &proto) {
  llvm::SmallString<128> path;
  int descriptor;
  EXPECT_FALSE(
      llvm::sys::fs::createTemporaryFile("tensor", "pb", descriptor, path));
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true)
      << proto.SerializeAsString();
  llvm::Expected<Tensor> tensor = readTensor(path);
  llvm::sys::fs::remove(path);
  return tensor;
}

onnx::TensorProto makeProto(int32_t type, std::vector<int64_t> dims) {
  onnx::TensorProto proto;
  proto.set_data_type(type);
  for (int64_t dim : dims)
    proto.add_dims(dim);
  return proto;
}

std::vector<double> values(const onnx::TensorProto &proto) {
  llvm::Expected<Tensor> tensor = read(proto);
  std::vector<double> result;
  if (!tensor) {
    ADD_FAILURE() << llvm::toString(tensor.takeError());
    return result;
  }
  for (int64_t i = 0; i < tensor->elements(); ++i)
    result.push_back(valueAt(tensor->data.data(), i, tensor->type));
  return result;
}

TEST(TestData, ReadsPackedElements) {
  onnx::TensorProto proto = makeProto(/*INT4=*/22, {3});
  proto.set_raw_data("\xf1\x08", 2); // 1, -1, -8
  EXPECT_EQ(values(proto), (std::vector<double>{1, -1, -8}));
  proto = makeProto(/*UINT4=*/21, {3});
  proto.add_int32_data(0xf1);
  proto.add_int32_data(0x08);
  EXPECT_EQ(values(proto), (std::vector<double>{1, 15, 8}));
  proto = makeProto(/*INT2=*/26, {4});
  proto.set_raw_data("\xe4", 1); // 0, 1, 2, 3 unsigned
  EXPECT_EQ(values(proto), (std::vector<double>{0, 1, -2, -1}));
  proto = makeProto(/*FLOAT4E2M1=*/23, {2});
  proto.set_raw_data("\xf2", 1);
  EXPECT_EQ(values(proto), (std::vector<double>{1, -6}));
}

TEST(TestData, ReadsFieldsOfOtherWidths) {
  onnx::TensorProto proto = makeProto(/*FLOAT16=*/10, {2});
  proto.add_int32_data(0x3c00);
  proto.add_int32_data(0xc000);
  EXPECT_EQ(values(proto), (std::vector<double>{1, -2}));
  proto = makeProto(/*BFLOAT16=*/16, {1});
  proto.set_raw_data("\xc0\x3f", 2);
  EXPECT_EQ(values(proto), (std::vector<double>{1.5}));
  proto = makeProto(/*INT8=*/3, {1});
  proto.add_int32_data(-7);
  EXPECT_EQ(values(proto), (std::vector<double>{-7}));
  proto = makeProto(/*UINT32=*/12, {1});
  proto.add_uint64_data(4000000000);
  EXPECT_EQ(values(proto), (std::vector<double>{4e9}));
  proto = makeProto(/*FLOAT8E8M0=*/24, {1});
  proto.add_int32_data(126);
  EXPECT_EQ(values(proto), (std::vector<double>{0.5}));
  proto = makeProto(/*BOOL=*/9, {});
  proto.add_int32_data(1);
  EXPECT_EQ(values(proto), (std::vector<double>{1}));
}

TEST(TestData, RefusesWhatIsNoTensorOfNumbers) {
  const auto expectError = [](const onnx::TensorProto &proto,
                              const std::string &reason) {
    llvm::Expected<Tensor> tensor = read(proto);
    ASSERT_FALSE(bool(tensor)) << reason;
    std::string message = llvm::toString(tensor.takeError());
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  };
  expectError(makeProto(/*STRING=*/8, {1}), "element type 8 is not supported");
  expectError(makeProto(1, {2}), "has 0 values, but 2 elements of type f32");
  onnx::TensorProto proto = makeProto(22, {3});
  proto.set_raw_data("\xf1", 1);
  expectError(proto, "has 1 bytes, but 3 elements of type int4");
  expectError(makeProto(1, {-1}), "dimension -1 is out of range");
  expectError(makeProto(1, {INT64_C(1) << 40, INT64_C(1) << 40}),
              "is out of range");
  expectError(makeProto(1, std::vector<int64_t>(9, 1)), "has 9 dimensions");
}

} // namespace
