#include "dataplane/app/http_multipart.h"

#include <algorithm>

namespace sekisho::app::http {

Bytes header_parameter(Bytes value, std::string_view lower_name) {
  std::size_t i = 0;
  while (i < value.size()) {
    // to the next ';' that is not in quotes
    bool quoted = false;
    for (; i < value.size() && (quoted || value[i] != ';'); ++i) {
      if (value[i] == '\\' && quoted) {
        ++i;
        continue;
      }
      if (value[i] == '"') quoted = !quoted;
    }
    if (i >= value.size()) return {};
    ++i;
    while (i < value.size() && is_space(value[i])) ++i;
    const std::size_t from = i;
    while (i < value.size() && value[i] != '=' && value[i] != ';') ++i;
    if (i >= value.size() || value[i] != '=' ||
        !same_name(trim_end(value.subspan(from, i - from)), lower_name))
      continue;
    ++i;
    while (i < value.size() && is_space(value[i])) ++i;
    if (i < value.size() && value[i] == '"') {
      const std::size_t begin = ++i;
      while (i < value.size() && value[i] != '"') i += value[i] == '\\' && i + 1 < value.size() ? 2 : 1;
      return value.subspan(begin, std::min(i, value.size()) - begin);
    }
    const std::size_t begin = i;
    while (i < value.size() && value[i] != ';') ++i;
    return trim_end(value.subspan(begin, i - begin));
  }
  return {};
}

Bytes multipart_boundary(Bytes type, bool& malformed) {
  malformed = false;
  if (find_name(type, "multipart/form-data") == std::string_view::npos) return {};
  const Bytes boundary = header_parameter(type, "boundary");
  malformed = boundary.empty() || boundary.size() > kMaxBoundary;
  return malformed ? Bytes{} : boundary;
}

Multipart::Multipart(Bytes boundary) : size_(static_cast<std::uint8_t>(boundary.size() + 4)) {
  static_assert(kMaxBoundary + 4 <= 255);
  std::memcpy(delimiter_, "\r\n--", 4);
  std::memcpy(delimiter_ + 4, boundary.data(), boundary.size());
  // The first delimiter needs no line end before it: one is thought to stand there.
  hold_[0] = '\r';
  hold_[1] = '\n';
  held_ = 2;
}

// Bytes between delimiters.
bool Multipart::part(Bytes bytes, MultipartSink& sink) {
  while (!bytes.empty()) {
    switch (at_) {
      case At::preamble:
      case At::field:
      case At::epilogue:
        return true;
      case At::file:
        return sink.file_data(bytes);
      case At::after_boundary: {
        // "--" ends the body, a line end begins the part's head.
        const std::uint8_t c = bytes[0];
        bytes = bytes.subspan(1);
        if (c == '-' && head_size_ == 0) {
          head_size_ = 1;
        } else if (c == '-' && head_size_ == 1) {
          at_ = At::epilogue;
        } else if (c == '\n') {
          at_ = At::head;
          head_size_ = 0;
        } else if (!is_space(c)) {
          head_size_ = 2;
        }
        break;
      }
      case At::head: {
        const std::uint8_t c = bytes[0];
        bytes = bytes.subspan(1);
        if (head_size_ < kMaxPartHead) {
          head_[head_size_++] = c;
        } else if (!told_) {
          told_ = true;
          sink.malformed(AppEvent::http_multipart_invalid_header);
        }
        if (c != '\n') break;
        // an empty line: LF LF or LF CR LF, or at once
        const std::size_t n = head_size_;
        const bool done = n == 1 || (n == 2 && head_[0] == '\r') || (n >= 2 && head_[n - 2] == '\n') ||
                          (n >= 3 && head_[n - 2] == '\r' && head_[n - 3] == '\n') || n == kMaxPartHead;
        if (done) {
          head_done(sink);
          if (at_ == At::file && !bytes.empty()) return sink.file_data(bytes);
        }
        break;
      }
    }
  }
  return true;
}

void Multipart::head_done(MultipartSink& sink) {
  seen_ = true;
  Bytes head{head_, head_size_};
  Bytes disposition;
  bool name_seen = false;
  std::size_t at = 0;
  while (at < head.size()) {
    const std::size_t end = std::min(text_of(head).find('\n', at), head.size());
    const Bytes line = trim_end(head.subspan(at, end - at));
    at = end + 1;
    if (line.empty()) continue;
    const std::size_t colon = text_of(line).find(':');
    if (colon == std::string_view::npos) {
      if (!told_ && !is_lws(line[0])) {
        told_ = true;
        sink.malformed(AppEvent::http_multipart_invalid_header);
      }
      continue;
    }
    if (same_name(trim(line.first(colon)), "content-disposition")) {
      disposition = line.subspan(colon + 1);
      name_seen = true;
    }
  }
  head_size_ = 0;
  if (!name_seen && !told_) {
    told_ = true;
    sink.malformed(AppEvent::http_multipart_generic_error);
  }
  const Bytes name = header_parameter(disposition, "filename");
  if (name.empty()) {
    at_ = At::field;
    return;
  }
  at_ = At::file;
  sink.file_begin(name);
}

bool Multipart::data(Bytes bytes, MultipartSink& sink) {
  while (!bytes.empty()) {
    if (held_ != 0) {
      // hold_ is a beginning of the delimiter: it goes on or it was data.
      if (bytes[0] == delimiter_[held_]) {
        hold_[held_++] = bytes[0];
        bytes = bytes.subspan(1);
        if (held_ < size_) continue;
        held_ = 0;
        if (at_ == At::file) sink.file_end();
        if (at_ != At::epilogue) {
          at_ = At::after_boundary;
          head_size_ = 0;
        }
        continue;
      }
      // The delimiter holds CR at its front only (a boundary has none), so no part of it begins anew within.
      const std::uint16_t n = held_;
      held_ = 0;
      if (!part({hold_, n}, sink)) return false;
      continue;
    }
    const void* cr = std::memchr(bytes.data(), '\r', bytes.size());
    const std::size_t n = cr == nullptr
                              ? bytes.size()
                              : static_cast<std::size_t>(static_cast<const std::uint8_t*>(cr) - bytes.data());
    if (n != 0 && !part(bytes.first(n), sink)) return false;
    bytes = bytes.subspan(n);
    if (!bytes.empty()) {
      hold_[0] = '\r';
      held_ = 1;
      bytes = bytes.subspan(1);
    }
  }
  return true;
}

void Multipart::end(MultipartSink& sink) {
  if (held_ != 0 && at_ == At::file) part({hold_, held_}, sink);
  held_ = 0;
  if (at_ == At::file) sink.file_end();
  if (!seen_ && !told_) {
    told_ = true;
    sink.malformed(AppEvent::http_multipart_no_filedata);
  }
  at_ = At::epilogue;
}

}  // namespace sekisho::app::http
