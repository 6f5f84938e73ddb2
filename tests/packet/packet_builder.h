// Frames for tests, written as they look on the wire:
//   eth().vlan(10).ip4("10.0.0.1", "10.0.0.2").tcp(1024, 445).syn().seq(1).payload("x").build()
// Lengths and checksums are right unless an override makes them wrong. What is not set is a plausible
// default.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/bytes.h"
#include "tests/packet/frame_bytes.h"

namespace sekisho::test {

class FrameBuilder {
 public:
  // Layer 2.
  FrameBuilder& from_mac(const Mac& mac) { return source_mac_ = mac, *this; }
  FrameBuilder& to_mac(const Mac& mac) { return destination_mac_ = mac, *this; }
  FrameBuilder& vlan(std::uint16_t id, std::uint16_t type = 0x8100, std::uint8_t priority = 0) {
    append16(tags_, type);
    append16(tags_, static_cast<std::uint32_t>(priority) << 13 | id);
    return *this;
  }
  FrameBuilder& ethertype(std::uint16_t type) { return type_ = type, *this; }
  // 802.3 with a length field; `bytes` from DSAP on.
  FrameBuilder& llc(const Bytes& bytes) {
    type_ = static_cast<std::uint16_t>(bytes.size());
    payload_ = bytes;
    return *this;
  }
  FrameBuilder& arp(const std::string& sender, const std::string& target, std::uint16_t operation = 1) {
    type_ = 0x0806;
    append16(payload_, 1);
    append16(payload_, 0x0800);
    append16(payload_, 0x0604);
    append16(payload_, operation);
    payload_.insert(payload_.end(), source_mac_.begin(), source_mac_.end());
    append(payload_, address(sender));
    payload_.insert(payload_.end(), 6, 0);
    append(payload_, address(target));
    return *this;
  }

  // Layer 3.
  FrameBuilder& ip4(const std::string& source, const std::string& destination) {
    return version_ = 4, type_ = 0x0800, source_ = address(source), destination_ = address(destination),
           *this;
  }
  FrameBuilder& ip6(const std::string& source, const std::string& destination) {
    return version_ = 6, type_ = 0x86dd, source_ = address(source), destination_ = address(destination),
           *this;
  }
  FrameBuilder& ttl(std::uint8_t hops) { return hops_ = hops, *this; }
  FrameBuilder& ip_id(std::uint16_t id) { return id_ = id, *this; }
  FrameBuilder& ip_options(const Bytes& options) { return ip_options_ = options, *this; }
  FrameBuilder& protocol(std::uint8_t number) { return protocol_ = number, *this; }
  FrameBuilder& fragment4(std::uint16_t offset_bytes, bool more) {
    return fragment_ = static_cast<std::uint16_t>(offset_bytes / 8 | (more ? 0x2000 : 0)), *this;
  }
  // IPv6 extension headers, outermost first. `body` is what follows Next Header (and length).
  FrameBuilder& extension(std::uint8_t kind, const Bytes& body) {
    extensions_.push_back({kind, body});
    return *this;
  }
  FrameBuilder& hop_by_hop(const Bytes& options = {1, 4, 0, 0, 0, 0}) { return tlv_header(0, options); }
  FrameBuilder& destination_options(const Bytes& options = {1, 4, 0, 0, 0, 0}) {
    return tlv_header(60, options);
  }
  FrameBuilder& routing(std::uint8_t type, std::uint8_t segments_left = 0) {
    return tlv_header(43, {type, segments_left, 0, 0, 0, 0});
  }
  FrameBuilder& fragment6(std::uint32_t id, std::uint16_t offset_bytes, bool more) {
    Bytes body = {0};
    append16(body, offset_bytes | (more ? 1 : 0));
    append32(body, id);
    return extension(44, body);
  }
  FrameBuilder& authentication() {
    return extension(51, {4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9});
  }

  // Layer 4.
  FrameBuilder& tcp(std::uint16_t source, std::uint16_t destination) { return ports(6, source, destination); }
  FrameBuilder& udp(std::uint16_t source, std::uint16_t destination) {
    return ports(17, source, destination);
  }
  FrameBuilder& sctp(std::uint16_t source, std::uint16_t destination) {
    return ports(132, source, destination);
  }
  // `rest` is the second word: identifier and sequence of an echo.
  FrameBuilder& icmp(std::uint8_t type, std::uint8_t code = 0, std::uint32_t rest = 0) {
    return icmp_type_ = type, icmp_code_ = code, icmp_rest_ = rest, protocol_ = version_ == 6 ? 58 : 1, *this;
  }
  FrameBuilder& echo(std::uint16_t identifier, std::uint16_t sequence = 1) {
    return icmp(version_ == 6 ? 128 : 8, 0, static_cast<std::uint32_t>(identifier) << 16 | sequence);
  }
  FrameBuilder& echo_reply(std::uint16_t identifier, std::uint16_t sequence = 1) {
    return icmp(version_ == 6 ? 129 : 0, 0, static_cast<std::uint32_t>(identifier) << 16 | sequence);
  }
  // The payload of an ICMP error: up to `most` bytes of the IP packet in `frame` (which has no tags).
  FrameBuilder& quote(const Bytes& frame, std::size_t most = 576) {
    payload_.assign(frame.begin() + 14,
                    frame.begin() + static_cast<std::ptrdiff_t>(std::min(frame.size(), 14 + most)));
    return *this;
  }
  FrameBuilder& flags(std::uint8_t f) { return flags_ = f, *this; }
  FrameBuilder& syn() { return add_flags(2); }
  FrameBuilder& fin() { return add_flags(1); }
  FrameBuilder& rst() { return add_flags(4); }
  FrameBuilder& psh() { return add_flags(8); }
  FrameBuilder& ack(std::uint32_t number) { return ack_ = number, add_flags(16); }
  FrameBuilder& seq(std::uint32_t number) { return seq_ = number, *this; }
  FrameBuilder& window(std::uint16_t size) { return window_ = size, *this; }
  FrameBuilder& tcp_options(const Bytes& options) { return tcp_options_ = options, *this; }
  FrameBuilder& payload(std::string_view text) { return payload_ = bytes_of(text), *this; }
  FrameBuilder& payload(const Bytes& bytes) { return payload_ = bytes, *this; }

  // Overrides: make it wrong.
  FrameBuilder& bad_checksum() { return bad_checksum_ = true, *this; }        // of the transport
  FrameBuilder& bad_ip_checksum() { return bad_ip_checksum_ = true, *this; }  // of the IPv4 header
  FrameBuilder& no_udp_checksum() { return no_udp_checksum_ = true, *this; }
  FrameBuilder& ip_version(std::uint8_t v) { return version_field_ = v, *this; }
  FrameBuilder& ip_header_words(std::uint8_t words) { return header_words_ = words, *this; }
  FrameBuilder& ip_length(std::uint16_t n) { return ip_length_ = n, *this; }  // IPv4 total, IPv6 payload
  FrameBuilder& udp_length(std::uint16_t n) { return udp_length_ = n, *this; }
  FrameBuilder& tcp_header_words(std::uint8_t words) { return tcp_words_ = words, *this; }
  FrameBuilder& pad_to(std::size_t n) { return pad_to_ = n, *this; }  // Ethernet padding
  FrameBuilder& cut_to(std::size_t n) { return cut_to_ = n, *this; }  // the frame ends there

  Bytes build() const;

 private:
  struct Extension {
    std::uint8_t kind;
    Bytes body;
  };
  FrameBuilder& ports(std::uint8_t protocol, std::uint16_t source, std::uint16_t destination) {
    return protocol_ = protocol, source_port_ = source, destination_port_ = destination, *this;
  }
  FrameBuilder& add_flags(std::uint8_t f) { return flags_ = flags_.value_or(0) | f, *this; }
  FrameBuilder& tlv_header(std::uint8_t kind, const Bytes& content) {
    Bytes body = {static_cast<std::uint8_t>((content.size() + 2) / 8 - 1)};
    append(body, content);
    return extension(kind, body);
  }
  Bytes transport() const;
  Bytes network() const;
  std::uint16_t transport_checksum(const Bytes& segment) const;

  Mac source_mac_ = kMacA, destination_mac_ = kMacB;
  Bytes tags_, source_, destination_, ip_options_, tcp_options_, payload_;
  std::vector<Extension> extensions_;
  std::uint16_t type_ = 0x88b5, id_ = 1, fragment_ = 0, source_port_ = 0, destination_port_ = 0,
                window_ = 65535;
  std::uint8_t version_ = 0, hops_ = 64, protocol_ = 253, icmp_type_ = 0, icmp_code_ = 0;
  std::uint32_t icmp_rest_ = 0, seq_ = 0, ack_ = 0;
  std::optional<std::uint8_t> flags_, version_field_, header_words_, tcp_words_;
  std::optional<std::uint16_t> ip_length_, udp_length_;
  std::optional<std::size_t> pad_to_, cut_to_;
  bool bad_checksum_ = false, bad_ip_checksum_ = false, no_udp_checksum_ = false;
};

inline FrameBuilder eth() {
  return {};
}

inline std::uint16_t FrameBuilder::transport_checksum(const Bytes& segment) const {
  Bytes all;
  if (!(protocol_ == 1 && version_ == 4)) {
    append(all, source_);
    append(all, destination_);
    append32(all, static_cast<std::uint32_t>(segment.size()));
    append32(all, protocol_);
  }
  append(all, segment);
  return static_cast<std::uint16_t>(internet_checksum(all) ^ (bad_checksum_ ? 0x5555 : 0));
}

inline Bytes FrameBuilder::transport() const {
  Bytes b;
  auto finish = [&](std::size_t field) {
    append(b, payload_);
    store_be16(&b[field], transport_checksum(b));
    return b;
  };
  if (protocol_ == 6) {
    append16(b, source_port_);
    append16(b, destination_port_);
    append32(b, seq_);
    append32(b, ack_);
    Bytes options = tcp_options_;
    while (options.size() % 4 != 0) options.push_back(0);
    b.push_back(static_cast<std::uint8_t>(
        tcp_words_.value_or(static_cast<std::uint8_t>(5 + options.size() / 4)) << 4));
    b.push_back(flags_.value_or(16));
    append16(b, window_);
    append32(b, 0);
    append(b, options);
    return finish(16);
  }
  if (protocol_ == 17) {
    append16(b, source_port_);
    append16(b, destination_port_);
    append16(b, udp_length_.value_or(static_cast<std::uint16_t>(8 + payload_.size())));
    append16(b, 0);
    if (!no_udp_checksum_) {
      finish(6);
      if (b[6] == 0 && b[7] == 0) b[6] = b[7] = 0xff;
      return b;
    }
    append(b, payload_);
    return b;
  }
  if (protocol_ == 132) {
    append16(b, source_port_);
    append16(b, destination_port_);
    append32(b, 0x01020304);
    append32(b, 0);
    append(b, payload_);
    const std::uint32_t crc = crc32c_slow(b) ^ (bad_checksum_ ? 1 : 0);
    for (int i = 0; i < 4; ++i)
      b[8 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(crc >> (8 * i));
    return b;
  }
  if (protocol_ == 1 || protocol_ == 58) {
    b = {icmp_type_, icmp_code_, 0, 0};
    append32(b, icmp_rest_);
    return finish(2);
  }
  return payload_;
}

inline Bytes FrameBuilder::network() const {
  const bool later_piece = (fragment_ & 0x1fff) != 0;
  bool later_piece6 = false;
  for (const Extension& e : extensions_) later_piece6 |= e.kind == 44 && (e.body[1] != 0 || e.body[2] >= 8);
  // A later fragment carries bare bytes.
  const Bytes inner = later_piece || later_piece6 ? payload_ : transport();
  Bytes b;
  if (version_ == 4) {
    Bytes options = ip_options_;
    while (options.size() % 4 != 0) options.push_back(0);
    const std::size_t header = 20 + options.size();
    b.push_back(static_cast<std::uint8_t>(version_field_.value_or(4) << 4 |
                                          header_words_.value_or(static_cast<std::uint8_t>(header / 4))));
    b.push_back(0);
    append16(b, ip_length_.value_or(static_cast<std::uint16_t>(header + inner.size())));
    append16(b, id_);
    append16(b, fragment_);
    b.push_back(hops_);
    b.push_back(protocol_);
    append16(b, 0);
    append(b, source_);
    append(b, destination_);
    append(b, options);
    store_be16(&b[10], static_cast<std::uint16_t>(internet_checksum(b) ^ (bad_ip_checksum_ ? 0x5555 : 0)));
    append(b, inner);
    return b;
  }
  Bytes chain;
  for (std::size_t i = 0; i < extensions_.size(); ++i) {
    chain.push_back(i + 1 < extensions_.size() ? extensions_[i + 1].kind : protocol_);
    append(chain, extensions_[i].body);
  }
  b = {static_cast<std::uint8_t>(version_field_.value_or(6) << 4), 0, 0, 0};
  append16(b, ip_length_.value_or(static_cast<std::uint16_t>(chain.size() + inner.size())));
  b.push_back(extensions_.empty() ? protocol_ : extensions_[0].kind);
  b.push_back(hops_);
  append(b, source_);
  append(b, destination_);
  append(b, chain);
  append(b, inner);
  return b;
}

inline Bytes FrameBuilder::build() const {
  Bytes b(destination_mac_.begin(), destination_mac_.end());
  b.insert(b.end(), source_mac_.begin(), source_mac_.end());
  append(b, tags_);
  append16(b, type_);
  append(b, version_ == 0 ? payload_ : network());
  if (pad_to_ && b.size() < *pad_to_) b.resize(*pad_to_, 0xee);
  if (cut_to_) b.resize(std::min(*cut_to_, b.size()));
  return b;
}

}  // namespace sekisho::test
