// Delivery of one letter to one receiver: by mail, webhook or syslog. Each call makes a connection, waits for
// the receiver's word (a syslog receiver has none: its orderly close stands for it), and ends within half a
// minute, sooner when `stop` becomes true. Thread: any; secrets are read from their files at each call.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "control/notice/text.h"

namespace sekisho::control {

class Delivery {
 public:
  virtual ~Delivery() = default;
  // Empty: the receiver has it. Else why not, for a person.
  virtual std::string deliver(const NoticeReceiver& receiver, const Letter& letter,
                              const std::atomic<bool>& stop) = 0;
};

// libcurl and OpenSSL.
std::unique_ptr<Delivery> make_network_delivery();

// RFC 5424 over TLS or TCP with octet counting (RFC 5425, RFC 6587), or UDP (RFC 5426).
std::string send_syslog(const NoticeReceiver& receiver, const std::string& message,
                        const std::atomic<bool>& stop);

}  // namespace sekisho::control
