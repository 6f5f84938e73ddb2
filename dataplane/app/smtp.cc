// SMTP (RFC 5321; BDAT: RFC 3030; STARTTLS: RFC 3207): commands, replies, and the mail as MIME.
//
// A transaction is one mail: from its first command to the end of its data. The greeting name (HELO, EHLO) is
// part of every mail of the session. The server's side has no buffers. Credentials (AUTH) and everything else
// that a person wrote stay out of the log: it has the greeting name, counts, and sizes and hashes of files.
//
// Bytes after DATA are the mail at once, also before the server agreed (what was pipelined is read so by a
// server that agrees); a refusal returns to commands. Memory of an idle flow: this object, about 300 bytes,
// and the greeting name.
#include "dataplane/app/ftp_text.h"
#include "dataplane/app/mime.h"
#include "dataplane/app/mime_file.h"
#include "dataplane/app/mime_line.h"
#include "dataplane/app/parser.h"
#include "dataplane/app/smtp_parts.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxHelo = 255;
constexpr unsigned kMaxPending = 32;
constexpr std::uint32_t kScan = 16 * 1024;
constexpr unsigned kMaxFiles = 8;  // of one mail whose bytes stay side by side

enum class Command : std::uint8_t { other, mail, data, bdat, starttls, body };

class SmtpParser final : public Parser, private MimeSink {
 public:
  explicit SmtpParser(AppPool& pool) : pool_(&pool) {}
  AppProtocol protocol() const override { return AppProtocol::smtp; }

  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) override {
    host_ = &host;
    if (!encrypted_) {
      if (d == Direction::to_server)
        from_client(bytes);
      else
        from_server(bytes);
    }
    scan(false);
    if (flags.end && d == Direction::to_server) close_mail();
    host_ = nullptr;
    return Fed::ok;
  }

  bool gap(Direction d, std::uint64_t bytes, Host&) override {
    lines_[index(d)].release(*pool_);
    hash_.spoil();
    if (d == Direction::to_server && bdat_left_ != 0) bdat_left_ -= std::min(bdat_left_, bytes);
    return true;
  }
  void forget(const Transaction& tx) override {
    if (tx_ == &tx) tx_ = nullptr;
  }
  void destroy(AppPool& pool) noexcept override {
    lines_[0].release(pool);
    lines_[1].release(pool);
    parts_.release(pool);
    helo_.release(pool);
    hash_.release();
    if (mime_ != nullptr) mime_->release();
    pool.destroy(mime_);
    destroy_open(pool, tx_);
    pool.destroy(this);
  }

 private:
  static constexpr Direction kUp = Direction::to_server, kDown = Direction::to_client;

  void from_client(Bytes bytes) {
    Bytes line;
    while (!bytes.empty() && !encrypted_) {
      if (bdat_left_ != 0) {
        const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(bdat_left_, bytes.size()));
        mail_bytes(bytes.first(n), false);
        bdat_left_ -= n;
        bytes = bytes.subspan(n);
        if (bdat_left_ == 0) chunk_over();
        continue;
      }
      if (data_) {
        mail_bytes_until_dot(bytes);
        continue;
      }
      const LineReader::Got got = lines_[0].next(*pool_, bytes, kMaxLine, line);
      if (got == LineReader::Got::too_long)
        host_->event(tx_, kUp, AppEvent::smtp_max_command_line_len_exceeded);
      else if (got == LineReader::Got::line)
        command(line);
    }
    lines_[0].rest(*pool_);
  }

  // What the client sends now is the next line or the mail; see data_ and bdat_left_.
  void command(Bytes line) {
    // A command behind STARTTLS would be read before encryption by one side and after it by the other.
    for (unsigned i = 0; i < count_; ++i)
      if (pending_[i] == Command::starttls) {
        host_->event(tx_, kUp, AppEvent::smtp_invalid_pipelined_sequence);
        break;
      }
    const Bytes verb = ftp_word(line);
    Command kind = Command::other;
    if (ftp_is(verb, "EHLO") || ftp_is(verb, "HELO") || ftp_is(verb, "LHLO")) {
      const Bytes name = ftp_trim(line.subspan(4));
      helo_.clear();
      helo_.append(*pool_, name.first(std::min(name.size(), kMaxHelo)), kMaxHelo);
      if (mailed_) close_mail();
      if (mail()) add(Buffer::smtp_helo, helo_.view());
    } else if (ftp_begins(line, "MAIL FROM:")) {
      kind = Command::mail;
      if (mailed_) close_mail();
      mailed_ = true;
      if (mail()) add(Buffer::smtp_mail_from, ftp_word(ftp_trim(line.subspan(10))));
    } else if (ftp_begins(line, "RCPT TO:")) {
      ++recipients_;
      if (mail()) add(Buffer::smtp_rcpt_to, ftp_word(ftp_trim(line.subspan(8))));
    } else if (ftp_is(verb, "DATA")) {
      kind = Command::data;
      data_ = true;
      mail();
    } else if (ftp_is(verb, "BDAT")) {
      kind = Command::bdat;
      bdat(ftp_trim(line.subspan(4)));
    } else if (ftp_is(verb, "STARTTLS")) {
      kind = Command::starttls;
    } else if (ftp_is(verb, "RSET")) {
      close_mail();
    }
    expect_reply(kind);
  }

  void bdat(Bytes arguments) {
    const Bytes size = ftp_word(arguments);
    std::uint64_t n = 0;
    bool sound = !size.empty() && size.size() <= 18;
    for (const std::uint8_t c : size) {
      sound = sound && c >= '0' && c <= '9';
      n = n * 10 + (c - '0');
    }
    if (!sound) {
      host_->event(tx_, kUp, AppEvent::smtp_bdat_chunk_len_exceeded);
      return;
    }
    mail();
    bdat_left_ = n;
    bdat_last_ = ftp_is(ftp_trim(arguments.subspan(size.size())), "LAST");
    if (n == 0) chunk_over();
  }
  void chunk_over() {
    if (!bdat_last_) return;
    bdat_last_ = false;
    message_over();
  }

  void expect_reply(Command kind) {
    if (count_ == kMaxPending) {
      // Replies can no longer be told apart.
      host_->event(tx_, kUp, AppEvent::smtp_invalid_pipelined_sequence);
      std::copy(pending_ + 1, pending_ + count_, pending_);
      --count_;
    }
    pending_[count_++] = kind;
  }

  void from_server(Bytes bytes) {
    Bytes line;
    while (!encrypted_) {
      const LineReader::Got got = lines_[1].next(*pool_, bytes, kMaxLine, line);
      if (got == LineReader::Got::none) break;
      if (got == LineReader::Got::too_long)
        host_->event(tx_, kDown, AppEvent::smtp_max_reply_line_len_exceeded);
      else
        reply(line);
    }
    lines_[1].rest(*pool_);
  }

  void reply(Bytes line) {
    const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
    if (line.size() < 3 || !digit(0) || !digit(1) || !digit(2) ||
        (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
      host_->event(tx_, kDown, AppEvent::smtp_invalid_reply);
      return;
    }
    if (line.size() > 3 && line[3] == '-') return;
    const unsigned code = (line[0] - '0') * 100u + (line[1] - '0') * 10u + (line[2] - '0');
    if (!greeted_) {
      greeted_ = true;
      if (code == 220 && count_ == 0) return;
      if (code / 100 == 2 && code != 220 && count_ == 0)
        host_->event(tx_, kDown, AppEvent::smtp_no_server_welcome_message);
      if (count_ == 0) return;
      if (code == 220 && pending_[0] != Command::starttls) return;
    }
    if (count_ == 0) {
      if (code != 421) host_->event(tx_, kDown, AppEvent::smtp_unable_to_match_reply_with_request);
      return;
    }
    const Command kind = pending_[0];
    std::copy(pending_ + 1, pending_ + count_, pending_);
    --count_;
    if (kind == Command::data && code != 354) {
      host_->event(tx_, kDown, AppEvent::smtp_data_command_rejected);
      if (data_) abandon_mail();
    } else if (kind == Command::starttls) {
      if (code == 220) {
        close_mail();
        encrypted_ = true;
        host_->change_protocol(AppProtocol::tls);
      } else {
        host_->event(tx_, kDown, AppEvent::smtp_tls_rejected);
      }
    }
  }

  // The mail of now, made when there is none. False: no memory.
  bool mail() {
    if (tx_ != nullptr) return true;
    if ((tx_ = pool_->make<Transaction>(*pool_, next_id_, AppProtocol::smtp)) == nullptr) return false;
    ++next_id_;
    recipients_ = attachments_ = 0;
    // The greeting name is every mail's; its own command adds it itself.
    if (mailed_ && helo_.size() != 0) tx_->of(kUp).add(Buffer::smtp_helo, helo_.view());
    host_->evaluate(*tx_, kUp, false);
    return true;
  }
  void add(Buffer id, Bytes bytes) {
    if (tx_->of(kUp).add(id, bytes)) host_->evaluate(*tx_, kUp, false);
  }

  MimeParser* mime() {
    if (mime_ == nullptr) mime_ = pool_->make<MimeParser>(*pool_);
    return mime_;
  }
  void mail_bytes(Bytes bytes, bool dots) {
    while (!bytes.empty())
      if (!mail_part(bytes, dots)) return;
  }
  void mail_bytes_until_dot(Bytes& bytes) {
    while (!bytes.empty() && data_)
      if (!mail_part(bytes, true)) return;
  }
  bool mail_part(Bytes& bytes, bool dots) {
    LineParts::Part part;
    if (!parts_.next(*pool_, bytes, MimeParser::kLineHead, part)) return false;
    message_bytes_ += part.text.size();
    if (dots && part.starts && !part.text.empty() && part.text[0] == '.') {
      if (part.text.size() == 1 && part.ends) {
        data_ = false;
        expect_reply(Command::body);
        message_over();
        return true;
      }
      part.text = part.text.subspan(1);
    }
    if (MimeParser* message = mime(); message != nullptr)
      message->line(part.text, part.starts, part.ends, part.crlf, *this);
    return true;
  }

  void message_over() {
    if (mime_ != nullptr) {
      LineParts::Part part;
      if (parts_.rest_of_line(*pool_, part)) mime_->line(part.text, part.starts, false, false, *this);
      mime_->end(*this);
    }
    close_mail();
  }
  // The server took no mail: what came meanwhile were commands.
  void abandon_mail() {
    data_ = false;
    drop_mime();
  }
  void drop_mime() {
    parts_.release(*pool_);
    if (file_open_) file_ends();
    if (mime_ == nullptr) return;
    mime_->release();
    pool_->destroy(mime_);
    mime_ = nullptr;
  }

  void close_mail() {
    drop_mime();
    data_ = mailed_ = bdat_last_ = false;
    bdat_left_ = 0;
    if (tx_ == nullptr) return;
    if (host_->wants_log(AppProtocol::smtp))
      smtp_log(*host_, *tx_, helo_.view(), recipients_, attachments_, message_bytes_);
    message_bytes_ = 0;
    Transaction& tx = *tx_;
    tx_ = nullptr;
    unscanned_ = 0;
    host_->finish(tx, kDown);
    host_->finish(tx, kUp);
  }

  void file_begins(Bytes name) override {
    if (tx_ == nullptr) return;
    file_open_ = true;
    ++attachments_;
    if (!name.empty()) tx_->of(kUp).add(Buffer::file_name, name);
    // Further files share the room of the last one.
    if (attachments_ > kMaxFiles) {
      host_->evaluate(*tx_, kUp, true);
      unscanned_ = 0;
      tx_->of(kUp).restart(Buffer::file_data);
    }
    hash_.begin(*host_);
  }
  void file_bytes(Bytes bytes) override {
    if (!file_open_ || tx_ == nullptr) return;
    hash_.add(bytes);
    // Lines are short: what a packet brings is scanned at once.
    while (!bytes.empty()) {
      const Bytes piece = bytes.first(std::min<std::size_t>(bytes.size(), kScan - unscanned_));
      tx_->of(kUp).append(Buffer::file_data, piece);
      bytes = bytes.subspan(piece.size());
      unscanned_ += static_cast<std::uint32_t>(piece.size());
      if (unscanned_ == kScan) scan(true);
    }
  }
  void scan(bool now) {
    if (unscanned_ != 0 && tx_ != nullptr) host_->evaluate(*tx_, kUp, now);
    unscanned_ = 0;
  }
  void file_ends() override {
    if (!file_open_) return;
    file_open_ = false;
    if (tx_ == nullptr) return;
    tx_->of(kUp).complete(Buffer::file_data);
    host_->evaluate(*tx_, kUp, false);
    hash_.end(*host_, tx_, kUp, AppProtocol::smtp);
  }
  void anomaly(AppEvent event) override { host_->event(tx_, kUp, event); }
  void header(Bytes name, Bytes value) override {
    static constexpr std::pair<const char*, Buffer> kHeaders[] = {{"From", Buffer::email_from},
                                                                  {"To", Buffer::email_to},
                                                                  {"Cc", Buffer::email_cc},
                                                                  {"Subject", Buffer::email_subject},
                                                                  {"Date", Buffer::email_date},
                                                                  {"Message-ID", Buffer::email_message_id},
                                                                  {"X-Mailer", Buffer::email_x_mailer},
                                                                  {"Received", Buffer::email_received}};
    if (tx_ == nullptr) return;
    for (const auto& [text, buffer] : kHeaders) {
      if (!ftp_is(name, text)) continue;
      const bool again = buffer == Buffer::email_received;
      if (host_->wants(buffer) && (again || tx_->of(kUp).find(buffer) == nullptr)) add(buffer, value);
      return;
    }
  }

  LineReader lines_[2];
  LineParts parts_;
  AppPool* pool_;
  Host* host_ = nullptr;  // during feed
  Transaction* tx_ = nullptr;
  MimeParser* mime_ = nullptr;
  Kept helo_;
  FileHash hash_;
  std::uint64_t next_id_ = 0, bdat_left_ = 0, message_bytes_ = 0;
  std::uint32_t recipients_ = 0, attachments_ = 0;
  std::uint32_t unscanned_ = 0;  // bytes of the file's body
  Command pending_[kMaxPending] = {};
  std::uint8_t count_ = 0;
  bool greeted_ = false, mailed_ = false, encrypted_ = false, file_open_ = false;
  bool data_ = false;  // the client's bytes are the mail
  bool bdat_last_ = false;
};

Probe probe(Direction d, Bytes first, std::uint16_t port) {
  if (first.empty()) return Probe::more;
  const auto* lf = static_cast<const std::uint8_t*>(std::memchr(first.data(), '\n', first.size()));
  const Bytes line = lf == nullptr ? first : first.first(static_cast<std::size_t>(lf - first.data()));
  if (d == Direction::to_client) {
    // FTP greets alike; a word or the port tells, else the client's first command.
    if (!ftp_may_begin(line, "220") || (line.size() > 3 && line[3] != ' ' && line[3] != '-'))
      return Probe::no;
    if (lf == nullptr && first.size() < 512) return Probe::more;
    if (ftp_contains(line, "FTP")) return Probe::no;
    if (ftp_contains(line, "SMTP") || ftp_contains(line, "mail")) return Probe::yes;
    if (port == 25 || port == 587) return Probe::yes;
    return first.size() < kMaxProbe ? Probe::more : Probe::no;
  }
  static constexpr const char* kFirst[] = {"EHLO ", "HELO ", "LHLO ", "MAIL FROM:", "RCPT TO:", "STARTTLS\r"};
  Probe answer = Probe::no;
  for (const char* verb : kFirst) {
    if (ftp_begins(line, verb)) return Probe::yes;
    if (lf == nullptr && ftp_may_begin(line, verb)) answer = Probe::more;
  }
  return answer;
}

}  // namespace

extern const ProtocolEntry kSmtpEntry;
const ProtocolEntry kSmtpEntry{AppProtocol::smtp, 6, probe, [](Host& host) -> Parser* {
                                 return host.pool().make<SmtpParser>(host.pool());
                               }};

}  // namespace sekisho::app
