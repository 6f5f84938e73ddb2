#include "signatures/lexer.h"

#include "signatures/refusal.h"
#include "signatures/text.h"

namespace sekisho::signatures {

namespace {

// A header word ends at white space outside of brackets.
std::string_view header_word(std::string_view& rest, std::string_view what) {
  rest = trim(rest);
  int depth = 0;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (depth < 0) refuse("unbalanced brackets in {}", what);
    if (depth == 0 && (c == ' ' || c == '\t')) break;
  }
  if (depth != 0) refuse("unbalanced brackets in {}", what);
  const std::string_view word = rest.substr(0, i);
  if (word.empty()) refuse("the header ends before {}", what);
  rest.remove_prefix(i);
  return word;
}

}  // namespace

Line split_signature(std::string_view text) {
  if (text.size() > kMaxLine) refuse("line of {} bytes: at most {} are accepted", text.size(), kMaxLine);
  if (text.find('\0') != text.npos) refuse("a zero byte in the line");
  if (!valid_utf8(text)) refuse("the line is not UTF-8");
  Line line;
  const std::size_t open = text.find('(');
  if (open == text.npos) refuse("no options: '(' is missing");
  std::string_view head = trim(text.substr(0, open));
  line.action = header_word(head, "the action");
  line.protocol = header_word(head, "the protocol");
  if (trim(head).empty()) refuse("a header without addresses (Snort 3 syntax) is not Suricata syntax");
  line.source = header_word(head, "the source address");
  line.source_ports = header_word(head, "the source port");
  line.arrow = header_word(head, "the direction");
  line.destination = header_word(head, "the destination address");
  line.destination_ports = header_word(head, "the destination port");
  if (!trim(head).empty()) refuse("'{}' behind the destination port", shown(trim(head)));

  std::string_view body = trim(text.substr(open + 1));
  if (body.empty() || body.back() != ')') refuse("')' is missing at the end");
  body.remove_suffix(1);
  while (true) {
    body = trim(body);
    if (body.empty()) break;
    std::size_t end = 0;
    bool escaped = false;
    for (; end < body.size(); ++end) {
      const char c = body[end];
      if (!escaped && c == ';') break;
      escaped = !escaped && c == '\\';
    }
    if (end == body.size()) refuse("no ';' behind the last option '{}'", shown(body.substr(0, 40)));
    const std::string_view all = trim(body.substr(0, end));
    body.remove_prefix(end + 1);
    if (all.empty()) continue;
    if (line.options.size() == kMaxOptions) refuse("more than {} options", kMaxOptions);
    Option option;
    const std::size_t colon = all.find(':');
    option.name = trim(all.substr(0, colon));
    option.has_value = colon != all.npos;
    if (option.has_value) option.value = trim(all.substr(colon + 1));
    line.options.push_back(option);
  }
  if (line.options.empty()) refuse("no options");
  return line;
}

unsigned find_sid(std::string_view text) {
  for (std::size_t at = 0; (at = text.find("sid", at)) != text.npos; at += 3) {
    if (at > 0 && text[at - 1] != ' ' && text[at - 1] != ';' && text[at - 1] != '(' && text[at - 1] != '\t')
      continue;
    std::size_t i = at + 3;
    while (i < text.size() && text[i] == ' ') ++i;
    if (i == text.size() || text[i] != ':') continue;
    const std::size_t end = text.find(';', i);
    if (end == text.npos) return 0;
    const auto value = unsigned_number(trim(text.substr(i + 1, end - i - 1)));
    if (value && *value <= 0xffffffffu) return static_cast<unsigned>(*value);
  }
  return 0;
}

}  // namespace sekisho::signatures
