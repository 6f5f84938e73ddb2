#include "dataplane/app/mqtt.h"

#include <string_view>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

enum Type : std::uint8_t {
  kUnassigned,
  kConnect,
  kConnack,
  kPublish,
  kPuback,
  kPubrec,
  kPubrel,
  kPubcomp,
  kSubscribe,
  kSuback,
  kUnsubscribe,
  kUnsuback,
  kPingReq,
  kPingResp,
  kDisconnect,
  kAuth
};
constexpr std::uint16_t kMqttPort = 1883;

// Reads from the front; `good` turns false where the bytes end too early.
struct Reader {
  Bytes rest;
  bool good = true;
  Bytes take(std::size_t n) {
    if (n > rest.size()) {
      good = false;
      return {};
    }
    const Bytes out = rest.first(n);
    rest = rest.subspan(n);
    return out;
  }
  std::uint8_t byte() {
    const Bytes b = take(1);
    return good ? b[0] : std::uint8_t{0};
  }
  std::uint16_t word() {
    const Bytes b = take(2);
    return good ? load_be16(b.data()) : std::uint16_t{0};
  }
  Bytes text() { return take(word()); }
  std::uint32_t number() {  // variable byte integer
    std::uint32_t v = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t b = byte();
      v |= static_cast<std::uint32_t>(b & 0x7f) << shift;
      if (!good || (b & 0x80) == 0) return v;
    }
    good = false;
    return v;
  }
  void properties() { take(number()); }
};

Parser* make(Host& host) {
  return host.pool().make<MqttParser>();
}

}  // namespace

const ProtocolEntry kMqttEntry{AppProtocol::mqtt, 6, &MqttParser::probe, &make};

// A CONNECT names its protocol; on the port of MQTT any header that could be one does (met in midstream).
Probe MqttParser::probe(Direction d, Bytes first, std::uint16_t port) {
  if (first.empty()) return Probe::more;
  const unsigned type = first[0] >> 4;
  Reader r{first.subspan(1)};
  r.number();
  if (port == kMqttPort) {
    if (type == kUnassigned || (first[0] >> 1 & 3) == 3) return Probe::no;
    if (type != kPublish && type != kConnect && (first[0] & 0xf) > 2) return Probe::no;
    return r.good ? Probe::yes : first.size() < 5 ? Probe::more : Probe::no;
  }
  if (d != Direction::to_server || first[0] != 0x10) return Probe::no;
  if (!r.good) return first.size() < 5 ? Probe::more : Probe::no;
  for (const std::string_view name : {std::string_view("\0\4MQTT", 6), std::string_view("\0\6MQIsdp", 8)}) {
    const std::size_t n = std::min(name.size(), r.rest.size());
    if (n == 0) return Probe::more;
    if (std::memcmp(r.rest.data(), name.data(), n) == 0) return n == name.size() ? Probe::yes : Probe::more;
  }
  return Probe::no;
}

Fed MqttParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  Way& w = way_[index(d)];
  const auto bad = [&] {
    host.event(nullptr, d, AppEvent::mqtt_malformed_traffic);
    return Fed::failed;
  };
  while (!bytes.empty()) {
    if (!w.body) {
      if (!head(d, bytes[0], host)) return bad();
      bytes = bytes.subspan(1);
    } else {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(w.left, bytes.size()));
      const std::size_t room = kMaxMessage - w.kept.size();
      if (!w.kept.append(host.pool(), bytes.first(std::min(take, room)))) return Fed::failed;
      w.left -= take;
      bytes = bytes.subspan(take);
    }
    if (w.body && w.left == 0) {
      const bool good = message(d, host);
      w.kept.release(host.pool());
      w.body = false;
      w.have = 0;
      if (!good) return bad();
    }
  }
  if (flags.end) {
    w.kept.release(host.pool());
    w.ended = true;
    // Without an answer they are as complete as they get.
    if (way_[0].ended && way_[1].ended)
      while (open_ != nullptr) complete(open_, host);
  }
  return Fed::ok;
}

// One byte of the fixed header. False: no header.
bool MqttParser::head(Direction d, std::uint8_t byte, Host&) {
  Way& w = way_[index(d)];
  w.head[w.have++] = byte;
  if (w.have == 1 || (byte & 0x80) != 0) return w.have < 5;
  w.left = 0;
  for (unsigned i = 1; i < w.have; ++i) w.left |= static_cast<std::uint64_t>(w.head[i] & 0x7f) << 7 * (i - 1);
  w.body = true;
  return true;
}

MqttParser::Open* MqttParser::find(std::uint32_t id) {
  for (Open* o = open_; o != nullptr; o = o->next)
    if (o->id == id) return o;
  return nullptr;
}

Transaction* MqttParser::make_transaction(Host& host) {
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::mqtt);
  if (tx != nullptr) ++next_;
  return tx;
}

// False: no memory.
bool MqttParser::hold(Transaction* tx, std::uint32_t id, Direction d, Host& host) {
  if (count_ >= kMaxOpen) {
    Open* last = open_;
    while (last->next != nullptr) last = last->next;
    host.event(last->tx, d, AppEvent::mqtt_too_many_transactions);
    complete(last, host);
  }
  Open* o = host.pool().make<Open>();
  if (o == nullptr) return false;
  o->tx = tx;
  o->id = id;
  o->next = open_;
  open_ = o;
  ++count_;
  return true;
}

void MqttParser::complete(Transaction* tx, Host& host) {
  host.finish(*tx, Direction::to_server);
  host.finish(*tx, Direction::to_client);
}

void MqttParser::complete(Open* open, Host& host) {
  for (Open** at = &open_; *at != nullptr; at = &(*at)->next)
    if (*at == open) {
      *at = open->next;
      break;
    }
  --count_;
  Transaction* tx = open->tx;
  host.pool().destroy(open);
  if (tx != nullptr) complete(tx, host);
}

// False: not MQTT.
bool MqttParser::message(Direction d, Host& host) {
  Way& w = way_[index(d)];
  const std::uint8_t type = w.head[0] >> 4;
  const Bytes head_bytes(w.head, w.have), body = w.kept.view();
  const bool whole = body.size() < kMaxMessage;
  // The transaction of what it answers, or a new one.
  std::uint32_t id = 0;
  Open* answers = nullptr;
  const unsigned qos = w.head[0] >> 1 & 3;
  if (type == kConnack) {
    answers = find(kConnectId);
  } else if (type == kPuback || type == kPubrec || type == kPubrel || type == kPubcomp || type == kSuback ||
             type == kUnsuback) {
    if (body.size() < 2) return false;
    id = load_be16(body.data());
    answers = find(id);
  }
  Transaction* tx = answers != nullptr ? answers->tx : make_transaction(host);
  if (tx == nullptr) return answers != nullptr;
  Side& side = tx->of(Direction::to_server);
  side.add_number(abi::AppNumber::mqtt_type, type);
  side.add_number(abi::AppNumber::mqtt_flags, w.head[0] & 0xf);
  side.add_number(abi::AppNumber::mqtt_qos, qos);
  Side& sender = tx->of(d);
  if (host.wants(Buffer::mqtt_frame_header)) sender.add(Buffer::mqtt_frame_header, head_bytes);
  if (host.wants(Buffer::mqtt_frame_data)) sender.add(Buffer::mqtt_frame_data, body);
  if (host.wants(Buffer::mqtt_frame_pdu)) sender.add(Buffer::mqtt_frame_pdu, {head_bytes, body});
  if (type == kUnassigned) host.event(tx, d, AppEvent::mqtt_unassigned_msg_type);
  if (qos == 3) host.event(tx, d, AppEvent::mqtt_invalid_qos_level);
  if (type == kConnect && connected_) host.event(tx, d, AppEvent::mqtt_double_connect);
  if (!connected_ && type != kConnect && type != kConnack && type != kUnassigned)
    host.event(tx, d, AppEvent::mqtt_unintroduced_message);
  const bool good = qos == 3 || !whole || fields(*tx, d, body, host, id);
  if (answers == nullptr) {
    switch (type) {
      case kConnack:
        host.event(tx, d, AppEvent::mqtt_missing_connect);
        break;
      case kPuback:
      case kPubrec:
      case kPubrel:
      case kPubcomp:
        host.event(tx, d, AppEvent::mqtt_missing_publish);
        break;
      case kSuback:
        host.event(tx, d, AppEvent::mqtt_missing_subscribe);
        break;
      case kUnsuback:
        host.event(tx, d, AppEvent::mqtt_missing_unsubscribe);
        break;
      default:
        break;
    }
  }
  const bool waits = good && (type == kConnect || type == kSubscribe || type == kUnsubscribe ||
                              (type == kPublish && (qos == 1 || qos == 2)));
  if (answers != nullptr) {
    if (type == kPubrec || type == kPubrel)
      host.evaluate(*tx, d, false);
    else
      complete(answers, host);
  } else if (!waits || !hold(tx, id, d, host)) {
    complete(tx, host);
  } else {
    host.evaluate(*tx, d, false);
  }
  return good;
}

bool MqttParser::fields(Transaction& tx, Direction d, Bytes bytes, Host& host, std::uint32_t& id) {
  const Way& w = way_[index(d)];
  const std::uint8_t type = w.head[0] >> 4;
  Side& side = tx.of(Direction::to_server);
  Reader r{bytes};
  const auto reason = [&] { side.add_number(abi::AppNumber::mqtt_reason_code, r.byte()); };
  switch (type) {
    case kConnect:
      id = kConnectId;
      return connect(side, bytes);
    case kConnack:
      side.add_number(abi::AppNumber::mqtt_session_present, r.byte() & 1);
      side.add_number(abi::AppNumber::mqtt_reason_code, r.rest.empty() ? 0 : r.rest[0]);
      connected_ = connected_ || (!r.rest.empty() && r.rest[0] == 0);
      r.byte();
      if (version_ == 5) r.properties();
      return r.good;
    case kPublish: {
      const Bytes topic = r.text();
      if ((w.head[0] >> 1 & 3) != 0) {
        id = r.word();
        if (!r.good) host.event(&tx, d, AppEvent::mqtt_missing_msg_id);
      }
      if (version_ == 5) r.properties();
      if (!r.good) return false;
      side.add(Buffer::mqtt_publish_topic, topic);
      side.add(Buffer::mqtt_publish_message, r.rest);
      return true;
    }
    case kPuback:
    case kPubrec:
    case kPubrel:
    case kPubcomp:
      r.word();
      if (r.rest.empty()) {
        side.add_number(abi::AppNumber::mqtt_reason_code, 0);
        return r.good;
      }
      reason();
      if (version_ == 5 && !r.rest.empty()) r.properties();
      return r.good;
    case kSubscribe:
    case kUnsubscribe: {
      id = r.word();
      if (version_ == 5) r.properties();
      for (unsigned i = 0; r.good && !r.rest.empty(); ++i) {
        const Bytes topic = r.text();
        if (type == kSubscribe) r.byte();
        if (r.good && i < kMaxTopics)
          side.add(type == kSubscribe ? Buffer::mqtt_subscribe_topic : Buffer::mqtt_unsubscribe_topic, topic);
      }
      return r.good;
    }
    case kSuback:
    case kUnsuback:
      r.word();
      if (version_ == 5) r.properties();
      while (r.good && !r.rest.empty()) reason();
      return r.good;
    case kDisconnect:
    case kAuth:
      if (version_ != 5 || r.rest.empty()) {
        side.add_number(abi::AppNumber::mqtt_reason_code, 0);
        return true;
      }
      reason();
      if (!r.rest.empty()) r.properties();
      return r.good;
    default:
      return true;
  }
}

bool MqttParser::connect(Side& side, Bytes bytes) {
  Reader r{bytes};
  const Bytes name = r.text();
  const std::uint8_t version = r.byte(), flags = r.byte();
  r.word();  // keep alive
  if (!r.good) return false;
  version_ = version;
  side.add(Buffer::mqtt_protocol_string, name);
  side.add_number(abi::AppNumber::mqtt_protocol_version, version);
  side.add_number(abi::AppNumber::mqtt_connect_flags, flags);
  if (version == 5) r.properties();
  const Bytes client = r.text();
  if (!r.good) return false;
  side.add(Buffer::mqtt_client_id, client);
  const auto add = [&](Buffer buffer) {
    const Bytes text = r.text();
    if (r.good) side.add(buffer, text);
  };
  if ((flags & 4) != 0) {
    if (version == 5) r.properties();
    add(Buffer::mqtt_will_topic);
    add(Buffer::mqtt_will_message);
  }
  if ((flags & 0x80) != 0) add(Buffer::mqtt_username);
  if ((flags & 0x40) != 0) add(Buffer::mqtt_password);
  return r.good;
}

bool MqttParser::gap(Direction d, std::uint64_t bytes, Host& host) {
  Way& w = way_[index(d)];
  if (w.body && w.kept.size() >= kMaxMessage && bytes < w.left) {
    w.left -= bytes;
    return true;
  }
  for (Way& x : way_) x.kept.release(host.pool());
  while (open_ != nullptr) complete(open_, host);
  return false;
}

void MqttParser::forget(const Transaction& tx) {
  for (Open* o = open_; o != nullptr; o = o->next)
    if (o->tx == &tx) o->tx = nullptr;
}

void MqttParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  while (open_ != nullptr) {
    Open* o = open_;
    open_ = o->next;
    destroy_open(pool, o->tx);
    pool.destroy(o);
  }
  pool.destroy(this);
}

}  // namespace sekisho::app
