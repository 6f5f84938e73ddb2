#include "bench/ips_traffic.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "dataplane/base/bytes.h"

namespace sekisho::bench {
namespace {

constexpr std::size_t kHeadroom = 64;
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPush = 8, kAck = 16;

struct Tcp {
  std::uint32_t source, destination;
  std::uint16_t source_port, destination_port;
  std::uint32_t sequence, acknowledged;
  std::uint8_t flags;
  std::span<const std::uint8_t> payload;
};

bool read_tcp(std::span<const std::uint8_t> f, Tcp& t) {
  if (f.size() < 54 || load_be16(f.data() + 12) != 0x0800 || f[23] != 6) return false;
  const std::size_t header = static_cast<std::size_t>(f[14] & 15) * 4, total = load_be16(f.data() + 16);
  if (14 + total > f.size() || total < header + 20) return false;
  const std::uint8_t* h = f.data() + 14 + header;
  const std::size_t offset = static_cast<std::size_t>(h[12] >> 4) * 4;
  if (header + offset > total) return false;
  t = {load_be32(f.data() + 26),
       load_be32(f.data() + 30),
       load_be16(h),
       load_be16(h + 2),
       load_be32(h + 4),
       load_be32(h + 8),
       h[13],
       {h + offset, total - header - offset}};
  return true;
}

// One end of a made-up connection.
struct End {
  std::uint32_t address;
  std::uint16_t port;
  std::uint32_t sequence;
};

void put(Traffic& t, End& from, const End& to, std::uint8_t flags, std::span<const std::uint8_t> payload,
         bool from_b, std::uint64_t time_ns) {
  Bytes f(54 + payload.size(), 0);
  f[0] = f[6] = 2;
  store_be16(f.data() + 12, 0x0800);
  f[14] = 0x45;
  store_be16(f.data() + 16, static_cast<std::uint16_t>(40 + payload.size()));
  f[22] = 64;
  f[23] = 6;
  store_be32(f.data() + 26, from.address);
  store_be32(f.data() + 30, to.address);
  store_be16(f.data() + 34, from.port);
  store_be16(f.data() + 36, to.port);
  store_be32(f.data() + 38, from.sequence);
  store_be32(f.data() + 42, (flags & kAck) != 0 ? to.sequence : 0);
  f[46] = 0x50;
  f[47] = flags;
  store_be16(f.data() + 48, 0xffff);
  std::copy(payload.begin(), payload.end(), f.begin() + 54);
  t.add(f, from_b, time_ns);
  from.sequence += static_cast<std::uint32_t>(payload.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
}

std::span<const std::uint8_t> text(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

}  // namespace

void Traffic::add(std::span<const std::uint8_t> frame, bool from_b, std::uint64_t time_ns) {
  const std::size_t at = (block_.size() + 63) / 64 * 64 + kHeadroom;
  block_.resize(at + frame.size());
  std::copy(frame.begin(), frame.end(), block_.begin() + static_cast<std::ptrdiff_t>(at));
  frames_.push_back(
      {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(frame.size()), from_b, time_ns});
  bytes_ += frame.size();
}

void Traffic::renew(std::uint32_t round) {
  if (original_.empty()) original_ = block_;
  std::memcpy(block_.data(), original_.data(), block_.size());
  for (const Frame& one : frames_) {
    std::uint8_t* f = block_.data() + one.at;
    const std::uint16_t type = one.length < 54 ? 0 : load_be16(f + 12);
    if (type != 0x0800 && type != 0x86dd) continue;
    for (unsigned end = 0; end < 2; ++end) {
      std::uint8_t* a = type == 0x0800 ? f + 27 + 4 * end : f + 34 + 16 * end;
      a[0] = static_cast<std::uint8_t>(a[0] ^ round >> 8);
      a[1] = static_cast<std::uint8_t>(a[1] ^ round);
    }
    if (type != 0x0800) continue;
    store_be16(f + 24, 0);
    std::uint32_t sum = 0;
    const std::uint32_t header = static_cast<std::uint32_t>(f[14] & 15) * 4;
    for (std::uint32_t i = 14; i + 1 < 14 + header && i + 1 < one.length; i += 2) sum += load_be16(f + i);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store_be16(f + 24, static_cast<std::uint16_t>(~sum));
  }
}

Bytes read_gzip(const std::filesystem::path& path) {
  Bytes out;
  gzFile f = gzopen(path.c_str(), "rb");
  if (f == nullptr) return out;
  Bytes chunk(1 << 20);
  for (int n = gzread(f, chunk.data(), 1 << 20); n > 0 && out.size() < std::size_t{1} << 30;
       n = gzread(f, chunk.data(), 1 << 20))
    out.insert(out.end(), chunk.begin(), chunk.begin() + n);
  gzclose(f);
  return out;
}

Traffic read_capture(const std::filesystem::path& path) {
  Traffic t;
  const Bytes file = read_gzip(path);
  const auto le32 = [&](std::size_t at) {
    std::uint32_t v;
    std::memcpy(&v, file.data() + at, 4);
    return v;
  };
  if (file.size() < 24 || le32(0) != 0xa1b2c3d4 || le32(20) != 1) return t;
  const auto ends = [](std::span<const std::uint8_t> f) {
    const auto text_of = [&](std::size_t at, std::size_t n) {
      return std::string(reinterpret_cast<const char*>(f.data() + at), n);
    };
    const std::uint16_t type = f.size() < 54 ? 0 : load_be16(f.data() + 12);
    if (type == 0x0800) return std::pair(text_of(26, 4), text_of(30, 4));
    if (type == 0x86dd) return std::pair(text_of(22, 16), text_of(38, 16));
    return std::pair(text_of(6, 6), text_of(0, 6));
  };
  std::map<std::pair<std::string, std::string>, bool> from_b;
  std::uint64_t first = 0;
  for (std::size_t at = 24; at + 16 <= file.size();) {
    const std::size_t length = le32(at + 8);
    const std::uint64_t ns = le32(at) * 1'000'000'000ull + le32(at + 4) * 1000ull;
    at += 16;
    if (length > file.size() - at) break;
    const std::span<const std::uint8_t> f(file.data() + at, length);
    at += length;
    if (length < 14) continue;
    if (t.frames().empty()) first = ns;
    auto [source, destination] = ends(f);
    const auto [known, fresh] = from_b.try_emplace({source, destination}, false);
    if (fresh) from_b.try_emplace({destination, source}, true);
    t.add(f, known->second, std::max(ns, first) - first);
  }
  return t;
}

Traffic connection(const Traffic& capture, std::uint16_t server_port) {
  struct Found {
    std::vector<std::size_t> frames;
    std::size_t quiet = 0;  // so many frames, and all that was sent is acknowledged
    std::uint32_t sent[2] = {}, acknowledged[2] = {};
    bool begun[2] = {}, over = false;
  };
  const auto follow = [](Found& f, const Tcp& p, int side) {
    const std::uint32_t end =
        p.sequence + static_cast<std::uint32_t>(p.payload.size()) + ((p.flags & kSyn) != 0 ? 1 : 0);
    if (!f.begun[side] || static_cast<std::int32_t>(end - f.sent[side]) > 0) f.sent[side] = end;
    f.begun[side] = true;
    if ((p.flags & kAck) != 0) f.acknowledged[1 - side] = p.acknowledged;
    if (f.begun[0] && f.begun[1] && f.acknowledged[0] == f.sent[0] && f.acknowledged[1] == f.sent[1])
      f.quiet = f.frames.size();
  };
  std::map<std::pair<std::uint64_t, std::uint32_t>, Found> all;
  for (std::size_t i = 0; i < capture.frames().size(); ++i) {
    Tcp p;
    if (!read_tcp({capture.data(i), capture.frames()[i].length}, p)) continue;
    const bool to_server = p.destination_port == server_port;
    if (!to_server && p.source_port != server_port) continue;
    const std::pair key(to_server ? std::uint64_t{p.source} << 32 | p.destination
                                  : std::uint64_t{p.destination} << 32 | p.source,
                        std::uint32_t{to_server ? p.source_port : p.destination_port});
    const bool opens = (p.flags & (kSyn | kAck)) == kSyn;
    if (!opens && !all.contains(key)) continue;
    Found& f = all[key];
    f.over |= (p.flags & (kFin | kRst)) != 0 || f.frames.size() >= 400;
    if (f.over) continue;
    f.frames.push_back(i);
    follow(f, p, to_server ? 0 : 1);
  }
  Traffic t;
  const Found* best = nullptr;
  for (const auto& [key, f] : all)
    if (best == nullptr || f.quiet > best->quiet) best = &f;
  if (best == nullptr) return t;
  for (const std::size_t i : std::span(best->frames).first(best->quiet)) {
    const Traffic::Frame& f = capture.frames()[i];
    t.add({capture.data(i), f.length}, f.from_b, f.time_ns - capture.frames()[best->frames[0]].time_ns);
  }
  return t;
}

Bytes server_bytes(const Traffic& capture) {
  Bytes out;
  for (std::size_t i = 0; i < capture.frames().size(); ++i) {
    Tcp p;
    if (read_tcp({capture.data(i), capture.frames()[i].length}, p) && p.source_port == 80)
      out.insert(out.end(), p.payload.begin(), p.payload.end());
  }
  return out;
}

Traffic downloads(const Downloads& wanted, const Bytes& content) {
  constexpr std::size_t kSegment = 1448;
  Traffic t;
  if (content.empty()) return t;
  struct Flow {
    End client, server;
    std::size_t sent = 0, start = 0;
  };
  std::vector<Flow> flows(wanted.flows);
  std::uint64_t now = 0;
  const auto step = [&now] { return now += 2000; };
  for (std::uint32_t i = 0; i < wanted.flows; ++i) {
    Flow& f = flows[i];
    f.client = {0x0a010002u + (i & 0xff), static_cast<std::uint16_t>(20000 + i), 1000};
    f.server = {0x0a020001u, static_cast<std::uint16_t>(wanted.http ? 80 : 4000), 5000};
    f.start = content.size() / wanted.flows * i;
    put(t, f.client, f.server, kSyn, {}, false, step());
    put(t, f.server, f.client, kSyn | kAck, {}, true, step());
    put(t, f.client, f.server, kAck, {}, false, step());
    if (!wanted.http) {
      put(t, f.client, f.server, kPush | kAck, text("\x01\x02\x03 give me all of it\n"), false, step());
      put(t, f.server, f.client, kPush | kAck, text("\x01\x02\x03 here it comes\n"), true, step());
      continue;
    }
    put(t, f.client, f.server, kPush | kAck,
        text("GET /archive/volume.bin HTTP/1.1\r\nHost: files.example.org\r\nUser-Agent: Mozilla/5.0 (X11; "
             "Linux "
             "x86_64)\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"),
        false, step());
    std::string head =
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
    head.append(std::to_string(wanted.bytes)).append("\r\n\r\n");
    put(t, f.server, f.client, kPush | kAck, text(head), true, step());
  }
  for (bool more = true; more;) {
    more = false;
    for (Flow& f : flows) {
      if (f.sent >= wanted.bytes) continue;
      const std::size_t from = (f.start + f.sent) % content.size();
      const std::size_t n = std::min({kSegment, wanted.bytes - f.sent, content.size() - from});
      put(t, f.server, f.client, kAck, {content.data() + from, n}, true, step());
      f.sent += n;
      if (f.sent / kSegment % 2 == 0 || f.sent == wanted.bytes)
        put(t, f.client, f.server, kAck, {}, false, step());
      more = true;
    }
  }
  if (!wanted.closed) return t;
  for (Flow& f : flows) {
    put(t, f.server, f.client, kFin | kAck, {}, true, step());
    put(t, f.client, f.server, kFin | kAck, {}, false, step());
    put(t, f.server, f.client, kAck, {}, true, step());
  }
  return t;
}

}  // namespace sekisho::bench
