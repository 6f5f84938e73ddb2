#include "control/daemon/menu.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "control/daemon/daemon.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/model/read_text.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kUnlockedNs = 600 * kSecond, kFirstLockNs = 60 * kSecond,
                        kLongestLockNs = 900 * kSecond;
constexpr unsigned kTries = 5;
constexpr Permissions kMenuPermissions =
    bit(Permission::view) | bit(Permission::cut) | bit(Permission::quarantine);

bool is_pin(const std::string& pin) {
  return pin.size() >= 6 && pin.size() <= 32 &&
         std::all_of(pin.begin(), pin.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string failure(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

}  // namespace

Caller MenuGate::admit(const httplib::Request& request, Permission needed) {
  Caller caller;
  caller.who = {UnixHttpServer::peer_of(request).uid, "screen", "menu"};
  if (needed == Permission::open) return caller;
  constexpr std::string_view kBearer = "Bearer ";
  const std::string header = request.get_header_value("Authorization");
  {
    const std::lock_guard lock(mutex_);
    const std::string given = header.starts_with(kBearer) ? header.substr(kBearer.size()) : std::string();
    if (token_.empty() || monotonic_ns() >= token_until_ns_ || given.size() != token_.size() ||
        sodium_memcmp(given.data(), token_.data(), token_.size()) != 0)
      throw Refusal{401, "locked", "the PIN is asked for first"};
    token_until_ns_ = monotonic_ns() + kUnlockedNs;
  }
  caller.permissions = kMenuPermissions;
  if (!caller.may(needed))
    throw Refusal{403, "forbidden", fmt::format("the menu has no right '{}'", name_of(needed))};
  return caller;
}

std::string MenuGate::unlock(const std::string& pin) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t now = monotonic_ns();
  if (now < locked_until_ns_)
    throw Refusal{429, "locked",
                  fmt::format("too many wrong PINs: wait {} s", (locked_until_ns_ - now) / kSecond + 1)};
  const auto hash = read_text(pin_path_, crypto_pwhash_STRBYTES);
  if (!hash) throw Refusal{409, "no_pin", "no PIN is set: `sekisho menu pin` as root"};
  if (!is_pin(pin) || crypto_pwhash_str_verify((*hash).c_str(), pin.data(), pin.size()) != 0) {
    if (++wrong_ % kTries == 0)
      locked_until_ns_ = now + std::min(kLongestLockNs, kFirstLockNs << std::min(wrong_ / kTries - 1, 4u));
    throw Refusal{403, "wrong_pin", "this is not the PIN"};
  }
  wrong_ = 0;
  unsigned char raw[32];
  randombytes_buf(raw, sizeof raw);
  char text[2 * sizeof raw + 1];
  token_ = sodium_bin2hex(text, sizeof text, raw, sizeof raw);
  token_until_ns_ = now + kUnlockedNs;
  return token_;
}

std::string MenuGate::set_pin(const std::string& pin) {
  if (!is_pin(pin)) return "a PIN has 6 to 32 digits";
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str(hash, pin.data(), pin.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                        crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
    return "no memory for argon2id";
  const std::lock_guard lock(mutex_);
  const std::string part = pin_path_ + ".part";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failure(part);
  const auto size = static_cast<ssize_t>(std::strlen(hash));
  const bool good = ::write(fd, hash, static_cast<std::size_t>(size)) == size && ::fsync(fd) == 0;
  ::close(fd);
  if (!good || ::rename(part.c_str(), pin_path_.c_str()) != 0) return failure(pin_path_);
  token_.clear();
  wrong_ = 0;
  locked_until_ns_ = 0;
  return {};
}

Menu::Menu(Daemon& daemon, std::string directory, std::string group)
    : daemon_(daemon),
      directory_(std::move(directory)),
      group_(std::move(group)),
      gate_(daemon.options().state_directory + "/menu-pin") {}

Menu::~Menu() {
  finish();
}

std::string Menu::start() {
  if (::sodium_init() < 0) return "libsodium does not start";
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  if (failed) return directory_ + ": " + failed.message();
  gid_t group = 0;
  if (!group_.empty()) {
    char* end = nullptr;
    const unsigned long number = std::strtoul(group_.c_str(), &end, 10);
    const struct group* entry = *end == '\0' ? nullptr : ::getgrnam(group_.c_str());
    if (*end != '\0' && entry == nullptr) return "no group is named '" + group_ + "'";
    group = entry != nullptr ? entry->gr_gid : static_cast<gid_t>(number);
  }
  if (::chown(directory_.c_str(), 0, group) != 0 && ::geteuid() == 0) return failure(directory_);
  ::chmod(directory_.c_str(), 0710);
  const std::string path = directory_ + "/menu.sock";
  server_ = std::make_unique<ApiServer>(gate_, path, 0660, 2);
  add_command_routes(*server_, daemon_);
  server_->get("/v1/menu/links", Permission::view, [this](const httplib::Request&, const Caller&) {
    const auto site = daemon_.site();
    const LinkSet cut = daemon_.links().cut_links(), partial = daemon_.links().partial_links();
    json links = json::array();
    for (const LinkDescription& l : describe_links(site->model))
      links.push_back({{"link", l.name},
                       {"cut", cut.test(l.link.raw)},
                       {"partial", partial.test(l.link.raw)},
                       {"clinical", l.clinical}});
    return json{{"site", site->model.name}, {"links", links}};
  });
  server_->post("/v1/menu/unlock", Permission::open, [this](const httplib::Request& r, const Caller& caller) {
    const std::string pin = text_field(body_of(r), "pin");
    try {
      std::string token = gate_.unlock(pin);
      daemon_.audit(caller.who, "menu.unlock", "{}");
      return json{{"token", std::move(token)}};
    } catch (const Refusal& refusal) {
      daemon_.audit(caller.who, "menu.refused", json{{"why", refusal.name}}.dump());
      throw;
    }
  });
  if (!server_->start()) return server_->error();
  if (::chown(path.c_str(), 0, group) != 0 && ::geteuid() == 0) return failure(path);
  return {};
}

void Menu::add_routes(ApiServer& api) {
  api.post("/v1/menu/pin", Permission::people_change,
           [this](const httplib::Request& r, const Caller& caller) {
             if (const std::string why = gate_.set_pin(text_field(body_of(r), "pin")); !why.empty())
               throw Refusal{400, "bad_pin", why};
             const std::string unrecorded = daemon_.audit(caller.who, "menu.pin", "{}");
             json out = {{"set", true}};
             if (!unrecorded.empty()) out["audit_error"] = unrecorded;
             return out;
           });
}

void Menu::finish() {
  if (server_) server_->finish();
  server_.reset();
}

}  // namespace sekisho::control
