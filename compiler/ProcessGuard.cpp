//===- ProcessGuard.cpp - Clean ends of the process -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/ProcessGuard.h"
#include "compiler/ExitCode.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ftw.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

using namespace llmopt;

namespace {

constexpr char kOutOfMemory[] = "error: out of memory\n";

/// Messages to the watching thread. They are signals because the functions that
/// send them are called by the C++ and LLVM libraries without a context.
int outOfMemorySignal() { return SIGRTMIN; }
int internalErrorSignal() { return SIGRTMIN + 1; }
int quitSignal() { return SIGRTMIN + 2; }

sigset_t watchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, outOfMemorySignal(),
                     internalErrorSignal(), quitSignal()})
    sigaddset(&set, signal);
  return set;
}

void say(const char *message) {
  // A failure to write to standard error has nowhere to be reported.
  if (write(STDERR_FILENO, message, strlen(message)) < 0)
    return;
}

/// Hands the process over to the watching thread.
[[noreturn]] void endBy(int signal) {
  // LLVM's handlers unblock all signals before they call ours.
  sigset_t signals = watchedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  kill(getpid(), signal);
  for (;;)
    pause();
}

void onOutOfMemory() {
  say(kOutOfMemory);
  endBy(outOfMemorySignal());
}

/// True if there is not even memory for the stack of a thread: then a crash, or
/// a thread that cannot be made, is no error of the compiler.
bool isMemoryExhausted() {
  constexpr size_t kStackBytes = 8 << 20;
  void *probe = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED)
    return true;
  munmap(probe, kStackBytes);
  return false;
}

void onBadAlloc(void *, const char *, bool) { onOutOfMemory(); }

void onFatalError(void *, const char *reason, bool) {
  if (isMemoryExhausted())
    onOutOfMemory();
  say("error: internal error: ");
  say(reason);
  say("\n");
  endBy(internalErrorSignal());
}

void onCrash(void *) {
  if (isMemoryExhausted())
    onOutOfMemory();
  say("error: internal error: the compiler crashed; please report it with the "
      "model and "
      "the flags\n");
  endBy(internalErrorSignal());
}

} // namespace

void llmopt::removeTree(const char *directory) {
  auto removeOne = [](const char *path, const struct stat *, int,
                      struct FTW *) { return remove(path); };
  nftw(directory, removeOne, /*nopenfd=*/8, FTW_DEPTH | FTW_PHYS);
}

ProcessGuard::ProcessGuard() : reserve(new char[1 << 20]) {
  sigset_t signals = watchedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::set_new_handler(onOutOfMemory);
  llvm::install_bad_alloc_error_handler(onBadAlloc);
  llvm::install_fatal_error_handler(onFatalError);
  llvm::sys::AddSignalHandler(onCrash, nullptr);
  // A closed pipe or a limit on file sizes is an error of the write; LLVM's
  // handlers, which are set by now, would end the process.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  if (pthread_create(&watcher, nullptr, watch, this) != 0) {
    say(kOutOfMemory);
    _exit(static_cast<int>(ExitCode::Resources));
  }
}

ProcessGuard::~ProcessGuard() {
  pthread_kill(watcher, quitSignal());
  pthread_join(watcher, nullptr);
  cleanUp();
  llvm::remove_fatal_error_handler();
  llvm::remove_bad_alloc_error_handler();
  std::set_new_handler(nullptr);
}

void ProcessGuard::protect(llvm::StringRef directory) {
  std::lock_guard<std::mutex> lock(mutex);
  directories.push_back(directory.str());
}

void ProcessGuard::release(llvm::StringRef directory) {
  std::lock_guard<std::mutex> lock(mutex);
  llvm::erase(directories, directory);
}

void ProcessGuard::cleanUp() {
  // Whoever holds the lock may be the thread that ran out of memory: then its
  // directory is not complete yet.
  bool locked = mutex.try_lock();
  for (const std::string &directory : directories)
    removeTree(directory.c_str());
  if (locked)
    mutex.unlock();
}

void *ProcessGuard::watch(void *self) {
  auto *guard = static_cast<ProcessGuard *>(self);
  sigset_t signals = watchedSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  if (signal == quitSignal())
    return nullptr;
  guard->reserve.reset();
  guard->cleanUp();
  if (signal == outOfMemorySignal())
    _exit(static_cast<int>(ExitCode::Resources));
  if (signal == internalErrorSignal())
    _exit(static_cast<int>(ExitCode::BadModel));
  _exit(128 + signal);
}
