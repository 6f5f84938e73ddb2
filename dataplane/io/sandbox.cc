#include "dataplane/io/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <ucontext.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace sekisho::io {

namespace {

std::atomic<std::uint64_t> refused{0};
std::atomic<int> last_refused{-1};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

// SECCOMP_RET_TRAP instead of an errno of the filter's, so that the refusal is seen here.
void on_refused(int, siginfo_t* info, void* context) {
  last_refused.store(info->si_syscall, std::memory_order_relaxed);
  refused.fetch_add(1, std::memory_order_relaxed);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

// Enough for af_packet, af_xdp, pcap, ring, null and tap ports in poll and adaptive mode, with policies
// applied, links cut and the process stopped: nothing was refused there. Besides what glibc and drivers take
// in its place on other kernels.
constexpr int kAllowed[] = {
    // Packets, wakes, timers, the control socket.
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create1),
    SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(bind),
    SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(ioctl), SCMP_SYS(pipe2),
    // Descriptors and files that are open, or opened to read.
    SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(statfs), SCMP_SYS(lseek),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(flock),
    // The end: its socket goes.
    SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    // Memory. mmap and mprotect without a look at PROT_EXEC: compiled regular expressions are code. Files:
    // huge pages come from memfd_create (--in-memory), not from files under /dev/hugepages.
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(get_mempolicy), SCMP_SYS(set_mempolicy), SCMP_SYS(mbind), SCMP_SYS(membarrier),
    // Threads, time, signals, and who one is.
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(getcpu), SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),
    SCMP_SYS(time), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address),
    SCMP_SYS(arch_prctl), SCMP_SYS(prctl), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(tgkill), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(capget), SCMP_SYS(capset),
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(prlimit64),
    SCMP_SYS(exit), SCMP_SYS(exit_group)};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// 0, or a negative errno as libseccomp's.
int fill(scmp_filter_ctx filter, const SandboxOptions& options) {
  int error = 0;
  const auto note = [&error](int result) { error = error != 0 ? error : result; };
  for (const int call : kAllowed) note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0));

  constexpr std::uint64_t kWrites = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
  note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                        SCMP_A1(SCMP_CMP_MASKED_EQ, kWrites, O_RDONLY)));
  note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                        SCMP_A2(SCMP_CMP_MASKED_EQ, kWrites, O_RDONLY)));
  // openat2's flags lie in memory, where a filter cannot look; glibc does without it.
  for (const int family : {AF_UNIX, AF_NETLINK, AF_INET}) {
    if (family != AF_UNIX && !options.kernel_sockets) continue;
    note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                          SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))));
  }
  note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
  // Threads, but no processes. clone3's flags lie in memory too: without it glibc takes clone.
  note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)));
  note(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  return error;
}

}  // namespace

bool enter_sandbox(const SandboxOptions& options, std::string& why) {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_TRAP));
  if (!filter) {
    why = "no memory for a filter";
    return false;
  }
  struct sigaction action {};
  action.sa_sigaction = on_refused;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  int error = sigaction(SIGSYS, &action, nullptr) == 0 ? 0 : -errno;
  // All threads at once, none left out; a tree instead of a list; and the kernel's log says it too.
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  if (error == 0) error = fill(filter.get(), options);
  if (error == 0) error = seccomp_load(filter.get());
  if (error == 0) return true;
  why = std::strerror(-error);
  return false;
}

RefusedCalls refused_calls() {
  return {refused.load(std::memory_order_relaxed), last_refused.load(std::memory_order_relaxed)};
}

std::string system_call_name(int number) {
  const std::unique_ptr<char, decltype(&std::free)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), std::free);
  return name ? name.get() : std::to_string(number);
}

}  // namespace sekisho::io
