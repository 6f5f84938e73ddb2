// From the fields of a header block to the buffers of HTTP (Suricata user guide, "HTTP Keywords", HTTP/2).
#include <algorithm>

#include "dataplane/app/http2.h"
#include "dataplane/app/http_log.h"
#include "dataplane/app/http_publish.h"
#include "dataplane/app/http_uri.h"

namespace sekisho::app {
namespace {

using namespace http;
using Fields = std::span<const Hpack::Field>;

constexpr Named kRequest[] = {{"user-agent", Buffer::http_user_agent},
                              {"referer", Buffer::http_referer},
                              {"accept", Buffer::http_accept},
                              {"accept-encoding", Buffer::http_accept_enc},
                              {"accept-language", Buffer::http_accept_lang},
                              {"content-length", Buffer::http_content_len},
                              {"content-type", Buffer::http_content_type},
                              {"cookie", Buffer::http_cookie}};
constexpr Named kResponse[] = {{"location", Buffer::http_location},
                               {"server", Buffer::http_server},
                               {"content-length", Buffer::http_content_len},
                               {"content-type", Buffer::http_content_type},
                               {"set-cookie", Buffer::http_cookie}};

const Hpack::Field* find(Fields fields, std::string_view name) {
  for (const Hpack::Field& f : fields)
    if (same_name(f.name, name)) return &f;
  return nullptr;
}

// Text that is put together in the thread's scratch memory.
class Text {
 public:
  Text(Headers& memory, std::size_t room) : at_(memory.take(room)), room_(at_ == nullptr ? 0 : room) {}
  void put(Bytes b) {
    if (b.size() > room_ - size_) return;
    if (!b.empty()) std::memcpy(at_ + size_, b.data(), b.size());
    size_ += b.size();
  }
  Bytes bytes() const { return {at_, size_}; }

 private:
  std::uint8_t* at_;
  std::size_t room_, size_ = 0;
};

// Values of one name, as one list.
void add_named(Side& side, Headers& memory, Fields fields, const Named& named) {
  const Hpack::Field* first = nullptr;
  std::size_t size = 0, count = 0;
  for (const Hpack::Field& f : fields)
    if (same_name(f.name, named.name)) {
      if (first == nullptr) first = &f;
      size += f.value.size() + 2;
      ++count;
    }
  if (count == 0) return;
  if (count == 1) {
    side.add(named.buffer, first->value);
    return;
  }
  Text text(memory, size);
  for (const Hpack::Field& f : fields)
    if (same_name(f.name, named.name)) {
      if (!text.bytes().empty()) text.put(bytes_of(", "));
      text.put(f.value);
    }
  side.add(named.buffer, text.bytes());
}

void add_uri(Side& side, Headers& memory, Bytes path) {
  side.add(Buffer::http_uri_raw, path);
  const HttpOptions& o = http_options();
  std::uint8_t* to = memory.take(path.size() + 8);
  if (to == nullptr) return;
  const Uri u = split_uri(path, false);
  std::size_t n = normalize_path(u.path, o, to);
  const auto put = [&](Bytes b) {
    if (!b.empty()) std::memcpy(to + n, b.data(), b.size());
    n += b.size();
  };
  if (u.has_query) {
    put(bytes_of("?"));
    if (o.decode_query)
      n += decode_query(u.query, to + n);
    else
      put(u.query);
  }
  if (u.has_fragment) {
    put(bytes_of("#"));
    n += decode_query(u.fragment, to + n);
  }
  side.add(Buffer::http_uri, Bytes{to, n});
}

void add_host(Transaction& tx, Direction d, Headers& memory, Fields fields, Host& host) {
  Side& side = tx.of(d);
  const Hpack::Field* authority = find(fields, ":authority");
  const Hpack::Field* header = find(fields, "host");
  if (authority == nullptr) authority = header;
  if (authority == nullptr) return;
  Bytes name = authority->value;
  if (const std::size_t at = text_of(name).rfind('@'); at != std::string_view::npos) {
    host.event(&tx, d, AppEvent::http2_userinfo_in_uri);
    name = name.subspan(at + 1);
  }
  publish_host(side, memory, split_host(name).host, authority->value);
  if (header == nullptr || header == authority) return;
  const Bytes a = authority->value, b = header->value;
  if (a.size() != b.size() || !std::equal(a.begin(), a.end(), b.begin(), [](std::uint8_t x, std::uint8_t y) {
        return lower(x) == lower(y);
      }))
    host.event(&tx, d, AppEvent::http2_authority_host_mismatch);
}

}  // namespace

void publish_http2(Transaction& tx, Direction d, Fields fields, bool promise, bool again, Host& host) {
  Side& side = tx.of(d);
  Headers& memory = Headers::scratch();
  memory.clear();
  const bool request = d == Direction::to_server;
  const Bytes crlf = bytes_of("\r\n"), colon = bytes_of(": "), blank = bytes_of(" ");
  if (!promise && !again) {
    if (request) {
      const Hpack::Field* method = find(fields, ":method");
      const Hpack::Field* path = find(fields, ":path");
      if (method != nullptr) side.add(Buffer::http_method, method->value);
      if (path != nullptr) add_uri(side, memory, path->value);
      side.add(Buffer::http_protocol, bytes_of("HTTP/2"));
      if (method != nullptr && path != nullptr)
        side.add(Buffer::http_request_line,
                 {method->value, blank, path->value, blank, bytes_of("HTTP/2"), crlf});
      add_host(tx, d, memory, fields, host);
    } else if (const Hpack::Field* status = find(fields, ":status")) {
      side.add(Buffer::http_stat_code, status->value);
      side.add(Buffer::http_stat_msg, {});
      side.add(Buffer::http_protocol, bytes_of("HTTP/2"));
      side.add(Buffer::http_response_line, {bytes_of("HTTP/2 "), status->value, crlf});
    }
    for (const Named& named : request ? std::span<const Named>(kRequest) : std::span<const Named>(kResponse))
      add_named(side, memory, fields, named);
  }
  std::size_t size = 4;
  for (const Hpack::Field& f : fields) size += f.name.size() + f.value.size() + 4;
  const auto headers = [&](Buffer buffer, bool raw) {
    if (!host.wants(buffer)) return;
    Text text(memory, size);
    for (const Hpack::Field& f : fields) {
      if (!raw && ((!f.name.empty() && f.name[0] == ':') || same_name(f.name, "cookie"))) continue;
      text.put(f.name);
      text.put(colon);
      text.put(f.value);
      text.put(crlf);
    }
    if (!text.bytes().empty()) side.add(buffer, text.bytes());
  };
  headers(Buffer::http_header, false);
  headers(Buffer::http_header_raw, true);
  if (host.wants(Buffer::http_header_names)) {
    Text text(memory, size);
    text.put(crlf);
    for (const Hpack::Field& f : fields) {
      if (!f.name.empty() && f.name[0] == ':') continue;
      text.put(f.name);
      text.put(crlf);
    }
    text.put(crlf);
    side.add(Buffer::http_header_names, text.bytes());
  }
  const Buffer each = request ? Buffer::http_request_header : Buffer::http_response_header;
  if (host.wants(each))
    for (const Hpack::Field& f : fields) side.add(each, {f.name, colon, f.value});
  if (host.wants(Buffer::http2_header_name))
    for (const Hpack::Field& f : fields) side.add(Buffer::http2_header_name, f.name);
  if (side.truncated()) host.event(&tx, d, AppEvent::http2_reassembly_limit_reached);
}

void log_http2(Transaction& tx, Host& host) {
  if (!host.wants_log(AppProtocol::http)) return;
  Host::Field fields[kHttpLogFields];
  const std::size_t n = http_log_fields(tx, fields);
  host.log(&tx, AppProtocol::http, {fields, n});
}

}  // namespace sekisho::app
