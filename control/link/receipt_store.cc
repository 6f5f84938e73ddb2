#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/link/receipt.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxReceiptBytes = 1 << 20;

// 20261123T120102Z-0007
bool is_id(std::string_view id) {
  if (id.size() != 21) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const char want = i == 8 ? 'T' : i == 15 ? 'Z' : i == 16 ? '-' : '0';
    if (want == '0' ? id[i] < '0' || id[i] > '9' : id[i] != want) return false;
  }
  return true;
}

}  // namespace

ReceiptStore::ReceiptStore(std::string directory, std::size_t keep)
    : directory_(std::move(directory)), keep_(std::max<std::size_t>(keep, 1)) {
  const auto ids = list();
  for (const std::string& id : ids)
    counter_ = std::max(counter_, static_cast<unsigned>(std::stoul(id.substr(17))));
}

std::string ReceiptStore::next_id(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32];
  strftime(day, sizeof day, "%Y%m%dT%H%M%SZ", &parts);
  std::string id;
  for (int i = 0; i < 10000; ++i) {
    counter_ = counter_ % 9999 + 1;
    char number[16];
    snprintf(number, sizeof number, "-%04u", counter_);
    id = std::string(day) + number;
    if (::access((directory_ + "/" + id + ".json").c_str(), F_OK) != 0) break;
  }
  return id;
}

bool ReceiptStore::save(const Receipt& receipt, std::string& error) {
  const auto fail = [&](const std::string& what) {
    error = what + ": " + std::strerror(errno);
    return false;
  };
  if (!is_id(receipt.id)) {
    error = "no id";
    return false;
  }
  const std::string text =
      receipt_to_json(receipt).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::string path = directory_ + "/" + receipt.id + ".json", temporary = path + ".part";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail("cannot make " + temporary);
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t wrote = ::write(fd, text.data() + written, text.size() - written);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    written += static_cast<std::size_t>(wrote);
  }
  if (written != text.size() || ::fsync(fd) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    fail("cannot write " + path);
    ::close(fd);
    ::unlink(temporary.c_str());
    return false;
  }
  ::close(fd);
  const auto ids = list();
  for (std::size_t i = keep_; i < ids.size(); ++i) ::unlink((directory_ + "/" + ids[i] + ".json").c_str());
  return true;
}

std::optional<Receipt> ReceiptStore::load(const std::string& id) const {
  if (!is_id(id)) return std::nullopt;
  const int fd = ::open((directory_ + "/" + id + ".json").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  std::string text(kMaxReceiptBytes, '\0');
  std::size_t filled = 0;
  for (ssize_t got;
       filled < text.size() && (got = ::read(fd, text.data() + filled, text.size() - filled)) > 0;)
    filled += static_cast<std::size_t>(got);
  ::close(fd);
  text.resize(filled);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() ? receipt_from_json(json) : std::nullopt;
}

std::vector<std::string> ReceiptStore::list() const {
  std::vector<std::string> ids;
  std::error_code failed;
  for (fs::directory_iterator it(directory_, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename();
    if (name.size() == 26 && name.ends_with(".json") && is_id(std::string_view(name).substr(0, 21)))
      ids.push_back(name.substr(0, 21));
  }
  std::sort(ids.begin(), ids.end(), std::greater<>());
  return ids;
}

}  // namespace sekisho::control
