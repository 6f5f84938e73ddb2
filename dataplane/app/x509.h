// What signatures and logs ask of an X.509 certificate (RFC 5280 §4.1), read by a bounded DER walker (X.690
// §8): no recursion, definite lengths of at most four octets, everything as views into the certificate.
#pragma once

#include <array>

#include "dataplane/app/transaction.h"

namespace sekisho::app {

// One element of DER. Elements are taken from the front of a list.
struct DerElement {
  std::uint8_t tag;  // class, constructed bit and number; long-form tags are a fault
  Bytes content;
};
enum class DerFault : std::uint8_t { none, end, header, overrun, unknown };
// `end`: the list is empty. `header`: tag or length octets are cut off. `overrun`: the content is longer than
// the list. `unknown`: long tag, indefinite or over-long length.
DerFault next_element(Bytes& list, DerElement& out);

struct Certificate {
  Bytes serial;                                    // content octets of the INTEGER
  Bytes issuer, subject;                           // content of the Name
  Bytes alternative_names;                         // content of GeneralNames; empty: there are none
  std::array<char, 20> not_before{}, not_after{};  // "2013-05-22T03:50:26", zero-terminated
};

// AppEvent::none: `out` is filled. Else the tls.…certificate… event that says what is wrong.
AppEvent parse_certificate(Bytes der, Certificate& out);

// A Name as "C=US, O=Example, CN=host": RDNs in their order, several attributes of one RDN joined by " + ".
// BMP and universal strings become UTF-8, other string types stay as they are, other types are hexadecimal.
// Returns the bytes written; what does not fit is left out. *fault: a string that is none.
inline constexpr std::size_t kMaxPrintedName = 4096;
std::size_t print_name(Bytes name, std::span<std::uint8_t, kMaxPrintedName> out, AppEvent* fault);

// "00:AA:BB" (upper case) and "00:aa:bb". At most out.size() bytes are written; returns their number.
std::size_t hex_colons(Bytes bytes, bool upper, std::span<std::uint8_t> out);
std::array<std::uint8_t, 59> sha1_colons(Bytes bytes);

}  // namespace sekisho::app
