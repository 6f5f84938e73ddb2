// MQTT 3.1, 3.1.1 and 5.0 over TCP.
//
// One transaction for what belongs together: CONNECT and CONNACK, SUBSCRIBE and SUBACK, PUBLISH and its
// acknowledgements; it is judged when it is complete, with all its buffers and numbers on the side to the
// server (as Suricata does). Frames (frame:mqtt.pdu, header, data) stand on the side that sent them. Events:
// mqtt.missing_connect, missing_publish, missing_subscribe, missing_unsubscribe, double_connect,
// unintroduced_message, invalid_qos_level, missing_msg_id, unassigned_msg_type, too_many_transactions,
// malformed_traffic (the parser gives up).
// Bounds: kMaxMessage bytes of a message are read, the rest is skipped; kMaxOpen transactions (more: the
// oldest is closed).
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kMqttEntry;

class MqttParser final : public Parser {
 public:
  static constexpr std::size_t kMaxMessage = 64 * 1024;
  static constexpr unsigned kMaxOpen = 256;
  static constexpr unsigned kMaxTopics = 100;

  AppProtocol protocol() const override { return AppProtocol::mqtt; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  struct Open {
    Open* next = nullptr;
    Transaction* tx = nullptr;
    std::uint32_t id = 0;  // message identifier, or kConnectId
  };
  struct Way {
    Kept kept;
    std::uint64_t left = 0;  // of the message, behind its header
    std::uint8_t head[5] = {};
    std::uint8_t have = 0;
    bool body = false, ended = false;
  };
  static constexpr std::uint32_t kConnectId = 0x10000;

  bool head(Direction d, std::uint8_t byte, Host& host);
  bool message(Direction d, Host& host);
  bool fields(Transaction& tx, Direction d, Bytes bytes, Host& host, std::uint32_t& id);
  bool connect(Side& side, Bytes bytes);
  Open* find(std::uint32_t id);
  Transaction* make_transaction(Host& host);
  bool hold(Transaction* tx, std::uint32_t id, Direction d, Host& host);
  void complete(Open* open, Host& host);
  void complete(Transaction* tx, Host& host);

  Way way_[2];
  Open* open_ = nullptr;  // newest first
  std::uint64_t next_ = 0;
  std::uint32_t count_ = 0;
  std::uint8_t version_ = 0;
  bool connected_ = false;
};

}  // namespace sekisho::app
