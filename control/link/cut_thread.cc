#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/link/direct.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kStackBytes = 256 * 1024;
constexpr int kPriority = 50;
constexpr int kNice = -20;

[[gnu::noinline]] void touch_stack() {
  volatile unsigned char bytes[kStackBytes];
  for (std::size_t i = 0; i < sizeof bytes; i += 4096) bytes[i] = 0;
}

}  // namespace

CutThread prepare_cut_thread() {
  CutThread got;
  const auto missing = [&](const char* what, int error) {
    got.missing.push_back(std::string(what) + ": " + std::strerror(error));
  };
  // ONFAULT for the future: locking must not make every later mapping resident at once.
  got.memory_locked = ::mlockall(MCL_CURRENT) == 0 && ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
  if (!got.memory_locked) missing("mlockall", errno);

  pthread_attr_t attributes;
  std::size_t size = 0;
  void* low = nullptr;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    ::pthread_attr_getstack(&attributes, &low, &size);
    ::pthread_attr_destroy(&attributes);
  }
  if (size >= 2 * kStackBytes) {
    touch_stack();
    got.stack_ready = true;
  } else {
    missing("stack", ENOMEM);
  }

  sched_param priority{};
  priority.sched_priority = kPriority;
  const int refused = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &priority);
  got.fifo = refused == 0;
  if (got.fifo) return got;
  missing("SCHED_FIFO", refused);
  // For this thread alone: Linux keeps nice values by thread.
  if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice) != 0) missing("nice", errno);
  errno = 0;
  got.nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  return got;
}

}  // namespace sekisho::control
