// Why one signature is refused. Thrown inside the parser only, caught once per signature.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace sekisho::signatures {

struct Refusal {
  std::string why, keyword;
};

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Refusal{fmt::format(format, std::forward<Args>(args)...), {}};
}

}  // namespace sekisho::signatures
