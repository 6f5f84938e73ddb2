// The head of a message: where it ends, its lines, its headers.
//
// Requests end their lines at LF. Responses also at a lone CR, as browsers do. A head ends at an empty line;
// the oddities (LF CR CR LF, a line of one blank) are libhtp's.
#pragma once

#include "dataplane/app/http_text.h"

namespace sekisho::app::http {

struct Line {
  std::size_t begin, end, next;  // bytes [begin, end) without line end; the next line
};

// Finds the end of a head in bytes that grow. State survives between calls, so no byte is looked at often.
class HeadScan {
 public:
  void reset() { *this = {}; }
  enum class Found : std::uint8_t { more, end };
  // `skip_line` : the first line (the start line) has no terminator meaning. bytes: all of the head so far.
  // `last`: no more bytes will come.
  Found scan(Bytes bytes, bool response, bool last);
  std::size_t end() const { return at_; }           // after Found::end: of the first byte behind the head
  std::size_t longest() const { return longest_; }  // line, bytes
  bool crlf_may_follow() const { return crlf_may_follow_; }

 private:
  std::size_t at_ = 0, looked_ = 0, longest_ = 0;
  bool first_ = true, crlf_may_follow_ = false;
};

// The line at `at`. False: its end is not there yet (`looked` remembers how far was searched).
bool next_line(Bytes bytes, std::size_t at, bool response, bool last, std::size_t& looked, Line& line);

struct Header {
  Bytes name, value;
  std::uint32_t hash;
  std::uint16_t repeated;
  bool folded;
};

// The headers of one head. Bytes are those of the head or of this object's own memory: valid until the next
// clear(). One per thread (scratch()).
class Headers {
 public:
  static Headers& scratch();
  void clear();
  // Parses lines [from, end of head). Flags below tell what was odd.
  // `http11`: only there a folded line with a colon is a header of its own.
  void parse(Bytes head, std::size_t from, bool response, bool http11);
  const Header* find(std::string_view lower_name) const;
  std::span<const Header> all() const { return {headers_, count_}; }
  // Memory of this object, for values that are put together; nullptr: none left.
  std::uint8_t* take(std::size_t bytes);

  // What was met (events).
  bool missing_colon, invalid_name, invalid_folding, repetitions, too_many, length_ambiguous;

 private:
  void line(Bytes text, bool response);
  void add(Bytes name, Bytes value, bool response, bool folded);
  static constexpr std::size_t kArena = 6 * 64 * 1024;
  std::uint8_t arena_[kArena];
  std::size_t used_ = 0;
  Header headers_[1024];
  std::size_t count_ = 0;
  bool line_folded_ = false;
};

}  // namespace sekisho::app::http
