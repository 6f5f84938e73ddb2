#include "signatures/loader.h"

#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "signatures/builder.h"
#include "signatures/lexer.h"

namespace sekisho::signatures {

namespace {
constexpr std::size_t kMaxWarnings = 10000;

void read_header(const Line& line, Expressions& expressions, Builder& b) {
  Signature& s = b.sig;
  s.action = read_action(line.action);
  s.protocol = read_protocol(line.protocol);
  if (s.protocol.name == "igmp") s.packet_checks.push_back(IpProtocol{{Range::Op::equal, 2, 0}});
  if (s.protocol.name == "http1") {  // http without http2
    AppLayerProtocol only;
    only.protocol = AppProtocol::http;
    only.mode = AppLayerProtocol::Mode::final_;
    only.exact = true;
    s.app_checks.emplace_back(only);
  }
  s.source.address_text = line.source;
  s.source.port_text = line.source_ports;
  s.destination.address_text = line.destination;
  s.destination.port_text = line.destination_ports;
  if (line.arrow == "<>")
    s.bidirectional = true;
  else if (line.arrow == "=>")
    s.transactional = true;
  else if (line.arrow != "->")
    refuse("direction '{}' is none of ->, <> and =>", shown(line.arrow));
  s.source.addresses = expressions.addresses(line.source);
  s.source.ports = expressions.ports(line.source_ports);
  s.destination.addresses = expressions.addresses(line.destination);
  s.destination.ports = expressions.ports(line.destination_ports);
  const bool ports = (s.protocol.transports & (kTcp | kUdp | kSctp)) != 0;
  if (!ports && !(s.source.ports->any && s.destination.ports->any))
    refuse("{} has no ports", s.protocol.name);
}

}  // namespace

std::string format(const Rejection& r) {
  return fmt::format("{}:{}: sid {}: {}", r.file, r.line, r.sid, r.why);
}

bool read_text_file(const std::string& path, std::size_t limit, std::string& out, std::string& why) {
  gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  if (file == nullptr) {
    why = fmt::format("{}: {}", path, std::strerror(errno));
    return false;
  }
  gzbuffer(file, 1u << 17);
  out.clear();
  int got = 0;
  char buffer[1u << 16];
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) {
    if (out.size() + static_cast<std::size_t>(got) > limit) {
      why = fmt::format("{}: more than {} bytes of text", path, limit);
      gzclose(file);
      return false;
    }
    out.append(buffer, static_cast<std::size_t>(got));
  }
  int number = 0;
  const std::string message = gzerror(file, &number);
  const bool bad = got < 0 || (number != Z_OK && number != Z_STREAM_END);
  if (bad) why = fmt::format("{}: {}", path, number == Z_ERRNO ? std::strerror(errno) : message);
  gzclose(file);
  return !bad;
}

bool Parser::parse(std::string_view text, std::string_view folder, Signature& out, Rejection& rejection,
                   std::vector<std::string>& warnings) {
  std::string_view keyword;
  try {
    const Line line = split_signature(text);
    Builder b(options_.classifications);
    b.folder = folder;
    b.dataset_types = &dataset_types_;
    // `requires` decides first: a signature for another engine may hold anything else.
    for (const Option& o : line.options)
      if (equal_nocase(o.name, "requires")) {
        keyword = o.name;
        apply_option(b, o.name, o.value, o.has_value);
      }
    keyword = {};
    read_header(line, expressions_, b);
    for (const Option& o : line.options) {
      if (equal_nocase(o.name, "requires")) continue;
      keyword = o.name;
      apply_option(b, o.name, o.value, o.has_value);
    }
    keyword = {};
    validate(b);
    warnings = std::move(b.warnings);
    out = std::move(b.sig);
    out.text = text;
    return true;
  } catch (const Refusal& r) {
    rejection.sid = find_sid(text);
    rejection.why = r.why;
    rejection.keyword = lower(keyword.substr(0, 64));
    return false;
  }
}

bool Loader::add_file(const std::string& path) {
  std::string text, why;
  if (!read_text_file(path, kMaxFileBytes, text, why)) {
    result_.errors.push_back(std::move(why));
    return false;
  }
  const auto slash = path.rfind('/');
  add_text(path, text, slash == path.npos ? std::string() : path.substr(0, slash));
  return true;
}

void Loader::add_text(const std::string& name, std::string_view text, const std::string& folder) {
  const auto file = static_cast<std::uint32_t>(result_.files.size());
  result_.files.push_back(name);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::uint32_t number = 0, first = 0;
  std::string joined;
  bool open = false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == text.npos) end = text.size();
    std::string_view raw = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (raw.ends_with('\r')) raw.remove_suffix(1);
    if (!open) first = number;
    const bool comment = !open && trim(raw.substr(0, 4096)).starts_with("#");
    open = !comment && raw.ends_with('\\') && at < text.size();
    if (comment) continue;
    if (open) raw.remove_suffix(1);
    joined += raw;
    // A line beyond the bound is refused as such; its length is not kept.
    if (joined.size() > kMaxLine + 1) joined.resize(kMaxLine + 1);
    if (open) continue;
    if (!trim(joined).empty()) add_line(std::string(trim(joined)), file, first, folder);
    joined.clear();
  }
  if (!trim(joined).empty()) add_line(std::string(trim(joined)), file, first, folder);
}

void Loader::reject(Rejection r) {
  result_.rejections.push_back(std::move(r));
}

void Loader::add_line(std::string text, std::uint32_t file, std::uint32_t line, const std::string& folder) {
  ++result_.candidates;
  Rejection rejection;
  rejection.file = result_.files[file];
  rejection.line = line;
  Signature s;
  std::vector<std::string> warnings;
  if (text.size() > kMaxLine) {
    rejection.sid = find_sid(text);
    rejection.why = fmt::format("a line of more than {} bytes", kMaxLine);
    return reject(std::move(rejection));
  }
  if (!parser_.parse(text, folder, s, rejection, warnings)) return reject(std::move(rejection));
  s.file = file;
  s.line = line;
  for (std::string& w : warnings)
    if (result_.warnings.size() < kMaxWarnings)
      result_.warnings.push_back({rejection.file, line, s.sid, std::move(w)});
  const std::uint64_t key = std::uint64_t{s.gid} << 32 | s.sid;
  const auto known = by_sid_.find(key);
  if (known == by_sid_.end()) {
    if (result_.signatures.size() == kMaxLoaded) {
      rejection.sid = s.sid;
      rejection.why = fmt::format("more than {} signatures", kMaxLoaded);
      return reject(std::move(rejection));
    }
    by_sid_.emplace(key, result_.signatures.size());
    result_.signatures.push_back(std::move(s));
    return;
  }
  Signature& old = result_.signatures[known->second];
  rejection.sid = s.sid;
  rejection.keyword = "sid";
  if (s.rev <= old.rev) {
    rejection.why = fmt::format("the sid is taken by {}:{} with rev {}, this one has rev {}",
                                result_.files[old.file], old.line, old.rev, s.rev);
    return reject(std::move(rejection));
  }
  rejection.file = result_.files[old.file];
  rejection.line = old.line;
  rejection.why =
      fmt::format("rev {} gives way to rev {} in {}:{}", old.rev, s.rev, result_.files[file], line);
  old = std::move(s);
  reject(std::move(rejection));
}

LoadResult Loader::finish() && {
  return std::move(result_);
}

}  // namespace sekisho::signatures
