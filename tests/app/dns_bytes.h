// DNS messages, made by hand.
#pragma once

#include "dataplane/app/dns.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {

// "www.example" as labels with the root.
inline Blob dns_name(const std::string& dotted) {
  Blob out;
  for (std::size_t at = 0; at < dotted.size();) {
    std::size_t dot = dotted.find('.', at);
    if (dot == std::string::npos) dot = dotted.size();
    out += with_length(dotted.substr(at, dot - at), 1);
    at = dot + 1;
  }
  return out + Blob(1, '\0');
}
inline Blob dns_header(unsigned flags, unsigned questions, unsigned answers = 0, unsigned authorities = 0,
                       unsigned additionals = 0, unsigned id = 4660) {
  return words({id, flags, questions, answers, authorities, additionals});
}
inline Blob question(const Blob& name, unsigned type = 1) {
  return name + words({type, 1});
}
inline Blob rr(const Blob& name, unsigned type, const Blob& data) {
  return name + words({type, 1, 0, 60}) + with_length(data, 2);
}
inline Blob pointer(unsigned to) {
  return be(0xc000 | to, 2);
}
inline Blob dns_query(const std::string& name, unsigned type = 1) {
  return dns_header(0x0100, 1) + question(dns_name(name), type);
}
// CNAME and addresses, names by pointer.
inline Blob dns_response() {
  const Blob q = question(dns_name("WWW.example.org"));
  return dns_header(0x8180, 1, 3, 1, 1) + q +
         rr(pointer(12), 5,
            Blob("\x03"
                 "cdn") +
                pointer(16)) +
         rr(Blob("\x03"
                 "cdn") +
                pointer(16),
            1, "\x01\x02\x03\x04") +
         rr(pointer(12), 28, from_hex("20010db8000000000000000000000001")) +
         rr(pointer(16), 2, dns_name("ns.example.net")) + rr(Blob(1, '\0'), 41, "");
}

struct Datagrams : Talk {
  explicit Datagrams(bool logs = false) : Talk(kDnsUdpEntry, logs) {}
  void send(Direction d, const Blob& b) { feed(d, b, true); }
};

}  // namespace sekisho::app
