// A mail's bytes as pieces of lines, and the record of a mail.
#pragma once

#include "dataplane/app/kept.h"

namespace sekisho::app {

// Lines of any length: the first piece of a line is the whole of it, or exactly `head` bytes; the rest comes
// as it arrives. So what looks at the beginning of lines sees the same however the stream is cut.
class LineParts {
 public:
  struct Part {
    Bytes text;  // valid until the next call and while the input is
    bool starts, ends, crlf;
  };
  // False: the input is used up.
  bool next(AppPool& pool, Bytes& input, std::size_t head, Part& part);
  // A line that did not end, when nothing more comes. False: there is none.
  bool rest_of_line(AppPool& pool, Part& part);
  void release(AppPool& pool);

 private:
  Kept held_;           // the beginning of a line
  bool tail_ = false;   // its head was given
  bool cr_ = false;     // a CR at the end of the input, which may belong to the line end
  bool given_ = false;  // held_ was given
};

void smtp_log(Host& host, Transaction& tx, Bytes helo, std::uint32_t recipients, std::uint32_t attachments,
              std::uint64_t bytes);

}  // namespace sekisho::app
