// Frames and streams. Header blocks: http2_block.cc.
#include "dataplane/app/http2.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "dataplane/app/handover.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::uint8_t kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPromise = 5,
                       kPing = 6, kGoAway = 7, kWindowUpdate = 8, kContinuation = 9;
constexpr std::uint8_t kEndStream = 1, kAck = 1, kPadded = 8;
constexpr std::size_t kFrameHead = 9;
constexpr std::size_t kMaxFrameSize = 16384;  // RFC 9113 §6.5.2, the initial value

Parser* make(Host& host) {
  return host.pool().make<Http2Parser>();
}

bool wants_frames(const Host& host) {
  return host.wants(Buffer::http2_frame_pdu) || host.wants(Buffer::http2_frame_data);
}

}  // namespace

const ProtocolEntry kHttp2Entry{AppProtocol::http2, 6, &Http2Parser::probe, &make};

// The client's preface; the server's first frame is SETTINGS (RFC 9113 §3.4).
Probe Http2Parser::probe(Direction d, Bytes first, std::uint16_t) {
  if (d == Direction::to_server) {
    constexpr std::size_t kSure = 16;
    const std::size_t n = std::min(first.size(), kSure);
    if (n != 0 && std::memcmp(first.data(), kPreface.data(), n) != 0) return Probe::no;
    return n == kSure ? Probe::yes : Probe::more;
  }
  static constexpr std::uint8_t kFixed[][2] = {{3, kSettings}, {5, 0}, {6, 0}, {7, 0}, {8, 0}};
  for (const auto& [at, value] : kFixed)
    if (first.size() > at && first[at] != value) return Probe::no;
  if (!first.empty() && first[0] != 0) return Probe::no;
  if (first.size() < kFrameHead) return Probe::more;
  const std::uint32_t length = load_be16(&first[1]);
  return length <= kMaxFrameSize && length % 6 == 0 && first[4] == 0 ? Probe::yes : Probe::no;
}

Fed Http2Parser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  if (!begun_) {
    begun_ = true;
    way_[0].phase = Phase::preface;
    upgraded(facts, host);
  }
  while (!bytes.empty()) {
    switch (w.phase) {
      case Phase::preface:
        if (!preface(bytes, host)) break;
        w.phase = Phase::header;
        break;
      case Phase::header: {
        const std::size_t take = std::min<std::size_t>(kFrameHead - w.have, bytes.size());
        std::memcpy(w.head + w.have, bytes.data(), take);
        w.have = static_cast<std::uint8_t>(w.have + take);
        bytes = bytes.subspan(take);
        if (w.have == kFrameHead && frame_begin(d, host) == Fed::failed) return Fed::failed;
        break;
      }
      case Phase::payload: {
        const std::size_t take = std::min<std::size_t>(w.left, bytes.size());
        w.left -= static_cast<std::uint32_t>(take);
        if (!payload(d, bytes.first(take), host)) return give_up(d, AppEvent::none, host);
        bytes = bytes.subspan(take);
        if (w.left == 0 && frame_end(d, host) == Fed::failed) return Fed::failed;
        break;
      }
    }
  }
  if (flags.end) {
    for (std::size_t b = 0; b < kBuckets; ++b)
      for (Stream *s = streams_[b], *next = nullptr; s != nullptr; s = next) {
        next = s->next;
        side_done(d, *s, host);
      }
    w.frame.release(host.pool());
    w.block.release(host.pool());
  } else {
    for (Stream* list : streams_)
      for (Stream* s = list; s != nullptr; s = s->next)
        if (s->body[index(d)] != nullptr) s->body[index(d)]->flush(host);
  }
  return Fed::ok;
}

// True: it is over. Without one (met in midstream, or wrong) the bytes are frames.
bool Http2Parser::preface(Bytes& bytes, Host& host) {
  while (!bytes.empty() && preface_at_ < kPreface.size() &&
         bytes[0] == static_cast<std::uint8_t>(kPreface[preface_at_])) {
    ++preface_at_;
    bytes = bytes.subspan(1);
  }
  if (preface_at_ == kPreface.size()) return true;
  if (bytes.empty()) return false;
  host.event(nullptr, Direction::to_server, AppEvent::http2_invalid_client_magic);
  // What fitted so far were a frame's first bytes: "PRI…" is a length of 5 MB, so only none may fit.
  if (preface_at_ != 0) {
    Way& w = way_[0];
    w.have = static_cast<std::uint8_t>(std::min<std::size_t>(preface_at_, kFrameHead - 1));
    std::memcpy(w.head, kPreface.data(), w.have);
  }
  return true;
}

Fed Http2Parser::frame_begin(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.have = 0;
  w.length = w.left = static_cast<std::uint32_t>(w.head[0]) << 16 | load_be16(&w.head[1]);
  w.type = w.head[3];
  w.flags = w.head[4];
  const std::uint32_t stream = load_be32(&w.head[5]);
  w.stream = stream & 0x7fffffff;
  w.padding = 0;
  w.padding_known = false;
  w.phase = Phase::payload;
  if ((stream >> 31) != 0) host.event(nullptr, d, AppEvent::http2_invalid_frame_header);
  if (w.type == kData && w.stream == 0) host.event(nullptr, d, AppEvent::http2_data_stream_zero);
  // RFC 9113 §6.10: nothing stands between the parts of a header block.
  if (w.in_block != (w.type == kContinuation) || (w.in_block && w.stream != w.block_stream)) {
    host.event(nullptr, d, AppEvent::http2_invalid_frame_header);
    if (w.in_block) return give_up(d, AppEvent::none, host);
    w.type = 0xff;  // a continuation of nothing: skipped
  }
  const bool block = w.type == kHeaders || w.type == kPromise || w.type == kContinuation;
  if (block && w.length > kMaxBlock) return give_up(d, AppEvent::http2_reassembly_limit_reached, host);
  if (!block && w.type != kData && w.length > kMaxBlock)
    host.event(nullptr, d, AppEvent::http2_long_frame_data);
  if (w.type == kData && w.stream != 0 && find(w.stream) == nullptr) {
    // Met in midstream, or after its stream was closed.
    const bool late = w.stream <= std::max(way_[0].last_stream, way_[1].last_stream);
    if (!late) open(d, w.stream, host);
  }
  return w.left == 0 ? frame_end(d, host) : Fed::ok;
}

// False: no memory.
bool Http2Parser::payload(Direction d, Bytes bytes, Host& host) {
  Way& w = way_[index(d)];
  if (w.type == kData && !data(d, bytes, host)) return false;
  if (w.type == kData && !wants_frames(host)) return true;
  const std::size_t most = w.type == kData ? kMaxFrameSize : kMaxBlock;
  if (w.frame.size() >= most) return true;
  return w.frame.append(host.pool(), bytes.first(std::min(bytes.size(), most - w.frame.size())));
}

// False: no memory. REQUIRES: w.left counts what follows these bytes.
bool Http2Parser::data(Direction d, Bytes bytes, Host& host) {
  Way& w = way_[index(d)];
  if ((w.flags & kPadded) != 0 && !w.padding_known) {
    if (bytes.empty()) return true;
    w.padding_known = true;
    w.padding = bytes[0];
    bytes = bytes.subspan(1);
    if (w.padding >= w.length) host.event(nullptr, d, AppEvent::http2_invalid_frame_data);
  }
  const std::size_t rest = bytes.size() + w.left;
  const std::size_t content = rest > w.padding ? rest - w.padding : 0;
  bytes = bytes.first(std::min(bytes.size(), content));
  Stream* s = find(w.stream);
  const unsigned side = index(d);
  if (s == nullptr || s->tx == nullptr || s->done[side] || bytes.empty()) return true;
  s->body_bytes[side] += bytes.size();
  if (s->dns[side] && s->body_bytes[side] > 0xffff && !s->dns_told[side]) {
    s->dns_told[side] = true;
    host.event(s->tx, d,
               d == Direction::to_server ? AppEvent::http2_dns_request_too_long
                                         : AppEvent::http2_dns_response_too_long);
  }
  if (s->body[side] == nullptr) begin_body(d, *s, {}, host);
  return s->body[side] != nullptr && s->body[side]->data(bytes, host);
}

void Http2Parser::frame_buffers(Direction d, Transaction* tx, Host& host) {
  if (tx == nullptr) return;
  const Way& w = way_[index(d)];
  Side& side = tx->of(d);
  const Bytes head(w.head, kFrameHead), payload(w.frame.view());
  if (host.wants(Buffer::http2_frame_header)) side.add(Buffer::http2_frame_header, head);
  if (host.wants(Buffer::http2_frame_data)) side.add(Buffer::http2_frame_data, payload);
  if (host.wants(Buffer::http2_frame_pdu)) side.add(Buffer::http2_frame_pdu, {head, payload});
}

Fed Http2Parser::frame_end(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.phase = Phase::header;
  const Bytes payload(w.frame.view());
  Stream* s = w.stream == 0 ? nullptr : find(w.stream);
  if (w.type == kHeaders && w.stream != 0 && s == nullptr) {
    const bool again = w.stream <= w.last_stream && (w.stream & 1) == (d == Direction::to_server ? 1 : 0);
    s = open(d, w.stream, host);
    if (s == nullptr) return give_up(d, AppEvent::none, host);
    if (again) host.event(s->tx, d, AppEvent::http2_stream_id_reuse);
  }
  // A frame without a stream is a transaction of its own.
  Transaction* own = nullptr;
  if (s == nullptr) {
    own = transaction(host);
    if (own == nullptr) return give_up(d, AppEvent::none, host);
  }
  Transaction* tx = s != nullptr ? s->tx : own;
  if (tx != nullptr) {
    Side& side = tx->of(d);
    if (w.type <= kContinuation) {
      bool known = false;
      for (const Side::Number& n : side.numbers())
        known = known || (n.id == abi::AppNumber::http2_frametype && n.value == w.type);
      if (!known || w.type == kWindowUpdate) side.add_number(abi::AppNumber::http2_frametype, w.type);
    }
    frame_buffers(d, tx, host);
    const auto size_is = [&](std::size_t wanted) {
      if (payload.size() >= wanted) {
        if (payload.size() > wanted) host.event(tx, d, AppEvent::http2_extra_header_data);
        return true;
      }
      host.event(tx, d, AppEvent::http2_invalid_frame_length);
      return false;
    };
    switch (w.type) {
      case kPriority:
        if (size_is(5)) side.add_number(abi::AppNumber::http2_priority, payload[4]);
        break;
      case kReset:
        if (size_is(4)) side.add_number(abi::AppNumber::http2_errorcode, load_be32(payload.data()));
        break;
      case kWindowUpdate:
        if (size_is(4))
          side.add_number(abi::AppNumber::http2_window, load_be32(payload.data()) & 0x7fffffffu);
        break;
      case kGoAway:
        if (payload.size() >= 8)
          side.add_number(abi::AppNumber::http2_errorcode, load_be32(payload.data() + 4));
        else
          host.event(tx, d, AppEvent::http2_invalid_frame_length);
        break;
      case kSettings:
        settings(d, *tx, payload, host);
        break;
      case kPing:
        size_is(8);
        break;
      default:
        break;
    }
  }
  Fed fed = Fed::ok;
  if (w.type == kHeaders || w.type == kPromise)
    fed = headers(d, payload, host);
  else if (w.type == kContinuation)
    fed = fragment(d, payload, host);
  if (fed == Fed::failed) {
    if (own != nullptr) close(*own, host);
    return fed;
  }
  w.frame.release(host.pool());
  if (own != nullptr) {
    close(*own, host);
    return Fed::ok;
  }
  if (tx != nullptr && w.type != kData) host.evaluate(*tx, d, false);
  if (w.type == kReset) {
    if (d == Direction::to_server && !s->done[1] && ++resets_ > kMaxResets && !reset_told_) {
      reset_told_ = true;
      host.event(s->tx, d, AppEvent::http2_rapid_reset);
    }
    close(*s, host);
  } else if (w.type == kData && (w.flags & kEndStream) != 0) {
    side_done(d, *s, host);
  }
  return Fed::ok;
}

void Http2Parser::settings(Direction d, Transaction& tx, Bytes payload, Host& host) {
  const Way& w = way_[index(d)];
  if (payload.size() % 6 != 0 || w.stream != 0 || ((w.flags & kAck) != 0 && !payload.empty()))
    host.event(&tx, d, AppEvent::http2_invalid_frame_length);
  for (; payload.size() >= 6; payload = payload.subspan(6)) {
    const std::uint16_t id = load_be16(payload.data());
    const std::uint32_t value = load_be32(payload.data() + 2);
    tx.of(d).add_number(abi::AppNumber::http2_settings, value, id);
    // What this side can take: the other side's encoder obeys.
    if (id == 1) way_[index(other(d))].hpack.allow(value);
  }
}

// --- streams --------------------------------------------------------------------------------------------

Http2Parser::Stream* Http2Parser::find(std::uint32_t id) {
  for (Stream* s = streams_[id / 2 % kBuckets]; s != nullptr; s = s->next)
    if (s->id == id) return s;
  return nullptr;
}

Transaction* Http2Parser::transaction(Host& host) {
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::http2);
  if (tx != nullptr) ++next_;
  return tx;
}

// nullptr: no memory.
Http2Parser::Stream* Http2Parser::open(Direction d, std::uint32_t id, Host& host) {
  if (open_ >= kMaxStreams) {
    Stream* oldest = nullptr;
    for (Stream* list : streams_)
      for (Stream* s = list; s != nullptr; s = s->next)
        if (oldest == nullptr || s->id < oldest->id) oldest = s;
    host.event(oldest->tx, d, AppEvent::http2_too_many_streams);
    close(*oldest, host);
  }
  auto* s = host.pool().make<Stream>();
  if (s == nullptr) return nullptr;
  s->tx = transaction(host);
  if (s->tx == nullptr) {
    host.pool().destroy(s);
    return nullptr;
  }
  s->id = id;
  Stream*& list = streams_[id / 2 % kBuckets];
  s->next = list;
  list = s;
  ++open_;
  Way& w = way_[index(d)];
  w.last_stream = std::max(w.last_stream, id);
  return s;
}

void Http2Parser::side_done(Direction d, Stream& s, Host& host) {
  const unsigned side = index(d);
  if (!s.done[side]) {
    s.done[side] = true;
    if (s.body[side] != nullptr) {
      s.body[side]->end(host);
      s.body[side]->destroy(host.pool());
      s.body[side] = nullptr;
    }
    if (s.tx != nullptr) {
      if (s.done[0] && s.done[1]) {
        log_http2(*s.tx, host);
        host.evaluate(*s.tx, other(d), false);  // conditions on all numbers of a side hold at the end only
      }
      host.finish(*s.tx, d);
    }
  }
  if (s.done[0] && s.done[1]) remove(&s, host);
}

void Http2Parser::close(Stream& s, Host& host) {
  // The stream goes with the second of them.
  if (!s.done[0] && !s.done[1]) side_done(Direction::to_server, s, host);
  side_done(s.done[0] ? Direction::to_client : Direction::to_server, s, host);
}

void Http2Parser::close(Transaction& own, Host& host) {
  host.finish(own, Direction::to_server);
  host.finish(own, Direction::to_client);
}

void Http2Parser::remove(Stream* s, Host& host) {
  for (Stream** at = &streams_[s->id / 2 % kBuckets]; *at != nullptr; at = &(*at)->next)
    if (*at == s) {
      *at = s->next;
      break;
    }
  --open_;
  host.pool().destroy(s);
}

// --- the rest -------------------------------------------------------------------------------------------

Fed Http2Parser::give_up(Direction d, AppEvent event, Host& host) {
  if (event != AppEvent::none) host.event(nullptr, d, event);
  for (Stream*& list : streams_)
    while (list != nullptr) close(*list, host);
  for (Way& w : way_) {
    w.frame.release(host.pool());
    w.block.release(host.pool());
  }
  return Fed::failed;
}

// Only inside a body a gap has a known end.
bool Http2Parser::gap(Direction d, std::uint64_t bytes, Host& host) {
  Way& w = way_[index(d)];
  if (w.phase == Phase::payload && w.type == kData && bytes < w.left) {
    w.left -= static_cast<std::uint32_t>(bytes);
    return true;
  }
  give_up(d, AppEvent::none, host);
  return false;
}

void Http2Parser::forget(const Transaction& tx) {
  for (Stream* list : streams_)
    for (Stream* s = list; s != nullptr; s = s->next)
      if (s->tx == &tx) {
        for (http::HttpBody* b : s->body)
          if (b != nullptr) b->forget(tx);
        s->tx = nullptr;
      }
}

void Http2Parser::destroy(AppPool& pool) noexcept {
  for (Stream*& list : streams_)
    while (list != nullptr) {
      Stream* s = list;
      list = s->next;
      for (http::HttpBody* b : s->body)
        if (b != nullptr) b->destroy(pool);
      destroy_open(pool, s->tx);
      pool.destroy(s);
    }
  for (Way& w : way_) {
    w.hpack.release(pool);
    w.frame.release(pool);
    w.block.release(pool);
  }
  pool.destroy(this);
}

}  // namespace sekisho::app
