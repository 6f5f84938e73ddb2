// [recorder] and record_payload, as they are read.
#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

Model read(const std::string& more) {
  ReadResult result = read_config(kSite + more, "site.toml", kNow);
  for (const Diagnostic& d : result.diagnostics)
    if (d.severity == Diagnostic::Severity::error) ADD_FAILURE() << format(d, result.files);
  return result.ok() ? std::move(*result.model) : Model{};
}

TEST(RecorderConfig, RecordsWithoutBeingAsked) {
  const Model m = read("");
  EXPECT_EQ(m.settings.recorder_mb, 16u);
  EXPECT_EQ(m.settings.recorder_snap, 256u);
  EXPECT_EQ(m.recorder.seconds, 30u);
  EXPECT_EQ(m.recorder.alert_priority, 1);
  EXPECT_TRUE(m.recorder.on_cut);
  EXPECT_EQ(m.recorder.session_mb, 256u);
  EXPECT_EQ(m.recorder.sessions_mb, 2048u);
}

TEST(RecorderConfig, EachKeyIsRead) {
  const Model m = read(
      "[recorder]\nmemory_mb = 0\nsnap = 128\nseconds = \"2m\"\nalert_priority = 2\non_cut = false\n"
      "captures = 7\nstorage_mb = 99\ncapture_mb = 9\nper_minute = 3\n"
      "session_mb = 5\nsessions_mb = 6\n");
  EXPECT_EQ(m.settings.recorder_mb, 0u);
  EXPECT_EQ(m.settings.recorder_snap, 128u);
  EXPECT_EQ(m.recorder.seconds, 120u);
  EXPECT_EQ(m.recorder.alert_priority, 2);
  EXPECT_FALSE(m.recorder.on_cut);
  EXPECT_EQ(m.recorder.captures, 7u);
  EXPECT_EQ(m.recorder.storage_mb, 99u);
  EXPECT_EQ(m.recorder.capture_mb, 9u);
  EXPECT_EQ(m.recorder.per_minute, 3u);
  EXPECT_EQ(m.recorder.session_mb, 5u);
  EXPECT_EQ(m.recorder.sessions_mb, 6u);
}

TEST(RecorderConfig, AClinicalLinkKeepsNoPayloadUnlessItSaysSo) {
  const std::string link = "[[link]]\nname = \"l\"\nzones = [\"his\", \"device\"]\n";
  EXPECT_EQ(read(link).links.at(0).record_payload, abi::RecordPayload::head);
  EXPECT_EQ(read(link + "clinical = true\n").links.at(0).record_payload, abi::RecordPayload::none);
  EXPECT_EQ(read(link + "clinical = true\nrecord_payload = \"head\"\n").links.at(0).record_payload,
            abi::RecordPayload::head);
  EXPECT_EQ(read(link + "record_payload = \"all\"\n").links.at(0).record_payload, abi::RecordPayload::all);
}

}  // namespace
}  // namespace sekisho::control
