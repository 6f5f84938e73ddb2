#include "dataplane/app/rfb.h"

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kVersionSize = 12;
constexpr std::uint32_t kNone = 1, kVncAuthentication = 2;
constexpr std::size_t kMaxWaiting = 64 * 1024;

bool is_version(Bytes b) {
  static constexpr char kForm[] = "RFB ddd.ddd\n";
  for (std::size_t i = 0; i < b.size(); ++i)
    if (kForm[i] == 'd' ? b[i] < '0' || b[i] > '9' : b[i] != static_cast<std::uint8_t>(kForm[i]))
      return false;
  return true;
}

Parser* make(Host& host) {
  return host.pool().make<RfbParser>();
}

}  // namespace

const ProtocolEntry kRfbEntry{AppProtocol::rfb, 6, &RfbParser::probe, &make};

Probe RfbParser::probe(Direction, Bytes first, std::uint16_t) {
  const std::size_t n = std::min(first.size(), kVersionSize);
  if (!is_version(first.first(n))) return Probe::no;
  return n == kVersionSize ? Probe::yes : Probe::more;
}

// RFC 6143 §7.1 to §7.3
std::size_t RfbParser::wanted(Direction d) const {
  const Way& w = way_[index(d)];
  const Bytes b = w.kept.view();
  const auto text = [&](std::size_t before) {
    return b.size() < before + 4 ? before + 4 : before + 4 + std::size_t{load_be32(&b[before])};
  };
  switch (w.phase) {
    case Phase::version:
      return kVersionSize;
    case Phase::types:  // 3.3: one word
      if (minor_ < 7) return 4;
      if (b.empty()) return 1;
      return b[0] == 0 ? text(1) : 1u + b[0];
    case Phase::type:
      return 1;
    case Phase::challenge:
    case Phase::response:
      return 16;
    case Phase::result:
      return 4;
    case Phase::reason:
      return text(0);
    case Phase::init:
      return d == Direction::to_server ? 1 : text(20);
    default:
      return kWait;
  }
}

Fed RfbParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  if (!made_) {
    made_ = true;
    tx_ = host.pool().make<Transaction>(host.pool(), std::uint64_t{0}, AppProtocol::rfb);
    if (tx_ == nullptr) return Fed::failed;
  }
  if (!over_) {
    Way& w = way_[index(d)];
    bool good = true;
    while (good && !over_ && !bytes.empty()) {
      const std::size_t want = wanted(d);
      // Ahead of what the other side has to say first: kept.
      if (want == kWait) {
        good = w.kept.size() + bytes.size() <= kMaxWaiting && w.kept.append(host.pool(), bytes);
        break;
      }
      const std::size_t take = want > w.kept.size() ? std::min(want - w.kept.size(), bytes.size()) : 0;
      good = w.kept.append(host.pool(), bytes.first(take));
      bytes = bytes.subspan(take);
      good = good && run(d, host);
    }
    good = good && run(other(d), host) && run(d, host);
    if (!good) {
      host.event(tx_, d, AppEvent::rfb_malformed_message);
      finish(host);
      return Fed::failed;
    }
  }
  if (over_ || flags.end) {
    for (Way& w : way_) w.kept.release(host.pool());
    finish(host);
  }
  return Fed::ok;
}

// The whole messages of what is kept.
bool RfbParser::run(Direction d, Host& host) {
  Way& w = way_[index(d)];
  while (!over_) {
    const std::size_t want = wanted(d);
    if (want == kWait || w.kept.size() < want) return want == kWait || want <= kMaxText + 24;
    // More than this message may wait behind it.
    Kept all = w.kept;
    w.kept = {};
    bool good = message(d, all.view().first(want), host);
    good = w.kept.append(host.pool(), all.view().subspan(want)) && good;
    all.release(host.pool());
    if (!good) return false;
    if (w.kept.size() == 0) break;
  }
  return true;
}

bool RfbParser::message(Direction d, Bytes b, Host& host) {
  Way& w = way_[index(d)];
  Way& server = way_[1];
  Way& client = way_[0];
  Side& side = tx_->of(d);
  if (host.wants(Buffer::rfb_frame_pdu)) side.add(Buffer::rfb_frame_pdu, b);
  switch (w.phase) {
    case Phase::version:
      if (!is_version(b)) return false;
      w.phase = Phase::waits;
      if (d == Direction::to_server) {
        minor_ =
            static_cast<std::uint8_t>(std::min((b[8] - '0') * 100 + (b[9] - '0') * 10 + (b[10] - '0'), 255));
        server.phase = Phase::types;
      }
      break;
    case Phase::types:
      if (minor_ < 7) {
        const std::uint32_t type = load_be32(b.data());
        if (type == 0)
          w.phase = Phase::reason;
        else
          chosen(type, d, host);
      } else if (b[0] == 0) {
        over_ = true;  // refused, with a reason
      } else {
        w.phase = Phase::waits;
        client.phase = Phase::type;
      }
      break;
    case Phase::type:
      w.phase = Phase::waits;
      chosen(b[0], d, host);
      break;
    case Phase::challenge:
      w.phase = Phase::waits;
      client.phase = Phase::response;
      break;
    case Phase::response:
      w.phase = Phase::waits;
      server.phase = Phase::result;
      break;
    case Phase::result: {
      const std::uint32_t result = load_be32(b.data());
      side.add_number(abi::AppNumber::rfb_secresult, result);
      if (result > 2) host.event(tx_, d, AppEvent::rfb_unknown_security_result);
      if (result == 0) {
        w.phase = Phase::waits;
        client.phase = Phase::init;
      } else if (minor_ >= 8) {
        w.phase = Phase::reason;
      } else {
        over_ = true;
      }
      break;
    }
    case Phase::reason:
      over_ = true;
      break;
    case Phase::init:
      if (d == Direction::to_server) {
        w.phase = Phase::done;
        server.phase = Phase::init;
      } else {
        side.add(Buffer::rfb_name, b.subspan(24));
        over_ = true;
      }
      break;
    default:
      return false;
  }
  host.evaluate(*tx_, d, false);
  return true;
}

void RfbParser::chosen(std::uint32_t type, Direction d, Host& host) {
  type_ = type;
  tx_->of(Direction::to_server).add_number(abi::AppNumber::rfb_sectype, type);
  host.evaluate(*tx_, Direction::to_server, false);
  if (type == kVncAuthentication) {
    way_[1].phase = Phase::challenge;
  } else if (type == kNone) {
    way_[1].phase = minor_ >= 8 ? Phase::result : Phase::waits;
    if (minor_ < 8) way_[0].phase = Phase::init;
  } else {
    host.event(tx_, d, AppEvent::rfb_unimplemented_security_type);
    over_ = true;
  }
}

void RfbParser::finish(Host& host) {
  over_ = true;
  Transaction* tx = tx_;
  if (tx == nullptr) return;
  tx_ = nullptr;
  host.finish(*tx, Direction::to_server);
  host.finish(*tx, Direction::to_client);
}

bool RfbParser::gap(Direction, std::uint64_t, Host& host) {
  if (over_) return true;
  for (Way& w : way_) w.kept.release(host.pool());
  finish(host);
  return false;
}

void RfbParser::forget(const Transaction& tx) {
  if (tx_ == &tx) tx_ = nullptr;
}

void RfbParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  destroy_open(pool, tx_);
  pool.destroy(this);
}

}  // namespace sekisho::app
