// Events of application parsers: keyword app-layer-event:NAME, and the names in EVE "anomaly" records. Only
// those that a parser raises. A protocol's list is its parser's: append.
#pragma once

#include <cstdint>

namespace sekisho::abi {

// X(enumerator, "name in signatures")
#define SEKISHO_GENERIC_EVENTS(X)                                                          \
  X(app_wrong_direction_first_data, "applayer_wrong_direction_first_data")                 \
  X(app_mismatch_protocol_both_directions, "applayer_mismatch_protocol_both_directions")   \
  X(app_detect_protocol_only_one_direction, "applayer_detect_protocol_only_one_direction") \
  X(app_unexpected_protocol, "applayer_unexpected_protocol")
#define SEKISHO_HTTP_EVENTS(X) X(http_unknown_error, "http.unknown_error")
#define SEKISHO_TLS_EVENTS(X) X(tls_invalid_record_type, "tls.invalid_record_type")
#define SEKISHO_DNS_EVENTS(X) X(dns_malformed_data, "dns.malformed_data")
#define SEKISHO_SSH_EVENTS(X) X(ssh_invalid_banner, "ssh.invalid_banner")
#define SEKISHO_SMTP_EVENTS(X) X(smtp_invalid_reply, "smtp.invalid_reply")
#define SEKISHO_FTP_EVENTS(X) X(ftp_request_command_too_long, "ftp.request_command_too_long")
#define SEKISHO_SMB_EVENTS(X) X(smb_malformed_data, "smb.malformed_data")
#define SEKISHO_DCERPC_EVENTS(X) X(dcerpc_malformed_data, "dcerpc.malformed_data")

#define SEKISHO_APP_EVENTS(X) \
  SEKISHO_GENERIC_EVENTS(X)   \
  SEKISHO_HTTP_EVENTS(X)      \
  SEKISHO_TLS_EVENTS(X)       \
  SEKISHO_DNS_EVENTS(X)       \
  SEKISHO_SSH_EVENTS(X)       \
  SEKISHO_SMTP_EVENTS(X)      \
  SEKISHO_FTP_EVENTS(X)       \
  SEKISHO_SMB_EVENTS(X)       \
  SEKISHO_DCERPC_EVENTS(X)

enum class AppEvent : std::uint16_t {
  none,
#define X(name, keyword) name,
  SEKISHO_APP_EVENTS(X)
#undef X
      count
};
inline constexpr const char* kAppEventNames[] = {"none",
#define X(name, keyword) keyword,
                                                 SEKISHO_APP_EVENTS(X)
#undef X
};

}  // namespace sekisho::abi
