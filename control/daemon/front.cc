#include "control/daemon/front.h"

#include <fmt/format.h>
#include <grp.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/daemon/routes.h"
#include "control/front/certificate.h"
#include "control/link/direct.h"
#include "control/model/read_text.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr unsigned kThreads = 8, kCutThreads = 2;
constexpr std::size_t kMostPem = 1u << 20;
constexpr std::uint64_t kWarnBeforeEnd = 30 * 86400;

long group_id(const std::string& name) {
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos && name.size() < 10)
    return std::stol(name);
  group entry{};
  group* found = nullptr;
  std::array<char, 16384> buffer;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return -1;
  return found->gr_gid;
}

}  // namespace

std::string setup_url(const Site& site, const std::string& link) {
  const auto& api = site.model.api;
  if (!api) return "(the console, when there is [api])/#/setup?link=" + link;
  const std::string host = api->ipv6 ? "[" + api->address + "]" : api->address;
  return fmt::format("https://{}:{}/#/setup?link={}", host, api->port, link);
}

Front::Front(Daemon& daemon, FrontOptions options)
    : daemon_(daemon),
      options_(std::move(options)),
      gate_(daemon.people(),
            [&daemon](const std::string& zone) -> std::uint64_t {
              const auto found = daemon.site()->find_zone(zone);
              return found ? 1ull << *found : 0;
            }),
      server_(gate_, options_.directory + "/front.sock", 0600, kThreads),
      cut_server_(gate_, options_.directory + "/front-cut.sock", 0600, kCutThreads,
                  [] { prepare_cut_thread(); }) {
  daemon_.add_health([this] {
    const std::lock_guard lock(health_mutex_);
    return health_;
  });
}

Front::~Front() {
  finish();
}

void Front::start() {
  std::error_code ec;
  fs::create_directories(options_.directory, ec);
  group_ = group_id(options_.group);
  if (group_ < 0) fault_ = "there is no group " + options_.group + ": sekisho-api cannot reach sekishod";
  // The mode first: while the group may enter, the sockets are root's alone until their own group is set.
  if (ec || chmod(options_.directory.c_str(), 0750) != 0 ||
      (group_ >= 0 && chown(options_.directory.c_str(), 0, static_cast<gid_t>(group_)) != 0))
    fault_ = options_.directory + ": " + (ec ? ec.message() : std::strerror(errno));
  add_front_routes(server_, daemon_);
  add_command_routes(cut_server_, daemon_);
  for (const auto& [server, name] : {std::pair{&server_, "/front.sock"}, {&cut_server_, "/front-cut.sock"}}) {
    if (!server->start()) {
      fault_ = server->error();
      continue;
    }
    const std::string path = options_.directory + name;
    if (group_ >= 0 &&
        (chown(path.c_str(), 0, static_cast<gid_t>(group_)) != 0 || chmod(path.c_str(), 0660) != 0))
      fault_ = path + ": " + std::strerror(errno);
  }
  if (!fault_.empty() && daemon_.site()->model.api) spdlog::warn("front: {}", fault_);
  tick();
}

void Front::finish() {
  server_.finish();
  cut_server_.finish();
}

std::string Front::write(const char* name, const std::string& content) const {
  const std::string path = options_.directory + "/" + name;
  if (const auto now = read_text(path, kMostPem); now && *now == content) return {};
  std::string why = write_whole(path, content, 0600);
  if (why.empty() && group_ >= 0 &&
      (chown(path.c_str(), 0, static_cast<gid_t>(group_)) != 0 || chmod(path.c_str(), 0640) != 0))
    why = path + ": " + std::strerror(errno);
  return why;
}

// Certificate and key before api.json: sekisho-api waits for that one, and starts anew when it changes.
void Front::write_files(const Site& site) {
  certificate_fault_.clear();
  ends_s_ = 0;
  if (!site.model.api) {
    for (const char* name : {"api.json", "cert.pem", "key.pem", "client-ca.pem"})
      ::unlink((options_.directory + "/" + name).c_str());
    return;
  }
  const ApiSettings& api = *site.model.api;
  CertificatePair pair;
  const bool own = api.cert.empty();
  const std::string folder = daemon_.options().state_directory + "/api";
  const std::string cert_path = own ? folder + "/cert.pem" : api.cert,
                    key_path = own ? folder + "/key.pem" : api.key;
  auto cert = read_text(cert_path, kMostPem), key = read_text(key_path, kMostPem);
  if (own && (!cert || !key || !pair_fits({*cert, *key}))) {
    std::error_code ec;
    fs::create_directories(folder, ec);
    chmod(folder.c_str(), 0700);
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    std::string why;
    const auto made = make_certificate({host.data(), api.address}, wall_ns() / kSecond, why);
    if (made && (why = write_whole(key_path, made->key)).empty())
      why = write_whole(cert_path, made->certificate);
    if (why.empty()) {
      spdlog::warn("made a self-signed certificate, SHA-256 {}", certificate_fingerprint(made->certificate));
      daemon_.audit({0, "sekishod", "internal"}, "api.certificate",
                    json{{"sha256", certificate_fingerprint(made->certificate)}}.dump());
      cert = read_text(cert_path, kMostPem);
      key = read_text(key_path, kMostPem);
    } else {
      certificate_fault_ = "no certificate for sekisho-api: " + why;
    }
  }
  std::string client_ca;
  if (!api.client_ca.empty()) {
    const auto text = read_text(api.client_ca, kMostPem);
    if (text)
      client_ca = *text;
    else
      certificate_fault_ = text.what;
  }
  if (!cert || !key)
    certificate_fault_ = !cert ? cert.what : key.what;
  else if (!pair_fits({*cert, *key}))
    certificate_fault_ = key_path + " is not the key of " + cert_path;
  if (!certificate_fault_.empty()) {
    spdlog::warn("front: {}", certificate_fault_);
    return;  // what was there goes on
  }
  ends_s_ = certificate_ends(*cert).value_or(0);
  std::string why = write("cert.pem", *cert);
  if (why.empty()) why = write("key.pem", *key);
  if (why.empty() && !client_ca.empty()) why = write("client-ca.pem", client_ca);
  const json settings = {{"address", api.address},
                         {"port", api.port},
                         {"client_ca", !client_ca.empty()},
                         {"connections", api.connections},
                         {"connections_per_address", api.connections_per_address},
                         {"certificate", certificate_fingerprint(*cert)}};
  if (why.empty()) why = write("api.json", settings.dump() + "\n");
  if (!why.empty()) certificate_fault_ = why;
}

void Front::offer_first_link(const Site& site) {
  std::string report;
  const std::string link = daemon_.people().first_link(report);
  if (!report.empty()) spdlog::warn("{}", report);
  if (link.empty()) return;
  spdlog::warn("nobody can log in yet. The first admin opens, within a day: {}", setup_url(site, link));
}

void Front::tick() {
  const auto site = daemon_.site();
  const std::uint64_t now = monotonic_ns() / kSecond;
  if (site->generation == generation_ && now < next_minute_s_) return;
  generation_ = site->generation;
  next_minute_s_ = now + 60;
  write_files(*site);
  offer_first_link(*site);
  const std::uint64_t wall = wall_ns() / kSecond;
  std::vector<HealthReason> found;
  if (site->model.api && !fault_.empty()) found.push_back({"front", fault_});
  if (!certificate_fault_.empty()) found.push_back({"certificate", certificate_fault_});
  if (ends_s_ != 0 && ends_s_ < wall + kWarnBeforeEnd)
    found.push_back({"certificate_ends", ends_s_ <= wall
                                             ? std::string("the certificate of the console has ended")
                                             : fmt::format("the certificate of the console ends in {} days",
                                                           (ends_s_ - wall) / 86400)});
  const std::lock_guard lock(health_mutex_);
  health_ = std::move(found);
}

}  // namespace sekisho::control
