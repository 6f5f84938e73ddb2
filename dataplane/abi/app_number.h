// Numbers of transactions that signatures ask for: keyword http2.frametype, snmp.version, mqtt.qos, … A
// parser adds them to a side (Side::add_number); a signature asks with CheckKind::app_number. Part of the
// snapshot's contract: append.
#pragma once

#include <cstdint>

#include "dataplane/abi/inspect.h"

namespace sekisho::abi {

// X(enumerator, "keyword", protocol, directions, bytes of the value)
#define SEKISHO_APP_NUMBERS(X)                                        \
  X(http2_frametype, "http2.frametype", http2, 3, 1)                  \
  X(http2_errorcode, "http2.errorcode", http2, 3, 4)                  \
  X(http2_priority, "http2.priority", http2, 3, 1)                    \
  X(http2_window, "http2.window", http2, 3, 4)                        \
  X(http2_size_update, "http2.size_update", http2, 3, 8)              \
  X(http2_settings, "http2.settings", http2, 3, 4)                    \
  X(snmp_version, "snmp.version", snmp, 3, 4)                         \
  X(snmp_pdu_type, "snmp.pdu_type", snmp, 3, 4)                       \
  X(mqtt_type, "mqtt.type", mqtt, 3, 1)                               \
  X(mqtt_flags, "mqtt.flags", mqtt, 3, 1)                             \
  X(mqtt_qos, "mqtt.qos", mqtt, 3, 1)                                 \
  X(mqtt_protocol_version, "mqtt.protocol_version", mqtt, 3, 1)       \
  X(mqtt_reason_code, "mqtt.reason_code", mqtt, 3, 1)                 \
  X(mqtt_connect_flags, "mqtt.connect.flags", mqtt, 3, 1)             \
  X(mqtt_session_present, "mqtt.connack.session_present", mqtt, 3, 1) \
  X(krb5_msg_type, "krb5_msg_type", krb5, 3, 1)                       \
  X(krb5_err_code, "krb5_err_code", krb5, 3, 4)                       \
  X(krb5_ticket_encryption, "krb5.ticket_encryption", krb5, 3, 4)     \
  X(rfb_sectype, "rfb.sectype", rfb, 3, 4)                            \
  X(rfb_secresult, "rfb.secresult", rfb, 3, 4)                        \
  X(websocket_opcode, "websocket.opcode", websocket, 3, 1)            \
  X(websocket_mask, "websocket.mask", websocket, 3, 4)                \
  X(websocket_flags, "websocket.flags", websocket, 3, 1)

enum class AppNumber : std::uint16_t {
#define X(name, keyword, protocol, directions, bytes) name,
  SEKISHO_APP_NUMBERS(X)
#undef X
      count
};

struct AppNumberInfo {
  const char* keyword;
  AppProtocol protocol;
  std::uint8_t directions, bytes;
};
inline constexpr AppNumberInfo kAppNumbers[] = {
#define X(name, keyword, protocol, directions, bytes) {keyword, AppProtocol::protocol, directions, bytes},
    SEKISHO_APP_NUMBERS(X)
#undef X
};

// Which of a side's numbers must hold (CheckRecord::argument). Numbers of one kind stand in their order.
enum class NumberMode : std::uint8_t {
  any,
  all,            // and there is one
  all_or_absent,  // all, or there is none
  or_absent,      // any, or there is none
  absent,         // there is none
  index,          // the one at CheckRecord::first (signed: from the end)
  index_or_out,   // that one, or there are not so many
  how_many,       // CheckRecord::first: RangeOp << 24 | n — so many hold
  count           // the number of them is compared
};

}  // namespace sekisho::abi
