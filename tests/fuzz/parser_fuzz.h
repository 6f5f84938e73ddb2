// What the fuzzers of application parsers share. The input is a list of pieces: a byte whose lowest bit is
// the direction, a length of two bytes, that many bytes. The parser must tell the same lines however they are
// cut, and give all memory back.
#pragma once

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "dataplane/app/parser.h"
#include "dataplane/base/bytes.h"
#include "tests/app/recording_host.h"

namespace sekisho::app {

inline void require(bool holds) {
  if (!holds) std::abort();
}

struct FuzzPiece {
  Direction direction;
  Bytes bytes;
};

inline std::vector<FuzzPiece> fuzz_pieces(Bytes input) {
  std::vector<FuzzPiece> out;
  while (input.size() >= 3 && out.size() < 64) {
    const std::size_t size = std::min<std::size_t>(load_be16(&input[1]), input.size() - 3);
    out.push_back(
        {(input[0] & 1) != 0 ? Direction::to_client : Direction::to_server, input.subspan(3, size)});
    input = input.subspan(3 + size);
  }
  return out;
}

// `cut` 0: pieces as they are, each a packet.
inline std::string fuzz_run(const ProtocolEntry& entry, const std::vector<FuzzPiece>& pieces,
                            std::uint32_t cut, bool datagrams) {
  RecordingHost host(4u << 20);
  host.logs = true;
  FlowFacts facts;
  Parser* parser = entry.make(host);
  require(parser != nullptr);
  host.parser = parser;
  std::minstd_rand random(cut);
  bool first[2] = {true, true}, failed = false;
  const auto feed = [&](Direction d, Bytes bytes, bool end) {
    if (failed) return;
    // Exactly this size, so that a read beyond it is seen.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    failed = parser->feed(d, exact, {first[index(d)], end, true}, facts, host) == Fed::failed;
    first[index(d)] = false;
    host.end_of_packet();
  };
  for (const FuzzPiece& p : pieces)
    for (Bytes rest = p.bytes; !rest.empty();) {
      const std::size_t size = cut == 0 ? rest.size() : std::min<std::size_t>(rest.size(), 1 + random() % 30);
      feed(p.direction, rest.first(size), datagrams);
      rest = rest.subspan(size);
    }
  if (!datagrams) {
    feed(Direction::to_server, {}, true);
    feed(Direction::to_client, {}, true);
  }
  parser->destroy(host.pool());
  require(host.pool().in_use() == 0);
  // Depends on the packets by its definition.
  std::erase(host.lines, "event tls.too_many_records_in_packet");
  return host.all()
      .append(std::to_string(facts.ssl_state))
      .append(" ")
      .append(std::to_string(facts.tls_version));
}

inline void fuzz_stream_parser(const ProtocolEntry& entry, Bytes input) {
  const auto pieces = fuzz_pieces(input);
  for (const FuzzPiece& p : pieces) {
    const std::vector<std::uint8_t> exact(p.bytes.begin(), p.bytes.end());
    entry.probe(p.direction, exact, static_cast<std::uint16_t>(p.bytes.size()));
  }
  const std::string whole = fuzz_run(entry, pieces, 0, false);
  require(whole == fuzz_run(entry, pieces, static_cast<std::uint32_t>(input.size()) + 1, false));
}

}  // namespace sekisho::app
