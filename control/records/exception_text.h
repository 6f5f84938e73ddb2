// An exception from a signature, made from an incident: a block of the configuration's text, so that it is
// shown, versioned, rolled back and audited as every other change, ends by itself (the dataplane looks at
// `until`), and is read by whoever reviews the policy. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace sekisho::control {

struct ExceptionText {
  std::int64_t incident = 0;
  std::uint32_t sid = 0;
  std::string address;  // a host, a prefix or a range, checked by the caller
  std::int64_t until_wall_s = 0;
  std::string reason, who;
};

// `text` with the block behind it, and without such blocks that ended before `now_wall_s`.
std::string with_exception(const std::string& text, const ExceptionText& exception, std::int64_t now_wall_s);

}  // namespace sekisho::control
