// DCE/RPC over TCP (C706 12.6, connection-oriented) and UDP (12.5, connectionless): the parsers around a
// DcerpcSession. Memory of an idle flow: this object (about 400 bytes) and its bound interfaces.
#include "dataplane/app/dcerpc_session.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kDatagramHeader = 80;

class DcerpcParser final : public Parser {
 public:
  explicit DcerpcParser(bool datagrams) : datagrams_(datagrams) {}
  AppProtocol protocol() const override { return AppProtocol::dcerpc; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) override {
    const DcerpcOwner owner{AppProtocol::dcerpc, &next_id_};
    if (datagrams_) return session_.datagram(d, bytes, owner, host) ? Fed::ok : Fed::failed;
    const bool taken = bytes.empty() || session_.feed(d, bytes, owner, host);
    if (flags.end) session_.end(d, owner, host);
    return taken ? Fed::ok : Fed::failed;
  }
  bool gap(Direction d, std::uint64_t bytes, Host&) override { return session_.gap(d, bytes); }
  void forget(const Transaction& tx) override {
    if (pool_ != nullptr) session_.forget(tx, *pool_);
  }
  void destroy(AppPool& pool) noexcept override {
    session_.release(pool);
    pool.destroy(this);
  }
  static Parser* make(Host& host, bool datagrams) {
    auto* parser = host.pool().make<DcerpcParser>(datagrams);
    if (parser != nullptr) parser->pool_ = &host.pool();
    return parser;
  }

 private:
  DcerpcSession session_;
  std::uint64_t next_id_ = 0;
  AppPool* pool_ = nullptr;
  bool datagrams_;
};

Probe probe_stream(Direction d, Bytes first, std::uint16_t) {
  // Version, minor version, type, flags, data representation (integer and character order, float form, zero).
  constexpr std::size_t kEnough = 12;
  const auto at = [&](std::size_t i, auto holds) { return first.size() <= i || holds(first[i]); };
  const std::uint32_t types = d == Direction::to_server
                                  ? 1u << 0 | 1u << 11 | 1u << 14 | 1u << 16 | 1u << 18 | 1u << 19
                                  : 1u << 2 | 1u << 3 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 17;
  if (!at(0, [](std::uint8_t v) { return v == 5; }) || !at(1, [](std::uint8_t v) { return v <= 1; }) ||
      !at(2, [&](std::uint8_t v) { return v < 20 && (types >> v & 1) != 0; }) ||
      !at(4, [](std::uint8_t v) { return (v & 0xee) == 0; }) ||
      !at(5, [](std::uint8_t v) { return v <= 3; }) || !at(6, [](std::uint8_t v) { return v == 0; }) ||
      !at(7, [](std::uint8_t v) { return v == 0; }))
    return Probe::no;
  if (first.size() < kEnough) return Probe::more;
  const bool little = (first[4] & 0x10) != 0;
  const unsigned length = little ? first[8] | first[9] << 8 : first[8] << 8 | first[9];
  const unsigned auth = little ? first[10] | first[11] << 8 : first[10] << 8 | first[11];
  return length >= 16 && auth <= length ? Probe::yes : Probe::no;
}

Probe probe_datagram(Direction d, Bytes first, std::uint16_t) {
  if (first.size() < kDatagramHeader) return Probe::no;
  const std::uint32_t types = d == Direction::to_server
                                  ? 1u << 0 | 1u << 1 | 1u << 7 | 1u << 8
                                  : 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 10;
  const bool little = (first[4] & 0x10) != 0;
  const unsigned length = little ? first[74] | first[75] << 8 : first[74] << 8 | first[75];
  return first[0] == 4 && first[1] <= 10 && (types >> first[1] & 1) != 0 && (first[2] & 0x81) == 0 &&
                 (first[3] & 0xfd) == 0 && (first[4] & 0xee) == 0 && first[5] <= 3 &&
                 kDatagramHeader + length <= first.size()
             ? Probe::yes
             : Probe::no;
}

}  // namespace

extern const ProtocolEntry kDcerpcEntry, kDcerpcUdpEntry;
const ProtocolEntry kDcerpcEntry{AppProtocol::dcerpc, 6, probe_stream,
                                 [](Host& host) { return DcerpcParser::make(host, false); }};
const ProtocolEntry kDcerpcUdpEntry{AppProtocol::dcerpc, 17, probe_datagram,
                                    [](Host& host) { return DcerpcParser::make(host, true); }};

// A connectionless call carries its interface in each packet; a call is known by activity and sequence
// number.
bool DcerpcSession::datagram(Direction d, Bytes bytes, const DcerpcOwner& owner, Host& host) {
  if (bytes.size() < kDatagramHeader || bytes[0] != 4) {
    host.event(nullptr, d, AppEvent::dcerpc_malformed_data);
    return true;
  }
  const std::uint8_t* h = bytes.data();
  const bool little = (h[4] & 0x10) != 0;
  const auto u16 = [&](std::size_t at) {
    return static_cast<std::uint16_t>(little ? h[at] | h[at + 1] << 8 : h[at] << 8 | h[at + 1]);
  };
  const std::uint8_t type = h[1], flags = h[2];
  const std::size_t length = u16(74);
  if (length > bytes.size() - kDatagramHeader) {
    host.event(nullptr, d, AppEvent::dcerpc_malformed_data);
    return true;
  }
  const bool to_server = d == Direction::to_server;
  const bool fault = !to_server && (type == 3 || type == 6);  // fault, reject
  if (type != (to_server ? 0 : 2) && !fault) return true;
  std::uint64_t key = 0xcbf29ce484222325;  // of the activity and the sequence number
  for (std::size_t i = 40; i < 68; ++i)
    if (i < 56 || i >= 64) key = (key ^ h[i]) * 0x100000001b3;
  Call* call = find(key);
  if (call != nullptr && call->done[index(d)]) return true;  // sent again
  if (call == nullptr) {
    if ((call = open(key, owner, host)) == nullptr) return true;
    call->first = u16(76) == 0;
  }
  if (to_server) {
    Facts::Interface& bound = call->interface;
    dcerpc_uuid(h + 24, little, bound.uuid);
    bound.version = u16(little ? 60 : 62);
    bound.minor = u16(little ? 62 : 60);
    bound.accepted = true;
    call->has_interface = true;
    call->opnum = u16(68);
  }
  call->big_endian[index(d)] = !little;
  if (++call->fragments[index(d)] > kMaxFragments && !call->broken[index(d)]) {
    call->broken[index(d)] = true;
    host.event(call->tx, d, AppEvent::dcerpc_too_many_fragments);
  }
  if (!fault) stub(d, *call, bytes.subspan(kDatagramHeader, length), host);
  const bool fragment = (flags & 0x04) != 0, last = (flags & 0x02) != 0;
  if (fault || !fragment || last) close_side(d, call, owner, host);
  return true;
}

}  // namespace sekisho::app
