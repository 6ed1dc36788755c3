//===- ModelFile.cpp - Checks of a library file before it is loaded -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ModelFile.h"

#include "runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llmopt::runtime {

namespace {
#ifdef __x86_64__
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#endif
} // namespace

static unsigned long long number(uint64_t value) { return value; }

/// Reads exactly `bytes` at `offset`.
static bool readAt(int descriptor, void *data, size_t bytes, uint64_t offset) {
  auto *to = static_cast<uint8_t *>(data);
  while (bytes) {
    const ssize_t got =
        pread(descriptor, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got == 0) // the file has become shorter
      errno = EIO;
    if (got <= 0)
      return false;
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

/// Null if `code` is a shared object for this machine whose segments lie
/// inside; else what is wrong.
static const char *findELFProblem(const uint8_t *code, uint64_t bytes) {
  Elf64_Ehdr header;
  if (bytes < sizeof(header))
    return "it is shorter than an ELF header";
  memcpy(&header, code, sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return "it has no ELF magic";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB)
    return "it is not 64-bit little-endian";
  if (header.e_type != ET_DYN)
    return "it is not a shared object";
  if (header.e_machine != kMachine)
    return "it is for another machine";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > bytes ||
      header.e_phnum > (bytes - header.e_phoff) / sizeof(Elf64_Phdr))
    return "its program headers are out of bounds";
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, code + header.e_phoff + i * sizeof(segment),
           sizeof(segment));
    if (segment.p_type == PT_LOAD &&
        (segment.p_filesz > bytes ||
         segment.p_offset > bytes - segment.p_filesz))
      return "a segment is out of bounds";
  }
  return nullptr;
}

ModelFile::~ModelFile() {
  if (descriptor >= 0)
    close(descriptor);
}

llmopt_status ModelFile::open(const char *path) {
  descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat facts;
  if (descriptor < 0 || fstat(descriptor, &facts) != 0)
    return fail(LLMOPT_CANNOT_READ, "cannot open '%s': %s", path,
                strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return fail(LLMOPT_CANNOT_READ, "cannot open '%s': not a regular file",
                path);
  fileBytes = static_cast<uint64_t>(facts.st_size);
  if (const llmopt_status status = readFooter(path))
    return status;
  if (const llmopt_status status = checkSizes(path))
    return status;
  return checkCode(path);
}

llmopt_status ModelFile::readFooter(const char *path) {
  const bool large = fileBytes >= sizeof(trailer);
  if (large && !readAt(descriptor, &trailer, sizeof(trailer),
                       fileBytes - sizeof(trailer)))
    return fail(LLMOPT_CANNOT_READ, "cannot read '%s': %s", path,
                strerror(errno));
  if (!large ||
      memcmp(trailer.magic, LLMOPT_FOOTER_MAGIC, sizeof(trailer.magic)) != 0)
    return fail(
        LLMOPT_NOT_A_MODEL,
        "'%s' does not end in a model footer: it is truncated, or was not "
        "written by llmopt-compile",
        path);
  if (llmopt_checksum(&trailer, offsetof(llmopt_footer, footer_checksum)) !=
      trailer.footer_checksum)
    return fail(
        LLMOPT_DAMAGED_FOOTER,
        "the footer of '%s' is damaged (checksum differs); compile or copy the "
        "model again",
        path);
  if (trailer.abi_version != LLMOPT_ABI_VERSION)
    return fail(LLMOPT_ABI_MISMATCH,
                "'%s' has model ABI %u, this runtime has %u: compile the model "
                "with the "
                "llmopt of this runtime",
                path, trailer.abi_version, unsigned(LLMOPT_ABI_VERSION));
  return LLMOPT_OK;
}

llmopt_status ModelFile::checkSizes(const char *path) const {
  if (trailer.file_bytes != fileBytes)
    return fail(
        LLMOPT_TRUNCATED,
        "'%s' has %llu bytes and should have %llu: it is truncated or changed; "
        "compile or copy the model again",
        path, number(fileBytes), number(trailer.file_bytes));
  const uint64_t end = fileBytes - sizeof(trailer);
  const bool consistent =
      trailer.footer_bytes == sizeof(trailer) &&
      trailer.weights_offset % LLMOPT_WEIGHTS_ALIGNMENT == 0 &&
      trailer.code_bytes <= trailer.weights_offset &&
      trailer.weights_offset <= end &&
      trailer.weights_bytes <= end - trailer.weights_offset;
  if (!consistent)
    return fail(
        LLMOPT_TRUNCATED,
        "the sizes in the footer of '%s' contradict each other (code %llu, "
        "weights %llu at %llu, file %llu bytes)",
        path, number(trailer.code_bytes), number(trailer.weights_bytes),
        number(trailer.weights_offset), number(fileBytes));
  return LLMOPT_OK;
}

llmopt_status ModelFile::checkCode(const char *path) const {
  const Mapping code = Mapping::file(descriptor, 0, trailer.code_bytes);
  if (!code && trailer.code_bytes)
    return fail(LLMOPT_OUT_OF_RESOURCES, "cannot map '%s': %s", path,
                strerror(errno));
  if (llmopt_checksum(code.as(), trailer.code_bytes) != trailer.code_checksum)
    return fail(
        LLMOPT_DAMAGED_CODE,
        "the code of '%s' is damaged (checksum differs); compile or copy the "
        "model again",
        path);
  if (const char *problem = findELFProblem(code.as(), trailer.code_bytes))
    return fail(LLMOPT_BAD_ELF, "the code of '%s' cannot be loaded: %s", path,
                problem);
  return LLMOPT_OK;
}

Mapping ModelFile::mapWeights() const {
  return Mapping::file(descriptor, trailer.weights_offset,
                       trailer.weights_bytes);
}

bool ModelFile::readWeights(void *to, uint64_t offset, uint64_t bytes) const {
  return readAt(descriptor, to, bytes, trailer.weights_offset + offset);
}

} // namespace llmopt::runtime
