// TLS messages, made by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/app/parser.h"
#include "tests/app/ownership.h"

namespace sekisho::app {

using Blob = std::string;

inline Bytes view(const Blob& b) {
  return {reinterpret_cast<const std::uint8_t*>(b.data()), b.size()};
}
inline Blob be(std::size_t value, unsigned width) {
  Blob out;
  while (width-- > 0) out.push_back(static_cast<char>(value >> (8 * width) & 0xff));
  return out;
}
inline Blob with_length(const Blob& b, unsigned width) {
  return be(b.size(), width) + b;
}
inline Blob words(std::initializer_list<unsigned> values) {
  Blob out;
  for (const unsigned v : values) out += be(v, 2);
  return out;
}
inline Blob from_hex(const std::string& hex) {
  Blob out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

inline Blob extension(unsigned type, const Blob& data) {
  return be(type, 2) + with_length(data, 2);
}
inline Blob sni(const Blob& name) {
  return extension(0, with_length(be(0, 1) + with_length(name, 2), 2));
}
inline Blob hello_body(unsigned version, const Blob& ciphers, const Blob& extensions) {
  return be(version, 2) + Blob(32, 'R') + with_length("", 1) + with_length(ciphers, 2) +
         with_length(Blob(1, '\0'), 1) + (extensions.empty() ? Blob() : with_length(extensions, 2));
}
inline Blob server_body(unsigned version, unsigned cipher, const Blob& extensions) {
  return be(version, 2) + Blob(32, 'S') + with_length("", 1) + be(cipher, 2) + Blob(1, '\0') +
         (extensions.empty() ? Blob() : with_length(extensions, 2));
}
inline Blob handshake(unsigned type, const Blob& body) {
  return be(type, 1) + with_length(body, 3);
}
inline Blob record(unsigned type, const Blob& content, unsigned version = 0x0303) {
  return be(type, 1) + be(version, 2) + with_length(content, 2);
}
inline Blob certificate_message(const std::vector<Blob>& chain) {
  Blob list;
  for (const Blob& der : chain) list += with_length(der, 3);
  return handshake(11, with_length(list, 3));
}

// What goes over the wire: pieces of both directions in their order.
struct Piece {
  Direction direction;
  Blob bytes;
};
inline Turns turns(const std::vector<Piece>& pieces) {
  Turns out;
  for (const Piece& p : pieces) out.emplace_back(p.direction, p.bytes);
  return out;
}
inline Piece up(const Blob& b) {
  return {Direction::to_server, b};
}
inline Piece down(const Blob& b) {
  return {Direction::to_client, b};
}

struct Talk {
  RecordingHost host;
  FlowFacts facts;
  Parser* parser = nullptr;
  bool first[2] = {true, true};
  Fed last = Fed::ok;

  explicit Talk(const ProtocolEntry& entry, bool logs = false) {
    host.logs = logs;
    parser = entry.make(host);
    host.parser = parser;
  }
  ~Talk() { close(); }
  void close() {
    if (parser != nullptr) parser->destroy(host.pool());
    parser = nullptr;
  }
  Fed feed(Direction d, const Blob& bytes, bool end = false) {
    if (last == Fed::failed) return last;
    FeedFlags flags;
    flags.first = first[index(d)];
    flags.end = end;
    first[index(d)] = false;
    // A copy of exactly this size: a read beyond it is seen by the sanitizer.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    last = parser->feed(d, exact, flags, facts, host);
    host.end_of_packet();
    return last;
  }
  void feed(const std::vector<Piece>& pieces) {
    for (const Piece& p : pieces) feed(p.direction, p.bytes);
  }
  // In segments of `size` bytes; 0: as they are.
  void feed_cut(const std::vector<Piece>& pieces, std::size_t size) {
    for (const Piece& p : pieces)
      for (std::size_t at = 0; at < p.bytes.size(); at += size) feed(p.direction, p.bytes.substr(at, size));
  }
  void feed_random(const std::vector<Piece>& pieces, std::mt19937& random) {
    for (const Piece& p : pieces)
      for (std::size_t at = 0; at < p.bytes.size();) {
        const std::size_t n = std::uniform_int_distribution<std::size_t>(1, 40)(random);
        feed(p.direction, p.bytes.substr(at, n));
        at += n;
      }
  }
};

// The same lines for every segmentation of the same pieces.
inline std::string lines_of(const ProtocolEntry& entry, const std::vector<Piece>& pieces,
                            const std::function<void(Talk&)>& how) {
  Talk talk(entry, true);
  how(talk);
  talk.feed(Direction::to_server, "", true);
  talk.feed(Direction::to_client, "", true);
  (void)pieces;
  return talk.host.all();
}

}  // namespace sekisho::app
