// Keywords that ask for a number of a transaction (abi/app_number.h): http2.frametype, snmp.version,
// mqtt.qos, … Source: Suricata user guide, "Integer Keywords" and the protocols' chapters.
#include <algorithm>
#include <span>

#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

using abi::AppNumber;

struct Name {
  std::string_view text;  // lower case, without '_' and '-'
  std::uint64_t value;
};

constexpr Name kFrameTypes[] = {{"data", 0},         {"headers", 1},     {"priority", 2}, {"rststream", 3},
                                {"settings", 4},     {"pushpromise", 5}, {"ping", 6},     {"goaway", 7},
                                {"windowupdate", 8}, {"continuation", 9}};
constexpr Name kHttp2Errors[] = {{"noerror", 0},
                                 {"protocolerror", 1},
                                 {"internalerror", 2},
                                 {"flowcontrolerror", 3},
                                 {"settingstimeout", 4},
                                 {"streamclosed", 5},
                                 {"framesizeerror", 6},
                                 {"refusedstream", 7},
                                 {"cancel", 8},
                                 {"compressionerror", 9},
                                 {"connecterror", 10},
                                 {"enhanceyourcalm", 11},
                                 {"inadequatesecurity", 12},
                                 {"http11required", 13}};
constexpr Name kHttp2Settings[] = {{"settingsheadertablesize", 1},      {"settingsenablepush", 2},
                                   {"settingsmaxconcurrentstreams", 3}, {"settingsinitialwindowsize", 4},
                                   {"settingsmaxframesize", 5},         {"settingsmaxheaderlistsize", 6}};
constexpr Name kSnmpPdus[] = {
    {"getrequest", 0}, {"getnextrequest", 1}, {"response", 2},      {"getresponse", 2}, {"setrequest", 3},
    {"trapv1", 4},     {"getbulkrequest", 5}, {"informrequest", 6}, {"trapv2", 7},      {"report", 8}};
constexpr Name kMqttTypes[] = {{"unassigned", 0}, {"connect", 1},   {"connack", 2},      {"publish", 3},
                               {"puback", 4},     {"pubrec", 5},    {"pubrel", 6},       {"pubcomp", 7},
                               {"subscribe", 8},  {"suback", 9},    {"unsubscribe", 10}, {"unsuback", 11},
                               {"pingreq", 12},   {"pingresp", 13}, {"disconnect", 14},  {"auth", 15}};
constexpr Name kMqttFlags[] = {{"dup", 8}, {"retain", 1}};
constexpr Name kMqttConnectFlags[] = {
    {"username", 0x80}, {"password", 0x40}, {"willretain", 0x20}, {"will", 4}, {"cleansession", 2}};
constexpr Name kYesNo[] = {{"yes", 1}, {"true", 1}, {"no", 0}, {"false", 0}};
constexpr Name kKerberosTypes[] = {{"asreq", 10},   {"asrep", 11},   {"tgsreq", 12},  {"tgsrep", 13},
                                   {"apreq", 14},   {"aprep", 15},   {"krbsafe", 20}, {"krbpriv", 21},
                                   {"krbcred", 22}, {"krberror", 30}};
constexpr Name kKerberosCiphers[] = {{"descbccrc", 1},
                                     {"descbcmd4", 2},
                                     {"descbcmd5", 3},
                                     {"des3cbcmd5", 5},
                                     {"des3cbcsha1", 7},
                                     {"des3cbcsha1kd", 16},
                                     {"aes128ctshmacsha196", 17},
                                     {"aes256ctshmacsha196", 18},
                                     {"aes128ctshmacsha256128", 19},
                                     {"aes256ctshmacsha384192", 20},
                                     {"rc4hmac", 23},
                                     {"rc4hmacexp", 24}};
constexpr Name kRfbResults[] = {{"ok", 0}, {"fail", 1}, {"toomany", 2}};
constexpr Name kOpcodes[] = {{"continuation", 0}, {"text", 1},  {"binary", 2},         {"close", 8},
                             {"ping", 9},         {"pong", 10}, {"connectionclose", 8}};
constexpr Name kFrameFlags[] = {{"fin", 0x80}, {"comp", 0x40}};

struct Spelling {
  AppNumber number;
  std::span<const Name> names;
  bool bits;
};
constexpr Spelling kSpellings[] = {{AppNumber::http2_frametype, kFrameTypes, false},
                                   {AppNumber::http2_errorcode, kHttp2Errors, false},
                                   {AppNumber::snmp_pdu_type, kSnmpPdus, false},
                                   {AppNumber::mqtt_type, kMqttTypes, false},
                                   {AppNumber::mqtt_flags, kMqttFlags, true},
                                   {AppNumber::mqtt_connect_flags, kMqttConnectFlags, true},
                                   {AppNumber::mqtt_session_present, kYesNo, false},
                                   {AppNumber::krb5_msg_type, kKerberosTypes, false},
                                   {AppNumber::krb5_ticket_encryption, kKerberosCiphers, false},
                                   {AppNumber::rfb_secresult, kRfbResults, false},
                                   {AppNumber::websocket_opcode, kOpcodes, false},
                                   {AppNumber::websocket_flags, kFrameFlags, true}};

std::string plain(std::string_view s) {
  std::string out;
  for (const char c : lower(s))
    if (c != '_' && c != '-') out += c;
  return out;
}
const Name* find(std::span<const Name> names, std::string_view text) {
  const std::string wanted = plain(text);
  const auto it = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.text == wanted; });
  return it == names.end() ? nullptr : &*it;
}

std::uint64_t largest(AppNumber n) {
  const unsigned bytes = abi::kAppNumbers[static_cast<unsigned>(n)].bytes;
  return bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * bytes) - 1;
}

// "a,!b": bits that are set and bits that are not.
bool read_bits(NumberCheck& c, std::span<const Name> names, std::string_view value) {
  std::uint64_t set = 0;
  for (auto part : split(value, ',')) {
    const bool negated = part.starts_with("!");
    if (negated) part = trim(part.substr(1));
    const Name* name = find(names, part);
    if (name == nullptr) return false;
    c.mask |= name->value;
    if (!negated) set |= name->value;
  }
  c.bits = c.mask != 0;
  c.range.low = set;
  return c.bits;
}

void read_mode(NumberCheck& c, std::string_view mode, std::string_view keyword) {
  using M = abi::NumberMode;
  const auto place = [&](std::string_view text) {
    const std::int64_t at = need_signed(text, -65535, 65535, keyword);
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(at));
  };
  if (mode == "any") return;
  if (mode == "all") {
    c.mode = M::all;
  } else if (mode == "all_or_absent") {
    c.mode = M::all_or_absent;
  } else if (mode == "or_absent") {
    c.mode = M::or_absent;
  } else if (mode.starts_with("oob_or ")) {
    c.mode = M::index_or_out;
    c.argument = place(trim(mode.substr(7)));
  } else if (mode.starts_with("nb")) {
    const Range r = need_range(mode.substr(2), 0xffff, keyword);
    if (r.op == Range::Op::in || r.op == Range::Op::not_in)
      refuse("{}: '{}' is not supported", keyword, shown(mode));
    c.mode = M::how_many;
    c.argument = static_cast<std::uint32_t>(r.op) << 24 | static_cast<std::uint32_t>(r.low);
  } else {
    c.mode = M::index;
    c.argument = place(mode);
  }
}

NumberCheck read(AppNumber number, std::string_view value, std::string_view keyword) {
  NumberCheck c;
  c.number = number;
  std::span<const Name> names;
  for (const Spelling& s : kSpellings) {
    if (s.number != number) continue;
    names = s.names;
    if (s.bits && read_bits(c, names, value)) return c;
  }
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 2) refuse("{}: '{}' is not understood", keyword, shown(value));
  std::string_view what = parts[0];
  if (parts.size() == 2) read_mode(c, parts[1], keyword);
  if (what == "absent" && parts.size() == 1) {
    c.mode = abi::NumberMode::absent;
    return c;
  }
  if (what.starts_with("count") && parts.size() == 1) {
    c.mode = abi::NumberMode::count;
    c.range = need_range(what.substr(5), 0xffff, keyword);
    return c;
  }
  if (number == AppNumber::http2_settings) {
    std::size_t n = 0;
    while (n < what.size() &&
           (what[n] == '_' || (what[n] >= 'A' && what[n] <= 'Z') || (what[n] >= 'a' && what[n] <= 'z')))
      ++n;
    const Name* name = find(kHttp2Settings, what.substr(0, n));
    if (name == nullptr) refuse("{}: '{}' is no setting", keyword, shown(what));
    c.qualifier = static_cast<std::uint16_t>(name->value);
    what = trim(what.substr(n));
    if (what.empty()) {
      c.range.op = Range::Op::greater_equal;
      return c;
    }
  }
  if (number == AppNumber::rfb_secresult && what == "unknown") {
    c.range.op = Range::Op::greater;
    c.range.low = 2;
    return c;
  }
  if (number == AppNumber::krb5_ticket_encryption && (what == "weak" || what == "!weak")) {
    c.qualifier = 1;
    c.range.low = what == "weak" ? 1 : 0;
    return c;
  }
  const bool negated = what.starts_with("!") && !what.starts_with("!=");
  const std::string_view word = negated ? trim(what.substr(1)) : what;
  if (const Name* name = find(names, word)) {
    c.range.op = negated ? Range::Op::not_equal : Range::Op::equal;
    c.range.low = name->value;
  } else {
    c.range = need_range(what, largest(number), keyword);
  }
  return c;
}

}  // namespace

std::optional<AppNumber> number_keyword(std::string_view keyword) {
  static constexpr std::pair<std::string_view, AppNumber> kAliases[] = {
      {"snmp.pdutype", AppNumber::snmp_pdu_type},
      {"mqtt.connack.return_code", AppNumber::mqtt_reason_code},
      {"krb5.msg_type", AppNumber::krb5_msg_type},
      {"krb5.err_code", AppNumber::krb5_err_code}};
  for (unsigned i = 0; i < static_cast<unsigned>(AppNumber::count); ++i)
    if (keyword == abi::kAppNumbers[i].keyword) return static_cast<AppNumber>(i);
  for (const auto& [text, number] : kAliases)
    if (keyword == text) return number;
  return std::nullopt;
}

bool apply_app_number(Builder& b, std::string_view name, std::string_view value) {
  const auto number = number_keyword(name);
  if (!number) return false;
  const abi::AppNumberInfo& info = abi::kAppNumbers[static_cast<unsigned>(*number)];
  b.need_protocol(info.protocol, name);
  b.sig.app_checks.push_back(read(*number, trim(value), name));
  if ((b.sig.directions & info.directions) == 0) refuse("{} does not exist in this direction", name);
  b.sig.directions &= info.directions;
  return true;
}

}  // namespace sekisho::signatures
