//===- LinkTest.cpp - Tests of the in-process link --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Link.h"
#include "compiler/CodeGen.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace llmopt;
using namespace mlir;

namespace {

constexpr llvm::StringLiteral kTriple = R"(
  func.func private @helper(%x: i64) -> i64 attributes {llvm.linkage = #llvm.linkage<internal>} {
    %three = arith.constant 3 : i64
    %r = arith.muli %x, %three : i64
    return %r : i64
  }
  func.func @triple(%x: i64) -> i64 {
    %r = func.call @helper(%x) : (i64) -> i64
    return %r : i64
  })";

constexpr llvm::StringLiteral kUndefined = R"(
  func.func private @nowhere(i64) -> i64
  func.func @call(%x: i64) -> i64 {
    %r = func.call @nowhere(%x) : (i64) -> i64
    return %r : i64
  })";

CpuTarget anyTarget() {
  std::string error;
  return *resolveCpu("x86-64-v3", error);
}

std::string compileText(llvm::StringRef text, llvm::StringRef suffix = "") {
  DialectRegistry registry;
  registerCodeGenDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  PassManager manager(&context);
  buildLowerToLLVMPipeline(manager);
  if (!module || failed(manager.run(*module)))
    return "";
  llvm::LLVMContext llvmContext;
  auto llvmModule =
      generateLLVM(*module, llvmContext, {anyTarget(), suffix.str()});
  llvm::SmallVector<char, 0> object;
  std::string error;
  if (!llvmModule || !emitObject(*llvmModule, anyTarget(), object, error))
    return "";
  return std::string(object.data(), object.size());
}

/// An empty folder that disappears with the test.
class LinkTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("llmopt-link", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string path(llvm::StringRef name) {
    llvm::SmallString<128> result(folder);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  int64_t filesInFolder() {
    std::error_code code;
    int64_t count = 0;
    for (llvm::sys::fs::directory_iterator it(folder, code), end;
         it != end && !code; it.increment(code))
      ++count;
    return count;
  }

  llvm::SmallString<128> folder;
  std::string error;
};

TEST_F(LinkTest, LibraryRunsAndIsDeterministic) {
  std::string object = compileText(kTriple, "_v3");
  ASSERT_FALSE(object.empty());
  ASSERT_TRUE(linkSharedLibrary({object}, path("a.so"), error)) << error;
  ASSERT_TRUE(linkSharedLibrary({object}, path("b.so"), error)) << error;
  EXPECT_EQ(filesInFolder(), 2);
  auto first = llvm::MemoryBuffer::getFile(path("a.so"));
  auto second = llvm::MemoryBuffer::getFile(path("b.so"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first)->getBuffer(), (*second)->getBuffer());
  EXPECT_EQ(compileText(kTriple, "_v3"), object);

  void *library = dlopen(path("a.so").c_str(), RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  auto triple =
      reinterpret_cast<int64_t (*)(int64_t)>(dlsym(library, "triple_v3"));
  ASSERT_NE(triple, nullptr);
  EXPECT_EQ(triple(14), 42);
  // Neither the unsuffixed name nor an internal function is exported.
  EXPECT_EQ(dlsym(library, "triple"), nullptr);
  EXPECT_EQ(dlsym(library, "helper"), nullptr);
  dlclose(library);
}

TEST_F(LinkTest, TwoVariantsInOneLibrary) {
  std::string first = compileText(kTriple, "_a");
  std::string second = compileText(kTriple, "_b");
  ASSERT_TRUE(linkSharedLibrary({first, second}, path("a.so"), error)) << error;
  void *library = dlopen(path("a.so").c_str(), RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_NE(dlsym(library, "triple_a"), nullptr);
  EXPECT_NE(dlsym(library, "triple_b"), nullptr);
  dlclose(library);
}

TEST_F(LinkTest, FailuresLeaveNothingBehindAndCanBeFollowedByALink) {
  EXPECT_FALSE(
      linkSharedLibrary({compileText(kUndefined)}, path("a.so"), error));
  EXPECT_NE(error.find("undefined symbol: nowhere"), std::string::npos)
      << error;
  EXPECT_FALSE(linkSharedLibrary({"not an object"}, path("a.so"), error));
  EXPECT_NE(error.find("linking failed"), std::string::npos) << error;
  EXPECT_EQ(filesInFolder(), 0);
  EXPECT_TRUE(linkSharedLibrary({compileText(kTriple)}, path("a.so"), error))
      << error;
  EXPECT_EQ(filesInFolder(), 1);
}

TEST_F(LinkTest, MissingFolder) {
  EXPECT_FALSE(
      linkSharedLibrary({compileText(kTriple)}, path("no/a.so"), error));
  EXPECT_NE(error.find("cannot write beside"), std::string::npos) << error;
  EXPECT_EQ(filesInFolder(), 0);
}

TEST_F(LinkTest, OutputIsAFolder) {
  ASSERT_FALSE(llvm::sys::fs::create_directory(path("taken")));
  EXPECT_FALSE(linkSharedLibrary({compileText(kTriple)}, path("taken"), error));
  EXPECT_NE(error.find("cannot write"), std::string::npos) << error;
  EXPECT_EQ(filesInFolder(), 1);
}

} // namespace
