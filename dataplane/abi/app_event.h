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
#define SEKISHO_HTTP_EVENTS(X)                                                                            \
  X(http_unknown_error, "http.unknown_error")                                                             \
  X(http_gzip_decompression_failed, "http.gzip_decompression_failed")                                     \
  X(http_request_field_missing_colon, "http.request_field_missing_colon")                                 \
  X(http_response_field_missing_colon, "http.response_field_missing_colon")                               \
  X(http_invalid_request_chunk_len, "http.invalid_request_chunk_len")                                     \
  X(http_invalid_response_chunk_len, "http.invalid_response_chunk_len")                                   \
  X(http_invalid_transfer_encoding_value_in_request, "http.invalid_transfer_encoding_value_in_request")   \
  X(http_invalid_transfer_encoding_value_in_response, "http.invalid_transfer_encoding_value_in_response") \
  X(http_invalid_content_length_field_in_request, "http.invalid_content_length_field_in_request")         \
  X(http_invalid_content_length_field_in_response, "http.invalid_content_length_field_in_response")       \
  X(http_duplicate_content_length_field_in_request, "http.duplicate_content_length_field_in_request")     \
  X(http_duplicate_content_length_field_in_response, "http.duplicate_content_length_field_in_response")   \
  X(http_100_continue_already_seen, "http.100_continue_already_seen")                                     \
  X(http_unable_to_match_response_to_request, "http.unable_to_match_response_to_request")                 \
  X(http_invalid_server_port_in_request, "http.invalid_server_port_in_request")                           \
  X(http_invalid_authority_port, "http.invalid_authority_port")                                           \
  X(http_request_header_invalid, "http.request_header_invalid")                                           \
  X(http_response_header_invalid, "http.response_header_invalid")                                         \
  X(http_missing_host_header, "http.missing_host_header")                                                 \
  X(http_host_header_ambiguous, "http.host_header_ambiguous")                                             \
  X(http_invalid_request_field_folding, "http.invalid_request_field_folding")                             \
  X(http_invalid_response_field_folding, "http.invalid_response_field_folding")                           \
  X(http_request_field_too_long, "http.request_field_too_long")                                           \
  X(http_response_field_too_long, "http.response_field_too_long")                                         \
  X(http_uri_host_invalid, "http.uri_host_invalid")                                                       \
  X(http_header_host_invalid, "http.header_host_invalid")                                                 \
  X(http_method_delim_non_compliant, "http.method_delim_non_compliant")                                   \
  X(http_uri_delim_non_compliant, "http.uri_delim_non_compliant")                                         \
  X(http_request_line_leading_whitespace, "http.request_line_leading_whitespace")                         \
  X(http_request_line_incomplete, "http.request_line_incomplete")                                         \
  X(http_request_line_missing_protocol, "http.request_line_missing_protocol")                             \
  X(http_double_encoded_uri, "http.double_encoded_uri")                                                   \
  X(http_too_many_encoding_layers, "http.too_many_encoding_layers")                                       \
  X(http_abnormal_ce_header, "http.abnormal_ce_header")                                                   \
  X(http_request_header_repetition, "http.request_header_repetition")                                     \
  X(http_response_header_repetition, "http.response_header_repetition")                                   \
  X(http_request_too_many_headers, "http.request_too_many_headers")                                       \
  X(http_response_too_many_headers, "http.response_too_many_headers")                                     \
  X(http_request_auth_unrecognized, "http.request_auth_unrecognized")                                     \
  X(http_response_multipart_byteranges, "http.response_multipart_byteranges")                             \
  X(http_response_abnormal_transfer_encoding, "http.response_abnormal_transfer_encoding")                 \
  X(http_response_chunked_old_proto, "http.response_chunked_old_proto")                                   \
  X(http_response_invalid_protocol, "http.response_invalid_protocol")                                     \
  X(http_response_invalid_status, "http.response_invalid_status")                                         \
  X(http_request_body_unexpected, "http.request_body_unexpected")                                         \
  X(http_request_chunk_extension, "http.request_chunk_extension")                                         \
  X(http_multipart_generic_error, "http.multipart_generic_error")                                         \
  X(http_multipart_no_filedata, "http.multipart_no_filedata")                                             \
  X(http_multipart_invalid_header, "http.multipart_invalid_header")                                       \
  X(http_lzma_memlimit_reached, "http.lzma_memlimit_reached")                                             \
  X(http_compression_bomb, "http.compression_bomb")                                                       \
  X(http_range_invalid, "http.range_invalid")                                                             \
  X(http_file_name_too_long, "http.file_name_too_long")
#define SEKISHO_TLS_EVENTS(X)                                                                   \
  X(tls_invalid_record_type, "tls.invalid_record_type")                                         \
  X(tls_invalid_sslv2_header, "tls.invalid_sslv2_header")                                       \
  X(tls_invalid_tls_header, "tls.invalid_tls_header")                                           \
  X(tls_invalid_record_version, "tls.invalid_record_version")                                   \
  X(tls_invalid_record_length, "tls.invalid_record_length")                                     \
  X(tls_invalid_handshake_message, "tls.invalid_handshake_message")                             \
  X(tls_handshake_invalid_length, "tls.handshake_invalid_length")                               \
  X(tls_multiple_sni_extensions, "tls.multiple_sni_extensions")                                 \
  X(tls_invalid_sni_type, "tls.invalid_sni_type")                                               \
  X(tls_invalid_sni_length, "tls.invalid_sni_length")                                           \
  X(tls_invalid_alpn, "tls.invalid_alpn")                                                       \
  X(tls_too_many_records_in_packet, "tls.too_many_records_in_packet")                           \
  X(tls_heartbeat_message, "tls.heartbeat_message")                                             \
  X(tls_invalid_heartbeat_message, "tls.invalid_heartbeat_message")                             \
  X(tls_overflow_heartbeat_message, "tls.overflow_heartbeat_message")                           \
  X(tls_dataleak_heartbeat_mismatch, "tls.dataleak_heartbeat_mismatch")                         \
  X(tls_invalid_certificate, "tls.invalid_certificate")                                         \
  X(tls_certificate_missing_element, "tls.certificate_missing_element")                         \
  X(tls_certificate_unknown_element, "tls.certificate_unknown_element")                         \
  X(tls_certificate_invalid_length, "tls.certificate_invalid_length")                           \
  X(tls_certificate_invalid_string, "tls.certificate_invalid_string")                           \
  X(tls_certificate_invalid_version, "tls.certificate_invalid_version")                         \
  X(tls_certificate_invalid_serial, "tls.certificate_invalid_serial")                           \
  X(tls_certificate_invalid_algorithmidentifier, "tls.certificate_invalid_algorithmidentifier") \
  X(tls_certificate_invalid_x509name, "tls.certificate_invalid_x509name")                       \
  X(tls_certificate_invalid_date, "tls.certificate_invalid_date")                               \
  X(tls_certificate_invalid_extensions, "tls.certificate_invalid_extensions")                   \
  X(tls_certificate_invalid_der, "tls.certificate_invalid_der")                                 \
  X(tls_error_message_encountered, "tls.error_message_encountered")                             \
  X(tls_invalid_ssl_record, "tls.invalid_ssl_record")
#define SEKISHO_DNS_EVENTS(X)                           \
  X(dns_malformed_data, "dns.malformed_data")           \
  X(dns_not_a_request, "dns.not_a_request")             \
  X(dns_not_a_response, "dns.not_a_response")           \
  X(dns_z_flag_set, "dns.z_flag_set")                   \
  X(dns_invalid_opcode, "dns.invalid_opcode")           \
  X(dns_invalid_authorities, "dns.invalid_authorities") \
  X(dns_invalid_additionals, "dns.invalid_additionals") \
  X(dns_name_too_long, "dns.name_too_long")             \
  X(dns_infinite_loop, "dns.infinite_loop")             \
  X(dns_too_many_labels, "dns.too_many_labels")         \
  X(dns_flooded, "dns.flooded")
#define SEKISHO_SSH_EVENTS(X)                 \
  X(ssh_invalid_banner, "ssh.invalid_banner") \
  X(ssh_long_banner, "ssh.long_banner")       \
  X(ssh_invalid_record, "ssh.invalid_record") \
  X(ssh_long_kex_record, "ssh.long_kex_record")
#define SEKISHO_SMTP_EVENTS(X)                                                          \
  X(smtp_invalid_reply, "smtp.invalid_reply")                                           \
  X(smtp_unable_to_match_reply_with_request, "smtp.unable_to_match_reply_with_request") \
  X(smtp_max_command_line_len_exceeded, "smtp.max_command_line_len_exceeded")           \
  X(smtp_max_reply_line_len_exceeded, "smtp.max_reply_line_len_exceeded")               \
  X(smtp_invalid_pipelined_sequence, "smtp.invalid_pipelined_sequence")                 \
  X(smtp_bdat_chunk_len_exceeded, "smtp.bdat_chunk_len_exceeded")                       \
  X(smtp_no_server_welcome_message, "smtp.no_server_welcome_message")                   \
  X(smtp_tls_rejected, "smtp.tls_rejected")                                             \
  X(smtp_data_command_rejected, "smtp.data_command_rejected")                           \
  X(smtp_mime_parse_failed, "smtp.mime_parse_failed")                                   \
  X(smtp_mime_malformed_msg, "smtp.mime_malformed_msg")                                 \
  X(smtp_mime_invalid_base64, "smtp.mime_invalid_base64")                               \
  X(smtp_mime_invalid_qp, "smtp.mime_invalid_qp")                                       \
  X(smtp_mime_long_line, "smtp.mime_long_line")                                         \
  X(smtp_mime_long_enc_line, "smtp.mime_long_enc_line")                                 \
  X(smtp_mime_long_header_name, "smtp.mime_long_header_name")                           \
  X(smtp_mime_long_header_value, "smtp.mime_long_header_value")                         \
  X(smtp_mime_long_boundary, "smtp.mime_long_boundary")                                 \
  X(smtp_mime_long_filename, "smtp.mime_long_filename")                                 \
  X(smtp_mime_too_deep, "smtp.mime_too_deep")
#define SEKISHO_FTP_EVENTS(X)                                       \
  X(ftp_request_command_too_long, "ftp.request_command_too_long")   \
  X(ftp_response_command_too_long, "ftp.response_command_too_long") \
  X(ftp_foreign_data_address, "ftp.foreign_data_address")           \
  X(ftp_too_many_requests, "ftp.too_many_requests")                 \
  X(ftp_too_many_reply_lines, "ftp.too_many_reply_lines")
#define SEKISHO_SMB_EVENTS(X)                                       \
  X(smb_malformed_data, "smb.malformed_data")                       \
  X(smb_record_overflow, "smb.record_overflow")                     \
  X(smb_malformed_ntlmssp_request, "smb.malformed_ntlmssp_request") \
  X(smb_request_to_client, "smb.request_to_client")                 \
  X(smb_response_to_server, "smb.response_to_server")               \
  X(smb_too_many_compounds, "smb.too_many_compounds")               \
  X(smb_too_many_files, "smb.too_many_files")                       \
  X(smb_too_many_requests, "smb.too_many_requests")                 \
  X(smb_compressed, "smb.compressed")
#define SEKISHO_DCERPC_EVENTS(X)                              \
  X(dcerpc_malformed_data, "dcerpc.malformed_data")           \
  X(dcerpc_stub_too_long, "dcerpc.stub_too_long")             \
  X(dcerpc_too_many_fragments, "dcerpc.too_many_fragments")   \
  X(dcerpc_too_many_interfaces, "dcerpc.too_many_interfaces") \
  X(dcerpc_too_many_calls, "dcerpc.too_many_calls")
#define SEKISHO_HTTP2_EVENTS(X)                                       \
  X(http2_invalid_frame_header, "http2.invalid_frame_header")         \
  X(http2_invalid_client_magic, "http2.invalid_client_magic")         \
  X(http2_invalid_frame_data, "http2.invalid_frame_data")             \
  X(http2_invalid_header, "http2.invalid_header")                     \
  X(http2_invalid_frame_length, "http2.invalid_frame_length")         \
  X(http2_extra_header_data, "http2.extra_header_data")               \
  X(http2_long_frame_data, "http2.long_frame_data")                   \
  X(http2_stream_id_reuse, "http2.stream_id_reuse")                   \
  X(http2_header_integer_overflow, "http2.header_integer_overflow")   \
  X(http2_too_many_streams, "http2.too_many_streams")                 \
  X(http2_authority_host_mismatch, "http2.authority_host_mismatch")   \
  X(http2_userinfo_in_uri, "http2.userinfo_in_uri")                   \
  X(http2_reassembly_limit_reached, "http2.reassembly_limit_reached") \
  X(http2_dns_request_too_long, "http2.dns_request_too_long")         \
  X(http2_dns_response_too_long, "http2.dns_response_too_long")       \
  X(http2_data_stream_zero, "http2.data_stream_zero")                 \
  X(http2_too_many_frames, "http2.too_many_frames")                   \
  X(http2_rapid_reset, "http2.rapid_reset")
#define SEKISHO_SNMP_EVENTS(X)                                  \
  X(snmp_malformed_data, "snmp.malformed_data")                 \
  X(snmp_unknown_security_model, "snmp.unknown_security_model") \
  X(snmp_version_mismatch, "snmp.version_mismatch")
#define SEKISHO_MQTT_EVENTS(X)                                \
  X(mqtt_missing_connect, "mqtt.missing_connect")             \
  X(mqtt_missing_publish, "mqtt.missing_publish")             \
  X(mqtt_missing_subscribe, "mqtt.missing_subscribe")         \
  X(mqtt_missing_unsubscribe, "mqtt.missing_unsubscribe")     \
  X(mqtt_double_connect, "mqtt.double_connect")               \
  X(mqtt_unintroduced_message, "mqtt.unintroduced_message")   \
  X(mqtt_invalid_qos_level, "mqtt.invalid_qos_level")         \
  X(mqtt_missing_msg_id, "mqtt.missing_msg_id")               \
  X(mqtt_unassigned_msg_type, "mqtt.unassigned_msg_type")     \
  X(mqtt_too_many_transactions, "mqtt.too_many_transactions") \
  X(mqtt_malformed_traffic, "mqtt.malformed_traffic")
#define SEKISHO_SIP_EVENTS(X)                   \
  X(sip_incomplete_data, "sip.incomplete_data") \
  X(sip_invalid_data, "sip.invalid_data")
#define SEKISHO_KRB5_EVENTS(X)                  \
  X(krb5_malformed_data, "krb5.malformed_data") \
  X(krb5_weak_encryption, "krb5.weak_encryption")
#define SEKISHO_RFB_EVENTS(X)                                           \
  X(rfb_unimplemented_security_type, "rfb.unimplemented_security_type") \
  X(rfb_unknown_security_result, "rfb.unknown_security_result")         \
  X(rfb_malformed_message, "rfb.malformed_message")
#define SEKISHO_WEBSOCKET_EVENTS(X)                                 \
  X(websocket_skip_end_of_payload, "websocket.skip_end_of_payload") \
  X(websocket_reassembly_limit_reached, "websocket.reassembly_limit_reached")

#define SEKISHO_APP_EVENTS(X) \
  SEKISHO_GENERIC_EVENTS(X)   \
  SEKISHO_HTTP_EVENTS(X)      \
  SEKISHO_TLS_EVENTS(X)       \
  SEKISHO_DNS_EVENTS(X)       \
  SEKISHO_SSH_EVENTS(X)       \
  SEKISHO_SMTP_EVENTS(X)      \
  SEKISHO_FTP_EVENTS(X)       \
  SEKISHO_SMB_EVENTS(X)       \
  SEKISHO_DCERPC_EVENTS(X)    \
  SEKISHO_HTTP2_EVENTS(X)     \
  SEKISHO_SNMP_EVENTS(X)      \
  SEKISHO_MQTT_EVENTS(X)      \
  SEKISHO_SIP_EVENTS(X)       \
  SEKISHO_KRB5_EVENTS(X)      \
  SEKISHO_RFB_EVENTS(X)       \
  SEKISHO_WEBSOCKET_EVENTS(X)

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
