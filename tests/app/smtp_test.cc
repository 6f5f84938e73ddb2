#include "tests/app/smb_script.h"

namespace sekisho::app {

extern const ProtocolEntry kSmtpEntry;

namespace {

Script greeting() {
  return Script().s("220 mx ready\r\n").c("EHLO me\r\n").s("250-mx\r\n250 PIPELINING\r\n");
}
const std::string kMail = "Subject: secret\r\nContent-Type: application/x; name=a.bin\r\n\r\n";

TEST(Smtp, AMailIsATransactionAndItsFilesAreItsBodies) {
  Script script = greeting();
  script.c("MAIL FROM:<a@x> SIZE=3\r\nRCPT TO: <b@y>\r\nRCPT TO:<c@y>\r\nDATA\r\n")
      .s("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  script.c(kMail + "one\r\n..dot\r\n.\r\n").s("250 queued\r\n");
  script.c("MAIL FROM:<>\r\n")
      .s("250 ok\r\n")
      .c("RCPT TO:<d@y>\r\n")
      .s("250 ok\r\n")
      .c("BDAT 5\r\nX:y\r\n")
      .s("250 ok\r\n");
  script.c("BDAT " + std::to_string(kMail.size() + 2) + " LAST\r\n" + kMail + "hi")
      .s("250 ok\r\n")
      .c("QUIT\r\n")
      .s("221 bye\r\n");
  const Played played = play(kSmtpEntry, script);
  EXPECT_TRUE(played.has("0> smtp.helo me")) << played.all();
  EXPECT_TRUE(played.has("0> smtp.mail_from <a@x>"));
  EXPECT_TRUE(played.has("0> smtp.rcpt_to <b@y>"));
  EXPECT_TRUE(played.has("0> smtp.rcpt_to <c@y>"));
  EXPECT_TRUE(played.has("0> file.name a.bin"));
  EXPECT_TRUE(played.has("0> filesize \\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x09")) << played.all();
  EXPECT_EQ(played.count("0> filemd5 "), 1u);
  EXPECT_EQ(played.count("0> filesha1 "), 1u);
  EXPECT_EQ(played.count("0> filesha256 "), 1u);
  EXPECT_TRUE(played.has("0> file.data = one\\x0d\\x0a.dot"));
  EXPECT_TRUE(played.has("1> smtp.helo me"));
  EXPECT_TRUE(played.has("1> smtp.mail_from <>"));
  EXPECT_TRUE(played.has("1> file.data = hi"));
  EXPECT_EQ(played.count("event"), 0u);
  EXPECT_EQ(played.count("log smtp helo=me recipients=2 attachments=1 bytes="), 1u);
  for (const std::string& line : played.lines) {
    if (!line.starts_with("log")) continue;
    for (const char* secret : {"secret", "a.bin", "a@x", "b@y"})
      EXPECT_EQ(line.find(secret), std::string::npos);
  }
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kSmtpEntry, script);
}

TEST(Smtp, HeadersOfTheMailAreBuffersThoseOfItsPartsAreNot) {
  Script script = greeting();
  script.c("MAIL FROM:<a@x>\r\nDATA\r\n").s("250 ok\r\n354 go\r\n");
  script.c(
      "Received: by one\r\nReceived: by two\r\nfrom: A <a@x>\r\nTo: b@y,\r\n c@y\r\nCC: d@y\r\nSubject: "
      "s1\r\n"
      "Subject: s2\r\nDate: today\r\nMessage-Id: <1@x>\r\nX-Mailer: m\r\n"
      "Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nX-Mailer: part\r\nCc: "
      "part\r\n\r\nhi\r\n--q--\r\n"
      ".\r\n");
  script.s("250 queued\r\n");
  const Played played = play(kSmtpEntry, script);
  for (const char* line : {"0> email.received by one", "0> email.received by two", "0> email.from A <a@x>",
                           "0> email.to b@y, c@y", "0> email.cc d@y", "0> email.subject s1",
                           "0> email.date today", "0> email.message_id <1@x>", "0> email.x_mailer m"})
    EXPECT_TRUE(played.has(line)) << line << "\n" << played.all();
  EXPECT_EQ(played.count("email."), 9u);
  expect_any_segmentation(kSmtpEntry, script);
}

TEST(Smtp, ARefusedDataCommandReturnsToCommands) {
  Script script = greeting();
  script.c("MAIL FROM:<a@x>\r\nDATA\r\n").s("250 ok\r\n554 no\r\n").c("MAIL FROM:<b@x>\r\n").s("250 ok\r\n");
  const Played played = play(kSmtpEntry, script);
  EXPECT_EQ(played.count("event smtp.data_command_rejected"), 1u);
  EXPECT_TRUE(played.has("1> smtp.mail_from <b@x>"));
}

TEST(Smtp, StarttlsEndsWhatCanBeRead) {
  Script script = greeting();
  script.c("STARTTLS\r\n").s("220 go\r\n").c("\x16\x03\x01MAIL FROM:<x>\r\n");
  const Played played = play(kSmtpEntry, script);
  EXPECT_EQ(played.count("change tls"), 1u);
  EXPECT_EQ(played.count("mail_from"), 0u);
  Script refused = greeting();
  refused.c("STARTTLS\r\n").s("454 no\r\n").c("MAIL FROM:<x>\r\n");
  const Played no = play(kSmtpEntry, refused);
  EXPECT_EQ(no.count("event smtp.tls_rejected"), 1u);
  EXPECT_TRUE(no.has("0> smtp.mail_from <x>"));
  Script injected = greeting();
  injected.c("STARTTLS\r\nMAIL FROM:<x>\r\n").s("220 go\r\n");
  EXPECT_EQ(play(kSmtpEntry, injected).count("event smtp.invalid_pipelined_sequence"), 1u);
}

TEST(Smtp, CredentialsReachNoLog) {
  Script script = greeting();
  script.c("AUTH LOGIN\r\n")
      .s("334 VXNlcg==\r\n")
      .c("dXNlcg==\r\n")
      .s("334 UGFzcw==\r\n")
      .c("c2VjcmV0\r\n")
      .s("235 in\r\n");
  script.c("MAIL FROM:<x>\r\nDATA\r\n").s("250 ok\r\n354 go\r\n").c("\r\nx\r\n.\r\n").s("250 ok\r\n");
  const Played played = play(kSmtpEntry, script);
  EXPECT_EQ(played.count("c2VjcmV0"), 0u);
  EXPECT_EQ(played.count("event"), 0u) << played.all();
}

TEST(Smtp, FaultsAreEvents) {
  EXPECT_EQ(play(kSmtpEntry, greeting().s("what\r\n")).count("event smtp.invalid_reply"), 1u);
  EXPECT_EQ(play(kSmtpEntry, greeting().s("250 nobody asked\r\n"))
                .count("event smtp.unable_to_match_reply_with_request"),
            1u);
  EXPECT_EQ(play(kSmtpEntry, Script().s("250 hello\r\n")).count("event smtp.no_server_welcome_message"), 1u);
  EXPECT_EQ(play(kSmtpEntry, greeting().c("NOOP " + std::string(9000, 'a')))
                .count("event smtp.max_command_line_len_exceeded"),
            1u);
  EXPECT_EQ(play(kSmtpEntry, greeting().s("250 " + std::string(9000, 'a')))
                .count("event smtp.max_reply_line_len_exceeded"),
            1u);
  EXPECT_EQ(play(kSmtpEntry, greeting().c("BDAT 99999999999999999999 LAST\r\n"))
                .count("event smtp.bdat_chunk_len_exceeded"),
            1u);
  EXPECT_EQ(play(kSmtpEntry, greeting().c("BDAT -5\r\n")).count("event smtp.bdat_chunk_len_exceeded"), 1u);
  Script many = greeting();
  for (int i = 0; i < 100; ++i) many.c("NOOP\r\n");
  EXPECT_EQ(play(kSmtpEntry, many).count("event smtp.invalid_pipelined_sequence"), 68u);
}

TEST(Smtp, ManyFilesShareABoundedRoom) {
  std::string mail = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 50; ++i)
    mail += "--b\r\nContent-Type: image/x\r\n\r\nfile" + std::string(1000, 'x') + "\r\n";
  Script script = greeting();
  script.c("MAIL FROM:<x>\r\nDATA\r\n").s("250 ok\r\n354 go\r\n").c(mail + "--b--\r\n.\r\n").s("250 ok\r\n");
  const Played played = play(kSmtpEntry, script);
  EXPECT_EQ(played.count("size=1004 sha256="), 50u);
  EXPECT_EQ(played.left, 0u);
}

TEST(Smtp, ABigFileGoesThroughItsWindow) {
  std::string line(76, 'A'), mail = kMail + "\r\n";
  for (int i = 0; i < 20000; ++i) mail += line + "\r\n";
  Script script = greeting();
  script.c("MAIL FROM:<x>\r\nDATA\r\n").s("250 ok\r\n354 go\r\n").c(mail + ".\r\n").s("250 ok\r\n");
  const Played played = play(kSmtpEntry, script, [] { return std::size_t{1460}; });
  EXPECT_EQ(played.count("size=1560000 sha256="), 1u) << played.all().substr(0, 500);
}

TEST(Smtp, Probes) {
  const auto probe = [](Direction d, const char* text, std::uint16_t port = 9999) {
    return kSmtpEntry.probe(d, as_bytes(text), port);
  };
  EXPECT_EQ(probe(Direction::to_server, "EHLO x\r\n"), Probe::yes);
  EXPECT_EQ(probe(Direction::to_server, "EH"), Probe::more);
  EXPECT_EQ(probe(Direction::to_server, "GET / HTTP/1.0\r\n"), Probe::no);
  EXPECT_EQ(probe(Direction::to_server, "USER x\r\n"), Probe::no);
  EXPECT_EQ(probe(Direction::to_client, "220 mx ESMTP\r\n"), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, "220 mx\r\n"), Probe::more);
  EXPECT_EQ(probe(Direction::to_client, "220 mx\r\n", 25), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, "220 FTP\r\n", 25), Probe::no);
  EXPECT_EQ(probe(Direction::to_client, "HTTP/1.1 200 OK\r\n"), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
