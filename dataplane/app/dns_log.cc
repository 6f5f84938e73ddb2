#include <cstring>

#include "dataplane/app/dns.h"

namespace sekisho::app {
namespace {

Bytes text(const char* s) {
  return {reinterpret_cast<const std::uint8_t*>(s), std::strlen(s)};
}

}  // namespace

void log_dns(Bytes message, Transaction& tx, Host& host) {
  DnsMessage m(message);
  Host::Field fields[5 + kMaxLogged];
  std::size_t n = 0, used = 0;
  std::uint8_t space[4096];
  DnsName question;
  char type[16], rcode[16], number[8];
  fields[n++] = {"type", text(m.response() ? "answer" : "query")};
  std::size_t digits = 0;
  for (unsigned scale = 10000; scale != 0; scale /= 10)
    if (m.id >= scale || scale == 1) number[digits++] = static_cast<char>('0' + m.id / scale % 10);
  fields[n++] = {"id", Bytes(reinterpret_cast<const std::uint8_t*>(number), digits)};
  bool named = false;
  unsigned answers = 0;
  for (DnsRecord r; m.next(r);) {
    if (r.section == 0 && !named) {
      named = true;
      question = m.name();
      fields[n++] = {"rrname", question.bytes()};
      fields[n++] = {"rrtype", dns_type_text(r.type, type)};
    }
    if (r.section > 1) break;
    if (r.section != 1 || answers == kMaxLogged) continue;
    const Bytes value = dns_rdata_text(m, r, std::span(space).subspan(used));
    if (value.empty()) continue;
    used += value.size();
    fields[n++] = {"answers", value};
    ++answers;
  }
  if (m.response()) fields[n++] = {"rcode", dns_rcode_text(m.rcode(), rcode)};
  host.log(&tx, AppProtocol::dns, {fields, n});
}

}  // namespace sekisho::app
