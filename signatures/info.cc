#include "signatures/info.h"

#include <cstring>
#include <span>

#include "dataplane/base/hash.h"
#include "signatures/compile_file.h"

namespace sekisho::signatures {
namespace {

constexpr char kMagic[8] = {'S', 'K', 'S', 'I', 'N', 'F', 'O', '1'};
constexpr std::size_t kHeader = 8 + 8 + 32 + 4;  // magic, checksum of what follows, hash, count
constexpr std::uint64_t kMaxBytes = 256ull << 20;
constexpr std::uint32_t kMaxPairs = 4096;

struct Writer {
  std::vector<std::uint8_t>& out;
  void raw(const void* p, std::size_t n) {
    if (n == 0) return;
    const std::size_t at = out.size();
    out.resize(at + n);
    std::memcpy(out.data() + at, p, n);
  }
  void u32(std::uint32_t v) { raw(&v, 4); }
  void text(const std::string& s) {
    u32(static_cast<std::uint32_t>(s.size()));
    raw(s.data(), s.size());
  }
  void pairs(const std::vector<std::pair<std::string, std::string>>& v) {
    u32(static_cast<std::uint32_t>(v.size()));
    for (const auto& [a, b] : v) {
      text(a);
      text(b);
    }
  }
};

struct Reader {
  std::span<const std::uint8_t> in;
  std::size_t at = 0;
  bool failed = false;
  bool raw(void* p, std::size_t n) {
    if (failed || n > in.size() - at) {
      failed = true;
      return false;
    }
    std::memcpy(p, in.data() + at, n);
    at += n;
    return true;
  }
  std::uint32_t u32() {
    std::uint32_t v = 0;
    raw(&v, 4);
    return v;
  }
  std::string text() {
    const std::uint32_t n = u32();
    if (failed || n > in.size() - at) {
      failed = true;
      return {};
    }
    std::string s(reinterpret_cast<const char*>(in.data() + at), n);
    at += n;
    return s;
  }
  void pairs(std::vector<std::pair<std::string, std::string>>& v) {
    const std::uint32_t n = u32();
    if (n > kMaxPairs) failed = true;
    for (std::uint32_t i = 0; i < n && !failed; ++i) {
      std::string a = text();
      v.emplace_back(std::move(a), text());
    }
  }
};

}  // namespace

std::string hex_of(const SetHash& hash) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string s;
  for (const std::uint8_t b : hash) {
    s += digits[b >> 4];
    s += digits[b & 15];
  }
  return s;
}

std::vector<std::uint8_t> encode_info(const SetInfo& set) {
  std::vector<std::uint8_t> out;
  out.reserve(std::size_t{4096} + set.signatures.size() * 512);
  Writer w{out};
  w.raw(kMagic, 8);
  const std::uint64_t none = 0;
  w.raw(&none, 8);
  w.raw(set.hash.data(), 32);
  w.u32(static_cast<std::uint32_t>(set.signatures.size()));
  for (const SignatureInfo& s : set.signatures) {
    w.u32(s.sid);
    w.u32(s.gid);
    w.u32(s.rev);
    w.u32(s.priority);
    for (const std::string* t : {&s.action, &s.msg, &s.classtype, &s.target, &s.app}) w.text(*t);
    w.pairs(s.references);
    w.pairs(s.metadata);
  }
  const std::uint64_t sum = hash64(std::span(out).subspan(16));
  std::memcpy(out.data() + 8, &sum, 8);
  return out;
}

std::string decode_info(const std::vector<std::uint8_t>& bytes, SetInfo& set) {
  if (bytes.size() < kHeader || std::memcmp(bytes.data(), kMagic, 8) != 0) return "not a signature list";
  std::uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + 8, 8);
  if (sum != hash64(std::span(bytes).subspan(16))) return "the signature list is damaged";
  Reader r{bytes, 16};
  SetInfo read;
  r.raw(read.hash.data(), 32);
  const std::uint32_t count = r.u32();
  for (std::uint32_t i = 0; i < count && !r.failed; ++i) {
    SignatureInfo s;
    s.sid = r.u32();
    s.gid = r.u32();
    s.rev = r.u32();
    s.priority = static_cast<std::uint8_t>(r.u32());
    for (std::string* t : {&s.action, &s.msg, &s.classtype, &s.target, &s.app}) *t = r.text();
    r.pairs(s.references);
    r.pairs(s.metadata);
    read.signatures.push_back(std::move(s));
  }
  if (r.failed || r.at != bytes.size()) return "the signature list is damaged";
  set = std::move(read);
  return {};
}

std::string save_info(const SetInfo& set, const std::string& path) {
  return write_file(path, encode_info(set));
}

std::string load_info(const std::string& path, SetInfo& set) {
  std::vector<std::uint8_t> bytes;
  if (std::string why = read_file(path, kMaxBytes, bytes); !why.empty()) return why;
  return decode_info(bytes, set);
}

}  // namespace sekisho::signatures
