#include "dataplane/app/mime.h"

#include "dataplane/app/smtp_parts.h"
#include "tests/app/smb_script.h"

namespace sekisho::app {
namespace {

struct Files final : MimeSink {
  std::vector<std::string> files, events;
  bool open = false;
  void file_begins(Bytes name) override {
    EXPECT_FALSE(open);
    open = true;
    files.push_back(std::string(name.begin(), name.end()).append("="));
  }
  void file_bytes(Bytes bytes) override {
    EXPECT_TRUE(open);
    files.back().append(bytes.begin(), bytes.end());
  }
  void file_ends() override {
    EXPECT_TRUE(open);
    open = false;
  }
  void anomaly(AppEvent event) override {
    events.emplace_back(abi::kAppEventNames[static_cast<unsigned>(event)]);
  }
  bool told(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }
};

Files parse(const std::string& mail, std::size_t piece = 1 << 30) {
  AppPool pool(8 << 20);
  Files out;
  {
    MimeParser parser(pool);
    LineParts parts;
    for (std::size_t at = 0; at < mail.size(); at += piece) {
      const std::string copy = mail.substr(at, piece);
      Bytes input = as_bytes(copy);
      LineParts::Part part;
      while (parts.next(pool, input, MimeParser::kLineHead, part))
        parser.line(part.text, part.starts, part.ends, part.crlf, out);
    }
    LineParts::Part part;
    if (parts.rest_of_line(pool, part)) parser.line(part.text, part.starts, part.ends, part.crlf, out);
    parser.end(out);
    parser.release();
    parts.release(pool);
  }
  EXPECT_FALSE(out.open);
  EXPECT_EQ(pool.in_use(), 0u);
  return out;
}

const std::string kMixed =
    "From: a@b\r\nContent-Type: multipart/mixed;\r\n boundary=\"in ner\"\r\n\r\npreamble\r\n--in ner\r\n"
    "Content-Type: text/plain\r\n\r\nthe letter\r\n--in ner\r\n"
    "Content-Type: application/x; name=\"a.bin\"\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\nSGVsbG8s\r\nIHdvcmxkIQ==\r\n"
    "--in ner\r\nContent-Disposition: attachment; filename=q.txt\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\n"
    "a=3Db=\r\nc\r\n--x\r\n--in ner--\r\nepilogue\r\n";

TEST(Mime, FilesAreDecodedAndTheLetterIsNone) {
  const Files f = parse(kMixed);
  ASSERT_EQ(f.files.size(), 2u);
  EXPECT_EQ(f.files[0], "a.bin=Hello, world!");
  EXPECT_EQ(f.files[1], "q.txt=a=bc\r\n--x");
  EXPECT_TRUE(f.events.empty());
}

TEST(Mime, AnySegmentationGivesTheSame) {
  const std::string mail = kMixed + "\r\n" + std::string(9000, 'z') + "\r\n";
  const Files whole = parse(mail);
  for (std::size_t piece = 1; piece < mail.size(); piece += piece < 200 ? 1 : 371) {
    const Files cut = parse(mail, piece);
    ASSERT_EQ(cut.files, whole.files) << piece;
    ASSERT_EQ(cut.events, whole.events) << piece;
  }
}

TEST(Mime, WhatIsAFile) {
  const auto one = [](const std::string& headers) { return parse(headers + "\r\n\r\nbody").files; };
  EXPECT_TRUE(one("Content-Type: text/html").empty());
  EXPECT_TRUE(one("Subject: x").empty());
  EXPECT_EQ(one("Content-Type: application/pdf"), std::vector<std::string>{"=body"});
  EXPECT_EQ(one("Content-Disposition: attachment"), std::vector<std::string>{"=body"});
  EXPECT_EQ(one("CONTENT-TYPE: text/plain; charset=x;\r\n\tNAME = \"a;b.txt\""),
            std::vector<std::string>{"a;b.txt=body"});
  EXPECT_EQ(one("Content-Disposition: inline; filename*=utf-8''x.exe"),
            std::vector<std::string>{"x.exe=body"});
  EXPECT_EQ(one("Content-Disposition: inline; filename*0=\"long\"; filename*1=.exe"),
            std::vector<std::string>{"long=body"});
}

TEST(Mime, MessagesInMessagesAndTheirFiles) {
  const std::string inner =
      "Content-Type: multipart/mixed; boundary=b2\n\n--b2\nContent-Type: image/x\n\nIMG\n--b2--\n";
  const Files f = parse("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n" +
                        inner + "--b\nContent-Type: image/y\n\nYY\n--b--\n");
  EXPECT_EQ(f.files, (std::vector<std::string>{"=IMG", "=YY"}));
  EXPECT_TRUE(f.events.empty());
  // The outer boundary also ends what was not closed.
  const Files open = parse(
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
      "--bb\nContent-Type: image/x\n\nIMG\n--b\nContent-Type: image/y\n\nYY\n--b--\n");
  EXPECT_EQ(open.files, (std::vector<std::string>{"=IMG", "=YY"}));
}

TEST(Mime, NestingIsBounded) {
  std::string mail;
  for (int i = 0; i < 100; ++i) {
    const std::string b = std::string("b").append(std::to_string(i)).append("x");
    mail += std::string(i == 0 ? "" : "").append("Content-Type: multipart/mixed; boundary=").append(b);
    mail += std::string("\r\n\r\n--").append(b).append("\r\n");
  }
  mail += "Content-Type: image/x\r\n\r\nIMG\r\n";
  const Files f = parse(mail);
  EXPECT_TRUE(f.told("smtp.mime_too_deep"));
  EXPECT_TRUE(f.told("smtp.mime_malformed_msg")) << "none of them is closed";
  std::string messages;
  for (int i = 0; i < 5000; ++i) messages += "Content-Type: message/rfc822\r\n\r\n";
  parse(messages + "Content-Type: image/x\r\n\r\nIMG");
}

TEST(Mime, BadEncodingsAreToldAndDecodedAsFarAsTheyGo) {
  const std::string head = "Content-Type: image/x\r\nContent-Transfer-Encoding: ";
  Files f = parse(head + "base64\r\n\r\nSG*Vs\r\nbG8");
  EXPECT_EQ(f.files[0], "=Hello");
  EXPECT_TRUE(f.told("smtp.mime_invalid_base64"));
  f = parse(head + "base64\r\n\r\nSGVsbG8=SGVsbG8=A");
  EXPECT_EQ(f.files[0], "=HelloHello");
  EXPECT_TRUE(f.told("smtp.mime_invalid_base64"));
  f = parse(head + "quoted-printable\r\n\r\na=ZZb=4\r\nend=");
  EXPECT_EQ(f.files[0], "=a=ZZb=4\r\nend");
  EXPECT_TRUE(f.told("smtp.mime_invalid_qp"));
}

TEST(Mime, LongThingsAreToldOnce) {
  EXPECT_TRUE(parse("Content-Type: multipart/mixed; boundary=" + std::string(71, 'b') + "\r\n\r\n")
                  .told("smtp.mime_long_boundary"));
  EXPECT_TRUE(
      parse("Content-Type: a/b; name=" + std::string(256, 'b') + "\r\n\r\n").told("smtp.mime_long_filename"));
  EXPECT_TRUE(parse("X: " + std::string(3000, 'b') + "\r\n\r\n").told("smtp.mime_long_header_value"));
  EXPECT_TRUE(parse(std::string(80, 'b') + ": x\r\n\r\n").told("smtp.mime_long_header_name"));
  const Files f =
      parse("Content-Type: a/b\r\n\r\n" + std::string(20000, 'x') + "\r\n" + std::string(20000, 'x'));
  EXPECT_EQ(f.files[0].size(), 40003u);
  EXPECT_EQ(f.events, std::vector<std::string>{"smtp.mime_long_line"});
  std::string folded = "X: y\r\n";
  for (int i = 0; i < 5000; ++i) folded += " more\r\n";
  EXPECT_TRUE(parse(folded).told("smtp.mime_long_header_value"));
  EXPECT_TRUE(parse("no colon here\r\n\r\n").told("smtp.mime_malformed_msg"));
}

}  // namespace
}  // namespace sekisho::app
