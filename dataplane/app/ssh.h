// SSH (RFC 4253): the identification of both sides, and HASSH from their KEXINIT.
//
// One transaction a connection. Buffers of each side: ssh.proto, ssh.software (without comments); the
// client's ssh.hassh and ssh.hassh.string, the server's ssh.hassh.server and ssh.hassh.server.string. A side
// is finished when it sent NEWKEYS or closed.
//
// A direction becomes opaque, and the parser wants no more of it, at its NEWKEYS, if both sides have shown a
// banner and KEXINIT. SSH 1 is not followed beyond its banner and stays scanned.
//
// Bounds: kMaxBanner bytes of a banner (more: ssh.long_banner, the rest of the line is skipped),
// kMaxPreamble bytes of lines before the server's, kMaxPacket a packet (more: ssh.invalid_record),
// kMaxKexInit of a KEXINIT (more: ssh.long_kex_record, no HASSH).
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kSshEntry;

class SshParser final : public Parser {
 public:
  static constexpr std::size_t kMaxBanner = 255;  // RFC 4253 §4.2, line end included
  static constexpr std::size_t kMaxPreamble = 8192;
  static constexpr std::size_t kMaxPacket = 256 * 1024;
  static constexpr std::size_t kMaxKexInit = 35000;

  AppProtocol protocol() const override { return AppProtocol::ssh; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  enum class Phase : std::uint8_t {
    banner,
    banner_end,  // of a line that is too long
    header,      // length, padding length and message number of a packet
    packet,
    done  // NEWKEYS was sent, or SSH 1
  };
  struct Way {
    Kept kept;               // a line or KEXINIT
    std::uint32_t left = 0;  // of the packet
    std::uint16_t preamble = 0;
    Phase phase = Phase::banner;
    std::uint8_t head[6] = {};
    std::uint8_t have = 0;
    bool banner = false, key_exchange = false;  // were seen
  };
  Fed line(Direction d, Bytes line, Host& host);
  Fed header(Direction d, Host& host);
  void packet_end(Direction d, Host& host);
  void hassh(Direction d, Bytes payload, Host& host);
  void finish(Direction d, Host& host);
  void log(Host& host);
  Fed give_up(Direction d, AppEvent event, Host& host);
  bool transaction(Host& host);

  Way way_[2];
  Transaction* tx_ = nullptr;
  bool made_ = false, logged_ = false, version1_ = false;
};
static_assert(sizeof(SshParser) <= 200);

}  // namespace sekisho::app
