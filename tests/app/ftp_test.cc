#include "dataplane/app/ftp_text.h"
#include "dataplane/app/mime_line.h"
#include "tests/app/smb_script.h"

namespace sekisho::app {

extern const ProtocolEntry kFtpEntry, kFtpDataEntry, kImapEntry, kPop3Entry;

namespace {

TEST(Ftp, ACommandAndItsReplyAreOneTransaction) {
  Script script;
  script.s("220-Welcome\r\nto the server\r\n220 ready\r\n");
  script.c("USER alice\r\n")
      .s("331 Password?\r\n")
      .c("PASS secret word\r\n")
      .s("230 In.\r\n")
      .c("noop\n")
      .s("200 ok\n");
  const Played played = play(kFtpEntry, script);
  EXPECT_TRUE(played.has("0< ftp.completion_code 220")) << played.all();
  EXPECT_TRUE(played.has("0< ftp.reply Welcome"));
  EXPECT_TRUE(played.has("0< ftp.reply to the server"));
  EXPECT_TRUE(played.has("0< ftp.reply ready"));
  EXPECT_TRUE(played.has("1> ftp.command USER"));
  EXPECT_TRUE(played.has("1> ftp.command_data alice"));
  EXPECT_TRUE(played.has("1< ftp.completion_code 331"));
  EXPECT_TRUE(played.has("1< ftp.reply Password?"));
  EXPECT_TRUE(played.has("2> ftp.command_data secret word"));
  EXPECT_TRUE(played.has("3> ftp.command noop"));
  EXPECT_EQ(played.count("finish"), 8u);
  EXPECT_EQ(played.count("log ftp"), 3u);
  for (const std::string& line : played.lines)
    if (line.starts_with("log")) {
      EXPECT_EQ(line.find("secret"), std::string::npos);
      EXPECT_EQ(line.find("alice"), std::string::npos);
    }
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kFtpEntry, script);
}

TEST(Ftp, PreliminaryRepliesLeaveTheCommandOpenAndPipelinedOnesKeepTheirOrder) {
  Script script;
  script.c("LIST\r\nNOOP\r\n").s("150 Here it comes\r\n").s("226 Done\r\n200 Noop\r\n");
  const Played played = play(kFtpEntry, script);
  EXPECT_TRUE(played.has("0< ftp.completion_code 150"));
  EXPECT_TRUE(played.has("0< ftp.completion_code 226"));
  EXPECT_TRUE(played.has("1< ftp.completion_code 200"));
  EXPECT_EQ(played.left, 0u);
}

TEST(Ftp, TransfersAnnounceTheirDataConnection) {
  EXPECT_TRUE(play(kFtpEntry, Script().c("PASV\r\n").s("227 Entering (10,0,0,1,82,8)\r\n").c("RETR a\r\n"))
                  .has("expect ftp_data 21000"));
  EXPECT_TRUE(play(kFtpEntry, Script().c("EPSV\r\n").s("229 Entering (|||21001|)\r\n").c("STOR a\r\n"))
                  .has("expect ftp_data 21001"));
  EXPECT_TRUE(play(kFtpEntry, Script().c("PORT 10,0,0,1,82,10\r\n").s("200 ok\r\n").c("stor a\r\n"))
                  .has("expect ftp_data 21002"));
  EXPECT_TRUE(play(kFtpEntry, Script().c("EPRT |2|2001:db8::1|21003|\r\n").s("200 ok\r\n").c("RETR a\r\n"))
                  .has("expect ftp_data 21003"));
  for (const char* bad : {"PORT 10,0,0,1,82\r\n", "PORT 10,0,0,1,82,256\r\n", "PORT a,b\r\n",
                          "EPRT |1|::1|5|\r\n", "EPRT |||\r\n", "EPRT |1|10.0.0.1|70000|\r\n", "EPRT \r\n"})
    EXPECT_EQ(play(kFtpEntry, Script().c(bad).s("200 ok\r\n").c("RETR a\r\n")).count("expect"), 0u) << bad;
  // One announcement serves one transfer; a listing is no file.
  const Played played =
      play(kFtpEntry, Script().c("PASV\r\n").s("227 (1,2,3,4,5,6)\r\n").c("LIST\r\nRETR a\r\nRETR b\r\n"));
  EXPECT_EQ(played.count("expect"), 1u);
}

// Knows its addresses.
struct Endpoints {
  static FtpEndpoint at(const char* text) { return ftp_six_numbers(as_bytes(text)); }
};
TEST(Ftp, AddressesAreReadFromReplies) {
  const FtpEndpoint four = Endpoints::at("227 Entering Passive Mode (192,168,0,7,1,2).");
  EXPECT_EQ(RecordingHost::printable(four.bytes()), "\\xc0\\xa8\\x00\\x07");
  EXPECT_EQ(four.port, 258);
  EXPECT_EQ(Endpoints::at("1,2,3,4,5").port, 0);
  EXPECT_EQ(Endpoints::at("9999999999999,1,2,3,4,5").port, 0);
  EXPECT_EQ(ftp_extended(as_bytes("|2|::1|9|")).size, 16);
}

TEST(Ftp, EndlessLinesAreCutAndTold) {
  Script script;
  script.c("USER " + std::string(100000, 'a'));
  Played played = play(kFtpEntry, script);
  EXPECT_EQ(played.count("event ftp.request_command_too_long"), 1u) << "told before the line ends";
  script.c("\r\nNOOP\r\n").s("200 " + std::string(100000, 'b') + "\r\n200 ok\r\n");
  played = play(kFtpEntry, script);
  EXPECT_EQ(played.count("event ftp.request_command_too_long"), 1u);
  EXPECT_EQ(played.count("event ftp.response_command_too_long"), 1u);
  EXPECT_TRUE(played.has("0> ftp.command_data " + std::string(4091, 'a')));
  EXPECT_TRUE(played.has("1> ftp.command NOOP"));
  EXPECT_TRUE(played.has("1< ftp.reply ok"));
  EXPECT_EQ(played.left, 0u);
}

TEST(Ftp, CommandsWithoutRepliesAndRepliesWithoutEndAreBounded) {
  Script script;
  for (int i = 0; i < 100; ++i) script.c("NOOP\r\n");
  EXPECT_EQ(play(kFtpEntry, script).count("event ftp.too_many_requests"), 92u);
  Script reply;
  reply.c("HELP\r\n").s("214-\r\n");
  for (int i = 0; i < 2000; ++i) reply.s(" more\r\n");
  EXPECT_EQ(play(kFtpEntry, reply).count("event ftp.too_many_reply_lines"), 1u);
}

TEST(Ftp, AfterAuthTlsTheStreamIsTls) {
  Script script;
  script.c("AUTH TLS\r\n").s("234 go\r\n").c("\x16\x03\x01 USER no\r\n");
  const Played played = play(kFtpEntry, script);
  EXPECT_EQ(played.count("change tls"), 1u);
  EXPECT_EQ(played.count("ftp.command_data no"), 0u);
  EXPECT_EQ(play(kFtpEntry, Script().c("AUTH TLS\r\n").s("502 no\r\n").c("USER a\r\n")).count("change"), 0u);
}

TEST(FtpData, EachDirectionIsAFile) {
  Script script;
  script.s(std::string(100000, 'x') + "abc").c("up");
  const Played played = play(kFtpDataEntry, script);
  EXPECT_EQ(played.count("0< file.data = xxx"), 1u);
  EXPECT_TRUE(played.has("0> file.data = up"));
  EXPECT_EQ(played.count("log ftp_data _type=fileinfo size=100003 sha256="), 1u);
  EXPECT_TRUE(
      played.has("log ftp_data _type=fileinfo size=2 "
                 "sha256=75a288c0d6898c5f7b054590845978a82a3ad79fcce3d43ff68a7501e5a91ee9"));
  EXPECT_EQ(played.left, 0u);
}

TEST(FtpData, IsGivenBackAtAnyByte) {
  const Script script = Script().s("file").c("up").s("more");
  expect_any_segmentation(kFtpDataEntry, script);
}

TEST(MailOther, StarttlsIsFollowed) {
  EXPECT_EQ(play(kImapEntry, Script().s("* OK hi\r\n").c("a1 STARTTLS\r\n").s("* note\r\na1 OK go\r\n"))
                .count("change tls"),
            1u);
  EXPECT_EQ(play(kImapEntry, Script().c("a1 STARTTLS\r\n").s("a2 OK go\r\n")).count("change tls"), 0u);
  EXPECT_EQ(play(kImapEntry, Script().c("a1 STARTTLS\r\n").s("a1 NO\r\n")).count("change tls"), 0u);
  EXPECT_EQ(play(kPop3Entry, Script().s("+OK hi\r\n").c("STLS\r\n").s("+OK go\r\n")).count("change tls"), 1u);
  EXPECT_EQ(play(kPop3Entry, Script().c("STLS\r\n").s("-ERR no\r\n").c("NOOP\r\n").s("+OK\r\n"))
                .count("change tls"),
            0u);
  Script script;
  script.s("+OK hi\r\n").c("STLS\r\n").s("+OK go\r\n");
  expect_any_segmentation(kPop3Entry, script);
}

TEST(Ftp, ProbesTellTextProtocolsApart) {
  const auto probe = [](const ProtocolEntry& e, Direction d, const char* text) {
    return e.probe(d, as_bytes(text), 1234);
  };
  constexpr auto up = Direction::to_server, down = Direction::to_client;
  EXPECT_EQ(probe(kFtpEntry, up, "USER x\r\n"), Probe::yes);
  EXPECT_EQ(probe(kFtpEntry, up, "US"), Probe::more);
  EXPECT_EQ(probe(kFtpEntry, up, "USER a 0 * :real\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpEntry, up, "GET / HTTP/1.0\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpEntry, up, "EHLO x\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpEntry, up, "FEATHER\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpEntry, down, "220 FTP ready\r\n"), Probe::yes);
  EXPECT_EQ(probe(kFtpEntry, down, "220 ready\r\n"), Probe::more);
  EXPECT_EQ(probe(kFtpEntry, down, "220 ESMTP\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpEntry, down, "SSH-2.0-x\r\n"), Probe::no);
  EXPECT_EQ(probe(kImapEntry, down, "* OK ready"), Probe::yes);
  EXPECT_EQ(probe(kImapEntry, up, "a1 CAPABILITY\r\n"), Probe::yes);
  EXPECT_EQ(probe(kImapEntry, up, "GET / HTTP/1.0\r\n"), Probe::no);
  EXPECT_EQ(probe(kPop3Entry, down, "+OK ready"), Probe::yes);
  EXPECT_EQ(probe(kPop3Entry, up, "USER x\r\n"), Probe::no);
  EXPECT_EQ(probe(kFtpDataEntry, up, "USER x\r\n"), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
