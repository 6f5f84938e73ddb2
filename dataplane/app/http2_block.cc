// Header blocks of HTTP/2: put together, decoded, told; and the bodies that they begin.
#include <algorithm>

#include "dataplane/app/handover.h"
#include "dataplane/app/http2.h"
#include "dataplane/app/http_text.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

using http::text_of;

constexpr std::uint8_t kHeaders = 1, kPromise = 5;
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 0x20;

Bytes value_of(std::span<const Hpack::Field> fields, std::string_view name) {
  for (const Hpack::Field& f : fields)
    if (text_of(f.name) == name) return f.value;
  return {};
}

}  // namespace

// HEADERS or PUSH_PROMISE: what stands before the fragment.
Fed Http2Parser::headers(Direction d, Bytes payload, Host& host) {
  Way& w = way_[index(d)];
  Stream* s = find(w.stream);
  Transaction* tx = s == nullptr ? nullptr : s->tx;
  w.block_flags = w.flags;
  w.block_stream = w.stream;
  w.block_frames = 0;
  w.promise = w.type == kPromise;
  const auto bad = [&] { return give_up(d, AppEvent::http2_invalid_frame_data, host); };
  if (w.stream == 0) return bad();
  if ((w.flags & kPadded) != 0) {
    if (payload.empty() || payload[0] >= payload.size()) return bad();
    payload = payload.subspan(1, payload.size() - 1 - payload[0]);
  }
  if (w.type == kHeaders && (w.flags & kHasPriority) != 0) {
    if (payload.size() < 5) return bad();
    if (tx != nullptr) tx->of(d).add_number(abi::AppNumber::http2_priority, payload[4]);
    payload = payload.subspan(5);
  }
  if (w.promise) {
    if (payload.size() < 4) return bad();
    const std::uint32_t promised = load_be32(payload.data()) & 0x7fffffff;
    payload = payload.subspan(4);
    w.block_flags &= static_cast<std::uint8_t>(~kEndStream);
    if (find(promised) == nullptr && open(d, promised, host) == nullptr)
      return give_up(d, AppEvent::none, host);
    w.block_stream = promised;
  }
  w.in_block = true;
  return fragment(d, payload, host);
}

Fed Http2Parser::fragment(Direction d, Bytes bytes, Host& host) {
  Way& w = way_[index(d)];
  if (++w.block_frames > kMaxBlockFrames) return give_up(d, AppEvent::http2_too_many_frames, host);
  if (w.block.size() + bytes.size() > kMaxBlock)
    return give_up(d, AppEvent::http2_reassembly_limit_reached, host);
  if (!w.block.append(host.pool(), bytes)) return give_up(d, AppEvent::none, host);
  return (w.flags & kEndHeaders) != 0 ? block_end(d, host) : Fed::ok;
}

Fed Http2Parser::block_end(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.in_block = false;
  Hpack::Block block;
  const bool good = w.hpack.decode(w.block.view(), block, host.pool());
  w.block.release(host.pool());
  Stream* s = find(w.block_stream);
  Transaction* tx = s == nullptr ? nullptr : s->tx;
  if (block.integer_overflow) host.event(tx, d, AppEvent::http2_header_integer_overflow);
  if (block.too_long) host.event(tx, d, AppEvent::http2_reassembly_limit_reached);
  if (tx != nullptr) {
    const unsigned side = index(d);
    if (block.updated) tx->of(d).add_number(abi::AppNumber::http2_size_update, block.size_update);
    publish_http2(*tx, d, block.fields, w.promise, s->head[side] && !w.promise, host);
    const Bytes status = value_of(block.fields, ":status");
    const bool interim = !status.empty() && status[0] == '1';
    if (!w.promise && !interim && !s->head[side]) {
      s->head[side] = true;
      s->dns[side] = text_of(value_of(block.fields, "content-type")) == "application/dns-message";
      if ((w.block_flags & kEndStream) == 0) begin_body(d, *s, block.fields, host);
    }
    host.evaluate(*tx, d, false);
  }
  // The table is not the peer's any more.
  if (!good) return give_up(d, AppEvent::http2_invalid_header, host);
  if (s != nullptr && w.promise)
    side_done(Direction::to_server, *s, host);  // a promised stream has no request but the promise
  else if (s != nullptr && (w.block_flags & kEndStream) != 0)
    side_done(d, *s, host);
  return Fed::ok;
}

void Http2Parser::begin_body(Direction d, Stream& s, std::span<const Hpack::Field> fields, Host& host) {
  if (s.tx == nullptr || s.done[index(d)] || s.body[index(d)] != nullptr) return;
  http::HttpBody::Kind kind;
  kind.content_encoding = value_of(fields, "content-encoding");
  if (d == Direction::to_server) {
    bool malformed = false;
    const Bytes type = value_of(fields, "content-type");
    if (!type.empty()) kind.boundary = http::multipart_boundary(type, malformed);
    if (malformed) host.event(s.tx, d, AppEvent::http_multipart_generic_error);
  }
  Bytes name;
  if (const Bytes disposition = value_of(fields, "content-disposition");
      d == Direction::to_client && !disposition.empty())
    name = http::header_parameter(disposition, "filename");
  if (name.empty()) {
    if (const auto* uri = s.tx->of(Direction::to_server).find(Buffer::http_uri)) {
      name = {uri->bytes, uri->size};
      name = name.first(std::min(name.size(), text_of(name).find('?')));
    }
  }
  if (name.size() > http::kMaxFileName) {
    host.event(s.tx, d, AppEvent::http_file_name_too_long);
    name = name.first(http::kMaxFileName);
  }
  if (!name.empty() && kind.boundary.empty()) s.tx->of(d).add(Buffer::file_name, name);
  s.body[index(d)] = http::HttpBody::make(*s.tx, d, kind, host);
}

// RFC 7540 §3.2: the request of the upgrade is that of stream 1.
void Http2Parser::upgraded(FlowFacts& facts, Host& host) {
  if (facts.handover == 0) return;
  Hpack::Field fields[128];
  std::size_t n = 0;
  take_over(facts, [&](Bytes name, Bytes value) {
    if (n < std::size(fields)) fields[n++] = {name, value};
  });
  if (n == 0) return;
  Stream* s = open(Direction::to_server, 1, host);
  if (s == nullptr) return;
  s->head[0] = true;
  publish_http2(*s->tx, Direction::to_server, {fields, n}, false, false, host);
  side_done(Direction::to_server, *s, host);
}

}  // namespace sekisho::app
