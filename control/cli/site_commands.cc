#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/hardware.h"
#include "control/model/site.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

int init(const Settings& s, const std::string& path) {
  using namespace control;
  if (access(path.c_str(), F_OK) == 0) {
    fmt::print(stderr, "sekisho: {} exists already\n", path);
    return kRefused;
  }
  SiteAnswers answers;
  for (const Question& q : site_questions()) {
    for (unsigned tries = 0;; ++tries) {
      fmt::print("{}{}: ", s.japanese ? q.prompt.ja : q.prompt.en,
                 q.fallback.empty() ? "" : " [" + q.fallback + "]");
      std::fflush(stdout);
      std::string answer;
      if (!std::getline(std::cin, answer) || tries > 20) {
        fmt::print(stderr, "\nsekisho: no answer to '{}': nothing was written\n", q.key);
        return kRefused;
      }
      if (answer.empty()) answer = q.fallback;
      if (const auto fault = q.fault(answer)) {
        fmt::print("  {}\n", s.japanese ? fault->ja : fault->en);
        continue;
      }
      q.store(answers, answer);
      break;
    }
  }
  std::ofstream out(path);
  out << render_site(answers);
  out.close();
  if (!out) {
    fmt::print(stderr, "sekisho: {}: {}\n", path, std::strerror(errno));
    return kRefused;
  }
  fmt::print("\n{} is written. Next: `sekisho config check {}`, then `sekishod --config {}` once.\n", path,
             path, path);
  return kDone;
}

int hardware(const Settings& s) {
  constexpr const char* kGrades[] = {"good", "warning", "bad"};
  json body = json::array();
  bool bad = false;
  for (const HardwareFinding& f : check_hardware()) {
    bad = bad || f.grade == HardwareFinding::Grade::bad;
    body.push_back({{"grade", kGrades[static_cast<int>(f.grade)]}, {"subject", f.subject}, {"text", f.text}});
  }
  if (!print_json(s, body)) {
    std::vector<std::vector<std::string>> rows;
    for (const json& f : body)
      rows.push_back({f.value("grade", ""), f.value("subject", ""), f.value("text", "")});
    print_table(rows);
  }
  return bad ? kRefused : kDone;
}

int blink(const std::string& name, unsigned seconds) {
  if (name.size() >= IFNAMSIZ) {
    fmt::print(stderr, "sekisho: '{}' is not the name of an interface\n", name);
    return kUsage;
  }
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ethtool_value command{ETHTOOL_PHYS_ID, seconds};
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  request.ifr_data = reinterpret_cast<char*>(&command);
  fmt::print("the lamp of {} blinks for {} s\n", name, seconds);
  std::fflush(stdout);
  const int result = fd < 0 ? -1 : ioctl(fd, SIOCETHTOOL, &request);
  const int error = errno;
  if (fd >= 0) close(fd);
  if (result == 0) return kDone;
  fmt::print(stderr, "sekisho: {}: {}{}\n", name, std::strerror(error),
             error == EOPNOTSUPP
                 ? " (its driver cannot blink: unplug the cable and look which interface goes down)"
                 : "");
  return kRefused;
}

}  // namespace

void add_site_commands(Program p) {
  struct Options {
    std::string file = "/etc/sekisho/sekisho.toml", interface;
    unsigned seconds = 10;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* c = p.app.add_subcommand("init", "Write a first site from questions");
  c->add_option("file", o->file)->capture_default_str();
  c->callback([o, &s, &exit] { exit = init(s, o->file); });

  CLI::App* hw = p.app.add_subcommand("hw", "The machine")->require_subcommand(1);
  hw->add_subcommand("check", "Judge NICs, drivers, IOMMU, huge pages, cores, clock, disk and memory")
      ->callback([&s, &exit] { exit = hardware(s); });

  CLI::App* port = p.app.add_subcommand("port", "Sockets")->require_subcommand(1);
  c = port->add_subcommand("blink", "Blink an interface's lamp, before anything is bound");
  c->add_option("interface", o->interface)->required();
  c->add_option("--seconds", o->seconds)->check(CLI::Range(1, 300))->capture_default_str();
  c->callback([o, &exit] { exit = blink(o->interface, o->seconds); });
}

}  // namespace sekisho::cli
