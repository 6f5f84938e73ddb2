// flowbits, flowint, xbits, hostbits, threshold, detection_filter, tag.
#include "signatures/builder.h"

namespace sekisho::signatures {

namespace {

constexpr std::size_t kMaxName = 256, kMaxNames = 64;

std::string bit_name(std::string_view s, std::string_view keyword) {
  s = trim(s);
  if (s.empty()) refuse("{}: the name is missing", keyword);
  if (s.size() > kMaxName)
    refuse("{}: a name of {} bytes, at most {} are accepted", keyword, s.size(), kMaxName);
  if (s.find_first_of(" \t") != s.npos) refuse("{}: a space in the name '{}'", keyword, shown(s));
  return std::string(s);
}

FlowBits::Op bit_op(std::string_view s, std::string_view keyword) {
  if (s == "set") return FlowBits::Op::set;
  if (s == "unset") return FlowBits::Op::unset;
  if (s == "toggle") return FlowBits::Op::toggle;
  if (s == "isset") return FlowBits::Op::is_set;
  if (s == "isnotset") return FlowBits::Op::is_not_set;
  refuse("{}: '{}' is no command", keyword, shown(s));
}

void flowbits(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.size() == 1 && parts[0] == "noalert") {
    b.sig.noalert = true;
    return;
  }
  if (parts.size() == 3) refuse("flowbits: groups (a third part) are Snort 2, not Suricata");
  if (parts.size() != 2) refuse("flowbits: a command and a name are needed");
  FlowBits f;
  f.op = bit_op(parts[0], "flowbits");
  for (const auto name : split(parts[1], '|')) {
    if (f.names.size() == kMaxNames) refuse("flowbits: more than {} names", kMaxNames);
    f.names.push_back(bit_name(name, "flowbits"));
  }
  if (f.names.empty()) refuse("flowbits: the name is missing");
  if (f.names.size() > 1 && f.op != FlowBits::Op::is_set && f.op != FlowBits::Op::is_not_set)
    refuse("flowbits: a|b is for isset and isnotset alone");
  b.sig.state.emplace_back(std::move(f));
}

void flowint(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.size() < 2 || parts.size() > 3) refuse("flowint: name, operator and value are needed");
  FlowInt f;
  f.name = bit_name(parts[0], "flowint");
  static constexpr std::pair<std::string_view, FlowInt::Op> kOps[] = {{"+", FlowInt::Op::add},
                                                                      {"-", FlowInt::Op::subtract},
                                                                      {"=", FlowInt::Op::assign},
                                                                      {"<", FlowInt::Op::less},
                                                                      {"<=", FlowInt::Op::less_equal},
                                                                      {"==", FlowInt::Op::equal},
                                                                      {"!=", FlowInt::Op::not_equal},
                                                                      {">", FlowInt::Op::greater},
                                                                      {">=", FlowInt::Op::greater_equal},
                                                                      {"isset", FlowInt::Op::is_set},
                                                                      {"isnotset", FlowInt::Op::is_not_set},
                                                                      {"notset", FlowInt::Op::is_not_set}};
  const std::pair<std::string_view, FlowInt::Op>* op = nullptr;
  const std::string word = lower(parts[1]);
  for (const auto& candidate : kOps)
    if (word == candidate.first) op = &candidate;
  if (op == nullptr) refuse("flowint: '{}' is no operator", shown(parts[1]));
  f.op = op->second;
  const bool presence = f.op == FlowInt::Op::is_set || f.op == FlowInt::Op::is_not_set;
  if (presence != (parts.size() == 2)) refuse("flowint: {} takes {} value", op->first, presence ? "no" : "a");
  if (!presence) {
    const char c = parts[2].empty() ? ' ' : parts[2][0];
    if (c >= '0' && c <= '9')
      f.value = static_cast<std::uint32_t>(need_unsigned(parts[2], 0xffffffff, "flowint"));
    else
      f.other = bit_name(parts[2], "flowint");
  }
  b.sig.state.emplace_back(std::move(f));
}

void xbits(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.size() < 3) refuse("xbits: command, name and track are needed");
  XBits x;
  x.op = bit_op(parts[0], "xbits");
  if (parts[1].find('|') != std::string_view::npos) refuse("xbits: a|b is for flowbits alone");
  x.name = bit_name(parts[1], "xbits");
  bool track = false, expire = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto w = words(parts[i]);
    if (w.size() == 2 && w[0] == "track" && !track) {
      track = true;
      if (w[1] == "ip_src")
        x.track = XBits::Track::source;
      else if (w[1] == "ip_dst")
        x.track = XBits::Track::destination;
      else if (w[1] == "ip_pair")
        x.track = XBits::Track::pair;
      else if (w[1] == "tx")
        x.track = XBits::Track::transaction;
      else
        refuse("xbits: track '{}' is unknown", shown(w[1]));
    } else if (w.size() == 2 && w[0] == "expire" && !expire) {
      expire = true;
      x.expire_seconds = static_cast<std::uint32_t>(need_unsigned(w[1], 0x7fffffff, "xbits expire"));
      if (x.expire_seconds == 0) refuse("xbits: expire 0");
    } else {
      refuse("xbits: unknown option '{}'", shown(parts[i]));
    }
  }
  if (!track) refuse("xbits: track is missing");
  b.sig.state.emplace_back(std::move(x));
}

void hostbits(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.size() < 2 || parts.size() > 3) refuse("hostbits: a command and a name are needed");
  HostBits h;
  h.op = bit_op(parts[0], "hostbits");
  h.name = bit_name(parts[1], "hostbits");
  if (parts.size() == 3) {
    if (parts[2] == "src")
      h.side = HostBits::Side::source;
    else if (parts[2] == "dst")
      h.side = HostBits::Side::destination;
    else if (parts[2] == "both")
      h.side = HostBits::Side::both;
    else
      refuse("hostbits: '{}' is no side", shown(parts[2]));
  }
  b.sig.state.emplace_back(std::move(h));
}

void tag(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.empty()) refuse("tag: session or host is needed");
  Tag t;
  if (parts[0] == "session")
    t.scope = Tag::Scope::session;
  else if (parts[0] == "host")
    t.scope = Tag::Scope::host;
  else
    refuse("tag: '{}' is neither session nor host", shown(parts[0]));
  t.count = 0;
  if (parts.size() > 1) {
    if (parts.size() < 3) refuse("tag: a unit must follow the number");
    t.count = static_cast<std::uint32_t>(need_unsigned(parts[1], 0x7fffffff, "tag"));
    if (parts[2] == "packets")
      t.unit = Tag::Unit::packets;
    else if (parts[2] == "bytes")
      t.unit = Tag::Unit::bytes;
    else if (parts[2] == "seconds")
      t.unit = Tag::Unit::seconds;
    else
      refuse("tag: '{}' is no unit", shown(parts[2]));
  }
  if (parts.size() > 4) refuse("tag: unknown option '{}'", shown(parts[4]));
  if (parts.size() == 4) {
    if (t.scope == Tag::Scope::session) refuse("tag: a side belongs to host alone");
    t.source = parts[3] == "src";
    t.destination = parts[3] == "dst";
    if (!t.source && !t.destination) refuse("tag: '{}' is neither src nor dst", shown(parts[3]));
  }
  if (t.scope == Tag::Scope::host && !t.source && !t.destination) refuse("tag: host needs src or dst");
  b.sig.tags.push_back(t);
}

}  // namespace

Threshold read_threshold(std::string_view value, bool detection_filter) {
  const std::string_view keyword = detection_filter ? "detection_filter" : "threshold";
  Threshold t;
  if (detection_filter) t.type = Threshold::Type::detection_filter;
  bool type = false, track = false, count = false, seconds = false, multiplier = false;
  const auto once = [&](bool& seen, std::string_view what) {
    if (seen) refuse("{}: {} twice", keyword, what);
    seen = true;
  };
  for (const auto part : split(value, ',')) {
    const auto w = words(part);
    if (w.size() != 2) refuse("{}: unknown option '{}'", keyword, shown(part));
    if (w[0] == "type" && !detection_filter) {
      once(type, "type");
      if (w[1] == "limit")
        t.type = Threshold::Type::limit;
      else if (w[1] == "threshold")
        t.type = Threshold::Type::threshold;
      else if (w[1] == "both")
        t.type = Threshold::Type::both;
      else if (w[1] == "backoff")
        t.type = Threshold::Type::backoff;
      else
        refuse("threshold: type '{}' is unknown", shown(w[1]));
    } else if (w[0] == "track") {
      once(track, "track");
      if (w[1] == "by_src")
        t.track = Track::by_source;
      else if (w[1] == "by_dst")
        t.track = Track::by_destination;
      else if (w[1] == "by_both")
        t.track = Track::by_both;
      else if (w[1] == "by_rule")
        t.track = Track::by_rule;
      else if (w[1] == "by_flow")
        t.track = Track::by_flow;
      else
        refuse("{}: track '{}' is unknown", keyword, shown(w[1]));
    } else if (w[0] == "count") {
      once(count, "count");
      t.count = static_cast<std::uint32_t>(need_unsigned(w[1], 0xffffffff, "count"));
    } else if (w[0] == "seconds") {
      once(seconds, "seconds");
      t.seconds = static_cast<std::uint32_t>(need_unsigned(w[1], 0xffffffff, "seconds"));
    } else if (w[0] == "multiplier" && !detection_filter) {
      once(multiplier, "multiplier");
      t.multiplier = static_cast<std::uint32_t>(need_unsigned(w[1], 0xffffffff, "multiplier"));
    } else {
      refuse("{}: unknown option '{}'", keyword, shown(part));
    }
  }
  if (!detection_filter && !type) refuse("threshold: type is missing");
  if (!track) refuse("{}: track is missing", keyword);
  if (!count) refuse("{}: count is missing", keyword);
  const bool backoff = t.type == Threshold::Type::backoff;
  if (backoff) {
    if (seconds) refuse("threshold: backoff takes no seconds");
    if (!multiplier) refuse("threshold: backoff needs a multiplier");
    if (t.track != Track::by_flow) refuse("threshold: backoff is for track by_flow alone");
    if (t.multiplier == 0) refuse("threshold: multiplier 0");
  } else {
    if (multiplier) refuse("threshold: a multiplier is for backoff alone");
    if (!seconds) refuse("{}: seconds is missing", keyword);
    if (t.seconds == 0) refuse("{}: seconds 0", keyword);
  }
  if (t.count == 0) refuse("{}: count 0", keyword);
  return t;
}

bool apply_state(Builder& b, std::string_view name, std::string_view value) {
  if (name == "flowbits") {
    flowbits(b, value);
  } else if (name == "flowint") {
    flowint(b, value);
  } else if (name == "xbits") {
    xbits(b, value);
  } else if (name == "hostbits") {
    hostbits(b, value);
  } else if (name == "threshold") {
    if (b.sig.threshold) refuse("threshold twice");
    if (b.sig.detection_filter) refuse("threshold together with detection_filter");
    b.sig.threshold = read_threshold(value, false);
  } else if (name == "detection_filter") {
    if (b.sig.detection_filter) refuse("detection_filter twice");
    if (b.sig.threshold) refuse("detection_filter together with threshold");
    b.sig.detection_filter = read_threshold(value, true);
  } else if (name == "tag") {
    tag(b, value);
  } else {
    return false;
  }
  return true;
}

}  // namespace sekisho::signatures
