#include "dataplane/app/dns_message.h"

#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {
constexpr std::size_t kMaxWireName = 255;  // RFC 1035 §2.3.4
constexpr unsigned kMaxLabels = 127;
}  // namespace

DnsMessage::DnsMessage(Bytes message)
    : id(load_be16(&message[0])), flags(load_be16(&message[2])), message_(message) {
  for (unsigned i = 0; i < 4; ++i) counts[i] = load_be16(&message[4 + 2 * i]);
}

bool DnsMessage::name_at(std::size_t at, DnsName& out, std::size_t* end) {
  out.size = 0;
  std::size_t start = at;  // of the labels that are being read: pointers must point before it
  std::size_t wire = 0;
  unsigned labels = 0;
  bool jumped = false;
  const auto wrong = [&](AppEvent why) {
    name_fault_ = why;
    return false;
  };
  for (;;) {
    if (at >= message_.size()) return wrong(AppEvent::dns_malformed_data);
    const std::uint8_t length = message_[at];
    if (length == 0) {
      if (!jumped) *end = at + 1;
      break;
    }
    if ((length & 0xc0) == 0xc0) {
      if (message_.size() - at < 2) return wrong(AppEvent::dns_malformed_data);
      const std::size_t target = load_be16(&message_[at]) & 0x3fff;
      if (!jumped) *end = at + 2;
      jumped = true;
      if (target < kDnsHeader) return wrong(AppEvent::dns_malformed_data);
      if (target >= start)
        return wrong(target > at ? AppEvent::dns_malformed_data : AppEvent::dns_infinite_loop);
      at = start = target;
      continue;
    }
    if ((length & 0xc0) != 0 || message_.size() - at - 1 < length) return wrong(AppEvent::dns_malformed_data);
    wire += 1u + length;
    expanded_ += 1u + length;
    if (expanded_ > kMaxExpanded) return wrong(AppEvent::dns_malformed_data);
    if (wire > kMaxWireName) name_too_long_ = true;
    if (++labels > kMaxLabels) too_many_labels_ = true;
    const std::size_t room = kMaxDnsName - out.size;
    if (room >= 1u + length) {
      if (out.size != 0) out.text[out.size++] = '.';
      std::memcpy(out.text + out.size, &message_[at + 1], length);
      out.size = static_cast<std::uint16_t>(out.size + length);
    }
    at += 1u + length;
  }
  return true;
}

bool DnsMessage::next(DnsRecord& out) {
  if (fault_ != AppEvent::none) return false;
  while (section_ < 4 && read_ == counts[section_]) ++section_, read_ = 0;
  if (section_ == 4) return false;
  const auto wrong = [&](AppEvent why) {
    fault_ = section_ == 2   ? AppEvent::dns_invalid_authorities
             : section_ == 3 ? AppEvent::dns_invalid_additionals
                             : why;
    return false;
  };
  std::size_t at = at_;
  if (!name_at(at, name_, &at)) return wrong(name_fault_);
  const std::size_t fixed = section_ == 0 ? 4 : 10;
  if (message_.size() - at < fixed) return wrong(AppEvent::dns_malformed_data);
  out.section = section_;
  out.type = load_be16(&message_[at]);
  out.rr_class = load_be16(&message_[at + 2]);
  out.data = {};
  if (section_ != 0) {
    const std::size_t size = load_be16(&message_[at + 8]);
    if (message_.size() - at - fixed < size) return wrong(AppEvent::dns_malformed_data);
    out.data = message_.subspan(at + fixed, size);
    out.data_at = at + fixed;
    at += size;
  }
  at_ = at + fixed;
  ++read_;
  return true;
}

}  // namespace sekisho::app
