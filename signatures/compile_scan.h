// Prefilters → scan groups, their literals and postings, and the databases. Internal to the compiler.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "signatures/compile.h"
#include "signatures/compile_tables.h"
#include "signatures/prefilter.h"

namespace sekisho::signatures {

class ScanWriter {
 public:
  // `index`: of the signature in the tables; called in ascending order.
  void add(const Signature& s, std::uint32_t index);
  // Compiles and fills scan_groups, literals, anchored, postings, databases, packet_always. Returns why the
  // whole failed, or "".
  std::string write(Tables& t, const CompileOptions& options, CompileStatistics& statistics);

 private:
  struct Key {
    Buffer buffer;
    std::uint8_t direction, transport;
    AppProtocol app;
    auto operator<=>(const Key&) const = default;
  };
  using Literal = std::pair<std::string, bool>;                                // bytes, nocase
  using Anchor = std::tuple<std::uint32_t, std::uint32_t, bool, std::string>;  // offset, size, nocase, bytes
  struct Group {
    std::map<Literal, std::vector<abi::PostingRecord>> scanned;
    std::map<Anchor, std::vector<abi::PostingRecord>> anchored;
    std::vector<abi::PostingRecord> always;
  };
  std::vector<Key> places_of(const Signature& s, Buffer buffer) const;

  std::map<Key, Group> groups_;
  std::vector<std::uint32_t> packet_always_;
  std::uint32_t kinds_[4] = {};
};

}  // namespace sekisho::signatures
