//===- ExternalDataTest.cpp - Data beside a model, and traps in it --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImportFixture.h"
#include <unistd.h>

using namespace llmopt::onnx;

namespace {

class ExternalDataTest : public ImportFixture {
protected:
  ExternalDataTest() {
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
    directory.write("w.bin", std::string(4096, 'w'));
  }

  void set(llvm::StringRef key, llvm::StringRef value) {
    ::onnx::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key.str());
    entry->set_value(value.str());
  }
  void expectValue(llvm::StringRef value) {
    EXPECT_CONTAINS(print(model, {}, directory.get()),
                    "onnx.initializer \"w\" = " + value.str() + "\n");
  }
  void expectRefusal(llvm::StringRef message,
                     ImportErrorKind expected = ImportErrorKind::Malformed) {
    expectError(model, expected,
                ("initializer 'w': external data " + message).str(), {},
                directory.get());
  }
  void expectOutside(llvm::StringRef location) {
    tensor.clear_external_data();
    set("location", location);
    expectRefusal(
        ("'" + location + "' is not a path inside the directory of the model")
            .str());
  }

  TemporaryDirectory directory;
  ::onnx::ModelProto model = makeReluModel();
  ::onnx::TensorProto &tensor =
      *addInitializer(*model.mutable_graph(), "w", 512);
};

} // namespace

TEST_F(ExternalDataTest, rangeOfAFile) {
  set("location", "w.bin");
  set("offset", "1024");
  set("length", "2048");
  expectValue("#onnx.blob<\"w.bin\", 1024, 2048> : tensor<512xf32>");
}

TEST_F(ExternalDataTest, offsetAndLengthMayBeMissing) {
  set("location", "./w.bin");
  expectValue("#onnx.blob<\"w.bin\", 0, 2048> : tensor<512xf32>");
}

TEST_F(ExternalDataTest, otherKeysMeanNothing) {
  set("location", "w.bin");
  set("checksum", "0");
  set("__class__", "x");
  expectValue("#onnx.blob<\"w.bin\", 0, 2048> : tensor<512xf32>");
}

TEST_F(ExternalDataTest, filesInFolders) {
  ASSERT_FALSE(llvm::sys::fs::create_directory(directory.join("part")));
  directory.write("part/w.bin", std::string(2048, 'w'));
  set("location", "part/w.bin");
  expectValue("#onnx.blob<\"part/w.bin\", 0, 2048> : tensor<512xf32>");
}

TEST_F(ExternalDataTest, linksInsideTheDirectory) {
  ASSERT_EQ(symlink("w.bin", directory.join("link").c_str()), 0);
  set("location", "link");
  expectValue("#onnx.blob<\"link\", 0, 2048> : tensor<512xf32>");
}

TEST_F(ExternalDataTest, smallTensorsAreRead) {
  tensor.set_dims(0, 2);
  tensor.set_data_type(::onnx::TensorProto::INT8);
  set("location", "w.bin");
  set("offset", "4094");
  expectValue("dense<119> : tensor<2xi8>");
}

TEST_F(ExternalDataTest, noElements) {
  tensor.set_dims(0, 0);
  set("location", "w.bin");
  set("offset", "4096");
  expectValue("dense<> : tensor<0xf32>");
}

TEST_F(ExternalDataTest, pathsOutside) {
  expectOutside("/etc/passwd");
  expectOutside("../w.bin");
  expectOutside("a/../../w.bin");
  expectOutside("a/..");
  expectOutside(".");
}

TEST_F(ExternalDataTest, pathWithNul) {
  set("location", llvm::StringRef("w.bin\0x", 7));
  expectRefusal("'w.bin\\00x' is not a path inside the directory of the model");
}

TEST_F(ExternalDataTest, linksOutOfTheDirectory) {
  TemporaryDirectory other;
  other.write("secret.bin", std::string(4096, 's'));
  ASSERT_EQ(
      symlink(other.join("secret.bin").c_str(), directory.join("link").c_str()),
      0);
  set("location", "link");
  expectRefusal("'link' is a link out of the directory of the model; copy the "
                "file there");
  ASSERT_EQ(symlink(other.get().str().c_str(), directory.join("part").c_str()),
            0);
  tensor.clear_external_data();
  set("location", "part/secret.bin");
  expectRefusal("'part/secret.bin' is a link out of the directory of the "
                "model; copy the file there");
}

TEST_F(ExternalDataTest, directoryWithLongerName) {
  // A directory whose path begins with that of the model.
  std::string sibling = directory.get().str() + "-other";
  ASSERT_FALSE(llvm::sys::fs::create_directory(sibling));
  ASSERT_EQ(symlink(sibling.c_str(), directory.join("part").c_str()), 0);
  set("location", "part");
  expectRefusal("'part' is a link out of the directory of the model; copy the "
                "file there");
  llvm::sys::fs::remove_directories(sibling);
}

TEST_F(ExternalDataTest, missingFile) {
  set("location", "gone.bin");
  expectError(model, ImportErrorKind::Unreadable,
              "initializer 'w': cannot open external data 'gone.bin': No such "
              "file or directory",
              {}, directory.get());
}

TEST_F(ExternalDataTest, folder) {
  ASSERT_FALSE(llvm::sys::fs::create_directory(directory.join("part")));
  set("location", "part");
  expectRefusal("'part' is not a regular file", ImportErrorKind::Unreadable);
}

TEST_F(ExternalDataTest, noLocation) {
  set("offset", "0");
  expectRefusal("has no location");
}

TEST_F(ExternalDataTest, entryTwice) {
  set("location", "w.bin");
  set("location", "v.bin");
  expectRefusal("has two entries 'location'");
}

TEST_F(ExternalDataTest, offsetsThatAreNoNumbers) {
  for (const char *offset :
       {"-8", "12abc", "", "1e3", "18446744073709551616"}) {
    tensor.clear_external_data();
    set("location", "w.bin");
    set("offset", offset);
    expectRefusal(std::string("has the offset '") + offset +
                  "', which is not a number of bytes");
  }
}

TEST_F(ExternalDataTest, lengthThatIsNoNumber) {
  set("location", "w.bin");
  set("length", "-1");
  expectRefusal("has the length '-1', which is not a number of bytes");
}

TEST_F(ExternalDataTest, lengthOfAnotherTensor) {
  set("location", "w.bin");
  set("length", "2052");
  expectRefusal("has 2052 bytes, but the tensor takes 2048");
}

TEST_F(ExternalDataTest, rangeBeyondTheFile) {
  set("location", "w.bin");
  set("offset", "2049");
  expectRefusal("'w.bin' has 4096 bytes, too few for 2048 bytes at offset "
                "2049");
  tensor.clear_external_data();
  set("location", "w.bin");
  set("offset", "18446744073709551615");
  expectRefusal("'w.bin' has 4096 bytes, too few for 2048 bytes at offset "
                "18446744073709551615");
}

TEST_F(ExternalDataTest, modelWithoutDirectory) {
  set("location", "w.bin");
  expectError(model, ImportErrorKind::Unsupported,
              "initializer 'w': external data 'w.bin' cannot be found: the "
              "model has no directory");
}

TEST_F(ExternalDataTest, notMarkedAsExternal) {
  tensor.clear_data_location();
  set("location", "w.bin");
  expectError(model, ImportErrorKind::Malformed,
              "initializer 'w' names external data, but is not marked as "
              "external",
              {}, directory.get());
}

TEST_F(ExternalDataTest, dataTwice) {
  set("location", "w.bin");
  tensor.set_raw_data("abcd");
  expectError(model, ImportErrorKind::Malformed,
              "initializer 'w' has its data twice", {}, directory.get());
}
