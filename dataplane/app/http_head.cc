#include "dataplane/app/http_head.h"

#include <algorithm>

#include "dataplane/app/http.h"

namespace sekisho::app::http {
namespace {

const std::uint8_t* find_byte(const std::uint8_t* from, const std::uint8_t* to, int c) {
  const void* p = from == to ? nullptr : std::memchr(from, c, static_cast<std::size_t>(to - from));
  return p == nullptr ? to : static_cast<const std::uint8_t*>(p);
}

std::uint32_t name_hash(Bytes name) {
  std::uint32_t h = 2166136261u;
  for (const std::uint8_t c : name)
    if (c != 0) h = (h ^ lower(c)) * 16777619u;
  return h;
}

bool equal_names(Bytes a, Bytes b) {
  std::size_t i = 0, j = 0;
  for (;;) {
    while (i < a.size() && a[i] == 0) ++i;
    while (j < b.size() && b[j] == 0) ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (lower(a[i++]) != lower(b[j++])) return false;
  }
}

}  // namespace

bool next_line(Bytes bytes, std::size_t at, bool response, bool last, std::size_t& looked, Line& line) {
  const std::uint8_t* const base = bytes.data();
  const std::uint8_t* const end = base + bytes.size();
  const std::uint8_t* from = base + std::max(at, looked);
  const std::uint8_t* const lf = find_byte(from, end, '\n');
  if (response) {
    while (from < lf) {
      const std::uint8_t* const cr = find_byte(from, lf, '\r');
      if (cr == lf) break;
      if (cr + 1 == end) {  // what follows decides
        looked = static_cast<std::size_t>(cr - base);
        if (!last) return false;
        line = {at, looked, bytes.size()};
        return true;
      }
      const auto place = static_cast<std::size_t>(cr - base);
      if (cr[1] == '\n' || cr[1] == '\r' || place == at) {
        from = cr + 1;
        continue;
      }
      line = {at, place, place + 1};
      return true;
    }
  }
  if (lf == end) {
    looked = bytes.size();
    if (!last) return false;
    line = {at, bytes.size(), bytes.size()};
    return true;
  }
  const auto place = static_cast<std::size_t>(lf - base);
  line = {at, place > at && base[place - 1] == '\r' ? place - 1 : place, place + 1};
  return true;
}

HeadScan::Found HeadScan::scan(Bytes bytes, bool response, bool last) {
  for (;;) {
    if (!first_ && response && at_ > 0 && bytes[at_ - 1] == '\n' && (at_ < 2 || bytes[at_ - 2] != '\r')) {
      // LF CR CR LF [CR LF] are two line ends.
      const std::size_t left = bytes.size() - at_;
      static constexpr std::uint8_t kOdd[] = {'\r', '\r', '\n'};
      const std::size_t n = std::min<std::size_t>(left, 3);
      if (left != 0 && std::memcmp(bytes.data() + at_, kOdd, n) == 0) {
        if (n == 3) {
          at_ += 3;
          crlf_may_follow_ = true;
          return Found::end;
        }
        if (!last) return Found::more;
      }
    }
    if (at_ == bytes.size()) return last ? Found::end : Found::more;
    Line line;
    if (!next_line(bytes, at_, response, last, looked_, line)) {
      longest_ = std::max(longest_, bytes.size() - at_);
      return Found::more;
    }
    longest_ = std::max(longest_, line.end - line.begin);
    if (!first_) {
      const std::size_t raw = line.next - line.begin;
      if (line.begin == line.end && raw <= 2) {
        at_ = line.next;
        return Found::end;
      }
      // One blank and LF end a head unless an empty line follows.
      if (raw == 2 && is_lws(bytes[line.begin]) && bytes[line.begin + 1] == '\n') {
        if (line.next == bytes.size()) {
          if (!last) {
            looked_ = line.begin;
            return Found::more;
          }
        } else if (bytes[line.next] != '\n') {
          at_ = line.next;
          return Found::end;
        }
      }
    }
    first_ = false;
    at_ = looked_ = line.next;
  }
}

Headers& Headers::scratch() {
  static thread_local Headers headers;
  return headers;
}

void Headers::clear() {
  used_ = count_ = 0;
  missing_colon = invalid_name = invalid_folding = repetitions = too_many = length_ambiguous = false;
}

std::uint8_t* Headers::take(std::size_t bytes) {
  if (bytes > kArena - used_) return nullptr;
  std::uint8_t* p = arena_ + used_;
  used_ += bytes;
  return p;
}

const Header* Headers::find(std::string_view lower_name) const {
  const std::uint32_t h = name_hash(bytes_of(lower_name));
  for (std::size_t i = 0; i < count_; ++i)
    if (headers_[i].hash == h && same_name(headers_[i].name, lower_name)) return &headers_[i];
  return nullptr;
}

void Headers::parse(Bytes head, std::size_t from, bool response, bool http11) {
  // The header that may still be continued: bytes of the head while it is one line, then of the arena.
  Bytes open;
  bool is_open = false;
  std::uint8_t* joined = nullptr;  // `open` in the arena
  const auto close = [&] {
    if (is_open) line(open, response);
    is_open = false;
    line_folded_ = false;
    joined = nullptr;
  };
  std::size_t at = from, looked = from;
  Line l;
  while (at < head.size() && next_line(head, at, response, true, looked, l)) {
    Bytes text = head.subspan(l.begin, l.end - l.begin);
    at = looked = l.next;
    while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text = text.first(text.size() - 1);
    while (!text.empty() && text.front() == '\r') text = text.subspan(1);
    if (text.empty()) continue;
    if (!is_folding(text.front())) {
      close();
      open = text;
      is_open = true;
      continue;
    }
    const bool colon = text_of(text).find(':') != std::string_view::npos;
    const bool own = !is_open || (colon && http11 && text_of(open).find(':') != std::string_view::npos);
    if (own) {
      // A first line with blanks before it is a header; so it is in responses where both lines have a colon.
      if (!is_open || response) {
        const bool blank =
            text_of(text).find_first_not_of(std::string_view(" \t\0", 3)) == std::string_view::npos;
        if (blank && !is_open) continue;
        invalid_folding = true;
        close();
        while (!text.empty() && is_folding(text.front())) text = text.subspan(1);
        open = text;
        is_open = !text.empty();
        continue;
      }
    }
    if (joined == nullptr) {
      joined = take(open.size() + text.size());
      if (joined == nullptr) continue;
      std::memcpy(joined, open.data(), open.size());
    } else if (take(text.size()) == nullptr) {
      continue;
    }
    std::memcpy(joined + open.size(), text.data(), text.size());
    open = {joined, open.size() + text.size()};
    line_folded_ = true;
  }
  close();
}

void Headers::line(Bytes text, bool response) {
  const auto* colon = find_byte(text.data(), text.data() + text.size(), ':');
  Bytes name, value;
  if (colon == text.data() + text.size()) {
    // Without a colon it is a header with an empty name: its bytes are seen.
    missing_colon = true;
    value = text;
  } else {
    const auto place = static_cast<std::size_t>(colon - text.data());
    name = text.first(place);
    value = text.subspan(place + 1);
    if (name.empty()) invalid_name = true;
    while (!name.empty() && name.back() <= 0x20) {
      name = name.first(name.size() - 1);
      invalid_name = true;
    }
  }
  while (!value.empty() && is_lws(value.front())) value = value.subspan(1);
  while (!value.empty() && is_lws(value.back())) value = value.first(value.size() - 1);
  for (const std::uint8_t c : name)
    if (!is_token(c)) {
      invalid_name = true;
      break;
    }
  add(name, value, response, line_folded_);
}

void Headers::add(Bytes name, Bytes value, bool, bool folded) {
  const std::uint32_t h = name_hash(name);
  for (std::size_t i = 0; i < count_; ++i) {
    Header& old = headers_[i];
    if (old.hash != h || !equal_names(old.name, name)) continue;
    if (old.repeated >= kMaxRepetitions) {
      repetitions = true;
      return;
    }
    ++old.repeated;
    if (same_name(name, "content-length")) {
      bool junk = false;
      const std::int64_t first = content_length(old.value, junk), second = content_length(value, junk);
      if (first < 0 || first != second) length_ambiguous = true;
      return;  // the first counts
    }
    const std::size_t size = old.value.size() + 2 + value.size();
    std::uint8_t* p;
    if (old.value.data() + old.value.size() == arena_ + used_ && !old.value.empty()) {
      if (take(2 + value.size()) == nullptr) {
        repetitions = true;
        return;
      }
      p = const_cast<std::uint8_t*>(old.value.data());
    } else {
      p = take(size);
      if (p == nullptr) {
        repetitions = true;
        return;
      }
      if (!old.value.empty()) std::memcpy(p, old.value.data(), old.value.size());
    }
    p[old.value.size()] = ',';
    p[old.value.size() + 1] = ' ';
    if (!value.empty()) std::memcpy(p + old.value.size() + 2, value.data(), value.size());
    old.value = {p, size};
    return;
  }
  if (count_ == kMaxHeaders) {
    too_many = true;
    return;
  }
  headers_[count_++] = {name, value, h, 0, folded};
}

}  // namespace sekisho::app::http
