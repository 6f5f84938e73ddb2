#include "dataplane/app/smtp_parts.h"

#include <charconv>

namespace sekisho::app {

bool LineParts::next(AppPool& pool, Bytes& input, std::size_t head, Part& part) {
  static constexpr std::uint8_t kCr = '\r';
  if (given_) {
    held_.clear();
    given_ = false;
  }
  if (input.empty()) {
    if (held_.size() == 0) held_.release(pool);
    return false;
  }
  if (tail_) {
    if (cr_) {
      cr_ = false;
      if (input[0] != '\n') {
        part = {{&kCr, 1}, false, false, false};
        return true;
      }
      input = input.subspan(1);
      tail_ = false;
      part = {{}, false, true, true};
      return true;
    }
    const auto* lf = static_cast<const std::uint8_t*>(std::memchr(input.data(), '\n', input.size()));
    const std::size_t n = lf == nullptr ? input.size() : static_cast<std::size_t>(lf - input.data());
    part = {input.first(n), false, lf != nullptr, false};
    input = input.subspan(std::min(n + 1, input.size()));
    if (!part.text.empty() && part.text.back() == '\r') {
      part.text = part.text.first(n - 1);
      (part.ends ? part.crlf : cr_) = true;
    }
    tail_ = !part.ends;
    return true;
  }
  // The head needs one byte more than it gives, so that its CR is known to be a line end or not.
  const std::size_t room = head + 1 - std::min(head + 1, held_.size());
  const Bytes piece = input.first(std::min(input.size(), room));
  const auto* lf = static_cast<const std::uint8_t*>(std::memchr(piece.data(), '\n', piece.size()));
  if (lf != nullptr) {
    const std::size_t n = static_cast<std::size_t>(lf - piece.data());
    Bytes line = piece.first(n);
    if (held_.size() != 0) {
      held_.append(pool, line, head + 1);
      line = held_.view();
      given_ = true;
    }
    input = input.subspan(n + 1);
    const bool crlf = !line.empty() && line.back() == '\r';
    part = {crlf ? line.first(line.size() - 1) : line, true, true, crlf};
    return true;
  }
  if (!held_.append(pool, piece, head + 1) || held_.size() == head + 1) {
    // Too long to wait for its end; without memory the line goes on in pieces.
    const bool memory = held_.size() == head + 1;
    input = input.subspan(piece.size());
    Bytes line = memory ? held_.view() : piece;
    given_ = memory;
    tail_ = true;
    if (!line.empty() && line.back() == '\r') {
      cr_ = true;
      line = line.first(line.size() - 1);
    }
    part = {line, true, false, false};
    return true;
  }
  input = input.subspan(piece.size());
  return false;
}

bool LineParts::rest_of_line(AppPool&, Part& part) {
  if (given_ || tail_ || held_.size() == 0) return false;
  given_ = true;
  part = {held_.view(), true, false, false};
  return true;
}

void LineParts::release(AppPool& pool) {
  held_.release(pool);
  tail_ = cr_ = given_ = false;
}

void smtp_log(Host& host, Transaction& tx, Bytes helo, std::uint32_t recipients, std::uint32_t attachments,
              std::uint64_t bytes) {
  char text[3][24];
  const auto number = [](char(&out)[24], std::uint64_t value) {
    const char* end = std::to_chars(out, out + sizeof out, value).ptr;
    return Bytes(reinterpret_cast<const std::uint8_t*>(out), static_cast<std::size_t>(end - out));
  };
  const Host::Field fields[4] = {{"helo", helo},
                                 {"recipients", number(text[0], recipients)},
                                 {"attachments", number(text[1], attachments)},
                                 {"bytes", number(text[2], bytes)}};
  host.log(&tx, AppProtocol::smtp, fields);
}

}  // namespace sekisho::app
