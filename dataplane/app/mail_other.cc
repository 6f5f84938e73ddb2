// IMAP (RFC 9051) and POP3 (RFC 1939) are recognised, not read: raw stream signatures see them. Only STARTTLS
// and STLS are followed, so that what comes after is read as TLS.
#include <cctype>

#include "dataplane/app/ftp_text.h"
#include "dataplane/app/mime_line.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kMaxLine = 256;  // longer lines are no STARTTLS
constexpr std::size_t kMaxTag = 32;

class MailParser final : public Parser {
 public:
  MailParser(AppPool& pool, bool imap) : pool_(&pool), imap_(imap) {}
  AppProtocol protocol() const override { return imap_ ? AppProtocol::imap : AppProtocol::pop3; }

  Fed feed(Direction d, Bytes bytes, FeedFlags, FlowFacts&, Host& host) override {
    LineReader& reader = lines_[index(d)];
    Bytes line;
    while (!encrypted_) {
      const LineReader::Got got = reader.next(*pool_, bytes, kMaxLine, line);
      if (got == LineReader::Got::none) break;
      if (got != LineReader::Got::line) continue;
      if (d == Direction::to_server)
        command(line);
      else
        reply(line, host);
    }
    reader.rest(*pool_);
    return Fed::ok;
  }
  bool gap(Direction d, std::uint64_t, Host&) override {
    lines_[index(d)].release(*pool_);
    return true;
  }
  void forget(const Transaction&) override {}
  void destroy(AppPool& pool) noexcept override {
    lines_[0].release(pool);
    lines_[1].release(pool);
    pool.destroy(this);
  }

 private:
  void command(Bytes line) {
    const Bytes tag = imap_ ? ftp_word(line) : Bytes{};
    const Bytes verb = ftp_trim(line.subspan(tag.size()));
    if (!ftp_is(verb, imap_ ? "STARTTLS" : "STLS") || tag.size() > kMaxTag) return;
    asked_ = true;
    tag_size_ = static_cast<std::uint8_t>(tag.size());
    std::copy(tag.begin(), tag.end(), tag_);
  }
  void reply(Bytes line, Host& host) {
    if (!asked_) return;
    bool agreed = ftp_begins(line, "+OK"), refused = ftp_begins(line, "-ERR");
    if (imap_) {
      const Bytes tag = ftp_word(line);
      if (!std::equal(tag.begin(), tag.end(), tag_, tag_ + tag_size_)) return;
      agreed = ftp_is(ftp_word(ftp_trim(line.subspan(tag.size()))), "OK");
      refused = !agreed;
    }
    if (agreed || refused) asked_ = false;
    if (!agreed) return;
    encrypted_ = true;
    host.change_protocol(AppProtocol::tls);
  }

  LineReader lines_[2];
  AppPool* pool_;
  std::uint8_t tag_[kMaxTag];
  std::uint8_t tag_size_ = 0;
  bool imap_, asked_ = false, encrypted_ = false;
};

Probe begins(Bytes first, const char* word) {
  if (!ftp_may_begin(first, word)) return Probe::no;
  return first.size() < std::strlen(word) ? Probe::more : Probe::yes;
}
Probe either(Probe a, Probe b) {
  return a == Probe::yes || b == Probe::yes     ? Probe::yes
         : a == Probe::more || b == Probe::more ? Probe::more
                                                : Probe::no;
}

Probe probe_imap(Direction d, Bytes first, std::uint16_t) {
  if (d == Direction::to_client)
    return either(begins(first, "* OK "), either(begins(first, "* PREAUTH "), begins(first, "* BYE ")));
  // A tag and a command that only IMAP has.
  std::size_t n = 0;
  while (n < first.size() && n <= kMaxTag && (std::isalnum(first[n]) != 0 || first[n] == '.')) ++n;
  if (n == 0 || n > kMaxTag) return Probe::no;
  if (n == first.size()) return Probe::more;
  if (first[n] != ' ') return Probe::no;
  const Bytes verb = first.subspan(n + 1);
  if (verb.empty()) return Probe::more;
  Probe answer = Probe::no;
  for (const char* word : {"CAPABILITY\r", "LOGIN \"", "STARTTLS\r", "AUTHENTICATE ", "ID ("})
    answer = either(answer, begins(verb, word));
  return answer;
}
Probe probe_pop3(Direction d, Bytes first, std::uint16_t) {
  if (d == Direction::to_client) return begins(first, "+OK ");
  return either(begins(first, "CAPA\r"), either(begins(first, "STLS\r"), begins(first, "APOP ")));
}

}  // namespace

extern const ProtocolEntry kImapEntry, kPop3Entry;
const ProtocolEntry kImapEntry{AppProtocol::imap, 6, probe_imap, [](Host& host) -> Parser* {
                                 return host.pool().make<MailParser>(host.pool(), true);
                               }};
const ProtocolEntry kPop3Entry{AppProtocol::pop3, 6, probe_pop3, [](Host& host) -> Parser* {
                                 return host.pool().make<MailParser>(host.pool(), false);
                               }};

}  // namespace sekisho::app
