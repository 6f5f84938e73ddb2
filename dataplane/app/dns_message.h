// A DNS message (RFC 1035 §4, RFC 2181): header, questions and records, read one after the other.
//
// Bounds: a name is followed only backwards (RFC 1035 §4.1.4: a pointer names a *prior* occurrence), so that
// no circle can be walked; all names of a message together expand to kMaxExpanded bytes.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

inline constexpr std::size_t kDnsHeader = 12;
inline constexpr std::size_t kMaxDnsName = 1025;  // of text that is kept
inline constexpr std::size_t kMaxExpanded = 256 * 1024;

// A name as dotted text without the last dot, its bytes as they were sent; the root is empty.
struct DnsName {
  std::uint16_t size = 0;
  std::uint8_t text[kMaxDnsName];
  Bytes bytes() const { return {text, size}; }
};

struct DnsRecord {
  unsigned section;  // 0 question, 1 answer, 2 authority, 3 additional
  std::uint16_t type, rr_class;
  Bytes data;  // of a record
  std::size_t data_at;
};

class DnsMessage {
 public:
  // REQUIRES: at least kDnsHeader bytes.
  explicit DnsMessage(Bytes message);
  std::uint16_t id, flags;
  std::uint16_t counts[4];
  bool response() const { return (flags & 0x8000) != 0; }
  unsigned opcode() const { return flags >> 11 & 15; }
  unsigned rcode() const { return flags & 15; }

  // The next question or record; its name stands in name(). False: all were read, or fault() says why not.
  bool next(DnsRecord& out);
  const DnsName& name() const { return name_; }
  // none; malformed_data, infinite_loop, or what belongs to the section that cannot be read.
  AppEvent fault() const { return fault_; }
  // Faults that do not end the reading: name_too_long, too_many_labels.
  bool name_too_long() const { return name_too_long_; }
  bool too_many_labels() const { return too_many_labels_; }
  std::size_t left_over() const { return message_.size() - at_; }

  // A name at `at` inside the message (rdata). False: it is none. `end`: behind it.
  bool name_at(std::size_t at, DnsName& out, std::size_t* end);

 private:
  Bytes message_;
  std::size_t at_ = kDnsHeader;
  std::size_t expanded_ = 0;
  unsigned section_ = 0, read_ = 0;
  AppEvent fault_ = AppEvent::none, name_fault_ = AppEvent::none;
  bool name_too_long_ = false, too_many_labels_ = false;
  DnsName name_;
};

// "AAAA", "TYPE65280"; "NXDOMAIN". `buffer` holds what has no name.
Bytes dns_type_text(unsigned type, char (&buffer)[16]);
Bytes dns_rcode_text(unsigned rcode, char (&buffer)[16]);
// Rdata as text: addresses, names, strings of TXT; empty for other types. Written to `out`.
Bytes dns_rdata_text(DnsMessage& message, const DnsRecord& record, std::span<std::uint8_t> out);

}  // namespace sekisho::app
