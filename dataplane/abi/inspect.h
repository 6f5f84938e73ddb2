// What inspection can see: application protocols, buffers and application events. Shared by the signature
// compiler (which names them) and the dataplane (which fills them). The numbers are part of the snapshot's
// contract: append before `count`, never reorder.
//
// Names are those of the Suricata rule language (user guide, "Rules"), so that a keyword is its own name.
#pragma once

#include <cstdint>

namespace sekisho::abi {

// X(name, header keyword or nullptr)
#define SEKISHO_APP_PROTOCOLS(X) \
  X(unknown, nullptr)            \
  X(failed, "failed")            \
  X(http, "http")                \
  X(tls, "tls")                  \
  X(dns, "dns")                  \
  X(smb, "smb")                  \
  X(dcerpc, "dcerpc")            \
  X(ssh, "ssh")                  \
  X(ftp, "ftp")                  \
  X(ftp_data, "ftp-data")        \
  X(smtp, "smtp")                \
  X(rdp, "rdp")                  \
  X(imap, "imap")                \
  X(pop3, "pop3")                \
  X(http2, "http2")              \
  X(dicom, "dicom")              \
  X(hl7, "hl7")                  \
  X(snmp, "snmp")                \
  X(mqtt, "mqtt")                \
  X(sip, "sip")                  \
  X(krb5, "krb5")                \
  X(rfb, "rfb")                  \
  X(websocket, "websocket")

enum class AppProtocol : std::uint8_t {
#define X(name, keyword) name,
  SEKISHO_APP_PROTOCOLS(X)
#undef X
      count
};
inline constexpr const char* kAppProtocolNames[] = {
#define X(name, keyword) #name,
    SEKISHO_APP_PROTOCOLS(X)
#undef X
};

// Directions in which a buffer exists.
inline constexpr std::uint8_t kToServer = 1, kToClient = 2, kBothWays = 3;

// X(name, keyword, protocol, directions, kind)
// kind: packet  bytes of one packet (payload or header)
//       stream  the reassembled stream: a window that moves
//       whole   complete when it is given to inspection; may occur several times in a transaction
//       body    grows while the transaction runs: a window that moves
// A protocol of unknown: not bound to one.
#define SEKISHO_BUFFERS(X)                                                   \
  X(payload, "pkt_data", unknown, 3, packet)                                 \
  X(stream, "stream_data", unknown, 3, stream)                               \
  X(ip_header, "ipv4.hdr", unknown, 3, packet)                               \
  X(ip6_header, "ipv6.hdr", unknown, 3, packet)                              \
  X(tcp_header, "tcp.hdr", unknown, 3, packet)                               \
  X(udp_header, "udp.hdr", unknown, 3, packet)                               \
  X(icmp4_header, "icmpv4.hdr", unknown, 3, packet)                          \
  X(icmp6_header, "icmpv6.hdr", unknown, 3, packet)                          \
  X(ip_source, "ip.src", unknown, 3, packet)                                 \
  X(ip_destination, "ip.dst", unknown, 3, packet)                            \
  X(http_method, "http.method", http, 1, whole)                              \
  X(http_uri, "http.uri", http, 1, whole)                                    \
  X(http_uri_raw, "http.uri.raw", http, 1, whole)                            \
  X(http_protocol, "http.protocol", http, 3, whole)                          \
  X(http_request_line, "http.request_line", http, 1, whole)                  \
  X(http_host, "http.host", http, 1, whole)                                  \
  X(http_host_raw, "http.host.raw", http, 1, whole)                          \
  X(http_user_agent, "http.user_agent", http, 1, whole)                      \
  X(http_referer, "http.referer", http, 1, whole)                            \
  X(http_accept, "http.accept", http, 1, whole)                              \
  X(http_accept_enc, "http.accept_enc", http, 1, whole)                      \
  X(http_accept_lang, "http.accept_lang", http, 1, whole)                    \
  X(http_connection, "http.connection", http, 3, whole)                      \
  X(http_content_len, "http.content_len", http, 3, whole)                    \
  X(http_content_type, "http.content_type", http, 3, whole)                  \
  X(http_cookie, "http.cookie", http, 3, whole)                              \
  X(http_header, "http.header", http, 3, whole)                              \
  X(http_header_raw, "http.header.raw", http, 3, whole)                      \
  X(http_header_names, "http.header_names", http, 3, whole)                  \
  X(http_start, "http.start", http, 3, whole)                                \
  X(http_location, "http.location", http, 2, whole)                          \
  X(http_server, "http.server", http, 2, whole)                              \
  X(http_response_line, "http.response_line", http, 2, whole)                \
  X(http_stat_code, "http.stat_code", http, 2, whole)                        \
  X(http_stat_msg, "http.stat_msg", http, 2, whole)                          \
  X(http_request_body, "http.request_body", http, 1, body)                   \
  X(http_response_body, "http.response_body", http, 2, body)                 \
  X(http_request_header, "http.request_header", http, 1, whole)              \
  X(http_response_header, "http.response_header", http, 2, whole)            \
  X(file_data, "file.data", unknown, 3, body)                                \
  X(file_name, "file.name", unknown, 3, whole)                               \
  X(dns_query, "dns.query", dns, 3, whole)                                   \
  X(dns_answer_name, "dns.answer.name", dns, 3, whole)                       \
  X(tls_sni, "tls.sni", tls, 1, whole)                                       \
  X(tls_cert_subject, "tls.cert_subject", tls, 3, whole)                     \
  X(tls_cert_issuer, "tls.cert_issuer", tls, 3, whole)                       \
  X(tls_cert_serial, "tls.cert_serial", tls, 3, whole)                       \
  X(tls_cert_fingerprint, "tls.cert_fingerprint", tls, 3, whole)             \
  X(tls_certs, "tls.certs", tls, 3, whole)                                   \
  X(tls_version, "tls.version", tls, 3, whole)                               \
  X(tls_alpn, "tls.alpn", tls, 1, whole)                                     \
  X(ja3_hash, "ja3.hash", tls, 1, whole)                                     \
  X(ja3_string, "ja3.string", tls, 1, whole)                                 \
  X(ja3s_hash, "ja3s.hash", tls, 2, whole)                                   \
  X(ja3s_string, "ja3s.string", tls, 2, whole)                               \
  X(ja4_hash, "ja4.hash", tls, 1, whole)                                     \
  X(ssh_proto, "ssh.proto", ssh, 3, whole)                                   \
  X(ssh_software, "ssh.software", ssh, 3, whole)                             \
  X(ssh_hassh, "ssh.hassh", ssh, 1, whole)                                   \
  X(ssh_hassh_string, "ssh.hassh.string", ssh, 1, whole)                     \
  X(ssh_hassh_server, "ssh.hassh.server", ssh, 2, whole)                     \
  X(ssh_hassh_server_string, "ssh.hassh.server.string", ssh, 2, whole)       \
  X(smb_named_pipe, "smb.named_pipe", smb, 1, whole)                         \
  X(smb_share, "smb.share", smb, 1, whole)                                   \
  X(smb_ntlmssp_user, "smb.ntlmssp_user", smb, 1, whole)                     \
  X(smb_ntlmssp_domain, "smb.ntlmssp_domain", smb, 1, whole)                 \
  X(dce_stub_data, "dcerpc.stub_data", dcerpc, 3, whole)                     \
  X(smtp_helo, "smtp.helo", smtp, 1, whole)                                  \
  X(smtp_mail_from, "smtp.mail_from", smtp, 1, whole)                        \
  X(smtp_rcpt_to, "smtp.rcpt_to", smtp, 1, whole)                            \
  X(ftp_command, "ftp.command", ftp, 1, whole)                               \
  X(ftp_command_data, "ftp.command_data", ftp, 1, whole)                     \
  X(ftp_reply, "ftp.reply", ftp, 2, whole)                                   \
  X(ftp_completion_code, "ftp.completion_code", ftp, 2, whole)               \
  X(rdp_cookie, "rdp.cookie", rdp, 1, whole)                                 \
  X(tls_random, "tls.random", tls, 3, whole)                                 \
  X(tls_random_time, "tls.random_time", tls, 3, whole)                       \
  X(tls_random_bytes, "tls.random_bytes", tls, 3, whole)                     \
  X(tls_subjectaltname, "tls.subjectaltname", tls, 2, whole)                 \
  X(dns_queries_rrname, "dns.queries.rrname", dns, 3, whole)                 \
  X(dns_response_rrname, "dns.response.rrname", dns, 2, whole)               \
  X(file_md5, "filemd5", unknown, 3, whole)                                  \
  X(file_sha1, "filesha1", unknown, 3, whole)                                \
  X(file_sha256, "filesha256", unknown, 3, whole)                            \
  X(file_size, "filesize", unknown, 3, whole)                                \
  X(email_from, "email.from", smtp, 1, whole)                                \
  X(email_to, "email.to", smtp, 1, whole)                                    \
  X(email_cc, "email.cc", smtp, 1, whole)                                    \
  X(email_subject, "email.subject", smtp, 1, whole)                          \
  X(email_date, "email.date", smtp, 1, whole)                                \
  X(email_message_id, "email.message_id", smtp, 1, whole)                    \
  X(email_x_mailer, "email.x_mailer", smtp, 1, whole)                        \
  X(email_received, "email.received", smtp, 1, whole)                        \
  X(igmp_header, "igmp.hdr", unknown, 3, packet)                             \
  X(http2_header_name, "http2.header_name", http2, 3, whole)                 \
  X(http2_frame_pdu, "frame:http2.pdu", http2, 3, whole)                     \
  X(http2_frame_header, "frame:http2.hdr", http2, 3, whole)                  \
  X(http2_frame_data, "frame:http2.data", http2, 3, whole)                   \
  X(snmp_community, "snmp.community", snmp, 3, whole)                        \
  X(snmp_usm, "snmp.usm", snmp, 3, whole)                                    \
  X(snmp_trap_oid, "snmp.trap_oid", snmp, 3, whole)                          \
  X(snmp_trap_address, "snmp.trap_address", snmp, 3, whole)                  \
  X(mqtt_client_id, "mqtt.connect.clientid", mqtt, 3, whole)                 \
  X(mqtt_username, "mqtt.connect.username", mqtt, 3, whole)                  \
  X(mqtt_password, "mqtt.connect.password", mqtt, 3, whole)                  \
  X(mqtt_protocol_string, "mqtt.connect.protocol_string", mqtt, 3, whole)    \
  X(mqtt_will_topic, "mqtt.connect.willtopic", mqtt, 3, whole)               \
  X(mqtt_will_message, "mqtt.connect.willmessage", mqtt, 3, whole)           \
  X(mqtt_publish_topic, "mqtt.publish.topic", mqtt, 3, whole)                \
  X(mqtt_publish_message, "mqtt.publish.message", mqtt, 3, whole)            \
  X(mqtt_subscribe_topic, "mqtt.subscribe.topic", mqtt, 3, whole)            \
  X(mqtt_unsubscribe_topic, "mqtt.unsubscribe.topic", mqtt, 3, whole)        \
  X(mqtt_frame_pdu, "frame:mqtt.pdu", mqtt, 3, whole)                        \
  X(mqtt_frame_header, "frame:mqtt.header", mqtt, 3, whole)                  \
  X(mqtt_frame_data, "frame:mqtt.data", mqtt, 3, whole)                      \
  X(sip_method, "sip.method", sip, 1, whole)                                 \
  X(sip_uri, "sip.uri", sip, 1, whole)                                       \
  X(sip_protocol, "sip.protocol", sip, 3, whole)                             \
  X(sip_stat_code, "sip.stat_code", sip, 2, whole)                           \
  X(sip_stat_msg, "sip.stat_msg", sip, 2, whole)                             \
  X(sip_request_line, "sip.request_line", sip, 1, whole)                     \
  X(sip_response_line, "sip.response_line", sip, 2, whole)                   \
  X(sip_from, "sip.from", sip, 3, whole)                                     \
  X(sip_to, "sip.to", sip, 3, whole)                                         \
  X(sip_via, "sip.via", sip, 3, whole)                                       \
  X(sip_user_agent, "sip.user_agent", sip, 3, whole)                         \
  X(sip_content_type, "sip.content_type", sip, 3, whole)                     \
  X(sip_content_length, "sip.content_length", sip, 3, whole)                 \
  X(sdp_session_name, "sdp.session_name", sip, 3, whole)                     \
  X(sdp_origin, "sdp.origin", sip, 3, whole)                                 \
  X(sdp_session_info, "sdp.session_info", sip, 3, whole)                     \
  X(sdp_uri, "sdp.uri", sip, 3, whole)                                       \
  X(sdp_email, "sdp.email", sip, 3, whole)                                   \
  X(sdp_phone_number, "sdp.phone_number", sip, 3, whole)                     \
  X(sdp_connection_data, "sdp.connection_data", sip, 3, whole)               \
  X(sdp_bandwidth, "sdp.bandwidth", sip, 3, whole)                           \
  X(sdp_time, "sdp.time", sip, 3, whole)                                     \
  X(sdp_repeat_time, "sdp.repeat_time", sip, 3, whole)                       \
  X(sdp_timezone, "sdp.timezone", sip, 3, whole)                             \
  X(sdp_encryption_key, "sdp.encryption_key", sip, 3, whole)                 \
  X(sdp_attribute, "sdp.attribute", sip, 3, whole)                           \
  X(sdp_media, "sdp.media.media", sip, 3, whole)                             \
  X(sdp_media_info, "sdp.media.media_info", sip, 3, whole)                   \
  X(sdp_media_connection_data, "sdp.media.connection_data", sip, 3, whole)   \
  X(sdp_media_encryption_key, "sdp.media.encryption_key", sip, 3, whole)     \
  X(sip_frame_pdu, "frame:sip.pdu", sip, 3, whole)                           \
  X(sip_frame_request_line, "frame:sip.request.line", sip, 1, whole)         \
  X(sip_frame_request_headers, "frame:sip.request.headers", sip, 1, whole)   \
  X(sip_frame_request_body, "frame:sip.request.body", sip, 1, whole)         \
  X(sip_frame_response_line, "frame:sip.response.line", sip, 2, whole)       \
  X(sip_frame_response_headers, "frame:sip.response.headers", sip, 2, whole) \
  X(sip_frame_response_body, "frame:sip.response.body", sip, 2, whole)       \
  X(krb5_cname, "krb5.cname", krb5, 3, whole)                                \
  X(krb5_sname, "krb5.sname", krb5, 3, whole)                                \
  X(rfb_name, "rfb.name", rfb, 2, whole)                                     \
  X(rfb_frame_pdu, "frame:rfb.pdu", rfb, 3, whole)                           \
  X(websocket_payload, "websocket.payload", websocket, 3, whole)             \
  X(websocket_frame_header, "frame:websocket.header", websocket, 3, whole)   \
  X(websocket_frame_pdu, "frame:websocket.pdu", websocket, 3, whole)         \
  X(websocket_frame_data, "frame:websocket.data", websocket, 3, whole)

enum class Buffer : std::uint16_t {
#define X(name, keyword, protocol, directions, kind) name,
  SEKISHO_BUFFERS(X)
#undef X
      count,
  base64_data,  // made inside one evaluation by base64_decode; never scanned
  none = 0xffff
};
enum class BufferKind : std::uint8_t { packet, stream, whole, body };
// What a TLS connection has shown so far: keyword ssl_state, FlowFacts::ssl_state.
enum SslState : std::uint8_t {
  kSslClientHello = 1,
  kSslServerHello = 2,
  kSslClientKeyExchange = 4,
  kSslServerKeyExchange = 8,
  kSslUnknown = 16,  // a handshake message of another type
};

struct BufferInfo {
  const char* name;     // of the enumerator
  const char* keyword;  // canonical, in signatures
  AppProtocol protocol;
  std::uint8_t directions;
  BufferKind kind;
};
inline constexpr BufferInfo kBuffers[] = {
#define X(name, keyword, protocol, directions, kind) \
  {#name, keyword, AppProtocol::protocol, directions, BufferKind::kind},
    SEKISHO_BUFFERS(X)
#undef X
};
inline constexpr unsigned kBufferCount = static_cast<unsigned>(Buffer::count);
static_assert(sizeof(kBuffers) / sizeof(kBuffers[0]) == kBufferCount);
constexpr const BufferInfo& info(Buffer b) {
  return kBuffers[static_cast<unsigned>(b)];
}

}  // namespace sekisho::abi
