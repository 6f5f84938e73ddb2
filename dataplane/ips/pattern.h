// PCRE2 as the confirmer: one match data, match context and JIT stack per worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace sekisho::ips {

inline constexpr std::uint32_t kPcreMatchLimit = 20'000;
inline constexpr std::uint32_t kPcreDepthLimit = 5'000;

struct PatternMatch {
  enum class Result : std::uint8_t { no, yes, limit } result = Result::no;  // limit: or another failure
  std::size_t begin = 0, end = 0;                                           // in the subject
};

class PatternMatcher {
 public:
  PatternMatcher();  // throws std::bad_alloc
  ~PatternMatcher();
  PatternMatcher(const PatternMatcher&) = delete;
  PatternMatcher& operator=(const PatternMatcher&) = delete;

  // The first match that begins at or behind `start` (<= subject.size()).
  PatternMatch match(const pcre2_real_code_8* code, std::span<const std::uint8_t> subject, std::size_t start);
  // Whether it can only match at the start of the subject.
  static bool anchored(const pcre2_real_code_8* code);

 private:
  pcre2_real_match_data_8* data_ = nullptr;
  pcre2_real_match_context_8* context_ = nullptr;
  pcre2_real_jit_stack_8* stack_ = nullptr;
};

}  // namespace sekisho::ips
