// Checks that need the whole signature, and what follows from it: type, directions, priority.
#include <algorithm>

#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

bool packet_buffer(Buffer b) {
  return b != Buffer::base64_data && b != Buffer::payload && b != Buffer::stream &&
         abi::info(b).kind == abi::BufferKind::packet;
}
bool app_buffer(Buffer b) {
  return b != Buffer::base64_data &&
         (abi::info(b).kind == abi::BufferKind::whole || abi::info(b).kind == abi::BufferKind::body);
}

// Bytes that a buffer needs at least for its positive contents. 0 when that is not known.
std::uint64_t needed_bytes(const BufferGroup& g) {
  std::int64_t cursor = 0, need = 0;
  for (const Match& m : g.matches) {
    const auto* c = std::get_if<Content>(&m);
    if (c == nullptr) {
      if (!std::holds_alternative<BufferSize>(m) && !std::holds_alternative<IsDataAt>(m)) cursor = 0;
      continue;
    }
    if (c->negated) continue;
    const auto number = [](const std::optional<Operand>& o) { return o && !o->is_variable() ? o->value : 0; };
    const std::int64_t start =
        c->relative() ? std::max<std::int64_t>(0, cursor + number(c->distance)) : number(c->offset);
    cursor = start + static_cast<std::int64_t>(c->bytes.size());
    need = std::max(need, cursor);
  }
  return static_cast<std::uint64_t>(need);
}

std::uint64_t largest(const Range& r) {
  switch (r.op) {
    case Range::Op::equal:
    case Range::Op::less_equal:
      return r.low;
    case Range::Op::less:
      return r.low - 1;
    case Range::Op::in:
      return r.high;
    default:
      return ~0ull;
  }
}

void check_sizes(const Signature& s) {
  for (const BufferGroup& g : s.groups) {
    const std::uint64_t need = needed_bytes(g);
    for (const Match& m : g.matches)
      if (const auto* size = std::get_if<BufferSize>(&m); size != nullptr && largest(size->range) < need)
        refuse("{}: the contents need {} bytes, the size is limited to {}", buffer_keyword(g.buffer), need,
               largest(size->range));
    if (g.buffer != Buffer::payload) continue;
    for (const PacketCheck& check : s.packet_checks)
      if (const auto* d = std::get_if<Dsize>(&check); d != nullptr && largest(d->range) < need)
        refuse("dsize: the contents need {} bytes, the packet has at most {}", need, largest(d->range));
  }
}

bool upper_case(const std::string& s) {
  return std::any_of(s.begin(), s.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Contents that the buffer can never hold.
void check_content_of(const BufferGroup& g, const Content& c) {
  const bool lowered = std::any_of(g.transforms.begin(), g.transforms.end(), [](const Transform& t) {
    return t.kind == Transform::Kind::to_uppercase || t.kind == Transform::Kind::from_base64 ||
           t.kind == Transform::Kind::xor_key || t.kind == Transform::Kind::to_md5 ||
           t.kind == Transform::Kind::to_sha1 || t.kind == Transform::Kind::to_sha256;
  });
  if (g.buffer == Buffer::http_host && !c.nocase && !lowered && upper_case(c.bytes))
    refuse("http.host: an upper case letter in the content, and the buffer is lower case");
  if (g.buffer == Buffer::http_method && g.transforms.empty()) {
    if (c.bytes.front() == ' ' || c.bytes.front() == '\t')
      refuse("http.method: white space begins the content");
    if (c.bytes.back() == ' ' || c.bytes.back() == '\t') refuse("http.method: white space ends the content");
  }
  if ((g.buffer == Buffer::ja3_hash || g.buffer == Buffer::ja3s_hash) && g.transforms.empty() &&
      c.bytes.size() != 32)
    refuse("{}: {} characters, an MD5 in hexadecimal has 32", buffer_keyword(g.buffer), c.bytes.size());
  if (g.buffer == Buffer::tls_cert_fingerprint && g.transforms.empty() && c.bytes.size() != 59)
    refuse("tls.cert_fingerprint: {} characters, a SHA-1 with colons has 59", c.bytes.size());
}

// Suricata writes these buffers in one case and converts the content to it.
void settle_case(BufferGroup& g) {
  const bool to_lower = g.buffer == Buffer::ja3_hash || g.buffer == Buffer::ja3s_hash ||
                        g.buffer == Buffer::tls_cert_fingerprint || g.buffer == Buffer::ssh_hassh ||
                        g.buffer == Buffer::ssh_hassh_server;
  const bool to_upper = g.buffer == Buffer::tls_cert_serial;
  if ((!to_lower && !to_upper) || !g.transforms.empty()) return;
  for (Match& m : g.matches)
    if (auto* c = std::get_if<Content>(&m))
      for (char& x : c->bytes) {
        if (to_lower && x >= 'A' && x <= 'Z') x = static_cast<char>(x + 32);
        if (to_upper && x >= 'a' && x <= 'z') x = static_cast<char>(x - 32);
      }
}

void check_contents(Signature& s) {
  unsigned fast = 0;
  for (BufferGroup& g : s.groups) {
    settle_case(g);
    const Content* previous = nullptr;
    bool or_else = false, plain_absent = false;
    for (const Match& m : g.matches) {
      if (const auto* a = std::get_if<Absent>(&m)) (a->or_else ? or_else : plain_absent) = true;
      const auto* c = std::get_if<Content>(&m);
      if (c == nullptr) {
        previous = nullptr;
        continue;
      }
      check_content_of(g, *c);
      if (c->relative() && previous != nullptr && previous->fast_pattern_only)
        refuse("a relative content behind one with fast_pattern:only");
      previous = c;
      if (!c->fast_pattern) continue;
      ++fast;
      if (c->negated && (c->relative() || c->offset || c->depth))
        refuse("fast_pattern on a negated content with a position");
      if (c->fast_pattern_only && c->negated) refuse("fast_pattern:only on a negated content");
      if (c->fast_pattern_only && (c->relative() || c->offset || c->depth))
        refuse("fast_pattern:only on a content with a position");
    }
    if (plain_absent && g.matches.size() > 1)
      refuse("absent with other matches of {}", buffer_keyword(g.buffer));
    if (or_else && g.matches.size() < 2)
      refuse("absent:or_else without another match of {}", buffer_keyword(g.buffer));
  }
  if (fast > 1) refuse("fast_pattern on {} contents: only one may have it", fast);
}

// Both sides of a transaction: what was asked, and what was answered.
void settle_transactional(Signature& s) {
  if (s.flow.to_server || s.flow.to_client) refuse("flow has no direction in a signature with =>");
  std::uint8_t sides = 0;
  for (const BufferGroup& g : s.groups) {
    if (g.buffer == Buffer::base64_data) continue;
    if (!app_buffer(g.buffer)) refuse("{}: => joins buffers of a transaction only", buffer_keyword(g.buffer));
    sides |= g.side;
  }
  if (sides != abi::kBothWays) refuse("=> needs a buffer of each side of the transaction");
  s.directions = abi::kToClient;
}

// Directions in which every buffer exists; refuses what cannot be.
void settle_directions(Signature& s) {
  if (s.transactional) return settle_transactional(s);
  const std::uint8_t by_flow = s.flow.to_server   ? abi::kToServer
                               : s.flow.to_client ? abi::kToClient
                                                  : abi::kBothWays;
  std::uint8_t by_buffers = abi::kBothWays;
  const char* narrowing = nullptr;
  for (const BufferGroup& g : s.groups) {
    if (g.buffer == Buffer::base64_data) continue;
    const std::uint8_t d = abi::info(g.buffer).directions;
    if ((by_buffers & d) == 0)
      refuse("{} and {} exist in opposite directions", narrowing, buffer_keyword(g.buffer));
    if ((by_buffers & d) != by_buffers) narrowing = buffer_keyword(g.buffer);
    by_buffers &= d;
  }
  if ((by_buffers & by_flow) == 0)
    refuse("flow is {}, but {} exists only {}", s.flow.to_server ? "to_server" : "to_client", narrowing,
           by_buffers == abi::kToServer ? "to_server" : "to_client");
  s.directions &= by_buffers & by_flow;
  if (s.directions == 0) refuse("the directions of flow and buffers contradict each other");
}

// Keywords that tie a signature to single packets.
bool needs_packet(const PacketCheck& c) {
  return !std::holds_alternative<StreamSize>(c) && !std::holds_alternative<IpProtocol>(c) &&
         !std::holds_alternative<SameIp>(c) && !std::holds_alternative<FtpBounce>(c) &&
         !std::holds_alternative<DecodeEvent>(c) && !std::holds_alternative<StreamEvent>(c);
}

const char* packet_keyword(const PacketCheck& c) {
  static constexpr const char* kNames[] = {"dsize",
                                           "flags",
                                           "ttl",
                                           "itype",
                                           "icode",
                                           "icmp_id",
                                           "icmp_seq",
                                           "id",
                                           "ip_proto",
                                           "fragbits",
                                           "fragoffset",
                                           "ipopts",
                                           "tos",
                                           "seq",
                                           "ack",
                                           "window",
                                           "sameip",
                                           "stream_size",
                                           "rpc",
                                           "decode-event",
                                           "stream-event",
                                           "ftpbounce",
                                           "a number of the packet"};
  static_assert(std::size(kNames) == std::variant_size_v<PacketCheck>);
  return kNames[c.index()];
}

bool negated_address(const Endpoint& e) {
  return e.address_text.find('!') != std::string::npos;
}

}  // namespace

void classify(Signature& s) {
  bool app = !s.app_checks.empty(), payload = false,
       packet = s.protocol.mode == Protocol::Mode::packet || s.flow.no_stream;
  bool event = false, anchored = false, packet_buffers = false, only_protocol = false;
  for (const AppCheck& c : s.app_checks) {
    if (std::holds_alternative<AppLayerProtocol>(c)) only_protocol = true;
    if (std::holds_alternative<AppLayerProtocol>(c) || std::holds_alternative<IpReputation>(c) ||
        std::holds_alternative<GeoIp>(c))
      app = false;
  }
  for (const AppCheck& c : s.app_checks)
    app = app || !(std::holds_alternative<AppLayerProtocol>(c) || std::holds_alternative<IpReputation>(c) ||
                   std::holds_alternative<GeoIp>(c));
  for (const BufferGroup& g : s.groups) {
    app = app || app_buffer(g.buffer);
    packet_buffers = packet_buffers || packet_buffer(g.buffer);
    if (g.buffer != Buffer::payload) continue;
    payload = true;
    for (const Match& m : g.matches)
      if (const auto* c = std::get_if<Content>(&m)) anchored = anchored || c->offset || c->depth;
  }
  for (const PacketCheck& c : s.packet_checks) {
    event = event || std::holds_alternative<DecodeEvent>(c) || std::holds_alternative<StreamEvent>(c);
    packet = packet || needs_packet(c);
  }
  const bool tcp = (s.protocol.transports & kTcp) != 0;
  if (payload) {
    s.payload_packet = !tcp || packet || packet_buffers ||
                       (anchored && s.protocol.mode != Protocol::Mode::stream && !s.flow.only_stream);
    s.payload_stream = tcp && !packet && !packet_buffers;
  }
  // Ports do not make it a packet's matter; of state only setting flowbits is compatible.
  const bool only_sets_flowbits = std::all_of(s.state.begin(), s.state.end(), [](const StateOp& op) {
    const auto* bits = std::get_if<FlowBits>(&op);
    return bits != nullptr && bits->op == FlowBits::Op::set;
  });
  if (app)
    s.type = Type::app_tx;
  else if (event && !payload)
    s.type = Type::decoder_event;
  else if (payload)
    s.type = packet || packet_buffers || !(s.payload_stream || (s.protocol.transports & kUdp) != 0)
                 ? Type::packet
             : s.payload_stream && s.payload_packet ? Type::packet_stream
                                                    : Type::stream;
  else if (packet || packet_buffers)
    s.type = Type::packet;
  else if (only_protocol && s.packet_checks.empty() && s.state.empty())
    s.type = Type::protocol_detection;
  else if (s.protocol.app != AppProtocol::unknown)
    s.type = Type::app_layer;
  else if (!s.flow.present && only_sets_flowbits && !only_protocol &&
           s.protocol.mode == Protocol::Mode::normal &&
           std::all_of(s.packet_checks.begin(), s.packet_checks.end(), [](const PacketCheck& c) {
             return std::holds_alternative<IpProtocol>(c) || std::holds_alternative<SameIp>(c);
           }))
    s.type = negated_address(s.source) || negated_address(s.destination) ? Type::like_ip_only : Type::ip_only;
  else
    s.type = Type::packet;
}

void validate(Builder& b) {
  Signature& s = b.sig;
  b.finish_buffer();
  if (!b.has_sid) refuse("sid is missing");
  if (s.gid == 0 && b.has_gid) refuse("gid 0");
  // A legacy modifier may have emptied the payload group.
  std::erase_if(s.groups, [](const BufferGroup& g) { return g.matches.empty(); });
  // Named in the tables, and no parser fills them: such a signature would load and never match.
  bool unparsed = s.protocol.app == AppProtocol::websocket;
  for (const BufferGroup& g : s.groups)
    unparsed = unparsed || (static_cast<unsigned>(g.buffer) < abi::kBufferCount &&
                            abi::info(g.buffer).protocol == AppProtocol::websocket);
  for (const AppCheck& c : s.app_checks)
    if (const auto* n = std::get_if<NumberCheck>(&c))
      unparsed =
          unparsed || abi::kAppNumbers[static_cast<unsigned>(n->number)].protocol == AppProtocol::websocket;
  if (unparsed) refuse("websocket is not parsed by this build");
  check_contents(s);
  check_sizes(s);
  settle_directions(s);
  bool app = false, payload = false;
  const char* buffer = nullptr;
  for (const BufferGroup& g : s.groups) {
    if (app_buffer(g.buffer)) {
      app = true;
      buffer = buffer_keyword(g.buffer);
    }
    payload = payload || g.buffer == Buffer::payload;
  }
  for (const PacketCheck& c : s.packet_checks)
    if (app && needs_packet(c))
      refuse("{} is of one packet, {} is of a transaction", packet_keyword(c), buffer);
  const bool stream_only = s.protocol.mode == Protocol::Mode::stream || s.flow.only_stream;
  for (const PacketCheck& c : s.packet_checks)
    if (stream_only && payload && needs_packet(c))
      refuse("{} is of one packet, the signature is for the stream", packet_keyword(c));
  if (app && s.protocol.mode == Protocol::Mode::packet)
    refuse("{} needs a stream, tcp-pkt has packets alone", buffer);
  if (!s.classtype.empty()) {
    const auto found = b.classifications.find(s.classtype);
    if (found != b.classifications.end()) {
      if (!b.has_priority) s.priority = found->second.priority;
    } else if (!b.classifications.empty()) {
      b.warnings.push_back(fmt::format("classtype '{}' is unknown", shown(s.classtype)));
    }
  }
  classify(s);
}

}  // namespace sekisho::signatures
