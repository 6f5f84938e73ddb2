// Events and their texts: what the dataplane packs, control reads.
#include "control/events/event_groups.h"

#include <gtest/gtest.h>

#include <cstring>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "control/model/read_config.h"
#include "dataplane/abi/inspect.h"

namespace sekisho::control {
namespace {

// As dataplane/pipeline/event_text.h packs: key length, key, value length (2), value.
std::vector<abi::Event> packed(abi::EventKind kind, const EventFields& fields) {
  std::string bytes;
  for (const auto& [key, value] : fields) {
    bytes.push_back(static_cast<char>(key.size()));
    bytes += key;
    bytes.push_back(static_cast<char>(value.size() & 0xff));
    bytes.push_back(static_cast<char>(value.size() >> 8));
    bytes += value;
  }
  std::vector<abi::Event> out(1);
  out[0] = abi::Event{};
  out[0].kind = kind;
  out[0].ip_version = 4;
  out[0].protocol = 6;
  out[0].transaction = 3;
  for (std::size_t at = 0; at < bytes.size(); at += abi::kEventTextBytes) {
    abi::EventText t{};
    t.kind = abi::EventKind::text;
    t.size = static_cast<std::uint8_t>(std::min(abi::kEventTextBytes, bytes.size() - at));
    std::memcpy(t.first, bytes.data() + at, std::min<std::size_t>(sizeof t.first, t.size));
    if (t.size > sizeof t.first)
      std::memcpy(t.rest, bytes.data() + at + sizeof t.first, t.size - sizeof t.first);
    std::memcpy(&out.emplace_back(), &t, sizeof t);
  }
  out[0].texts = static_cast<std::uint16_t>(out.size() - 1);
  return out;
}

TEST(EventGroups, PutsFieldsTogetherAgain) {
  const EventFields fields = {{"url", std::string(400, 'u')}, {"empty", ""}, {"host", "a\"b\n"}};
  EventGroups groups;
  const auto records = packed(abi::EventKind::app_log, fields);
  for (std::size_t i = 0; i + 1 < records.size(); ++i) EXPECT_FALSE(groups.add(records[i])) << i;
  ASSERT_TRUE(groups.add(records.back()));
  EXPECT_EQ(groups.fields(), fields);
  EXPECT_EQ(groups.broken(), 0u);
}

TEST(EventGroups, AnEventWithoutTextsIsAloneAndALostOneIsCounted) {
  EventGroups groups;
  abi::Event drop{};
  drop.kind = abi::EventKind::drop;
  drop.texts = 7;  // not an event that has texts
  EXPECT_TRUE(groups.add(drop));
  const auto records = packed(abi::EventKind::alert, {{"payload", std::string(300, 'x')}});
  EXPECT_FALSE(groups.add(records[1])) << "a text without its event";
  EXPECT_EQ(groups.broken(), 1u);
  EXPECT_FALSE(groups.add(records[0]));
  EXPECT_TRUE(groups.add(drop)) << "the texts did not come";
  EXPECT_EQ(groups.broken(), 2u);
}

TEST(EventGroups, BytesThatAreNoFieldsAreLeftOut) {
  auto records = packed(abi::EventKind::alert, {{"payload", "abc"}});
  records[1].source[0] = 0;  // not used: the text's bytes follow
  abi::EventText t;
  std::memcpy(&t, &records[1], sizeof t);
  t.first[0] = 250;  // a key longer than what is there
  std::memcpy(&records[1], &t, sizeof t);
  EventGroups groups;
  EXPECT_FALSE(groups.add(records[0]));
  EXPECT_TRUE(groups.add(records[1]));
  EXPECT_TRUE(groups.fields().empty());
  EXPECT_EQ(groups.broken(), 1u);
}

TEST(EveApp, AlertSaysWhatWasSeen) {
  Model model;
  Names names(model, 1);
  auto set = std::make_shared<signatures::SetInfo>();
  signatures::SignatureInfo s;
  s.sid = 77;
  s.rev = 2;
  s.msg = "bad \"thing\"";
  s.classtype = "trojan-activity";
  s.metadata = {{"severity", "Major"}, {"severity", "Critical"}};
  set->signatures.push_back(s);
  names.set_signatures(set, {{"trojan-activity", "A Network Trojan was detected"}});
  auto records =
      packed(abi::EventKind::alert, {{"http.url", "/x"}, {"http.hostname", "h"}, {"payload", "a\x01"}});
  records[0].rule = 0;
  records[0].snapshot_generation = 1;
  records[0].detail = abi::event_detail::kBlocked | abi::event_detail::kToServer;
  EventGroups groups;
  for (const auto& r : records) groups.add(r);
  std::string line;
  EveFormatter(EveFormatter::Zone::utc).append(line, groups.head(), names, groups.fields());
  for (const char* part :
       {"\"event_type\":\"alert\"", "\"action\":\"blocked\"", "\"signature_id\":77", "\"rev\":2",
        "\"signature\":\"bad \\\"thing\\\"\"", "\"category\":\"A Network Trojan was detected\"",
        "\"metadata\":{\"severity\":[\"Major\",\"Critical\"]}",
        "\"http\":{\"url\":\"/x\",\"hostname\":\"h\"}", "\"payload\":\"YQE=\"",
        "\"payload_printable\":\"a.\"", "\"tx_id\":3", "\"direction\":\"to_server\""})
    EXPECT_NE(line.find(part), std::string::npos) << part << "\n" << line;
  // Of another set: its number only, never another signature's name.
  records[0].snapshot_generation = 2;
  line.clear();
  EveFormatter(EveFormatter::Zone::utc).append(line, records[0], names, {});
  EXPECT_EQ(line.find("bad"), std::string::npos);
}

TEST(EveApp, TransactionsHaveTheirProtocolsName) {
  Model model;
  const Names names(model, 1);
  auto records = packed(abi::EventKind::app_log, {{"hostname", "h"}, {"status", "200"}, {"url", "/"}});
  records[0].app_protocol = static_cast<std::uint8_t>(abi::AppProtocol::http);
  EventGroups groups;
  for (const auto& r : records) groups.add(r);
  std::string line;
  EveFormatter(EveFormatter::Zone::utc).append(line, groups.head(), names, groups.fields());
  EXPECT_NE(line.find("\"event_type\":\"http\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"http\":{\"hostname\":\"h\",\"status\":200,\"url\":\"/\"}"), std::string::npos)
      << line;
}

}  // namespace
}  // namespace sekisho::control
