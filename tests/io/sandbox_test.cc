// What a process can still do behind the filter. The filter cannot be taken off, so each case is a child.
#include "dataplane/io/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <thread>

namespace sekisho::io {
namespace {

// Runs `body` in a child behind the filter; its answer becomes the child's status. 99: no filter.
int behind_the_filter(const std::function<int()>& body, const SandboxOptions& options = {}) {
  const pid_t child = fork();
  if (child == 0) {
    std::string why;
    _exit(enter_sandbox(options, why) ? body() : 99);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int refused(long result) {
  return result == -1 && errno == EPERM ? 0 : 1;
}

TEST(Sandbox, NoProgramIsStarted) {
  EXPECT_EQ(behind_the_filter([] {
              char path[] = "/bin/true";
              char* const arguments[] = {path, nullptr};
              return refused(execv(path, arguments));
            }),
            0);
  EXPECT_EQ(behind_the_filter([] { return refused(syscall(SYS_fork)); }), 0);
  EXPECT_EQ(behind_the_filter([] { return refused(fork()); }), 0);
}

TEST(Sandbox, NoSocketToTheNetwork) {
  for (const int family : {AF_INET, AF_INET6, AF_PACKET, AF_NETLINK}) {
    EXPECT_EQ(behind_the_filter([family] { return refused(socket(family, SOCK_DGRAM, 0)); }), 0) << family;
  }
  EXPECT_EQ(behind_the_filter([] { return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 ? 0 : 1; }), 0);
  EXPECT_EQ(
      behind_the_filter([] { return socket(AF_INET, SOCK_DGRAM, 0) >= 0 ? 0 : 1; }, {.kernel_sockets = true}),
      0);
}

TEST(Sandbox, FilesAreReadAndNotWritten) {
  const std::string path = testing::TempDir() + "sekisho-sandbox-" + std::to_string(getpid());
  for (const int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC}) {
    EXPECT_EQ(behind_the_filter([&] { return refused(open(path.c_str(), flags | O_CLOEXEC, 0600)); }), 0)
        << flags;
    EXPECT_EQ(behind_the_filter([&] { return refused(syscall(SYS_open, path.c_str(), flags, 0600)); }), 0)
        << flags;
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(behind_the_filter([] { return refused(open("/tmp", O_TMPFILE | O_RDWR, 0600)); }), 0);
  EXPECT_EQ(behind_the_filter([] { return open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1; }),
            0);
}

TEST(Sandbox, NoWayBack) {
  EXPECT_EQ(behind_the_filter([] { return refused(setuid(0)); }), 0);
  EXPECT_EQ(behind_the_filter([] { return refused(syscall(SYS_ptrace, 16, getppid(), 0, 0)); }), 0);
  EXPECT_EQ(behind_the_filter([] { return refused(syscall(SYS_bpf, 0, nullptr, 0)); }), 0);
  EXPECT_EQ(behind_the_filter([] { return refused(syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0)); }), 0);
}

TEST(Sandbox, CodeMayBeMadeAndThreadsStarted) {
  EXPECT_EQ(behind_the_filter([] {
              void* p = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : 1;
            }),
            0);
  EXPECT_EQ(behind_the_filter([] {
              int status = 1;
              std::thread([&status] { status = refused(socket(AF_INET, SOCK_STREAM, 0)); }).join();
              return status;
            }),
            0);
}

TEST(Sandbox, ThreadsThatRanBeforeAreInIt) {
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> go{0};
    int status = 1;
    std::thread early([&] {
      while (go.load() == 0) std::this_thread::yield();
      status = refused(socket(AF_INET, SOCK_STREAM, 0));
    });
    std::string why;
    const bool entered = enter_sandbox({}, why);
    go.store(1);
    early.join();
    _exit(entered ? status : 99);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Sandbox, RefusalsAreCountedByName) {
  EXPECT_EQ(behind_the_filter([] {
              if (refused_calls().count != 0) return 1;
              refused(socket(AF_INET, SOCK_STREAM, 0));
              refused(socket(AF_INET6, SOCK_STREAM, 0));
              const RefusedCalls calls = refused_calls();
              return calls.count == 2 && system_call_name(calls.last) == "socket" ? 0 : 2;
            }),
            0);
  EXPECT_EQ(system_call_name(99999), "99999");
}

}  // namespace
}  // namespace sekisho::io
