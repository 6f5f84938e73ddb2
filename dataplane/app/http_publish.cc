#include "dataplane/app/http_publish.h"

namespace sekisho::app::http {

void publish_host(Side& side, Headers& memory, Bytes host, Bytes raw) {
  while (!host.empty() && host.back() == '.') host = host.first(host.size() - 1);
  std::uint8_t* p = memory.take(host.size());
  if (p == nullptr) return;
  for (std::size_t i = 0; i < host.size(); ++i) p[i] = lower(host[i]);
  side.add(Buffer::http_host, Bytes{p, host.size()});
  side.add(Buffer::http_host_raw, raw);
}

void publish_headers(Side& side, Headers& memory, const Headers& h, Bytes line, Bytes raw,
                     std::span<const Named> named, std::string_view cookie, Buffer each, const Host& host) {
  const Bytes crlf = bytes_of("\r\n"), colon = bytes_of(": ");
  const auto all = h.all();
  if (all.empty()) return;
  std::size_t size = 4;
  for (const Header& x : all) size += x.name.size() + x.value.size() + 4;
  const bool each_wanted = host.wants(each);
  std::uint8_t* text = host.wants(Buffer::http_header) ? memory.take(size) : nullptr;
  std::uint8_t* names = host.wants(Buffer::http_header_names) ? memory.take(size) : nullptr;
  std::size_t n = 0, m = 0;
  const auto put = [](std::uint8_t* to, std::size_t& at, Bytes b) {
    if (!b.empty()) std::memcpy(to + at, b.data(), b.size());
    at += b.size();
  };
  if (names != nullptr) put(names, m, crlf);
  for (const Header& x : all) {
    if (names != nullptr) {
      put(names, m, x.name);
      put(names, m, crlf);
    }
    if (text != nullptr && !same_name(x.name, cookie)) {
      put(text, n, x.name);
      put(text, n, colon);
      put(text, n, x.value);
      put(text, n, crlf);
    }
  }
  if (names != nullptr) {
    put(names, m, crlf);
    side.add(Buffer::http_header_names, Bytes{names, m});
  }
  if (n != 0) side.add(Buffer::http_header, Bytes{text, n});
  for (const Named& k : named)
    if (const Header* x = h.find(k.name)) side.add(k.buffer, x->value);
  if (host.wants(Buffer::http_header_raw)) side.add(Buffer::http_header_raw, raw);
  if (host.wants(Buffer::http_start)) side.add(Buffer::http_start, {line, crlf, raw});
  if (each_wanted)
    for (const Header& x : all) side.add(each, {x.name, colon, x.value});
}

}  // namespace sekisho::app::http
