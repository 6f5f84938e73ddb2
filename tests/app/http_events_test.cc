// Every event that the parser raises, by the fault that it is about.
#include <gtest/gtest.h>

#include "tests/app/http_script.h"

namespace sekisho::app {
namespace {

struct Case {
  const char* event;
  std::string request, response;
};
std::string req(const std::string& headers, const std::string& body = "") {
  return "GET / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
}
std::string many(const std::string& line, int n) {
  std::string s;
  for (int i = 0; i < n; ++i) s += line;
  return s;
}
std::string numbered(int n) {
  std::string s;
  for (int i = 0; i < n; ++i) s.append("X").append(std::to_string(i)).append(": 1\r\n");
  return s;
}
std::string form(const std::string& type, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string kGet = req("");

const Case kCases[] = {
    {"http.unknown_error", "GET /" + std::string(70000, 'a'), ""},
    {"http.gzip_decompression_failed", kGet, ok("Content-Encoding: gzip\r\nContent-Length: 5\r\n", "plain")},
    {"http.request_field_missing_colon", req("no colon here\r\n"), ""},
    {"http.response_field_missing_colon", kGet, ok("no colon here\r\n", "")},
    {"http.invalid_request_chunk_len", req("Transfer-Encoding: chunked\r\n", "zz\r\n"), ""},
    {"http.invalid_response_chunk_len", kGet, ok("Transfer-Encoding: chunked\r\n", "zz\r\n")},
    {"http.invalid_transfer_encoding_value_in_request", req("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
     ""},
    {"http.invalid_transfer_encoding_value_in_response", kGet, ok("Transfer-Encoding: lalala\r\n", "x")},
    {"http.invalid_content_length_field_in_request", req("Content-Length: x\r\n"), ""},
    {"http.invalid_content_length_field_in_response", kGet,
     ok("Content-Length: 99999999999999999999\r\n", "x")},
    {"http.duplicate_content_length_field_in_request", req("Content-Length: 1\r\nContent-Length: 2\r\n", "a"),
     ""},
    {"http.duplicate_content_length_field_in_response", kGet,
     ok("Content-Length: 1\r\nContent-Length: 2\r\n", "a")},
    {"http.100_continue_already_seen", kGet, "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"},
    {"http.unable_to_match_response_to_request", "", ok("Content-Length: 0\r\n", "")},
    {"http.invalid_server_port_in_request", "GET / HTTP/1.1\r\nHost: h:abc\r\n\r\n", ""},
    {"http.invalid_authority_port", "GET http://h:99999/ HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"http.request_header_invalid", req("A b: c\r\n"), ""},
    {"http.response_header_invalid", kGet, ok("A : c\r\n", "")},
    {"http.missing_host_header", "GET / HTTP/1.1\r\n\r\n", ""},
    {"http.host_header_ambiguous", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", ""},
    {"http.invalid_request_field_folding", "GET / HTTP/1.1\r\n x: y\r\nHost: h\r\n\r\n", ""},
    {"http.invalid_response_field_folding", kGet, ok("A: b\r\n c: d\r\n", "")},
    {"http.request_field_too_long", req("X: " + std::string(20000, 'a') + "\r\n"), ""},
    {"http.response_field_too_long", kGet, ok("X: " + std::string(20000, 'a') + "\r\n", "")},
    {"http.uri_host_invalid", "GET http://a!b/ HTTP/1.1\r\nHost: a!b\r\n\r\n", ""},
    {"http.header_host_invalid", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ""},
    {"http.method_delim_non_compliant", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"http.uri_delim_non_compliant", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"http.request_line_leading_whitespace", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"http.request_line_incomplete", "GET\r\nHost: h\r\n\r\n", ""},
    {"http.request_line_missing_protocol", "GET /\r\nHost: h\r\n\r\n", ""},
    {"http.double_encoded_uri", "GET /%2541 HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"http.too_many_encoding_layers", kGet,
     ok("Content-Encoding: gzip, gzip, gzip\r\nContent-Length: 1\r\n", "x")},
    {"http.abnormal_ce_header", kGet, ok("Content-Encoding: gzipx\r\nContent-Length: 1\r\n", "x")},
    {"http.request_header_repetition", req(many("A: b\r\n", 80)), ""},
    {"http.response_header_repetition", kGet, ok(many("A: b\r\n", 80), "")},
    {"http.request_too_many_headers", req(numbered(1100)), ""},
    {"http.response_too_many_headers", kGet, ok(numbered(1100), "")},
    {"http.request_auth_unrecognized", req("Authorization: Magic x\r\n"), ""},
    {"http.response_multipart_byteranges", kGet,
     ok("Content-Type: multipart/byteranges; boundary=x\r\n", "x")},
    {"http.response_abnormal_transfer_encoding", kGet, ok("Transfer-Encoding: chunked;\r\n", "0\r\n\r\n")},
    {"http.response_chunked_old_proto", kGet,
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"http.response_invalid_protocol", kGet, "HTTP/7 200 OK\r\n\r\n"},
    {"http.response_invalid_status", kGet, "HTTP/1.1 2x0 OK\r\n\r\n"},
    {"http.request_body_unexpected", req("", "junk=1"), ""},
    {"http.request_chunk_extension", req("Transfer-Encoding: chunked\r\n", "1;a\r\nx\r\n0\r\n\r\n"), ""},
    {"http.multipart_generic_error", form("multipart/form-data", "x"), ""},
    {"http.multipart_no_filedata", form("multipart/form-data; boundary=B", "nothing"), ""},
    {"http.multipart_invalid_header",
     form("multipart/form-data; boundary=B", "--B\r\nno colon\r\n\r\nx\r\n--B--"), ""},
    {"http.range_invalid", kGet, ok("Content-Range: what\r\nContent-Length: 1\r\n", "x")},
    {"http.file_name_too_long",
     "POST /" + std::string(1500, 'a') + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", ""},
};

TEST(HttpEvents, EachFaultHasItsEventInAnySegmentation) {
  for (const Case& c : kCases) {
    std::vector<Said> talk;
    if (!c.request.empty()) talk.push_back(client(c.request));
    if (!c.response.empty()) talk.push_back(server(c.response));
    const Heard h = hear(talk);
    EXPECT_TRUE(h.event(c.event)) << c.event << "\n" << h.all.substr(0, 2000);
    EXPECT_EQ(h.leaked, 0u) << c.event;
    if (h.failed) continue;
    const Heard bytewise = hear(talk, [](std::size_t) { return 1; });
    EXPECT_TRUE(bytewise == h) << c.event << "\n"
                               << h.all.substr(0, 2000) << "\n---\n"
                               << bytewise.all.substr(0, 4000);
  }
}

TEST(HttpEvents, NoneForOrdinaryTraffic) {
  const Heard h =
      hear({get("/a/b?c=d"), server(ok("Content-Type: text/html\r\nContent-Length: 2\r\n", "ab"))});
  EXPECT_TRUE(h.events.empty()) << h.all;
}

TEST(HttpEvents, AHeadHasABound) {
  const Heard h = hear({client("GET / HTTP/1.1\r\n" + many("Abcdefgh: ijklmnopqrstuvwxyz\r\n", 4000))});
  EXPECT_TRUE(h.failed);
  EXPECT_TRUE(h.event("http.request_field_too_long"));
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpEvents, SoHavePipelinedRequests) {
  const Heard h = hear({client(many("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 600))});
  EXPECT_TRUE(h.failed);
  EXPECT_TRUE(h.event("http.unknown_error"));
  EXPECT_EQ(h.leaked, 0u);
}

}  // namespace
}  // namespace sekisho::app
