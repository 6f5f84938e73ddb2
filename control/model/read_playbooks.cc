// [[playbook]]: named, ordered cuts, and the order of reopening.
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_response.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31, kLongestText = 300;
constexpr std::uint32_t kLongestWait = 24 * 3600;

void read_line(TableReader& table, const char* key, std::string& to, Findings& findings) {
  const auto text = table.text(key);
  if (!text) return;
  if (text->empty() || text->size() > kLongestText ||
      std::any_of(text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    return findings.error(table.at(key),
                          fmt::format("\"{}\" is empty, too long or has control characters", key),
                          "one line of at most 300 bytes");
  to = *text;
}

// As daemon/site.h's find_target will read it.
bool is_target(const Model& model, std::string_view text) {
  if (text == "all") return true;
  const bool only_link = text.starts_with("link:"), only_zone = text.starts_with("zone:");
  const std::string_view name = only_link || only_zone ? text.substr(5) : text;
  const auto named = [&](const auto& one) { return one.name == name; };
  return (!only_zone && std::any_of(model.links.begin(), model.links.end(), named)) ||
         (!only_link && std::any_of(model.zones.begin(), model.zones.end(), named));
}

std::vector<std::string> read_targets(const TomlNode& node, const Draft& draft, Findings& findings) {
  std::vector<std::string> out;
  const std::string expected = "a link, a zone, or \"all\"";
  for (const TomlNode* item : one_or_more(node, findings, expected)) {
    if (!is_string(*item, findings, expected)) continue;
    if (!is_target(draft.model, item->string))
      findings.error(item->at, "no link and no zone is named " + quoted(item->string), expected);
    else if (out.size() == kMaxPlaybookTargets)
      findings.error(item->at, "too many targets", fmt::format("at most {}", kMaxPlaybookTargets));
    else
      out.push_back(item->string);
  }
  return out;
}

PlaybookStep read_step(const TomlNode& node, Draft& draft) {
  Findings& findings = draft.findings;
  TableReader table(node, findings, "[[playbook.step]]");
  PlaybookStep step;
  step.at = node.at;
  const TomlNode* cut = table.get("cut");
  const TomlNode* pause = table.get("pause");
  const TomlNode* wait = table.get("wait");
  if ((cut != nullptr) + (pause != nullptr) + (wait != nullptr) != 1) {
    findings.error(node.at, "a step does one thing", "one of \"cut\", \"pause\" or \"wait\"");
  } else if (cut) {
    step.targets = read_targets(*cut, draft, findings);
    step.reset = table.flag("reset", false);
    step.partial = table.flag("partial", false);
    read_line(table, "note", step.text_en, findings);
    read_line(table, "note_ja", step.text_ja, findings);
  } else if (pause) {
    step.kind = PlaybookStep::Kind::pause;
    read_line(table, "pause", step.text_en, findings);
    read_line(table, "pause_ja", step.text_ja, findings);
  } else {
    step.kind = PlaybookStep::Kind::wait;
    if (const auto seconds = table.duration("wait")) step.wait_s = *seconds;
    if (step.wait_s > kLongestWait)
      findings.error(table.at("wait"), "\"wait\" is too long", "at most \"24h\"");
  }
  table.finish();
  return step;
}

ReopenStage read_stage(const TomlNode& node, Draft& draft) {
  TableReader table(node, draft.findings, "[[playbook.reopen]]");
  ReopenStage stage;
  stage.at = node.at;
  if (const TomlNode* targets = table.get("targets", TableReader::kRequired))
    stage.targets = read_targets(*targets, draft, draft.findings);
  read_line(table, "condition", stage.condition_en, draft.findings);
  read_line(table, "condition_ja", stage.condition_ja, draft.findings);
  table.finish();
  return stage;
}

}  // namespace

void read_playbooks(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  KnownNames names;
  for (const TomlNode* node : tables(root, "playbook", kMaxPlaybooks, findings)) {
    TableReader table(*node, findings, "[[playbook]]");
    Playbook book;
    book.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    read_line(table, "title_en", book.title_en, findings);
    read_line(table, "title_ja", book.title_ja, findings);
    table.get("step", TableReader::kRequired);
    table.get("reopen");
    if (node->kind == TomlNode::Kind::table) {
      for (const TomlNode* step : tables(*node, "step", kMaxPlaybookSteps, findings))
        book.steps.push_back(read_step(*step, draft));
      for (const TomlNode* stage : tables(*node, "reopen", kMaxPlaybookSteps, findings))
        book.reopen.push_back(read_stage(*stage, draft));
    }
    table.finish();
    const auto index = static_cast<std::uint32_t>(draft.model.playbooks.size());
    if (!name || !enter_name(names, *name, table.at("name"), index, "playbook", kNameLength, findings))
      continue;
    book.name = *name;
    if (book.title_en.empty()) book.title_en = book.name;
    if (book.title_ja.empty()) book.title_ja = book.title_en;
    draft.model.playbooks.push_back(std::move(book));
  }
}

}  // namespace sekisho::control
