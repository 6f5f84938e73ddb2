// The real process for tests: started with a socket of its own, spoken to by control's session client.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "control/session/dataplane_session.h"
#include "dataplane/base/clock.h"
#include "tests/io/words_memory.h"

namespace sekisho::io {

// Until it holds, for at most 20 s.
inline bool eventually(const std::function<bool()>& holds) {
  const std::uint64_t until = monotonic_ns() + 20 * kSecond;
  while (!holds()) {
    if (monotonic_ns() > until) return false;
    usleep(1000);
  }
  return true;
}

class DataplaneProcess {
 public:
  explicit DataplaneProcess(const std::string& directory) : socket_(directory + "/dp.sock") { start(); }
  ~DataplaneProcess() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    end();
  }
  void start() {
    const char* program = std::getenv("SEKISHO_DATAPLANE");
    if (program == nullptr) throw std::runtime_error("SEKISHO_DATAPLANE names the program to test");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves nothing behind
      execl(program, program, "--socket", socket_.c_str(), "--log-level", "error", "--guard", "none",
            nullptr);
      _exit(127);
    }
    eventually([this] { return std::filesystem::exists(socket_); });
  }
  // Waits for its end. Exit status, or -signal.
  std::optional<int> end() {
    if (pid_ <= 0) return std::nullopt;
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  bool runs() const { return pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0; }
  void signal(int which) const { kill(pid_, which); }
  const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  pid_t pid_ = -1;
};

struct SiteOptions {
  std::string device_a, device_b;
  std::uint32_t workers = 1;
  std::string idle = "adaptive";
  std::string rules = "[[rule]]\nname = \"all\"\nfrom = \"a\"\nto = \"b\"\naction = \"accept\"\n";
  std::uint64_t max_flows = 20000;
};

// Two ports, two zones, one wire.
inline std::vector<std::uint8_t> compile_site(const SiteOptions& o, std::uint64_t generation) {
  std::string cores = "cores = [0";
  for (std::uint32_t w = 1; w < o.workers; ++w) cores += ", " + std::to_string(w);
  const std::string text = "[gateway]\nname = \"t\"\nworkers = " + std::to_string(o.workers) + "\n" + cores +
                           "]\nidle = \"" + o.idle +
                           "\"\nmemory_mb = 256\nmax_flows = " + std::to_string(o.max_flows) +
                           "\n[[port]]\nname = \"pa\"\ndevice = \"" + o.device_a +
                           "\"\n[[port]]\nname = \"pb\"\ndevice = \"" + o.device_b +
                           "\"\n[[zone]]\nname = \"a\"\n[[zone]]\nname = \"b\"\n"
                           "[[interface]]\nname = \"ia\"\nport = \"pa\"\nzone = \"a\"\n"
                           "[[interface]]\nname = \"ib\"\nport = \"pb\"\nzone = \"b\"\n"
                           "[[wire]]\nname = \"w\"\nsides = [\"ia\", \"ib\"]\n" +
                           o.rules;
  const auto read = control::read_config(text, "test.toml");
  for (const auto& d : read.diagnostics) {
    if (d.severity == control::Diagnostic::Severity::error)
      std::fprintf(stderr, "%u: %s\n", d.at.line, d.what.c_str());
  }
  if (!read.ok()) throw std::runtime_error("the site does not read");
  const auto compiled = control::compile(*read.model, generation);
  for (const auto& d : compiled.diagnostics) std::fprintf(stderr, "%u: %s\n", d.at.line, d.what.c_str());
  if (!compiled.ok()) throw std::runtime_error("the site does not compile");
  return compiled.bytes;
}

}  // namespace sekisho::io
