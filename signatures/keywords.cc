#include "signatures/keywords.h"

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "signatures/text.h"

namespace sekisho::signatures {

namespace {

struct Alias {
  const char* keyword;
  Buffer buffer;
};

// Sticky names beside the canonical ones (user guide, "Rules": the underscore names of Suricata 4).
constexpr Alias kSticky[] = {
    {"file_data", Buffer::file_data},
    {"dns_query", Buffer::dns_query},
    {"dns.query.name", Buffer::dns_query},
    {"dns.answers.rrname", Buffer::dns_answer_name},
    {"tls_sni", Buffer::tls_sni},
    {"tls_cert_subject", Buffer::tls_cert_subject},
    {"tls_cert_issuer", Buffer::tls_cert_issuer},
    {"tls_cert_serial", Buffer::tls_cert_serial},
    {"tls_cert_fingerprint", Buffer::tls_cert_fingerprint},
    {"ja3_hash", Buffer::ja3_hash},
    {"ja3_string", Buffer::ja3_string},
    {"ja3s_hash", Buffer::ja3s_hash},
    {"ja3s_string", Buffer::ja3s_string},
    {"ja4_hash", Buffer::ja4_hash},
    {"ssh_proto", Buffer::ssh_proto},
    {"ssh_software", Buffer::ssh_software},
    {"ssh.hassh", Buffer::ssh_hassh},
    {"smb_named_pipe", Buffer::smb_named_pipe},
    {"smb_share", Buffer::smb_share},
    {"dce_stub_data", Buffer::dce_stub_data},
    {"base64_data", Buffer::base64_data},
    {"http_accept", Buffer::http_accept},
    {"http_accept_enc", Buffer::http_accept_enc},
    {"http_accept_lang", Buffer::http_accept_lang},
    {"http_connection", Buffer::http_connection},
    {"http_content_len", Buffer::http_content_len},
    {"http_content_type", Buffer::http_content_type},
    {"http_header_names", Buffer::http_header_names},
    {"http_protocol", Buffer::http_protocol},
    {"http_referer", Buffer::http_referer},
    {"http_request_line", Buffer::http_request_line},
    {"http_response_line", Buffer::http_response_line},
    {"http_start", Buffer::http_start},
    {"http_location", Buffer::http_location},
    {"http_server", Buffer::http_server},
};

// Modifiers of the content before them.
constexpr Alias kModifiers[] = {
    {"http_uri", Buffer::http_uri},
    {"http_raw_uri", Buffer::http_uri_raw},
    {"http_method", Buffer::http_method},
    {"http_header", Buffer::http_header},
    {"http_raw_header", Buffer::http_header_raw},
    {"http_cookie", Buffer::http_cookie},
    {"http_client_body", Buffer::http_request_body},
    {"http_server_body", Buffer::http_response_body},
    {"http_host", Buffer::http_host},
    {"http_raw_host", Buffer::http_host_raw},
    {"http_user_agent", Buffer::http_user_agent},
    {"http_stat_code", Buffer::http_stat_code},
    {"http_stat_msg", Buffer::http_stat_msg},
};

// Their keyword takes a value: the digests and the size of a file.
bool takes_list(Buffer b) {
  return b == Buffer::file_md5 || b == Buffer::file_sha1 || b == Buffer::file_sha256 ||
         b == Buffer::file_size;
}

using BufferMap = std::unordered_map<std::string_view, Buffer>;

const BufferMap& sticky_map() {
  static const BufferMap map = [] {
    BufferMap m;
    for (unsigned i = 0; i < abi::kBufferCount; ++i) {
      const auto buffer = static_cast<Buffer>(i);
      // The stream is chosen by tcp-stream and flow:only_stream, tls.version takes a value.
      if (buffer != Buffer::stream && buffer != Buffer::payload && buffer != Buffer::tls_version &&
          !takes_list(buffer))
        m.emplace(abi::info(buffer).keyword, buffer);
    }
    for (const Alias& a : kSticky) m.emplace(a.keyword, a.buffer);
    return m;
  }();
  return map;
}

const BufferMap& modifier_map() {
  static const BufferMap map = [] {
    BufferMap m;
    for (const Alias& a : kModifiers) m.emplace(a.keyword, a.buffer);
    return m;
  }();
  return map;
}

constexpr const char* kHeaderNames[] = {
#define X(name, keyword) keyword,
    SEKISHO_APP_PROTOCOLS(X)
#undef X
};

constexpr const char* kOtherKeywords[] = {"absent",
                                          "ack",
                                          "alert",
                                          "app-layer-event",
                                          "app-layer-protocol",
                                          "asn1",
                                          "base64_decode",
                                          "bidir.toclient",
                                          "bidir.toserver",
                                          "bsize",
                                          "byte_extract",
                                          "byte_jump",
                                          "byte_math",
                                          "byte_test",
                                          "classtype",
                                          "compress_whitespace",
                                          "content",
                                          "datarep",
                                          "dataset",
                                          "dce_iface",
                                          "dce_opnum",
                                          "dcerpc.iface",
                                          "dcerpc.opnum",
                                          "decode-event",
                                          "depth",
                                          "detection_filter",
                                          "distance",
                                          "dns.opcode",
                                          "dns.rcode",
                                          "dotprefix",
                                          "dsize",
                                          "endswith",
                                          "fast_pattern",
                                          "fileext",
                                          "filemd5",
                                          "filename",
                                          "filesha1",
                                          "filesha256",
                                          "filesize",
                                          "filestore",
                                          "flags",
                                          "flow",
                                          "flowbits",
                                          "flowint",
                                          "fragbits",
                                          "fragoffset",
                                          "frame",
                                          "from_base64",
                                          "ftp.dynamic_port",
                                          "ftp.mode",
                                          "ftp.reply_received",
                                          "ftpbounce",
                                          "ftpdata_command",
                                          "geoip",
                                          "gid",
                                          "gunzip",
                                          "header_lowercase",
                                          "hostbits",
                                          "icmp_id",
                                          "icmp_seq",
                                          "icmpv4-csum",
                                          "icmpv6-csum",
                                          "icmpv6.mtu",
                                          "icode",
                                          "id",
                                          "igmp-csum",
                                          "igmp.type",
                                          "ip_proto",
                                          "ipopts",
                                          "iprep",
                                          "ipv4-csum",
                                          "isdataat",
                                          "itype",
                                          "metadata",
                                          "msg",
                                          "noalert",
                                          "nocase",
                                          "offset",
                                          "pcre",
                                          "pkt_data",
                                          "prefilter",
                                          "priority",
                                          "rawbytes",
                                          "reference",
                                          "requires",
                                          "rev",
                                          "rpc",
                                          "sameip",
                                          "seq",
                                          "sid",
                                          "ssl_state",
                                          "ssl_version",
                                          "startswith",
                                          "stream-event",
                                          "stream_size",
                                          "strip_pseudo_headers",
                                          "strip_whitespace",
                                          "tag",
                                          "target",
                                          "tcp.flags",
                                          "tcpv4-csum",
                                          "tcpv6-csum",
                                          "threshold",
                                          "tls.cert_chain_len",
                                          "tls.fingerprint",
                                          "tls.issuerdn",
                                          "tls.subject",
                                          "tls.version",
                                          "to_lowercase",
                                          "to_md5",
                                          "to_sha1",
                                          "to_sha256",
                                          "to_uppercase",
                                          "tos",
                                          "ttl",
                                          "udpv4-csum",
                                          "udpv6-csum",
                                          "uricontent",
                                          "urilen",
                                          "url_decode",
                                          "vlan.id",
                                          "vlan.layers",
                                          "window",
                                          "within",
                                          "xbits",
                                          "xor",
                                          "zlib_deflate"};

}  // namespace

std::optional<Buffer> sticky_buffer(std::string_view keyword) {
  const auto found = sticky_map().find(keyword);
  return found == sticky_map().end() ? std::nullopt : std::optional(found->second);
}

std::optional<Buffer> content_modifier(std::string_view keyword) {
  const auto found = modifier_map().find(keyword);
  return found == modifier_map().end() ? std::nullopt : std::optional(found->second);
}

bool multi_instance(Buffer buffer) {
  switch (buffer) {
    case Buffer::dns_query:
    case Buffer::dns_answer_name:
    case Buffer::tls_certs:
    case Buffer::tls_alpn:
    case Buffer::file_data:
    case Buffer::file_name:
    case Buffer::file_md5:
    case Buffer::file_sha1:
    case Buffer::file_sha256:
    case Buffer::file_size:
    case Buffer::email_received:
    case Buffer::smtp_rcpt_to:
    case Buffer::http_request_header:
    case Buffer::http_response_header:
    case Buffer::http2_header_name:
    case Buffer::mqtt_subscribe_topic:
    case Buffer::mqtt_unsubscribe_topic:
    case Buffer::krb5_cname:
    case Buffer::krb5_sname:
    case Buffer::sip_from:
    case Buffer::sip_to:
    case Buffer::sip_via:
      return true;
    default:
      return false;
  }
}

const char* buffer_keyword(Buffer buffer) {
  if (buffer == Buffer::base64_data) return "base64_data";
  return static_cast<unsigned>(buffer) < abi::kBufferCount ? abi::info(buffer).keyword : "?";
}

std::optional<AppProtocol> app_protocol(std::string_view keyword) {
  if (keyword == "http1") return AppProtocol::http;
  for (unsigned i = 0; i < static_cast<unsigned>(AppProtocol::count); ++i)
    if (kHeaderNames[i] != nullptr && keyword == kHeaderNames[i]) return static_cast<AppProtocol>(i);
  return std::nullopt;
}

const char* protocol_keyword(AppProtocol protocol) {
  const auto i = static_cast<unsigned>(protocol);
  return i < static_cast<unsigned>(AppProtocol::count) && kHeaderNames[i] != nullptr ? kHeaderNames[i]
                                                                                     : "unknown";
}

std::uint8_t protocol_transports(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::unknown:
      return kAnyTransport;
    case AppProtocol::failed:
    case AppProtocol::dns:
    case AppProtocol::dcerpc:
    case AppProtocol::snmp:
    case AppProtocol::sip:
    case AppProtocol::krb5:
      return kTcp | kUdp;
    default:
      return kTcp;
  }
}

std::optional<abi::AppEvent> app_event(std::string_view keyword) {
  static const auto map = [] {
    std::unordered_map<std::string_view, abi::AppEvent> m;
#define X(name, text) m.emplace(text, abi::AppEvent::name);
    SEKISHO_APP_EVENTS(X)
#undef X
    return m;
  }();
  const auto found = map.find(keyword);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

bool known_keyword(std::string_view keyword) {
  static const std::unordered_set<std::string_view> others(std::begin(kOtherKeywords),
                                                           std::end(kOtherKeywords));
  return others.contains(keyword) || number_keyword(keyword) || sticky_map().contains(keyword) ||
         modifier_map().contains(keyword);
}

}  // namespace sekisho::signatures
