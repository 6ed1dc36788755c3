//===- LibraryWriterTest.cpp - Library files, which appear complete -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/LibraryWriter.h"
#include "compiler/OutputFile.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <unistd.h>

using namespace llmopt;
namespace fs = llvm::sys::fs;

namespace {

/// A directory for one test.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    EXPECT_FALSE(fs::createUniqueDirectory("llmopt-test", path));
  }
  ~TemporaryDirectory() { removeTree(path.c_str()); }

  std::string file(llvm::StringRef name) const {
    llvm::SmallString<128> result(path);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  /// Number of entries, hidden ones included.
  int count() const {
    std::error_code code;
    int entries = 0;
    for (fs::directory_iterator it(path, code), end; it != end;
         it.increment(code))
      ++entries;
    return entries;
  }

private:
  mutable llvm::SmallString<128> path;
};

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "";
}

TEST(LibraryLayout, WeightsBeginAtHugePages) {
  LibraryLayout layout = LibraryLayout::compute(1, 100);
  EXPECT_EQ(layout.weightsOffset, uint64_t(2) << 20);
  EXPECT_EQ(layout.fileBytes,
            (uint64_t(2) << 20) + 100 + sizeof(llmopt_footer));
  EXPECT_EQ(LibraryLayout::compute(2 << 20, 0).weightsOffset, uint64_t(2)
                                                                  << 20);
  EXPECT_EQ(LibraryLayout::compute((2 << 20) + 1, 0).weightsOffset, uint64_t(4)
                                                                        << 20);
}

TEST(LibraryFile, FooterDescribesTheFile) {
  TemporaryDirectory directory;
  std::string path = directory.file("model.so"), code = "not really ELF";
  LibraryLayout layout = LibraryLayout::compute(code.size(), 1000);
  BuildId id = {1, 2, 3};
  llvm::Expected<int> file = createLibraryFile(path, layout);
  ASSERT_TRUE(bool(file));
  ASSERT_EQ(pwrite(*file, "w", 1, layout.weightsOffset), 1);
  ASSERT_FALSE(bool(finishLibraryFile(*file, code, layout, id)));
  close(*file);

  std::string bytes = readFile(path);
  ASSERT_EQ(bytes.size(), layout.fileBytes);
  EXPECT_EQ(bytes.substr(0, code.size()), code);
  EXPECT_EQ(bytes[layout.weightsOffset], 'w');
  llmopt_footer footer;
  memcpy(&footer, bytes.data() + bytes.size() - sizeof(footer), sizeof(footer));
  EXPECT_STREQ(footer.magic, LLMOPT_FOOTER_MAGIC);
  EXPECT_EQ(footer.file_bytes, layout.fileBytes);
  EXPECT_EQ(footer.code_bytes, code.size());
  EXPECT_EQ(footer.weights_offset, layout.weightsOffset);
  EXPECT_EQ(footer.weights_bytes, 1000u);
  EXPECT_EQ(memcmp(footer.build_id, id.data(), id.size()), 0);
  EXPECT_EQ(footer.code_checksum, llmopt_checksum(code.data(), code.size()));
  EXPECT_EQ(footer.footer_checksum,
            llmopt_checksum(&footer, offsetof(llmopt_footer, footer_checksum)));
}

TEST(LibraryFile, CodeMustFitBeforeTheWeights) {
  TemporaryDirectory directory;
  LibraryLayout layout = LibraryLayout::compute(10, 0);
  llvm::Expected<int> file =
      createLibraryFile(directory.file("model.so"), layout);
  ASSERT_TRUE(bool(file));
  std::string code((2 << 20) + 1, 'x');
  EXPECT_EQ(llvm::toString(finishLibraryFile(*file, code, layout, {})),
            "the code outgrew the place before the weights");
  close(*file);
}

TEST(OutputFile, AppearsOnlyWhenCommitted) {
  ProcessGuard guard;
  TemporaryDirectory directory;
  std::string path = directory.file("out.txt");
  {
    auto file = llvm::cantFail(OutputFile::create(path, guard));
    EXPECT_FALSE(file->isStream());
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_EQ(directory.count(), 0);
  {
    auto file = llvm::cantFail(OutputFile::create(path, guard));
    EXPECT_FALSE(bool(file->write("hello")));
  }
  EXPECT_EQ(readFile(path), "hello");
  EXPECT_EQ(directory.count(), 1);
}

TEST(OutputFile, ReplacesTheTargetOfALink) {
  ProcessGuard guard;
  TemporaryDirectory directory;
  std::string path = directory.file("out.txt"), link = directory.file("link");
  ASSERT_FALSE(
      bool(llvm::cantFail(OutputFile::create(path, guard))->write("old")));
  ASSERT_FALSE(fs::create_link(path, link));
  ASSERT_FALSE(
      bool(llvm::cantFail(OutputFile::create(link, guard))->write("new")));
  EXPECT_EQ(readFile(path), "new");
  EXPECT_TRUE(fs::is_symlink_file(link));
}

TEST(OutputFile, RefusesDirectoriesAndMissingOnes) {
  ProcessGuard guard;
  TemporaryDirectory directory;
  std::string folder = directory.file(".");
  llvm::Expected<std::unique_ptr<OutputFile>> file =
      OutputFile::create(folder, guard);
  EXPECT_EQ(llvm::toString(file.takeError()),
            "cannot write '" + folder + "': it is a directory");
  std::string missing = directory.file("none/out.txt");
  file = OutputFile::create(missing, guard);
  EXPECT_EQ(llvm::toString(file.takeError()),
            "cannot write '" + missing + "': No such file or directory");
}

TEST(OutputFile, WritesDevicesInPlace) {
  ProcessGuard guard;
  auto file = llvm::cantFail(OutputFile::create("/dev/null", guard));
  EXPECT_TRUE(file->isStream());
  EXPECT_FALSE(bool(file->write("gone")));
  file = llvm::cantFail(OutputFile::create("/dev/full", guard));
  EXPECT_EQ(llvm::toString(file->write("gone")),
            "cannot write '/dev/full': No space left on device");
}

} // namespace
