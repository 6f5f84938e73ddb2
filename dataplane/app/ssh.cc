#include "dataplane/app/ssh.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::uint8_t kKexInit = 20, kNewKeys = 21;
constexpr char kPrefix[] = "SSH-";
constexpr std::size_t kPrefixSize = sizeof kPrefix - 1;

bool is_banner(Bytes line) {
  return line.size() >= kPrefixSize && std::memcmp(line.data(), kPrefix, kPrefixSize) == 0;
}

Parser* make_ssh(Host& host) {
  return host.pool().make<SshParser>();
}

}  // namespace

const ProtocolEntry kSshEntry{AppProtocol::ssh, 6, &SshParser::probe, &make_ssh};

Probe SshParser::probe(Direction, Bytes first, std::uint16_t) {
  const std::size_t n = std::min(first.size(), kPrefixSize);
  if (n != 0 && std::memcmp(first.data(), kPrefix, n) != 0) return Probe::no;
  return n == kPrefixSize ? Probe::yes : Probe::more;
}

Fed SshParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  Way& w = way_[index(d)];
  while (!bytes.empty() && w.phase != Phase::done) {
    switch (w.phase) {
      case Phase::banner:
      case Phase::banner_end: {
        const auto* end = static_cast<const std::uint8_t*>(std::memchr(bytes.data(), '\n', bytes.size()));
        const std::size_t take =
            end != nullptr ? static_cast<std::size_t>(end - bytes.data()) + 1 : bytes.size();
        const Bytes part = bytes.first(take);
        bytes = bytes.subspan(take);
        if (w.phase == Phase::banner_end) {
          if (end != nullptr) w.phase = Phase::header;
          break;
        }
        const std::size_t room = kMaxBanner - w.kept.size();
        if (!w.kept.append(host.pool(), part.first(std::min(room, take))))
          return give_up(d, AppEvent::none, host);
        w.preamble = static_cast<std::uint16_t>(std::min<std::size_t>(w.preamble + take, 0xffff));
        if (end == nullptr && take <= room) break;
        const bool banner = is_banner(w.kept.view());
        if (take > room && banner) {
          host.event(tx_, d, AppEvent::ssh_long_banner);
          if (line(d, w.kept.view(), host) == Fed::failed) return Fed::failed;
          if (end == nullptr && w.phase == Phase::header) w.phase = Phase::banner_end;
        } else if (end != nullptr) {
          if (line(d, w.kept.view(), host) == Fed::failed) return Fed::failed;
        } else if (w.preamble > kMaxPreamble || d == Direction::to_server) {
          return give_up(d, AppEvent::ssh_invalid_banner, host);
        } else {
          break;  // a long line before the banner: its beginning stays, so that its end is no banner
        }
        w.kept.release(host.pool());
        break;
      }
      case Phase::header: {
        const std::size_t take = std::min<std::size_t>(sizeof w.head - w.have, bytes.size());
        std::memcpy(w.head + w.have, bytes.data(), take);
        w.have = static_cast<std::uint8_t>(w.have + take);
        bytes = bytes.subspan(take);
        if (w.have == sizeof w.head && header(d, host) == Fed::failed) return Fed::failed;
        break;
      }
      case Phase::packet: {
        const std::size_t take = std::min<std::size_t>(w.left, bytes.size());
        if (w.head[5] == kKexInit && w.kept.size() + take <= kMaxKexInit &&
            !w.kept.append(host.pool(), bytes.first(take)))
          return give_up(d, AppEvent::none, host);
        w.left -= static_cast<std::uint32_t>(take);
        bytes = bytes.subspan(take);
        if (w.left == 0) packet_end(d, host);
        break;
      }
      case Phase::done:
        break;
    }
  }
  if (flags.end) {
    w.kept.release(host.pool());
    finish(d, host);
  }
  return Fed::ok;
}

// A whole line, or the beginning of one that is too long.
Fed SshParser::line(Direction d, Bytes text, Host& host) {
  Way& w = way_[index(d)];
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text = text.first(text.size() - 1);
  if (!is_banner(text)) {
    // RFC 4253 §4.2: the server may send other lines first.
    if (d == Direction::to_server || w.preamble > kMaxPreamble)
      return give_up(d, AppEvent::ssh_invalid_banner, host);
    return Fed::ok;
  }
  text = text.subspan(kPrefixSize);
  const auto dash = std::ranges::find(text, '-');
  if (dash == text.begin() || dash == text.end()) return give_up(d, AppEvent::ssh_invalid_banner, host);
  const Bytes proto(text.begin(), dash);
  Bytes software(dash + 1, text.end());
  software = software.first(static_cast<std::size_t>(std::ranges::find(software, ' ') - software.begin()));
  if (!transaction(host)) return give_up(d, AppEvent::none, host);
  if (software.empty()) host.event(tx_, d, AppEvent::ssh_invalid_banner);
  Side& side = tx_->of(d);
  side.add(Buffer::ssh_proto, proto);
  side.add(Buffer::ssh_software, software);
  host.evaluate(*tx_, d, false);
  w.banner = true;
  w.phase = Phase::header;
  const bool is_1_99 = proto.size() == 4 && std::memcmp(proto.data(), "1.99", 4) == 0;
  if (proto[0] == '1' && !is_1_99) {
    version1_ = true;
    for (Way& way : way_)
      if (way.banner) way.phase = Phase::done;
  } else if (version1_) {
    w.phase = Phase::done;
  }
  return Fed::ok;
}

// RFC 4253 §6: length, padding length, payload, padding. The length counts what follows it.
Fed SshParser::header(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.have = 0;
  const std::uint32_t length = load_be32(w.head);
  if (length < 2 || length > kMaxPacket || w.head[4] + 2u > length)
    return give_up(d, AppEvent::ssh_invalid_record, host);
  w.left = length - 2;
  w.phase = Phase::packet;
  if (w.head[5] == kKexInit && w.left > kMaxKexInit) {
    host.event(tx_, d, AppEvent::ssh_long_kex_record);
    w.head[5] = 0;
  }
  if (w.left == 0) packet_end(d, host);
  return Fed::ok;
}

void SshParser::packet_end(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.phase = Phase::header;
  if (w.head[5] == kKexInit) {
    // Without the padding.
    const std::size_t padding = std::min<std::size_t>(w.head[4], w.kept.size());
    if (!w.key_exchange) hassh(d, w.kept.view().first(w.kept.size() - padding), host);
    w.key_exchange = true;
    w.kept.release(host.pool());
  } else if (w.head[5] == kNewKeys) {
    const Way& o = way_[index(other(d))];
    w.phase = Phase::done;
    if (w.banner && o.banner && w.key_exchange && o.key_exchange) {
      host.opaque(d, true);
      host.bypass(d);
    }
    finish(d, host);
  }
}

Fed SshParser::give_up(Direction d, AppEvent event, Host& host) {
  if (event != AppEvent::none) host.event(tx_, d, event);
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    way_[index(way)].kept.release(host.pool());
    finish(way, host);
  }
  return Fed::failed;
}

// Inside a packet whose content nobody reads a gap does no harm.
bool SshParser::gap(Direction d, std::uint64_t bytes, Host& host) {
  Way& w = way_[index(d)];
  if (w.phase == Phase::done) return true;
  if (w.phase == Phase::packet && w.head[5] != kKexInit && bytes < w.left) {
    w.left -= static_cast<std::uint32_t>(bytes);
    return true;
  }
  give_up(d, AppEvent::none, host);
  return false;
}

bool SshParser::transaction(Host& host) {
  if (tx_ != nullptr) return true;
  if (made_) return false;  // was finished on both sides before a banner came
  tx_ = host.pool().make<Transaction>(host.pool(), std::uint64_t{0}, AppProtocol::ssh);
  made_ = tx_ != nullptr;
  return made_;
}

void SshParser::finish(Direction d, Host& host) {
  if (tx_ == nullptr || (tx_->finished & 1u << index(d)) != 0) return;
  log(host);
  host.finish(*tx_, d);
}

void SshParser::forget(const Transaction& tx) {
  if (&tx == tx_) tx_ = nullptr;
}

void SshParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  destroy_open(pool, tx_);
  pool.destroy(this);
}

}  // namespace sekisho::app
