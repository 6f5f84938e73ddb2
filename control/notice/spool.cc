#include "control/notice/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = 256 * 1024;  // of one letter
constexpr std::size_t kNameDigits = 16;

// 0: not the name of a letter.
std::uint64_t number_of(const std::string& name) {
  if (name.size() != kNameDigits + 5 || !name.ends_with(".json")) return 0;
  std::uint64_t number = 0;
  const char* end = name.data() + kNameDigits;
  return std::from_chars(name.data(), end, number).ptr == end ? number : 0;
}

std::string read_file(const std::string& path) {
  std::error_code failed;
  if (fs::file_size(path, failed) > kMostBytes || failed) return {};
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Spool::Spool(std::string directory, std::size_t most) : directory_(std::move(directory)), most_(most) {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  ::chmod(directory_.c_str(), 0700);
  if (failed) problem_ = directory_ + ": " + failed.message();
  std::vector<std::string> unfinished;
  for (fs::directory_iterator it(directory_, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename();
    if (const std::uint64_t number = number_of(name); number != 0)
      waiting_.emplace(number, std::string());
    else if (name.ends_with(".part"))
      unfinished.push_back(it->path());
  }
  for (const std::string& one : unfinished) ::unlink(one.c_str());
  if (!waiting_.empty()) next_ = waiting_.rbegin()->first + 1;
}

std::string Spool::path(std::uint64_t number) const {
  return fmt::format("{}/{:016}.json", directory_, number);
}

bool Spool::write(std::uint64_t number, const std::string& text) {
  const std::string final_name = path(number), part = final_name + ".part";
  const auto fail = [&](int fd) {
    problem_ = part + ": " + std::strerror(errno);
    if (fd >= 0) ::close(fd);
    ::unlink(part.c_str());
    return false;
  };
  ::mkdir(directory_.c_str(), 0700);
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(fd);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail(fd);
    done += static_cast<std::size_t>(wrote);
  }
  if (::fsync(fd) != 0) return fail(fd);
  ::close(fd);
  if (::rename(part.c_str(), final_name.c_str()) != 0) return fail(-1);
  if (const int directory = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  problem_.clear();
  return true;
}

bool Spool::push(const Letter& letter) {
  if (waiting_.size() >= most_) return false;
  std::string text = letter_to_json(letter).dump(-1, ' ', false, json::error_handler_t::replace);
  const std::uint64_t number = next_++;
  const bool kept = write(number, text);
  waiting_.emplace(number, kept ? std::string() : std::move(text));
  return true;
}

std::optional<Letter> Spool::front() {
  while (!waiting_.empty()) {
    const auto& [number, text] = *waiting_.begin();
    const json parsed = json::parse(text.empty() ? read_file(path(number)) : text, nullptr, false);
    if (auto letter = parsed.is_object() ? letter_from_json(parsed) : std::nullopt) return letter;
    reports_.push_back(path(number) + ": is no notice, set aside");
    if (reports_.size() > 100) reports_.erase(reports_.begin());
    ::rename(path(number).c_str(), (path(number) + ".bad").c_str());
    waiting_.erase(waiting_.begin());
  }
  return std::nullopt;
}

void Spool::pop() {
  if (waiting_.empty()) return;
  if (waiting_.begin()->second.empty()) ::unlink(path(waiting_.begin()->first).c_str());
  waiting_.erase(waiting_.begin());
}

}  // namespace sekisho::control
