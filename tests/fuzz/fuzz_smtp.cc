// The text parsers (SMTP with its mails, FTP, IMAP, POP3) against arbitrary conversations
// (tests/fuzz/app_feed.h); the first byte chooses.
#include "tests/fuzz/app_feed.h"

namespace sekisho::app {
extern const ProtocolEntry kSmtpEntry, kFtpEntry, kFtpDataEntry, kImapEntry, kPop3Entry;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho::app;
  static const ProtocolEntry* const kAll[] = {&kSmtpEntry, &kFtpEntry,  &kFtpDataEntry, &kImapEntry,
                                              &kPop3Entry, &kSmtpEntry, &kSmtpEntry,    &kSmtpEntry};
  if (size != 0) feed_parser(*kAll[data[0] & 7], data + 1, size - 1);
  return 0;
}
