#include "dataplane/app/mime.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kOut = 1024;

int base64_value(std::uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}
int hex_value(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

bool MimeDecoder::add(Bytes bytes, MimeSink& sink) {
  if (encoding_ == Encoding::base64) return base64(bytes, sink);
  if (encoding_ == Encoding::quoted_printable) return quoted_printable(bytes, sink);
  if (!bytes.empty()) sink.file_bytes(bytes);
  return true;
}

bool MimeDecoder::base64(Bytes bytes, MimeSink& sink) {
  std::uint8_t out[kOut];
  std::size_t n = 0;
  bool sound = true;
  for (const std::uint8_t c : bytes) {
    if (c == '=') {
      if (n != 0) sink.file_bytes({out, n});
      n = 0;
      sound = end(sink) && sound;
      continue;
    }
    const int value = base64_value(c);
    if (value < 0) {
      if (c != '\r' && c != '\n' && c != ' ' && c != '\t') sound = false;
      continue;
    }
    bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
    if (++count_ < 4) continue;
    out[n++] = static_cast<std::uint8_t>(bits_ >> 16);
    out[n++] = static_cast<std::uint8_t>(bits_ >> 8);
    out[n++] = static_cast<std::uint8_t>(bits_);
    bits_ = count_ = 0;
    if (n + 3 > kOut) {
      sink.file_bytes({out, n});
      n = 0;
    }
  }
  if (n != 0) sink.file_bytes({out, n});
  return sound;
}

bool MimeDecoder::quoted_printable(Bytes bytes, MimeSink& sink) {
  std::uint8_t out[kOut];
  std::size_t n = 0;
  bool sound = true;
  const auto put = [&](std::uint8_t c) {
    out[n++] = c;
    if (n == kOut) {
      sink.file_bytes({out, n});
      n = 0;
    }
  };
  for (const std::uint8_t c : bytes) {
    if (count_ == 0) {
      if (c == '=')
        carry_[count_++] = c;
      else
        put(c);
      continue;
    }
    carry_[count_++] = c;
    if (c == '\n' && (count_ == 2 || carry_[1] == '\r')) {  // a soft line break
      count_ = 0;
      continue;
    }
    if (count_ == 2 && (c == '\r' || hex_value(c) >= 0)) continue;
    const int high = hex_value(carry_[1]), low = count_ == 3 ? hex_value(c) : -1;
    if (high >= 0 && low >= 0) {
      put(static_cast<std::uint8_t>(high << 4 | low));
    } else {
      sound = false;
      for (std::uint8_t i = 0; i < count_; ++i) put(carry_[i]);
    }
    count_ = 0;
  }
  if (n != 0) sink.file_bytes({out, n});
  return sound;
}

bool MimeDecoder::end(MimeSink& sink) {
  const std::uint8_t count = count_;
  count_ = 0;
  if (encoding_ == Encoding::quoted_printable) {
    // A "=" at the very end is a soft break of a line that does not follow.
    if (count > 1) sink.file_bytes({carry_, count});
    return count <= 1;
  }
  if (encoding_ != Encoding::base64 || count == 0) return true;
  const std::uint32_t bits = bits_ << 6 * (4 - count);
  bits_ = 0;
  const std::uint8_t out[2] = {static_cast<std::uint8_t>(bits >> 16), static_cast<std::uint8_t>(bits >> 8)};
  if (count == 1) return false;
  sink.file_bytes({out, count - 1u});
  return true;
}

}  // namespace sekisho::app
