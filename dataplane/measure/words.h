// Requests of the measuring programs: "name key=value key=value …", on the command line or a line of standard
// input. Every key has to be asked for: one that nobody asked for is refused by name. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sekisho::measure {

// What a request is refused with.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Words {
 public:
  // Splits at blanks. Throws Refused: a word without '=', a key given twice, more than 64 words.
  explicit Words(std::string_view line);
  explicit Words(std::span<const char* const> words);

  const std::string& name() const { return name_; }
  bool has(const std::string& key) const { return value_.contains(key); }
  std::string text(const std::string& key, const std::string& otherwise);
  // Throw Refused where the value is no number or outside [low, high].
  double number(const std::string& key, double otherwise, double low, double high);
  std::uint64_t count(const std::string& key, std::uint64_t otherwise, std::uint64_t low, std::uint64_t high);
  // Throws Refused if a key was never asked for.
  void done() const;

 private:
  void take(std::string_view word);
  std::string name_;
  std::map<std::string, std::pair<std::string, bool>> value_;  // bool: asked for
};

}  // namespace sekisho::measure
