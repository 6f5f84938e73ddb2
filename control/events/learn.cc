#include "control/events/learn.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "control/events/eve.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {

constexpr off_t kMaxFileBytes = 64 << 20;
constexpr int kFileVersion = 1;

bool icmp(std::uint8_t protocol) {
  return protocol == 1 || protocol == 58;
}

std::string error_of(const std::string& path) {
  return path + ": " + std::strerror(errno);
}

std::string text(std::uint8_t version, const std::array<std::uint8_t, 16>& address) {
  std::string out;
  append_address(out, version, address.data());
  return out;
}

// The whole number at `name`, at most `most`. Throws what nlohmann throws, or std::out_of_range.
std::uint64_t whole(const nlohmann::json& object, const char* name, std::uint64_t most) {
  const nlohmann::json& value = object.at(name);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) throw std::out_of_range(name);
  return value.get<std::uint64_t>();
}

void read_address(const nlohmann::json& object, const char* name, std::uint8_t version,
                  std::array<std::uint8_t, 16>& out) {
  const auto& value = object.at(name).get_ref<const std::string&>();
  if (inet_pton(version == 4 ? AF_INET : AF_INET6, value.c_str(), out.data()) != 1) {
    throw std::out_of_range(name);
  }
}

LearnEntry read_entry(const nlohmann::json& e, std::size_t zones) {
  LearnEntry entry;
  LearnKey& k = entry.key;
  k.ip_version = static_cast<std::uint8_t>(whole(e, "version", 6));
  if (k.ip_version != 4 && k.ip_version != 6) throw std::out_of_range("version");
  k.from_zone = static_cast<std::uint8_t>(whole(e, "from", zones - 1));
  k.to_zone = static_cast<std::uint8_t>(whole(e, "to", zones - 1));
  k.link = static_cast<std::uint16_t>(sekisho_link_index(k.from_zone, k.to_zone));
  read_address(e, "source", k.ip_version, k.source);
  read_address(e, "destination", k.ip_version, k.destination);
  k.protocol = static_cast<std::uint8_t>(whole(e, "protocol", 255));
  k.destination_port = static_cast<std::uint16_t>(whole(e, "port", 65535));
  entry.flows = whole(e, "flows", UINT64_MAX);
  entry.first_wall_ns = whole(e, "first_ns", UINT64_MAX);
  entry.last_wall_ns = whole(e, "last_ns", UINT64_MAX);
  return entry;
}

// The file's bytes; nothing if it is not there.
std::optional<std::string> read_file(const std::string& path, std::string& error) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno != ENOENT) error = error_of(path);
    return std::nullopt;
  }
  std::string bytes;
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kMaxFileBytes) {
    error = path + ": not a file, or larger than a learn record can be";
  } else {
    bytes.resize(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = read(fd, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        error = n < 0 ? error_of(path) : path + ": shortened while reading";
        break;
      }
      done += static_cast<std::size_t>(n);
    }
  }
  close(fd);
  if (!error.empty()) return std::nullopt;
  return bytes;
}

std::string write_file(const std::string& path, const std::string& bytes) {
  const std::string beside = path + ".new";
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return error_of(beside);
  std::size_t done = 0;
  bool ok = true;
  while (ok && done < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0;
    if (ok) done += static_cast<std::size_t>(n);
  }
  ok = ok && fsync(fd) == 0;
  std::string error = ok ? std::string() : error_of(beside);
  close(fd);
  if (ok && rename(beside.c_str(), path.c_str()) != 0) error = error_of(path);
  if (!error.empty()) unlink(beside.c_str());
  return error;
}

}  // namespace

std::size_t LearnRecorder::KeyHash::operator()(const LearnKey& k) const {
  const std::uint64_t rest = std::uint64_t{k.link} | std::uint64_t{k.destination_port} << 16 |
                             std::uint64_t{k.from_zone} << 32 | std::uint64_t{k.to_zone} << 40 |
                             std::uint64_t{k.ip_version} << 48 | std::uint64_t{k.protocol} << 56;
  return hash64(k.source, hash64(k.destination, rest));
}

LearnRecorder::LearnRecorder(std::string path, std::size_t max_entries)
    : path_(std::move(path)), max_entries_(max_entries) {}

void LearnRecorder::record(const abi::Event& e, std::uint64_t wall_ns) {
  if (e.ip_version != 4 && e.ip_version != 6) return;
  if (e.from_zone >= SEKISHO_MAX_ZONES || e.to_zone >= SEKISHO_MAX_ZONES) return;
  LearnKey key;
  const std::size_t bytes = e.ip_version == 4 ? 4 : 16;
  std::memcpy(key.source.data(), e.source, bytes);
  std::memcpy(key.destination.data(), e.destination, bytes);
  key.ip_version = e.ip_version;
  key.protocol = e.protocol;
  key.from_zone = e.from_zone;
  key.to_zone = e.to_zone;
  key.link = static_cast<std::uint16_t>(sekisho_link_index(e.from_zone, e.to_zone));
  key.destination_port =
      icmp(e.protocol) ? static_cast<std::uint16_t>((e.source_port & 0xff) << 8 | (e.destination_port & 0xff))
                       : e.destination_port;
  const std::lock_guard lock(mutex_);
  changed_ = true;
  const auto found = seen_.find(key);
  if (found != seen_.end()) {
    ++found->second.flows;
    found->second.last_wall_ns = wall_ns;
  } else if (seen_.size() < max_entries_) {
    seen_.emplace(key, Seen{1, wall_ns, wall_ns});
  } else {
    ++overflow_;
  }
}

std::vector<LearnEntry> LearnRecorder::entries() const {
  std::vector<LearnEntry> all;
  {
    const std::lock_guard lock(mutex_);
    all.reserve(seen_.size());
    for (const auto& [key, seen] : seen_) {
      all.push_back({key, seen.flows, seen.first_wall_ns, seen.last_wall_ns});
    }
  }
  const auto order = [](const LearnEntry& e) {
    const LearnKey& k = e.key;
    return std::tie(k.link, k.from_zone, k.to_zone, k.ip_version, k.source, k.destination, k.protocol,
                    k.destination_port);
  };
  std::sort(all.begin(), all.end(),
            [&](const LearnEntry& a, const LearnEntry& b) { return order(a) < order(b); });
  return all;
}

std::vector<LearnEntry> LearnRecorder::entries(std::uint16_t link) const {
  std::vector<LearnEntry> all = entries();
  std::erase_if(all, [&](const LearnEntry& e) { return e.key.link != link; });
  return all;
}

std::uint64_t LearnRecorder::overflow() const {
  const std::lock_guard lock(mutex_);
  return overflow_;
}

void LearnRecorder::forget(std::uint16_t link) {
  const std::lock_guard lock(mutex_);
  if (std::erase_if(seen_, [&](const auto& entry) { return entry.first.link == link; }) > 0) changed_ = true;
}

void LearnRecorder::set_zones(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  if (names == zones_) return;
  const std::vector<std::string> old = std::exchange(zones_, names);
  if (old.empty() || seen_.empty()) return;
  const auto moved = [&](std::uint8_t zone) -> int {
    if (zone >= old.size()) return -1;
    const auto found = std::find(names.begin(), names.end(), old[zone]);
    return found == names.end() ? -1 : static_cast<int>(found - names.begin());
  };
  std::unordered_map<LearnKey, Seen, KeyHash> next;
  for (const auto& [key, seen] : seen_) {
    const int from = moved(key.from_zone), to = moved(key.to_zone);
    if (from < 0 || to < 0 || from >= SEKISHO_MAX_ZONES || to >= SEKISHO_MAX_ZONES) continue;
    LearnKey k = key;
    k.from_zone = static_cast<std::uint8_t>(from);
    k.to_zone = static_cast<std::uint8_t>(to);
    k.link = static_cast<std::uint16_t>(sekisho_link_index(k.from_zone, k.to_zone));
    next.emplace(k, seen);
  }
  seen_.swap(next);
  changed_ = true;
}

std::string LearnRecorder::load() {
  if (path_.empty()) return {};
  std::string error;
  const auto bytes = read_file(path_, error);
  if (!bytes) return error;
  try {
    const nlohmann::json file = nlohmann::json::parse(*bytes);
    if (whole(file, "version", 1000) != kFileVersion) throw std::out_of_range("version");
    const auto zones = file.at("zones").get<std::vector<std::string>>();
    if (zones.size() > SEKISHO_MAX_ZONES) throw std::out_of_range("zones");
    std::unordered_map<LearnKey, Seen, KeyHash> seen;
    const auto& entries = file.at("entries").get_ref<const nlohmann::json::array_t&>();
    if (entries.size() > max_entries_) throw std::out_of_range("entries");
    if (!entries.empty() && zones.empty()) throw std::out_of_range("zones");
    for (const nlohmann::json& e : entries) {
      const LearnEntry entry = read_entry(e, zones.size());
      seen.emplace(entry.key, Seen{entry.flows, entry.first_wall_ns, entry.last_wall_ns});
    }
    const std::uint64_t overflow = whole(file, "overflow", UINT64_MAX);
    const std::lock_guard lock(mutex_);
    seen_.swap(seen);
    zones_ = zones;
    overflow_ = overflow;
  } catch (const std::exception& e) {
    const std::string aside = path_ + ".bad";
    const bool moved = rename(path_.c_str(), aside.c_str()) == 0;
    return path_ + ": not a learn record (" + e.what() + ")" + (moved ? ", kept as " + aside : "");
  }
  return {};
}

std::string LearnRecorder::save() {
  if (path_.empty()) return {};
  const std::lock_guard one(saving_);
  std::vector<std::string> zones;
  std::uint64_t overflow = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return {};
    changed_ = false;
    zones = zones_;
    overflow = overflow_;
  }
  nlohmann::json file = {{"version", kFileVersion},
                         {"zones", zones},
                         {"overflow", overflow},
                         {"entries", nlohmann::json::array()}};
  for (const LearnEntry& e : entries()) {
    // An entry of a zone without a name (recorded before set_zones) could not be read again.
    if (e.key.from_zone >= zones.size() || e.key.to_zone >= zones.size()) continue;
    file["entries"].push_back({{"from", e.key.from_zone},
                               {"to", e.key.to_zone},
                               {"version", e.key.ip_version},
                               {"source", text(e.key.ip_version, e.key.source)},
                               {"destination", text(e.key.ip_version, e.key.destination)},
                               {"protocol", e.key.protocol},
                               {"port", e.key.destination_port},
                               {"flows", e.flows},
                               {"first_ns", e.first_wall_ns},
                               {"last_ns", e.last_wall_ns}});
  }
  std::string error =
      write_file(path_, file.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  if (!error.empty()) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  return error;
}

}  // namespace sekisho::control
