// Types, codes and record data as text (IANA "DNS Parameters").
#include <algorithm>
#include <cstring>
#include <string_view>

#include "dataplane/app/dns_message.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

struct Named {
  unsigned number;
  const char* name;
};
constexpr Named kTypes[] = {
    {1, "A"},      {2, "NS"},      {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},        {13, "HINFO"},
    {15, "MX"},    {16, "TXT"},    {17, "RP"},    {18, "AFSDB"}, {24, "SIG"},        {25, "KEY"},
    {28, "AAAA"},  {29, "LOC"},    {32, "NB"},    {33, "SRV"},   {35, "NAPTR"},      {36, "KX"},
    {37, "CERT"},  {39, "DNAME"},  {41, "OPT"},   {43, "DS"},    {44, "SSHFP"},      {46, "RRSIG"},
    {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {64, "SVCB"},       {65, "HTTPS"},
    {249, "TKEY"}, {250, "TSIG"},  {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"},       {256, "URI"},
    {257, "CAA"},  {99, "SPF"},    {10, "NULL"},  {11, "WKS"},   {51, "NSEC3PARAM"},
};
constexpr const char* kRcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                   "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

Bytes bytes_of(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

std::size_t decimal(unsigned value, char* out) {
  char digits[10];
  std::size_t n = 0, k = 0;
  do digits[n++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (n != 0) out[k++] = digits[--n];
  return k;
}

Bytes ip4(const std::uint8_t* a, std::span<std::uint8_t> out) {
  char text[16];
  std::size_t n = 0;
  for (unsigned i = 0; i < 4; ++i) {
    if (i != 0) text[n++] = '.';
    n += decimal(a[i], text + n);
  }
  std::memcpy(out.data(), text, n);
  return out.first(n);
}

// All eight groups, as other network monitors log them.
Bytes ip6(const std::uint8_t* a, std::span<std::uint8_t> out) {
  constexpr char kHex[] = "0123456789abcdef";
  std::size_t n = 0;
  for (unsigned i = 0; i < 16; i += 2) {
    if (i != 0) out[n++] = ':';
    const char digits[] = {kHex[a[i] >> 4], kHex[a[i] & 15], kHex[a[i + 1] >> 4], kHex[a[i + 1] & 15]};
    for (unsigned k = 0; k < 4; ++k) out[n++] = static_cast<std::uint8_t>(digits[k]);
  }
  return out.first(n);
}

}  // namespace

Bytes dns_type_text(unsigned type, char (&buffer)[16]) {
  for (const Named& known : kTypes)
    if (known.number == type) return bytes_of(known.name);
  std::memcpy(buffer, "TYPE", 4);
  return bytes_of({buffer, 4 + decimal(type, buffer + 4)});
}

Bytes dns_rcode_text(unsigned rcode, char (&buffer)[16]) {
  if (rcode < std::size(kRcodes)) return bytes_of(kRcodes[rcode]);
  return bytes_of({buffer, decimal(rcode, buffer)});
}

Bytes dns_rdata_text(DnsMessage& message, const DnsRecord& record, std::span<std::uint8_t> out) {
  const Bytes data = record.data;
  std::size_t skip = 0;
  switch (record.type) {
    case 1:
      return data.size() == 4 && out.size() >= 16 ? ip4(data.data(), out) : Bytes{};
    case 28:
      return data.size() == 16 && out.size() >= 40 ? ip6(data.data(), out) : Bytes{};
    case 16: {  // the strings, one behind the other
      std::size_t n = 0;
      for (std::size_t at = 0; at < data.size();) {
        const std::size_t size = std::min<std::size_t>(data[at], data.size() - at - 1);
        const std::size_t take = std::min(size, out.size() - n);
        std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at) + 1, take,
                    out.begin() + static_cast<std::ptrdiff_t>(n));
        n += take;
        at += 1 + size;
      }
      return out.first(n);
    }
    case 33:
      skip = 6;
      break;
    case 15:
      skip = 2;
      break;
    case 2:
    case 5:
    case 6:
    case 12:
    case 39:
      break;
    default:
      return {};
  }
  DnsName name;
  std::size_t end = 0;
  if (data.size() <= skip || !message.name_at(record.data_at + skip, name, &end)) return {};
  const std::size_t take = std::min<std::size_t>(name.size, out.size());
  std::copy_n(name.text, take, out.begin());
  return out.first(take);
}

}  // namespace sekisho::app
