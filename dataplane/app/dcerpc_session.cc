#include "dataplane/app/dcerpc_session.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kCommonHeader = 16;
constexpr std::size_t kStubHeader = 24;
constexpr std::uint8_t kFirstFragment = 0x01, kLastFragment = 0x02, kHasObject = 0x80;
enum PduType : std::uint8_t {
  kRequest = 0,
  kResponse = 2,
  kFault = 3,
  kBind = 11,
  kBindAck = 12,
  kAlterContext = 14,
  kAlterContextResponse = 15,
  kLastType = 19,
};

std::uint16_t load16(const std::uint8_t* p, bool little) {
  return static_cast<std::uint16_t>(little ? p[0] | p[1] << 8 : p[0] << 8 | p[1]);
}
std::uint32_t load32(const std::uint8_t* p, bool little) {
  return little ? static_cast<std::uint32_t>(load16(p + 2, true)) << 16 | load16(p, true)
                : static_cast<std::uint32_t>(load16(p, false)) << 16 | load16(p + 2, false);
}
bool little_endian(const std::uint8_t* drep) {
  return (drep[0] & 0xf0) != 0;
}

}  // namespace

void dcerpc_uuid(const std::uint8_t* wire, bool little, std::uint8_t out[16]) {
  std::memcpy(out, wire, 16);
  if (!little) return;
  std::reverse(out, out + 4);
  std::reverse(out + 4, out + 6);
  std::reverse(out + 6, out + 8);
}

bool DcerpcSession::fail(Direction d, Host& host) {
  way_[index(d)].dead = true;
  host.event(nullptr, d, AppEvent::dcerpc_malformed_data);
  return false;
}

bool DcerpcSession::feed(Direction d, Bytes bytes, const DcerpcOwner& owner, Host& host) {
  Way& way = way_[index(d)];
  if (way.dead) return false;
  while (!bytes.empty()) {
    std::size_t take;
    if (way.have < std::max<std::size_t>(way.need, kCommonHeader)) {
      take = std::min(bytes.size(), std::max<std::size_t>(way.need, kCommonHeader) - way.have);
      std::memcpy(way.header + way.have, bytes.data(), take);
      way.have = static_cast<std::uint8_t>(way.have + take);
      if (way.have >= kCommonHeader && !header_complete(d, owner, host)) return false;
    } else {
      take = std::min<std::size_t>(bytes.size(), way.left);
      const Bytes piece = bytes.first(take);
      if (way.body == Body::gather) {
        if (!way.pdu.append(host.pool(), piece, 0xffff)) way.body = Body::skip;
      } else if (way.body == Body::stub && way.call != nullptr) {
        const std::size_t of_stub = std::min<std::size_t>(take, way.stub_left);
        stub(d, *way.call, piece.first(of_stub), host);
        way.stub_left -= static_cast<std::uint32_t>(of_stub);
      }
      way.left -= static_cast<std::uint32_t>(take);
    }
    if (way.need != 0 && way.have == way.need && way.left == 0) {
      pdu_complete(d, owner, host);
      way.have = way.need = 0;
      way.call = nullptr;
    }
    bytes = bytes.subspan(take);
  }
  return true;
}

// At 16 bytes: how much more header there is. At all of it: what to do with the body.
bool DcerpcSession::header_complete(Direction d, const DcerpcOwner& owner, Host& host) {
  Way& way = way_[index(d)];
  const std::uint8_t* h = way.header;
  const std::uint8_t type = h[2], flags = h[3];
  const bool little = little_endian(h + 4);
  const std::uint16_t length = load16(h + 8, little), auth = load16(h + 10, little);
  const bool to_server = d == Direction::to_server;
  const bool has_stub = type == (to_server ? kRequest : kResponse);
  if (way.need == 0) {
    way.need = static_cast<std::uint8_t>(!has_stub                                ? kCommonHeader
                                         : (flags & kHasObject) != 0 && to_server ? kStubHeader + 16
                                                                                  : kStubHeader);
    if (h[0] != 5 || h[1] > 1 || type > kLastType || length < way.need || auth > length) return fail(d, host);
  }
  if (way.have < way.need) return true;
  way.left = length - way.need;
  way.body = Body::skip;
  way.call = nullptr;
  way.pdu.clear();
  if (type == kBind || type == kAlterContext || type == kBindAck || type == kAlterContextResponse) {
    const bool request = type == kBind || type == kAlterContext;
    if (request == to_server) way.body = Body::gather;
    if (request && auth != 0) authenticated_ = true;
    return true;
  }
  const std::uint32_t id = load32(h + 12, little);
  if (type == kFault && !to_server) {
    if (Call* call = find(id); call != nullptr && call->done[0]) {
      call->done[1] = true;
      way.call = call;
    }
    return true;
  }
  if (!has_stub) return true;
  way.body = Body::stub;
  way.stub_left = way.left;
  // The verifier is no stub data, but only where credentials were agreed on is there one.
  if (authenticated_ && auth != 0 && auth + 8u <= way.left) way.stub_left -= auth + 8u;
  Call* call = find(id);
  if (to_server && call != nullptr && (call->done[0] || (flags & kFirstFragment) != 0)) {
    // The id is used again: the old call is over, whatever became of its answer.
    if (!call->done[0]) call->broken[0] = true;
    if (!call->done[0]) close_side(Direction::to_server, call, owner, host);
    if ((call = find(id)) != nullptr) close_side(Direction::to_client, call, owner, host);
    call = nullptr;
  }
  if (call == nullptr) {
    call = open(id, owner, host);
    if (call == nullptr) return true;
    call->first = (flags & kFirstFragment) != 0;
  }
  way.call = call;
  call->big_endian[index(d)] = !little;
  if (to_server) {
    call->context = load16(h + 20, little);
    call->opnum = load16(h + 22, little);
  }
  if (++call->fragments[index(d)] > kMaxFragments && !call->broken[index(d)]) {
    call->broken[index(d)] = true;
    host.event(call->tx, d, AppEvent::dcerpc_too_many_fragments);
  }
  return true;
}

void DcerpcSession::pdu_complete(Direction d, const DcerpcOwner& owner, Host& host) {
  Way& way = way_[index(d)];
  const std::uint8_t type = way.header[2], flags = way.header[3];
  const bool little = little_endian(way.header + 4);
  if (way.body == Body::gather) {
    if (d == Direction::to_server)
      bind(way.pdu.view(), little, (flags & kFirstFragment) != 0, host);
    else
      bind_answer(way.pdu.view(), little);
    way.pdu.release(host.pool());
  } else if (way.call != nullptr && (type == kFault || (flags & kLastFragment) != 0)) {
    close_side(d, way.call, owner, host);
  }
}

void DcerpcSession::bind(Bytes body, bool little, bool first_fragment, Host& host) {
  if (body.size() < 12) {
    host.event(nullptr, Direction::to_server, AppEvent::dcerpc_malformed_data);
    return;
  }
  AppPool& pool = host.pool();
  Bytes all = interfaces_.view();
  auto* known = reinterpret_cast<Bound*>(const_cast<std::uint8_t*>(all.data()));
  for (std::size_t i = 0; i < all.size() / sizeof(Bound); ++i) known[i].pending = false;
  const unsigned contexts = body[8];
  std::size_t at = 12;
  for (unsigned n = 0; n < contexts; ++n) {
    if (at + 24 > body.size()) {
      host.event(nullptr, Direction::to_server, AppEvent::dcerpc_malformed_data);
      return;
    }
    const std::uint8_t* p = body.data() + at;
    at += 24 + std::size_t{20} * p[2];
    Bound bound{};
    bound.of.context = load16(p, little);
    dcerpc_uuid(p + 4, little, bound.of.uuid);
    bound.of.version = load16(p + 20, little);
    bound.of.minor = load16(p + 22, little);
    bound.of.accepted = true;  // until it is refused
    bound.order = static_cast<std::uint8_t>(n);
    bound.pending = true;
    bound.first_fragment = first_fragment;
    // A context that is bound again is another one from now on.
    all = interfaces_.view();
    known = reinterpret_cast<Bound*>(const_cast<std::uint8_t*>(all.data()));
    const std::size_t count = all.size() / sizeof(Bound);
    std::size_t same = 0;
    while (same < count && (known[same].of.context != bound.of.context || known[same].pending)) ++same;
    if (same < count) {
      known[same] = bound;
    } else if (!interfaces_.append(pool, {reinterpret_cast<const std::uint8_t*>(&bound), sizeof bound},
                                   kMaxInterfaces * sizeof(Bound))) {
      host.event(nullptr, Direction::to_server, AppEvent::dcerpc_too_many_interfaces);
      return;
    }
  }
}

void DcerpcSession::bind_answer(Bytes body, bool little) {
  if (body.size() < 10) return;
  // The secondary address, then the results aligned to four bytes of the PDU (its header is 16 bytes).
  std::size_t at = (10 + std::size_t{load16(body.data() + 8, little)} + 3) & ~std::size_t{3};
  if (at + 4 > body.size()) return;
  const unsigned results = body[at];
  at += 4;
  const Bytes all = interfaces_.view();
  auto* known = reinterpret_cast<Bound*>(const_cast<std::uint8_t*>(all.data()));
  for (unsigned n = 0; n < results && at + 24 <= body.size(); ++n, at += 24) {
    const bool accepted = load16(body.data() + at, little) == 0;
    for (std::size_t i = 0; i < all.size() / sizeof(Bound); ++i)
      if (known[i].pending && known[i].order == n) known[i].of.accepted = accepted;
  }
}

void DcerpcSession::stub(Direction d, Call& call, Bytes bytes, Host& host) {
  const unsigned side = index(d);
  if (call.broken[side] || call.stub[side].append(host.pool(), bytes, kMaxStub)) return;
  // What still fits is looked at.
  const std::size_t room = kMaxStub - call.stub[side].size();
  call.stub[side].append(host.pool(), bytes.first(std::min(bytes.size(), room)), kMaxStub);
  call.broken[side] = true;
  host.event(call.tx, d, AppEvent::dcerpc_stub_too_long);
}

bool DcerpcSession::gap(Direction d, std::uint64_t bytes) {
  Way& way = way_[index(d)];
  if (way.dead || way.need == 0 || way.have < way.need || bytes >= way.left) {
    way.dead = true;
    return false;
  }
  way.left -= static_cast<std::uint32_t>(bytes);
  way.stub_left -= std::min(way.stub_left, static_cast<std::uint32_t>(bytes));
  if (way.body == Body::gather) way.body = Body::skip;
  if (way.call != nullptr) {
    way.call->broken[index(d)] = true;
    way.call->stub[index(d)].clear();
  }
  return true;
}

}  // namespace sekisho::app
