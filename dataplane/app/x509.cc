#include "dataplane/app/x509.h"

#include <nettle/sha1.h>

#include <algorithm>
#include <cstring>

namespace sekisho::app {
namespace {

constexpr std::uint8_t kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04, kOid = 0x06, kBoolean = 0x01;
constexpr std::uint8_t kSequence = 0x30, kUtcTime = 0x17, kGeneralizedTime = 0x18;

// An element of a certificate that must be there and have this tag.
AppEvent want(Bytes& list, std::uint8_t tag, Bytes& content, AppEvent wrong_tag) {
  DerElement e;
  switch (next_element(list, e)) {
    case DerFault::none:
      break;
    case DerFault::end:
      return AppEvent::tls_certificate_missing_element;
    case DerFault::header:
      return AppEvent::tls_certificate_invalid_length;
    case DerFault::overrun:
      return AppEvent::tls_invalid_certificate;
    case DerFault::unknown:
      return AppEvent::tls_certificate_unknown_element;
  }
  if (e.tag != tag) return wrong_tag;
  content = e.content;
  return AppEvent::none;
}

// UTCTime YYMMDDHHMMSSZ, GeneralizedTime YYYYMMDDHHMMSSZ (RFC 5280 §4.1.2.5); seconds may be missing in old
// certificates.
bool time_text(const DerElement& e, std::array<char, 20>& out) {
  char digits[14];
  std::size_t n = 0;
  if (e.tag == kUtcTime) {
    if (e.content.empty()) return false;
    const bool last_century = e.content[0] >= '5';
    digits[n++] = last_century ? '1' : '2';
    digits[n++] = last_century ? '9' : '0';
  } else if (e.tag != kGeneralizedTime) {
    return false;
  }
  for (const std::uint8_t c : e.content) {
    if (c < '0' || c > '9') break;
    if (n == sizeof digits) return false;
    digits[n++] = static_cast<char>(c);
  }
  if (n == 12) digits[12] = digits[13] = '0', n = 14;
  if (n != sizeof digits) return false;
  constexpr char kForm[] = "YYYY-MM-DDTHH:MM:SS";
  std::size_t next = 0;
  for (std::size_t i = 0; i < sizeof kForm - 1; ++i) {
    const bool fixed = kForm[i] == '-' || kForm[i] == 'T' || kForm[i] == ':';
    out[i] = fixed ? kForm[i] : digits[next++];
  }
  out[sizeof kForm - 1] = 0;
  return true;
}

AppEvent validity(Bytes list, Certificate& out) {
  for (std::array<char, 20>* time : {&out.not_before, &out.not_after}) {
    DerElement e;
    if (next_element(list, e) != DerFault::none || !time_text(e, *time))
      return AppEvent::tls_certificate_invalid_date;
  }
  return AppEvent::none;
}

// Extensions: SEQUENCE OF SEQUENCE { OID, critical BOOLEAN OPTIONAL, OCTET STRING }.
AppEvent extensions(Bytes list, Certificate& out) {
  constexpr AppEvent kWrong = AppEvent::tls_certificate_invalid_extensions;
  constexpr std::uint8_t kAlternativeName[] = {0x55, 0x1d, 0x11};
  Bytes all;
  if (want(list, kSequence, all, kWrong) != AppEvent::none) return kWrong;
  while (!all.empty()) {
    Bytes one, oid;
    DerElement e;
    if (want(all, kSequence, one, kWrong) != AppEvent::none) return kWrong;
    if (want(one, kOid, oid, kWrong) != AppEvent::none) return kWrong;
    if (next_element(one, e) != DerFault::none) return kWrong;
    if (e.tag == kBoolean && next_element(one, e) != DerFault::none) return kWrong;
    if (e.tag != kOctetString) return kWrong;
    if (!std::ranges::equal(oid, kAlternativeName)) continue;
    Bytes value = e.content;
    if (want(value, kSequence, out.alternative_names, kWrong) != AppEvent::none) return kWrong;
  }
  return AppEvent::none;
}

AppEvent to_be_signed(Bytes tbs, Certificate& out) {
  Bytes part;
  DerElement e;
  Bytes ahead = tbs;
  if (next_element(ahead, e) == DerFault::none && e.tag == 0xa0) {
    constexpr AppEvent kWrong = AppEvent::tls_certificate_invalid_version;
    Bytes version;
    if (want(e.content, kInteger, version, kWrong) != AppEvent::none || version.size() != 1 || version[0] > 2)
      return kWrong;
    tbs = ahead;
  }
  AppEvent fault = want(tbs, kInteger, out.serial, AppEvent::tls_certificate_invalid_serial);
  if (fault != AppEvent::none) return fault;
  if (out.serial.empty()) return AppEvent::tls_certificate_invalid_serial;
  fault = want(tbs, kSequence, part, AppEvent::tls_certificate_invalid_algorithmidentifier);
  if (fault != AppEvent::none) return fault;
  fault = want(tbs, kSequence, out.issuer, AppEvent::tls_certificate_invalid_x509name);
  if (fault != AppEvent::none) return fault;
  fault = want(tbs, kSequence, part, AppEvent::tls_certificate_invalid_date);
  if (fault != AppEvent::none) return fault;
  fault = validity(part, out);
  if (fault != AppEvent::none) return fault;
  fault = want(tbs, kSequence, out.subject, AppEvent::tls_certificate_invalid_x509name);
  if (fault != AppEvent::none) return fault;
  fault = want(tbs, kSequence, part, AppEvent::tls_certificate_invalid_algorithmidentifier);
  if (fault != AppEvent::none) return fault;
  while (!tbs.empty()) {
    if (next_element(tbs, e) != DerFault::none) return AppEvent::tls_certificate_invalid_extensions;
    if (e.tag == 0xa3) {
      fault = extensions(e.content, out);
      if (fault != AppEvent::none) return fault;
    }
  }
  return AppEvent::none;
}

}  // namespace

DerFault next_element(Bytes& list, DerElement& out) {
  if (list.empty()) return DerFault::end;
  if (list.size() < 2) return DerFault::header;
  const std::uint8_t tag = list[0];
  if ((tag & 0x1f) == 0x1f) return DerFault::unknown;
  std::size_t length = list[1], header = 2;
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 4) return DerFault::unknown;
    if (list.size() < 2 + octets) return DerFault::header;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | list[2 + i];
    header += octets;
  }
  if (list.size() - header < length) return DerFault::overrun;
  out = {tag, list.subspan(header, length)};
  list = list.subspan(header + length);
  return DerFault::none;
}

AppEvent parse_certificate(Bytes der, Certificate& out) {
  Bytes certificate, tbs, part;
  AppEvent fault = want(der, kSequence, certificate, AppEvent::tls_certificate_invalid_der);
  if (fault == AppEvent::tls_invalid_certificate) fault = AppEvent::tls_certificate_invalid_length;
  if (fault != AppEvent::none) return fault;
  fault = want(certificate, kSequence, tbs, AppEvent::tls_certificate_invalid_der);
  if (fault != AppEvent::none) return fault;
  fault = to_be_signed(tbs, out);
  if (fault != AppEvent::none) return fault;
  fault = want(certificate, kSequence, part, AppEvent::tls_certificate_invalid_algorithmidentifier);
  if (fault != AppEvent::none) return fault;
  return want(certificate, kBitString, part, AppEvent::tls_certificate_invalid_der);
}

std::size_t hex_colons(Bytes bytes, bool upper, std::span<std::uint8_t> out) {
  const char* hex = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::size_t n = 0;
  for (const std::uint8_t b : bytes) {
    if (n + 3 > out.size()) break;
    if (n != 0) out[n++] = ':';
    out[n++] = static_cast<std::uint8_t>(hex[b >> 4]);
    out[n++] = static_cast<std::uint8_t>(hex[b & 15]);
  }
  return n;
}

std::array<std::uint8_t, 59> sha1_colons(Bytes bytes) {
  sha1_ctx context;
  sha1_init(&context);
  sha1_update(&context, bytes.size(), bytes.data());
  std::uint8_t digest[SHA1_DIGEST_SIZE];
  sha1_digest(&context, sizeof digest, digest);
  std::array<std::uint8_t, 60> text;
  hex_colons(digest, false, text);
  std::array<std::uint8_t, 59> out;
  std::copy_n(text.begin(), out.size(), out.begin());
  return out;
}

}  // namespace sekisho::app
