#include <algorithm>

#include "dataplane/app/parser.h"

namespace sekisho::app {

// Each is defined in its parser's file.
extern const ProtocolEntry kHttpEntry;
extern const ProtocolEntry kHttp2Entry;
extern const ProtocolEntry kKrb5TcpEntry, kKrb5UdpEntry, kMqttEntry, kRfbEntry, kSnmpEntry;
extern const ProtocolEntry kSipTcpEntry, kSipUdpEntry;
extern const ProtocolEntry kTlsEntry;
extern const ProtocolEntry kRdpEntry;
extern const ProtocolEntry kSshEntry;
extern const ProtocolEntry kDnsUdpEntry, kDnsTcpEntry;
extern const ProtocolEntry kDcerpcEntry, kDcerpcUdpEntry;
extern const ProtocolEntry kFtpEntry, kFtpDataEntry, kImapEntry, kPop3Entry, kSmtpEntry, kSmbEntry;

namespace {

// Asked in this order: those that need few bytes to be sure stand first.
constexpr const ProtocolEntry* kProtocols[] = {
    &kHttpEntry,    &kHttp2Entry,     &kSshEntry,    &kTlsEntry,     &kRdpEntry,    &kSmbEntry,
    &kDcerpcEntry,  &kDcerpcUdpEntry, &kFtpEntry,    &kFtpDataEntry, &kImapEntry,   &kPop3Entry,
    &kSmtpEntry,    &kMqttEntry,      &kRfbEntry,    &kKrb5TcpEntry, &kSipTcpEntry, &kSnmpEntry,
    &kKrb5UdpEntry, &kSipUdpEntry,    &kDnsUdpEntry, &kDnsTcpEntry,  nullptr,
};

}  // namespace

std::span<const ProtocolEntry* const> protocols() {
  return {kProtocols, std::size(kProtocols) - 1};
}

const ProtocolEntry* protocol(AppProtocol wanted, std::uint8_t transport) {
  const auto all = protocols();
  const auto it = std::find_if(all.begin(), all.end(), [&](const ProtocolEntry* entry) {
    return entry->protocol == wanted && entry->transport == transport;
  });
  return it == all.end() ? nullptr : *it;
}

}  // namespace sekisho::app
