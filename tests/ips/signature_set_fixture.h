// Signatures as text → a loaded set. For tests.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/ips/scanner.h"
#include "dataplane/ips/signature_set.h"
#include "signatures/compile.h"
#include "signatures/loader.h"

namespace sekisho::ips {

// A block where a block must be: at a multiple of 64.
class AlignedBlock {
 public:
  explicit AlignedBlock(const std::vector<std::uint8_t>& bytes) : size_(bytes.size()) {
    data_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(64, (size_ + 64) & ~std::size_t{63})));
    std::memcpy(data_.get(), bytes.data(), size_);
  }
  std::span<const std::uint8_t> bytes() const { return {data_.get(), size_}; }
  std::span<std::uint8_t> bytes() { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<std::uint8_t, Free> data_;
  std::size_t size_;
};

inline signatures::LoadResult parse(std::string_view text) {
  signatures::Loader loader{signatures::LoadOptions{}};
  loader.add_text("test.rules", text);
  return std::move(loader).finish();
}

struct LoadedSet {
  signatures::LoadResult parsed;
  signatures::CompileResult compiled;
  std::unique_ptr<AlignedBlock> block;
  std::string why;
  std::unique_ptr<const SignatureSet> set;
  ScanScratch scratch;

  explicit LoadedSet(std::string_view text, const signatures::CompileOptions& options = {})
      : parsed(parse(text)) {
    compiled = signatures::compile(parsed.signatures, options);
    if (!compiled.ok()) return;
    block = std::make_unique<AlignedBlock>(compiled.blob);
    set = SignatureSet::load(std::as_const(*block).bytes(), why);
    if (set) scratch.grow(*set);
  }
  std::uint32_t sid(std::uint32_t index) const { return set->view().signatures[index].sid; }

  struct Where {
    abi::Buffer buffer = abi::Buffer::stream;
    std::uint8_t direction = abi::kToServer;
    std::uint8_t transport = abi::kTransportTcp;
    abi::AppProtocol app = abi::AppProtocol::unknown;
  };
  // sid → end offsets reported.
  std::map<std::uint32_t, std::vector<std::uint64_t>> scan(const Where& w, std::string_view bytes,
                                                           std::uint64_t base = 0, std::size_t new_from = 0,
                                                           std::uint64_t packet = kNoPacket) {
    std::map<std::uint32_t, std::vector<std::uint64_t>> found;
    const bool good = ips::scan(
        *set, scratch, w.buffer, w.direction, w.app, w.transport,
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, base, new_from,
        [&](std::uint32_t s, std::uint16_t, std::uint64_t end) { found[sid(s)].push_back(end); }, packet);
    if (!good) found[0].push_back(0);
    return found;
  }
  std::set<std::uint32_t> always(const Where& w) {
    std::set<std::uint32_t> found;
    ips::always(*set, w.buffer, w.direction, w.app, w.transport,
                [&](std::uint32_t s, std::uint16_t) { found.insert(sid(s)); });
    return found;
  }
  // Everything that must be judged when these bytes come as the whole of a buffer.
  std::set<std::uint32_t> candidates(const Where& w, std::string_view bytes) {
    std::set<std::uint32_t> found = always(w);
    for (const auto& [s, ends] : scan(w, bytes)) found.insert(s);
    return found;
  }
};

}  // namespace sekisho::ips
