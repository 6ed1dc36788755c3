//===- TensorTest.cpp - Tensors in every stored form ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"

using namespace llmopt::onnx;
using ::onnx::TensorProto;

namespace {

class TensorTest : public ImportFixture {
protected:
  /// Expects that the tensor becomes the given attribute.
  void expectValue(llvm::StringRef value) {
    EXPECT_CONTAINS(print(model),
                    "onnx.initializer \"w\" = " + value.str() + "\n");
  }
  void expectMalformed(llvm::StringRef message) {
    expectError(model, ImportErrorKind::Malformed, message);
  }
  /// Makes the tensor one of another type and shape.
  TensorProto &as(int32_t dataType, llvm::ArrayRef<int64_t> shape) {
    tensor.set_data_type(dataType);
    tensor.mutable_dims()->Assign(shape.begin(), shape.end());
    return tensor;
  }
  /// Adds values of int32_data.
  void addInts(std::initializer_list<int32_t> values) {
    for (int32_t value : values)
      tensor.add_int32_data(value);
  }

  ::onnx::ModelProto model = makeReluModel();
  TensorProto &tensor = *addInitializer(*model.mutable_graph(), "w", 2);
};

} // namespace

TEST_F(TensorTest, rawData) {
  as(TensorProto::INT16, {2}).set_raw_data(std::string("\x01\x00\xff\xff", 4));
  expectValue("dense<[1, -1]> : tensor<2xi16>");
}

TEST_F(TensorTest, rawBools) {
  as(TensorProto::BOOL, {3}).set_raw_data(std::string("\x01\x00\x02", 3));
  expectValue("dense<[true, false, true]> : tensor<3xi1>");
}

TEST_F(TensorTest, rawScalar) {
  as(TensorProto::UINT64, {}).set_raw_data(std::string(8, '\xff'));
  expectValue("dense<18446744073709551615> : tensor<ui64>");
}

TEST_F(TensorTest, noElements) {
  as(TensorProto::FLOAT, {0, 3});
  expectValue("dense<> : tensor<0x3xf32>");
}

TEST_F(TensorTest, noElementsOfRawData) {
  as(TensorProto::BOOL, {0}).set_raw_data("");
  expectValue("dense<> : tensor<0xi1>");
}

TEST_F(TensorTest, typedData) {
  as(TensorProto::FLOAT, {2}).add_float_data(1.0f);
  tensor.add_float_data(std::numeric_limits<float>::quiet_NaN());
  expectValue("dense<[1.000000e+00, 0x7FC00000]> : tensor<2xf32>");
  tensor.clear_float_data();
  as(TensorProto::DOUBLE, {1}).add_double_data(0.1);
  expectValue("dense<1.000000e-01> : tensor<1xf64>");
  tensor.clear_double_data();
  as(TensorProto::INT64, {1}).add_int64_data(INT64_MIN);
  expectValue("dense<-9223372036854775808> : tensor<1xi64>");
  tensor.clear_int64_data();
  as(TensorProto::UINT32, {1}).add_uint64_data(UINT32_MAX);
  expectValue("dense<4294967295> : tensor<1xui32>");
  as(TensorProto::UINT64, {1});
  expectValue("dense<4294967295> : tensor<1xui64>");
}

TEST_F(TensorTest, typedDataOfNarrowIntegers) {
  as(TensorProto::INT32, {2});
  addInts({INT32_MIN, 7});
  expectValue("dense<[-2147483648, 7]> : tensor<2xi32>");
  tensor.clear_int32_data();
  as(TensorProto::INT16, {1});
  addInts({-32768});
  expectValue("dense<-32768> : tensor<1xi16>");
  tensor.clear_int32_data();
  as(TensorProto::INT8, {2});
  addInts({-128, 127});
  expectValue("dense<[-128, 127]> : tensor<2xi8>");
  tensor.clear_int32_data();
  as(TensorProto::UINT8, {1});
  addInts({255});
  expectValue("dense<255> : tensor<1xui8>");
  as(TensorProto::BOOL, {1});
  expectValue("dense<true> : tensor<1xi1>");
  as(TensorProto::UINT16, {1});
  expectValue("dense<255> : tensor<1xui16>");
}

TEST_F(TensorTest, typedDataOfHalfFloats) {
  as(TensorProto::FLOAT16, {1});
  addInts({0xbc00});
  expectValue("dense<-1.000000e+00> : tensor<1xf16>");
  tensor.clear_int32_data();
  as(TensorProto::BFLOAT16, {1});
  addInts({0x3f80});
  expectValue("dense<1.000000e+00> : tensor<1xbf16>");
}

TEST_F(TensorTest, rawPackedIntegers) {
  // The lowest bits come first; the last byte is padded, with anything.
  as(TensorProto::INT4, {3}).set_raw_data("\x78\xff");
  expectValue("dense<[-8, 7, -1]> : tensor<3xi4>");
  as(TensorProto::UINT4, {3});
  expectValue("dense<[8, 7, 15]> : tensor<3xui4>");
  as(TensorProto::INT2, {5}).set_raw_data("\xe4\xfd");
  expectValue("dense<[0, 1, -2, -1, 1]> : tensor<5xi2>");
  as(TensorProto::UINT2, {5});
  expectValue("dense<[0, 1, 2, 3, 1]> : tensor<5xui2>");
}

TEST_F(TensorTest, rawPackedScalar) {
  as(TensorProto::UINT4, {}).set_raw_data("\x0f");
  expectValue("dense<15> : tensor<ui4>");
}

TEST_F(TensorTest, noPackedElements) {
  as(TensorProto::INT4, {0, 3});
  expectValue("dense<> : tensor<0x3xi4>");
}

TEST_F(TensorTest, rawNarrowFloats) {
  as(TensorProto::FLOAT8E4M3FN, {2}).set_raw_data("\x38\xb8");
  expectValue("dense<[1.000000e+00, -1.000000e+00]> : tensor<2xf8E4M3FN>");
  as(TensorProto::FLOAT8E4M3FNUZ, {2});
  expectValue("dense<[5.000000e-01, -5.000000e-01]> : tensor<2xf8E4M3FNUZ>");
  as(TensorProto::FLOAT8E5M2, {2}).set_raw_data("\x3c\xbc");
  expectValue("dense<[1.000000e+00, -1.000000e+00]> : tensor<2xf8E5M2>");
  as(TensorProto::FLOAT8E5M2FNUZ, {2});
  expectValue("dense<[5.000000e-01, -5.000000e-01]> : tensor<2xf8E5M2FNUZ>");
  as(TensorProto::FLOAT8E8M0, {2}).set_raw_data("\x7f\x80");
  expectValue("dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf8E8M0FNU>");
  as(TensorProto::FLOAT4E2M1, {3}).set_raw_data("\xa2\x07");
  expectValue("dense<[1.000000e+00, -1.000000e+00, 6.000000e+00]> : "
              "tensor<3xf4E2M1FN>");
}

TEST_F(TensorTest, typedDataOfPackedElements) {
  as(TensorProto::INT4, {3});
  addInts({0x78, 0x0f});
  expectValue("dense<[-8, 7, -1]> : tensor<3xi4>");
  as(TensorProto::UINT2, {5});
  expectValue("dense<[0, 2, 3, 1, 3]> : tensor<5xui2>");
  as(TensorProto::FLOAT4E2M1, {4});
  expectValue("dense<[-0.000000e+00, 6.000000e+00, -6.000000e+00, "
              "0.000000e+00]> : tensor<4xf4E2M1FN>");
  as(TensorProto::FLOAT8E5M2, {2});
  expectValue("dense<[3.276800e+04, 4.272460e-04]> : tensor<2xf8E5M2>");
}

TEST_F(TensorTest, sizeOfPackedData) {
  as(TensorProto::INT4, {5}).set_raw_data("a");
  expectMalformed("initializer 'w' has 1 bytes of data, but its shape takes 3");
  as(TensorProto::UINT2, {5});
  expectMalformed("initializer 'w' has 1 bytes of data, but its shape takes 2");
}

TEST_F(TensorTest, largePackedDataStaysInTheFile) {
  std::string data(1025, '\x55');
  as(TensorProto::UINT4, {2049}).set_raw_data(data);
  size_t offset = model.SerializeAsString().find(data);
  expectValue("#onnx.blob<\"\", " + std::to_string(offset) +
              ", 1025> : tensor<2049xui4>");
}

TEST_F(TensorTest, largeRawDataStaysInTheFile) {
  std::string data(1028, '\x55');
  as(TensorProto::FLOAT, {257}).set_raw_data(data);
  size_t offset = model.SerializeAsString().find(data);
  expectValue("#onnx.blob<\"\", " + std::to_string(offset) +
              ", 1028> : tensor<257xf32>");
}

TEST_F(TensorTest, largeFloatDataStaysInTheFile) {
  as(TensorProto::FLOAT, {300});
  for (int i = 0; i < 300; ++i)
    tensor.add_float_data(1.0f);
  size_t offset =
      model.SerializeAsString().find(std::string("\0\0\x80\x3f", 4));
  expectValue("#onnx.blob<\"\", " + std::to_string(offset) +
              ", 1200> : tensor<300xf32>");
}

TEST_F(TensorTest, inlineBytesAreAnOption) {
  as(TensorProto::INT8, {4}).set_raw_data("abcd");
  ImportOptions options;
  options.inlineBytes = 3;
  EXPECT_CONTAINS(print(model, options), "#onnx.blob<\"\", ");
  options.inlineBytes = 4;
  EXPECT_CONTAINS(print(model, options), "dense<[97, 98, 99, 100]>");
}

TEST_F(TensorTest, sizeOfRawData) {
  as(TensorProto::FLOAT, {2}).set_raw_data("abc");
  expectMalformed("initializer 'w' has 3 bytes of data, but its shape takes 8");
}

TEST_F(TensorTest, sizeOfLargeRawData) {
  as(TensorProto::FLOAT, {2}).set_raw_data(std::string(2000, 'a'));
  expectMalformed(
      "initializer 'w' has 2000 bytes of data, but its shape takes 8");
}

TEST_F(TensorTest, noData) {
  as(TensorProto::FLOAT, {2});
  expectMalformed("initializer 'w' has 0 bytes of data, but its shape takes 8");
}

TEST_F(TensorTest, dataTwice) {
  as(TensorProto::FLOAT, {1}).set_raw_data("abcd");
  tensor.add_float_data(1.0f);
  expectMalformed("initializer 'w' has its data twice");
}

TEST_F(TensorTest, largeAndSmallData) {
  as(TensorProto::FLOAT, {300}).set_raw_data(std::string(1200, 'a'));
  tensor.add_float_data(1.0f);
  expectMalformed("initializer 'w' has its data twice");
}

TEST_F(TensorTest, fieldOfAnotherType) {
  as(TensorProto::FLOAT, {1}).add_int64_data(1);
  expectMalformed(
      "initializer 'w' has its data in a field of another element type");
}

TEST_F(TensorTest, largeFieldOfAnotherType) {
  as(TensorProto::INT32, {300});
  for (int i = 0; i < 300; ++i)
    tensor.add_float_data(1.0f);
  expectMalformed(
      "initializer 'w' has its data in a field of another element type");
}

TEST_F(TensorTest, valueOutOfRange) {
  as(TensorProto::INT8, {1});
  addInts({128});
  expectMalformed("initializer 'w' has data that its element type cannot hold");
}

TEST_F(TensorTest, negativeDimension) {
  as(TensorProto::FLOAT, {-2});
  expectMalformed("initializer 'w' has the negative dimension -2");
  // This number stands for a dynamic dimension in MLIR.
  as(TensorProto::FLOAT, {INT64_MIN});
  expectMalformed("initializer 'w' has the negative dimension "
                  "-9223372036854775808");
}

TEST_F(TensorTest, hugeShape) {
  as(TensorProto::FLOAT, {int64_t(1) << 33, int64_t(1) << 33});
  expectMalformed("initializer 'w' is too large: its size in bytes does not "
                  "fit 64 bits");
}

TEST_F(TensorTest, noElementType) {
  as(TensorProto::UNDEFINED, {1});
  expectMalformed("initializer 'w' has no element type");
}

TEST_F(TensorTest, unsupportedElementType) {
  as(TensorProto::FLOAT6E2M3, {2}).set_raw_data("ab");
  expectError(model, ImportErrorKind::Unsupported,
              "initializer 'w' has the element type FLOAT6E2M3, which is not "
              "supported");
}
