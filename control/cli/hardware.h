// `sekisho hw check`: is this machine fit? Reads /sys, /proc and the kernel's clock state; changes nothing.
#pragma once

#include <string>
#include <vector>

namespace sekisho::cli {

struct HardwareFinding {
  enum class Grade { good, warning, bad } grade = Grade::good;
  std::string subject;  // "clock", "huge pages", "interface eth1", …
  std::string text;
};

// `root` is put before every path, so that tests can bring a machine of their own.
std::vector<HardwareFinding> check_hardware(const std::string& root = "");

}  // namespace sekisho::cli
