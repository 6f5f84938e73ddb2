#include "control/store/config_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/store/atomic_file.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxFile = 8u << 20;

std::optional<std::string> read_file(const std::string& path) {
  return read_small_file(path, kMaxFile);
}

std::string stem(std::uint32_t version) {
  char name[16];
  std::snprintf(name, sizeof name, "%06u", version);
  return name;
}

std::optional<std::uint32_t> number(const std::string& text) {
  if (text.empty() || text.size() > 9 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(text));
}

}  // namespace

ConfigStore::ConfigStore(std::string directory) : directory_(std::move(directory)) {}

std::string ConfigStore::open() {
  std::error_code ec;
  fs::create_directories(directory_, ec);
  if (ec) return directory_ + ": " + ec.message();
  ::chmod(directory_.c_str(), 0700);
  return {};
}

bool ConfigStore::write_atomically(const std::string& name, const std::string& content) {
  const std::string error = control::write_atomically(directory_ + "/" + name, content);
  if (!error.empty()) error_ = error;
  return error.empty();
}

std::optional<std::uint32_t> ConfigStore::add(const std::string& text, const std::string& who,
                                              const std::string& reason, std::uint64_t wall_s) {
  const auto versions = history();
  const std::uint32_t version = versions.empty() ? 1 : versions.back().number + 1;
  const json meta = {
      {"version", version}, {"who", who}, {"reason", reason}, {"wall_s", wall_s}, {"outcome", "stored"}};
  if (!write_atomically(stem(version) + ".toml", text) ||
      !write_atomically(stem(version) + ".json", meta.dump(1)))
    return std::nullopt;
  return version;
}

std::string ConfigStore::path(std::uint32_t version) const {
  return directory_ + "/" + stem(version) + ".toml";
}

std::optional<std::string> ConfigStore::text(std::uint32_t version) const {
  return read_file(path(version));
}

std::vector<ConfigVersion> ConfigStore::history() const {
  std::vector<ConfigVersion> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory_, ec)) {
    if (entry.path().extension() != ".toml") continue;
    const auto version = number(entry.path().stem().string());
    if (!version) continue;
    ConfigVersion v;
    v.number = *version;
    if (const auto meta = read_file(directory_ + "/" + stem(*version) + ".json")) {
      const json m = json::parse(*meta, nullptr, false);
      if (m.is_object()) {
        v.who = m.value("who", "");
        v.reason = m.value("reason", "");
        v.wall_s = m.value("wall_s", std::uint64_t{0});
        v.outcome = m.value("outcome", "");
      }
    }
    out.push_back(std::move(v));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

bool ConfigStore::set_outcome(std::uint32_t version, const std::string& outcome) {
  const std::string name = stem(version) + ".json";
  const auto meta = read_file(directory_ + "/" + name);
  json m = meta ? json::parse(*meta, nullptr, false) : json::object();
  if (!m.is_object()) m = json::object();
  m["outcome"] = outcome;
  return write_atomically(name, m.dump(1));
}

std::optional<std::uint32_t> ConfigStore::current() const {
  auto text = read_file(directory_ + "/current");
  if (!text) return std::nullopt;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return number(*text);
}

bool ConfigStore::set_current(std::uint32_t version) {
  return write_atomically("current", stem(version) + "\n");
}

std::optional<PendingConfirm> ConfigStore::pending() const {
  const auto text = read_file(directory_ + "/pending");
  if (!text) return std::nullopt;
  const json p = json::parse(*text, nullptr, false);
  if (!p.is_object()) return std::nullopt;
  PendingConfirm out;
  out.version = p.value("version", 0u);
  out.previous = p.value("previous", 0u);
  out.deadline_wall_s = p.value("deadline_wall_s", std::uint64_t{0});
  return out;
}

bool ConfigStore::set_pending(const std::optional<PendingConfirm>& pending) {
  if (pending) {
    const json p = {{"version", pending->version},
                    {"previous", pending->previous},
                    {"deadline_wall_s", pending->deadline_wall_s}};
    return write_atomically("pending", p.dump());
  }
  if (unlink((directory_ + "/pending").c_str()) != 0 && errno != ENOENT) {
    error_ = directory_ + "/pending: " + std::strerror(errno);
    return false;
  }
  return sync_directory(directory_);
}

}  // namespace sekisho::control
