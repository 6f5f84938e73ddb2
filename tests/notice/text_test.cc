#include "control/notice/text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sekisho::control {
namespace {

Letter letter() {
  Letter l;
  l.id = "s-1";
  l.site = "総合病院";
  l.host = "gw1";
  l.audit_sequence = 42;
  l.audit_hash = "00ff";
  l.notice = {.kind = "cut",
              .severity = NoticeSeverity::critical,
              .title_en = "Cut: vendor",
              .title_ja = "遮断: vendor",
              .text_en = "by \"taro\"\nline|2 a=b",
              .text_ja = "実行者 太郎",
              .fields = {{"who", "ta]ro\\"}, {"receipt", "r1"}},
              .drill = false,
              .wall_ns = 1764514800123456789ull};
  return l;
}

TEST(NoticeText, SyslogIsRfc5424) {
  NoticeReceiver r;
  r.japanese = false;
  EXPECT_EQ(syslog_of(letter(), r),
            "<130>1 2025-11-30T15:00:00.123Z gw1 sekisho - cut [sekisho@32473 id=\"s-1\" site=\"総合病院\" "
            "drill=\"false\" audit_sequence=\"42\" audit_head=\"00ff\" who=\"ta\\]ro\\\\\" receipt=\"r1\"] "
            "\xef\xbb\xbf"
            "Cut: vendor | by \"taro\" line|2 a=b");
}

TEST(NoticeText, CefEscapes) {
  Letter l = letter();
  l.notice.title_en = "a|b\\c=d";
  const std::string cef = cef_of(l, false);
  EXPECT_TRUE(cef.starts_with("CEF:0|Sekisho|Sekisho|1|cut|a\\|b\\\\c=d|10|rt=1764514800123 ")) << cef;
  EXPECT_NE(cef.find(" suser=ta]ro\\\\"), cef.npos) << cef;
  EXPECT_NE(cef.find("msg=by \"taro\"\\nline|2 a\\=b\\nreceipt: r1"), cef.npos) << cef;
  EXPECT_NE(cef.find("cs1=00ff"), cef.npos);
}

TEST(NoticeText, DrillIsMarkedEverywhere) {
  Letter l = letter();
  l.notice.drill = true;
  NoticeReceiver r;
  EXPECT_EQ(title_of(l, true), "【訓練】遮断: vendor");
  EXPECT_EQ(title_of(l, false), "[DRILL] Cut: vendor");
  EXPECT_NE(syslog_of(l, r).find("drill=\"true\""), std::string::npos);
  EXPECT_NE(cef_of(l, false).find("cat=drill"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(default_body(l, r)).at("drill").get<bool>());
}

TEST(NoticeText, MailIsMime) {
  NoticeReceiver r;
  r.from = "gw@hospital.example";
  r.to = {"a@hospital.example", "b@hospital.example"};
  const std::string mail = mail_of(letter(), r);
  EXPECT_NE(mail.find("To: a@hospital.example,\r\n b@hospital.example\r\n"), mail.npos);
  EXPECT_NE(mail.find("Subject: =?UTF-8?B?"), mail.npos);
  EXPECT_NE(mail.find("Message-ID: <s-1@hospital.example>\r\n"), mail.npos);
  EXPECT_NE(mail.find("X-Sekisho-Audit: 42 00ff\r\n"), mail.npos);
  std::size_t start = 0;
  while (start < mail.size()) {  // RFC 5322: at most 998 bytes a line, here at most 130
    const std::size_t end = mail.find("\r\n", start);
    ASSERT_NE(end, mail.npos);
    EXPECT_LE(end - start, 130u);
    for (std::size_t i = start; i < end; ++i) EXPECT_LT(static_cast<unsigned char>(mail[i]), 0x80);
    start = end + 2;
  }
}

TEST(NoticeText, TemplatesEscapeForTheirPlace) {
  NoticeReceiver r;
  r.japanese = false;
  EXPECT_EQ(fill_template("{\"t\": \"{text}\", \"w\": \"{field.who}\"}", letter(), r, Escape::json),
            "{\"t\": \"by \\\"taro\\\"\\nline|2 a=b\", \"w\": \"ta]ro\\\\\"}");
  EXPECT_EQ(fill_template("/api?alert={severity}&t={title}", letter(), r, Escape::url),
            "/api?alert=critical&t=Cut%3A%20vendor");
  EXPECT_EQ(fill_template("{field.absent}{", letter(), r, Escape::none), "{");
  EXPECT_EQ(unknown_placeholder("{title} {titel}"), "titel");
  EXPECT_EQ(unknown_placeholder("{\"a\": {title}}"), "");
}

TEST(NoticeText, SoundBeforeItLeaves) {
  Notice n;
  n.kind = "cut\r\n";
  n.title_ja = std::string(400, 'x') + "\r\nBcc: all";
  n.fields = {{"Bad name", "x"}, {"good", "a\nb"}};
  make_sound(n);
  EXPECT_EQ(n.title_en, n.title_ja);
  EXPECT_LE(n.title_ja.size(), kNoticeMaxTitle);
  EXPECT_EQ(n.title_ja.find('\n'), std::string::npos);
  ASSERT_EQ(n.fields.size(), 1u);
  EXPECT_EQ(n.fields[0].second, "a b");
}

TEST(NoticeText, SurvivesTheDisk) {
  const auto back = letter_from_json(letter_to_json(letter()));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(letter_to_json(*back), letter_to_json(letter()));
  EXPECT_FALSE(letter_from_json(nlohmann::json::object()).has_value());
}

}  // namespace
}  // namespace sekisho::control
