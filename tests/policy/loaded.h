// A model compiled and its snapshot checked, as the steward would have it.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "control/policy/compile.h"
#include "control/policy/explain.h"
#include "dataplane/base/bytes.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"

namespace sekisho::test {

// Bytes at an aligned address, as mmap gives them.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::uint8_t> from)
      : size_(from.size()), words_(from.size() / 16 + 1) {
    if (!from.empty()) std::memcpy(words_.data(), from.data(), from.size());
  }
  std::span<std::uint8_t> bytes() { return {reinterpret_cast<std::uint8_t*>(words_.data()), size_}; }
  std::span<const std::uint8_t> bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(words_.data()), size_};
  }

 private:
  struct alignas(16) Word {
    std::uint8_t byte[16];
  };
  std::size_t size_;
  std::vector<Word> words_;
};

class Loaded {
 public:
  explicit Loaded(const control::Model& model, std::uint64_t generation = 1)
      : compiled_(control::compile(model, generation)), bytes_(compiled_.bytes) {
    if (compiled_.ok()) checked_ = policy::check_snapshot(bytes_.bytes());
  }
  bool ok() const { return checked_.view.has_value(); }
  std::string why() const {
    std::string text = checked_.why;
    for (const control::Diagnostic& d : compiled_.diagnostics) text += d.what + "; ";
    return text;
  }
  const policy::SnapshotView& view() const { return *checked_.view; }
  const std::vector<control::Diagnostic>& diagnostics() const { return compiled_.diagnostics; }

 private:
  control::CompileResult compiled_;
  AlignedBytes bytes_;
  policy::SnapshotChecked checked_;
};

inline policy::Query query_of(const control::PolicyQuestion& q) {
  policy::Query out;
  out.from = ZoneId{static_cast<std::uint8_t>(q.from)};
  out.to = ZoneId{static_cast<std::uint8_t>(q.to)};
  out.ip_version = q.source.version;
  out.protocol = q.protocol;
  out.source_port = q.source_port;
  out.destination_port = q.destination_port;
  if (q.source.version == 4) {
    out.source4 = load_be32(q.source.bytes.data());
    out.destination4 = load_be32(q.destination.bytes.data());
  } else {
    out.source6 = policy::address6(q.source.bytes.data());
    out.destination6 = policy::address6(q.destination.bytes.data());
  }
  return out;
}

}  // namespace sekisho::test
