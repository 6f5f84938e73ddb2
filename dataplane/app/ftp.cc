// FTP's control connection (RFC 959, RFC 2428 for EPRT and EPSV, RFC 4217 for AUTH TLS).
//
// A command and its reply lines are one transaction; replies belong to the oldest command that has no final
// one. RETR, STOR, STOU and APPE announce the data connection that PORT, EPRT, PASV or EPSV arranged.
// Memory of an idle flow: this object, about 250 bytes; lines are held only while they are incomplete.
#include "dataplane/app/ftp_text.h"
#include "dataplane/app/mime_line.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kMaxLine = 4096;
constexpr unsigned kMaxPending = 8;

enum class Kind : std::uint8_t { other, greeting, active, passive, extended_passive, auth };
enum : std::uint8_t { kRetrieve = 1, kStore = 2 };  // FlowFacts::ftp_data_command

class FtpParser final : public Parser {
 public:
  explicit FtpParser(AppPool& pool) : pool_(&pool) {}
  AppProtocol protocol() const override { return AppProtocol::ftp; }

  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) override {
    LineReader& reader = lines_[index(d)];
    Bytes line;
    while (!encrypted_) {
      const LineReader::Got got = reader.next(*pool_, bytes, kMaxLine, line);
      if (got == LineReader::Got::none) break;
      if (got == LineReader::Got::too_long) {
        const bool up = d == Direction::to_server;
        host.event(up || count_ == 0 ? nullptr : pending_[0].tx, d,
                   up ? AppEvent::ftp_request_command_too_long : AppEvent::ftp_response_command_too_long);
      } else if (d == Direction::to_server) {
        command(line, host);
      } else {
        reply(line, host);
      }
    }
    reader.rest(*pool_);
    if (flags.end && !encrypted_ && d == Direction::to_client)
      while (count_ != 0) answered(host);
    return Fed::ok;
  }

  // A line is lost or cut; the next ones are whole.
  bool gap(Direction d, std::uint64_t, Host&) override {
    lines_[index(d)].release(*pool_);
    return true;
  }
  void forget(const Transaction& tx) override {
    for (unsigned i = 0; i < count_; ++i)
      if (pending_[i].tx == &tx) pending_[i].tx = nullptr;
  }
  void destroy(AppPool& pool) noexcept override {
    lines_[0].release(pool);
    lines_[1].release(pool);
    for (unsigned i = 0; i < count_; ++i) destroy_open(pool, pending_[i].tx);
    pool.destroy(this);
  }

 private:
  struct Pending {
    Transaction* tx;
    Kind kind;
    std::uint16_t port;  // of PORT and EPRT
  };

  static bool arranges(Kind k) {
    return k == Kind::active || k == Kind::passive || k == Kind::extended_passive;
  }
  Transaction* open(Kind kind, Host& host) {
    if (count_ == kMaxPending) {
      host.event(pending_[0].tx, Direction::to_server, AppEvent::ftp_too_many_requests);
      answered(host);
    }
    auto* tx = pool_->make<Transaction>(*pool_, next_id_, AppProtocol::ftp);
    if (tx != nullptr) ++next_id_;
    pending_[count_++] = {tx, kind, 0};
    return tx;
  }
  // The oldest command is over.
  void answered(Host& host) {
    if (Transaction* tx = pending_[0].tx; tx != nullptr) {
      pending_[0].tx = nullptr;
      if ((tx->finished & 1) == 0) host.finish(*tx, Direction::to_server);
      host.finish(*tx, Direction::to_client);
    }
    std::copy(pending_ + 1, pending_ + count_, pending_);
    --count_;
  }

  void command(Bytes line, Host& host) {
    const Bytes verb = ftp_word(line);
    const Bytes data = ftp_trim(line.subspan(std::min(line.size(), verb.size() + 1)));
    const bool store = ftp_is(verb, "STOR") || ftp_is(verb, "STOU") || ftp_is(verb, "APPE");
    Kind kind = Kind::other;
    if (ftp_is(verb, "PASV")) kind = Kind::passive;
    if (ftp_is(verb, "EPSV")) kind = Kind::extended_passive;
    if (ftp_is(verb, "AUTH") && (ftp_is(data, "TLS") || ftp_is(data, "SSL") || ftp_is(data, "TLS-C")))
      kind = Kind::auth;
    if (ftp_is(verb, "PORT") || ftp_is(verb, "EPRT")) kind = Kind::active;
    Transaction* tx = open(kind, host);
    if (tx != nullptr) {
      Side& side = tx->of(Direction::to_server);
      side.add(Buffer::ftp_command, verb);
      if (!data.empty()) side.add(Buffer::ftp_command_data, data);
      // What arranges a data connection stays open until the reply says where.
      if (arranges(kind))
        host.evaluate(*tx, Direction::to_server, false);
      else
        host.finish(*tx, Direction::to_server);
      if (host.wants_log(AppProtocol::ftp)) {
        const Host::Field field{"command", verb.first(std::min<std::size_t>(verb.size(), 16))};
        host.log(tx, AppProtocol::ftp, {&field, 1});
      }
    }
    if (ftp_is(verb, "PORT") || ftp_is(verb, "EPRT")) {
      const FtpEndpoint at = ftp_is(verb, "PORT") ? ftp_six_numbers(data) : ftp_extended(data);
      data_port_ = 0;
      if (at.port == 0) return;
      pending_[count_ - 1].port = at.port;
      if (!host.is_endpoint(Direction::to_client, at.bytes())) {
        // The bounce attack (RFC 2577): somebody else's address is never expected.
        host.event(tx, Direction::to_server, AppEvent::ftp_foreign_data_address);
        return;
      }
      data_port_ = at.port;
      connects_to_ = Direction::to_client;
    } else if ((store || ftp_is(verb, "RETR")) && data_port_ != 0) {
      host.expect(AppProtocol::ftp_data, store ? kStore : kRetrieve, data_port_, connects_to_);
      host.expect_file(data);
      data_port_ = 0;
    }
  }

  void reply(Bytes line, Host& host) {
    const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
    const bool coded = line.size() >= 3 && digit(0) && digit(1) && digit(2) &&
                       (line.size() == 3 || line[3] == ' ' || line[3] == '-');
    if (line.empty() && count_ == 0) return;
    // The greeting, or a reply to nothing that was seen.
    if (count_ == 0) {
      if (Transaction* tx = open(Kind::greeting, host); tx != nullptr) host.finish(*tx, Direction::to_server);
    }
    const unsigned code = coded ? (line[0] - '0') * 100u + (line[1] - '0') * 10u + (line[2] - '0') : 0;
    const Bytes text = coded ? line.subspan(std::min<std::size_t>(4, line.size())) : line;
    const bool opens = coded && line.size() > 3 && line[3] == '-';
    const bool last = coded && !opens && (multi_ == 0 || multi_ == code);
    if (opens && multi_ == 0) multi_ = static_cast<std::uint16_t>(code);
    const Kind kind = pending_[0].kind;
    if (Transaction* tx = pending_[0].tx; tx != nullptr) {
      tx->facts.ftp_replied = true;
      if (kind == Kind::active && last && code / 100 == 2) {
        tx->facts.ftp_port = pending_[0].port;
        tx->facts.ftp_active = true;
      } else if (last && kind == Kind::passive && code == 227) {
        tx->facts.ftp_port = ftp_six_numbers(text).port;
      } else if (last && kind == Kind::extended_passive && code == 229) {
        tx->facts.ftp_port = ftp_extended(text).port;
      }
      Side& side = tx->of(Direction::to_client);
      const bool before = side.truncated();
      if (coded) side.add(Buffer::ftp_completion_code, line.first(3));
      side.add(Buffer::ftp_reply, text);
      if (!before && side.truncated())
        host.event(tx, Direction::to_client, AppEvent::ftp_too_many_reply_lines);
      host.evaluate(*tx, Direction::to_client, false);
    }
    if (!last) return;
    multi_ = 0;
    if (kind == Kind::passive && code == 227) passive(ftp_six_numbers(text), host);
    if (kind == Kind::extended_passive && code == 229) passive(ftp_extended(text), host);
    if (code >= 200 || code < 100) answered(host);
    if (kind == Kind::auth && (code == 234 || code == 334)) {
      encrypted_ = true;
      while (count_ != 0) answered(host);
      host.change_protocol(AppProtocol::tls);
    }
  }

  // The data connection goes to this flow's server whatever address it names (behind NAT it names another).
  void passive(const FtpEndpoint& at, Host& host) {
    data_port_ = at.port;
    connects_to_ = Direction::to_server;
    if (at.port != 0 && at.size != 0 && !host.is_endpoint(Direction::to_server, at.bytes()))
      host.event(pending_[0].tx, Direction::to_client, AppEvent::ftp_foreign_data_address);
  }

  LineReader lines_[2];
  AppPool* pool_;
  std::uint64_t next_id_ = 0;
  Pending pending_[kMaxPending] = {};
  std::uint16_t multi_ = 0;      // code of the reply whose lines are being read
  std::uint16_t data_port_ = 0;  // arranged, not yet used
  std::uint8_t count_ = 0;
  Direction connects_to_ = Direction::to_server;
  bool encrypted_ = false;
};

Probe probe(Direction d, Bytes first, std::uint16_t) {
  if (first.empty()) return Probe::more;
  const auto* lf = static_cast<const std::uint8_t*>(std::memchr(first.data(), '\n', first.size()));
  Bytes line = lf == nullptr ? first : first.first(static_cast<std::size_t>(lf - first.data()));
  if (d == Direction::to_client) {
    // "220" greets for SMTP as well: only a word tells, else the client's first command.
    if (!ftp_may_begin(line, "220")) return Probe::no;
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return Probe::no;
    if (lf == nullptr && first.size() < 512) return Probe::more;
    if (ftp_contains(line, "SMTP") || ftp_contains(line, "mail")) return Probe::no;
    return ftp_contains(line, "FTP") ? Probe::yes : first.size() < kMaxProbe ? Probe::more : Probe::no;
  }
  static constexpr const char* kVerbs[] = {"USER ", "FEAT",  "SYST",  "AUTH TLS", "AUTH SSL",  "PASV",
                                           "EPSV",  "TYPE ", "PORT ", "EPRT |",   "OPTS UTF8", "CLNT "};
  bool some = false;
  for (const char* verb : kVerbs) some = some || ftp_may_begin(line, verb);
  if (!some) return Probe::no;
  if (lf == nullptr)
    return first.size() < 512 ? Probe::more : ftp_may_begin(line, "USER ") ? Probe::yes : Probe::no;
  line = ftp_trim(line);
  for (const char* verb : kVerbs) {
    const std::size_t n = std::strlen(verb);
    const bool argument = verb[n - 1] == ' ' || verb[n - 1] == '|';
    if (line.size() < n - (verb[n - 1] == ' ') || !ftp_may_begin(line, verb)) continue;
    if (!argument && line.size() > n && line[n] != ' ') continue;
    return ftp_contains(line, " :") ? Probe::no : Probe::yes;  // IRC has "USER a b c :d"
  }
  return Probe::no;
}

}  // namespace

extern const ProtocolEntry kFtpEntry;
const ProtocolEntry kFtpEntry{AppProtocol::ftp, 6, probe,
                              [](Host& host) -> Parser* { return host.pool().make<FtpParser>(host.pool()); }};

}  // namespace sekisho::app
