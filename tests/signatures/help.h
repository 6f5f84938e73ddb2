// One signature from its options.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "signatures/loader.h"

namespace sekisho::signatures {

struct One {
  LoadResult result;
  bool loaded() const { return result.signatures.size() == 1 && result.rejections.empty(); }
  const Signature& operator*() const { return result.signatures.at(0); }
  const Signature* operator->() const { return &result.signatures.at(0); }
  std::string why() const { return result.rejections.empty() ? std::string() : result.rejections[0].why; }
};

inline One read_line(const std::string& line, LoadOptions options = {}) {
  Loader loader(std::move(options));
  loader.add_text("test.rules", line);
  return {std::move(loader).finish()};
}

// header e.g. "alert tcp"; options without sid.
inline One read(const std::string& header, const std::string& options) {
  return read_line(header + " any any -> any any (" + options + " sid:1;)");
}

struct Case {
  const char* header;
  const char* options;
  const char* why;  // "": accepted. Otherwise the whole reason.
};

inline void run(const Case& c) {
  SCOPED_TRACE(std::string(c.header) + " (" + c.options + ")");
  const One one = read(c.header, c.options);
  EXPECT_EQ(one.loaded(), *c.why == 0) << one.why();
  EXPECT_EQ(one.why(), c.why);
}

}  // namespace sekisho::signatures
