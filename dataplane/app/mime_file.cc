#include "dataplane/app/mime_file.h"

#include <charconv>

namespace sekisho::app {

void FileHash::begin(Host& host) {
  digests_.begin(host);
}

void FileHash::add(Bytes bytes) {
  digests_.add(bytes);
}

void FileHash::spoil() {
  digests_.spoil();
}

void FileHash::end(Host& host, Transaction* tx, Direction d, AppProtocol app) {
  if (tx != nullptr && digests_.publish(host, tx->of(d))) host.evaluate(*tx, d, false);
  if (host.wants_log(app)) {
    const auto text = [](const char* s, std::size_t n) {
      return Bytes(reinterpret_cast<const std::uint8_t*>(s), n);
    };
    char size[24], hex[64];
    const char* end = std::to_chars(size, size + sizeof size, digests_.size()).ptr;
    Host::Field fields[3] = {{"_type", text("fileinfo", 8)},
                             {"size", text(size, static_cast<std::size_t>(end - size))}};
    std::size_t count = 2;
    if (std::uint8_t digest[32]; digests_.sha256(digest)) {
      for (std::size_t i = 0; i < sizeof digest; ++i) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
      }
      fields[count++] = {"sha256", text(hex, sizeof hex)};
    }
    host.log(tx, app, {fields, count});
  }
  digests_.release();
}

void FileHash::release() {
  digests_.release();
}

}  // namespace sekisho::app
