// SNMP, Kerberos and SIP: the first byte chooses; arbitrary streams and datagrams, all memory comes back.
#include "dataplane/app/krb5.h"
#include "dataplane/app/sip.h"
#include "dataplane/app/snmp.h"
#include "tests/fuzz/app_feed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho::app;
  static const ProtocolEntry* const kEntries[] = {&kSnmpEntry, &kKrb5UdpEntry, &kKrb5TcpEntry, &kSipUdpEntry,
                                                  &kSipTcpEntry};
  if (size > 0) feed_parser(*kEntries[data[0] % std::size(kEntries)], data + 1, size - 1);
  return 0;
}
