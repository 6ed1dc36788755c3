//===- InstallTest.cpp - A program uses the installed package ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace fake;

namespace {

const std::string kSource = PROJECT_SOURCE_FOLDER;

/// Standard output and error of a shell command; expects success.
std::string run(const std::string &command) {
  FILE *pipe = popen(("(" + command + ") 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const size_t count = fread(buffer, 1, sizeof(buffer), pipe))
    text.append(buffer, count);
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << text;
  return text;
}

std::string readText(const std::string &path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What the example prints for a prompt: eight greedy tokens.
std::string expectedOutput(std::vector<int32_t> tokens) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    const std::vector<float> logits = lastRows(expectedLogits(tokens), 1);
    const auto best = std::max_element(logits.begin(), logits.end());
    tokens.push_back(static_cast<int32_t>(best - logits.begin()));
    text += std::to_string(tokens.back()) + " ";
  }
  return text + "\n";
}

/// The installed package and the example built against it, once for all tests.
class InstallTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    folder = testing::TempDir() + "llmopt-install-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    run(CMAKE_PROGRAM " --install " PROJECT_BINARY_FOLDER
                      " --component llmopt-runtime --prefix '" +
        folder + "/installed'");
    // The compiler of the package is replaced by one that copies its input.
    std::ofstream(folder + "/fake-compile") << "#!/bin/sh\ncp \"$1\" \"$4\"\n";
    std::filesystem::permissions(folder + "/fake-compile",
                                 std::filesystem::perms::owner_all);
    std::ofstream(folder + "/model.onnx", std::ios::binary)
        << makeLibrary(readObject("fake_left"));
    run(CMAKE_PROGRAM " -G Ninja -S " + kSource + "/examples/embed -B '" +
        folder + "/build' -DCMAKE_PREFIX_PATH='" + folder +
        "/installed' -DCMAKE_C_COMPILER=" C_COMPILER
        " -DCMAKE_CXX_COMPILER=" CXX_COMPILER " -DLLMOPT_COMPILE='" +
        folder + "/fake-compile' -DEMBED_MODEL='" + folder + "/model.onnx'");
    run(CMAKE_PROGRAM " --build '" + folder + "/build'");
  }

  static void TearDownTestSuite() { std::filesystem::remove_all(folder); }

  static std::string folder;
};
std::string InstallTest::folder;

TEST_F(InstallTest, TheCppExampleGenerates) {
  EXPECT_EQ(
      run(folder + "/build/embed " + folder + "/build/embed_model.so 3 1 4"),
      expectedOutput({3, 1, 4}));
}

TEST_F(InstallTest, TheCExampleGenerates) {
  EXPECT_EQ(
      run(folder + "/build/embed_c " + folder + "/build/embed_model.so 3 1 4"),
      expectedOutput({3, 1, 4}));
}

TEST_F(InstallTest, ErrorsReachTheUser) {
  const std::string text =
      run(folder + "/build/embed /no/such/model.so 1; test $? -eq 1");
  EXPECT_EQ(
      text,
      "embed: cannot open '/no/such/model.so': No such file or directory\n");
}

TEST_F(InstallTest, TheLibraryNeedsOnlyTheCLibrary) {
  const std::string text =
      run("ldd " + folder + "/installed/lib*/libllmopt_runtime.so" +
          " || ldd " + folder + "/installed/lib*/*/libllmopt_runtime.so");
  for (const char *library :
       {"libstdc++", "libgcc_s", "LLVM", "MLIR", "protobuf"})
    EXPECT_EQ(text.find(library), std::string::npos) << text;
}

TEST(EmbedPage, ShowsTheExampleThatIsTested) {
  const std::string page = readText(kSource + "/docs/Embed.md");
  const std::string example = readText(kSource + "/examples/embed/embed.cpp");
  const std::string code = example.substr(example.find("#include"));
  EXPECT_NE(page.find(code), std::string::npos);
}

} // namespace
