#include "dataplane/ips/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

namespace sekisho::ips {

PatternMatcher::PatternMatcher() {
  data_ = pcre2_match_data_create(1, nullptr);
  context_ = pcre2_match_context_create(nullptr);
  if (data_ == nullptr || context_ == nullptr) {
    pcre2_match_data_free(data_);
    pcre2_match_context_free(context_);
    throw std::bad_alloc();
  }
  pcre2_set_match_limit(context_, kPcreMatchLimit);
  pcre2_set_depth_limit(context_, kPcreDepthLimit);
  // Without a JIT (not on this machine) there is no stack, and the interpreter matches.
  stack_ = pcre2_jit_stack_create(32 * 1024, 256 * 1024, nullptr);
  if (stack_ != nullptr) pcre2_jit_stack_assign(context_, nullptr, stack_);
}

PatternMatcher::~PatternMatcher() {
  pcre2_jit_stack_free(stack_);
  pcre2_match_context_free(context_);
  pcre2_match_data_free(data_);
}

PatternMatch PatternMatcher::match(const pcre2_code* code, std::span<const std::uint8_t> subject,
                                   std::size_t start) {
  PatternMatch m;
  const std::uint8_t* bytes = subject.empty() ? reinterpret_cast<const std::uint8_t*>("") : subject.data();
  const int r = pcre2_match(code, bytes, subject.size(), start, 0, data_, context_);
  if (r == PCRE2_ERROR_NOMATCH) return m;
  if (r < 0) {
    m.result = PatternMatch::Result::limit;
    return m;
  }
  const PCRE2_SIZE* v = pcre2_get_ovector_pointer(data_);
  m.result = PatternMatch::Result::yes;
  m.begin = v[0];
  m.end = v[1];
  // \K may put the beginning behind the end.
  if (m.begin > m.end) m.begin = m.end;
  return m;
}

bool PatternMatcher::anchored(const pcre2_code* code) {
  std::uint32_t options = 0;
  return pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options) == 0 && (options & PCRE2_ANCHORED) != 0;
}

}  // namespace sekisho::ips
