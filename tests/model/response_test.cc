// [[notice]] and [[playbook]] as they are meant to be written.
#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

Model read(const std::string& text) {
  ReadResult result = read_config(kSite + text, "t.toml", kNow);
  for (const Diagnostic& d : result.diagnostics)
    if (d.severity == Diagnostic::Severity::error) ADD_FAILURE() << format(d, result.files);
  return result.model ? std::move(*result.model) : Model{};
}

TEST(ReadNotices, EachWay) {
  const Model m = read(R"(
[[notice]]
name = "csirt"
via = "smtp"
url = "smtps://mail.hospital.example"
from = "sekisho@hospital.example"
to = ["csirt@hospital.example", "boss@hospital.example"]
severity = "high"
kinds = ["cut", "ticket"]
[[notice]]
name = "lamp"
via = "webhook"
url = "http://10.20.0.9/api/control?alert=10{field.lamp}"
method = "GET"
drills = false
language = "en"
[[notice]]
name = "siem"
via = "syslog"
host = "siem.hospital.example"
format = "cef"
facility = 13
)");
  ASSERT_EQ(m.notices.size(), 3u);
  EXPECT_EQ(m.notices[0].to.size(), 2u);
  EXPECT_EQ(m.notices[0].least_severity, 2);
  EXPECT_TRUE(m.notices[0].japanese);
  EXPECT_FALSE(m.notices[1].post);
  EXPECT_FALSE(m.notices[1].drills);
  EXPECT_FALSE(m.notices[1].japanese);
  EXPECT_EQ(m.notices[2].port, 6514);
  EXPECT_EQ(m.notices[2].transport, NoticeReceiver::Transport::tls);
  EXPECT_TRUE(m.notices[2].cef);
  EXPECT_EQ(m.notices[2].facility, 13);
}

TEST(ReadPlaybooks, StepsAndReopening) {
  const Model m = read(R"(
[[playbook]]
name = "ransomware"
title_ja = "ランサムウェア"
[[playbook.step]]
cut = "zone:vendor"
reset = true
[[playbook.step]]
pause = "judge the spread"
pause_ja = "被害範囲の判断"
[[playbook.step]]
wait = "30s"
[[playbook.step]]
cut = ["all"]
partial = true
[[playbook.reopen]]
targets = ["device"]
condition = "clinical first"
)");
  ASSERT_EQ(m.playbooks.size(), 1u);
  const Playbook& book = m.playbooks[0];
  EXPECT_EQ(book.title_en, "ransomware");
  ASSERT_EQ(book.steps.size(), 4u);
  EXPECT_TRUE(book.steps[0].reset);
  EXPECT_FALSE(book.steps[0].partial);
  EXPECT_TRUE(book.steps[3].partial);
  EXPECT_EQ(book.steps[1].kind, PlaybookStep::Kind::pause);
  EXPECT_EQ(book.steps[1].text_ja, "被害範囲の判断");
  EXPECT_EQ(book.steps[2].wait_s, 30u);
  EXPECT_EQ(book.steps[3].targets, std::vector<std::string>{"all"});
  ASSERT_EQ(book.reopen.size(), 1u);
  EXPECT_EQ(book.reopen[0].condition_en, "clinical first");
}

}  // namespace
}  // namespace sekisho::control
