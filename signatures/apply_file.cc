// Keywords of files: filename, fileext, filemd5, filesha1, filesha256, filesize, filestore.
//
// A digest is looked up in a list of hexadecimal digests, one a line; the size is a number. Both are known
// when the file is over.
#include <algorithm>

#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

void need_files(Builder& b, std::string_view keyword) {
  switch (b.sig.protocol.app) {
    case AppProtocol::unknown:
    case AppProtocol::http:
    case AppProtocol::http2:
    case AppProtocol::smtp:
    case AppProtocol::smb:
    case AppProtocol::ftp_data:
    case AppProtocol::ftp:
      break;
    default:
      refuse("{}: {} carries no files", keyword, protocol_keyword(b.sig.protocol.app));
  }
  if ((b.sig.protocol.transports & kTcp) == 0) refuse("{} needs TCP", keyword);
}

namespace {

// filename:"x" and fileext:"x": nocase contents of file.name.
void file_name(Builder& b, std::string_view value, bool extension) {
  Content c;
  const std::string_view inside = need_quoted(value, &c.negated, extension ? "fileext" : "filename");
  c.bytes = decode_content(inside, "the name");
  if (extension) c.bytes.insert(0, 1, '.');
  c.nocase = true;
  c.ends_with = extension;
  b.add_to(Buffer::file_name, std::move(c));
}

void file_digest(Builder& b, std::string_view name, std::string_view value, Buffer buffer,
                 DataSet::Type type) {
  DataSet d;
  std::string_view list = trim(unquote(value));
  if (list.starts_with("!")) {
    d.op = DataSet::Op::is_not_set;
    list = trim(list.substr(1));
  }
  if (list.empty() || list.size() > 4096) refuse("{}: the name of a list is needed", name);
  d.folder = b.folder;
  d.load = std::string(list);
  d.name = fmt::format("{}:{}", name, list.size() > 40 ? list.substr(list.size() - 40) : list);
  d.type = type;
  d.digest_list = true;
  b.add_to(buffer, std::move(d));
}

// As numbers of a buffer of 8 bytes.
void file_size(Builder& b, std::string_view value) {
  const Range r = need_range(value, ~0ull >> 1, "filesize");
  const auto test = [&](ByteTest::Op op, std::uint64_t number, bool negated) {
    ByteTest t;
    t.bytes.value = 8;
    t.op = op;
    t.negated = negated;
    t.value.value = static_cast<std::int64_t>(number);
    b.add_to(Buffer::file_size, std::move(t));
  };
  using Op = ByteTest::Op;
  switch (r.op) {
    case Range::Op::equal:
      return test(Op::equal, r.low, false);
    case Range::Op::not_equal:
      return test(Op::equal, r.low, true);
    case Range::Op::less:
      return test(Op::less, r.low, false);
    case Range::Op::less_equal:
      return test(Op::less_equal, r.low, false);
    case Range::Op::greater:
      return test(Op::greater, r.low, false);
    case Range::Op::greater_equal:
      return test(Op::greater_equal, r.low, false);
    case Range::Op::in:
      test(Op::greater_equal, r.low, false);
      return test(Op::less_equal, r.high, false);
    case Range::Op::not_in:
      refuse("filesize: a negated range is not supported");
  }
}

// There is a file; keeping it is another program's task, and the report of the load says so.
void file_store(Builder& b, std::string_view value) {
  if (!value.empty()) {
    const auto parts = split(value, ',');
    if (parts.empty() || parts.size() > 2) refuse("filestore: direction and scope are expected");
    static constexpr std::string_view kDirections[] = {"request", "to_server", "response", "to_client",
                                                       "both"};
    static constexpr std::string_view kScopes[] = {"file", "tx", "ssn", "flow"};
    if (std::find(std::begin(kDirections), std::end(kDirections), parts[0]) == std::end(kDirections))
      refuse("filestore: '{}' is no direction", shown(parts[0]));
    if (parts.size() == 2 && std::find(std::begin(kScopes), std::end(kScopes), parts[1]) == std::end(kScopes))
      refuse("filestore: '{}' is no scope", shown(parts[1]));
  }
  if (b.sig.stores_files) refuse("filestore twice");
  b.sig.stores_files = true;
  IsDataAt any;
  b.add_to(Buffer::file_data, any);
}

}  // namespace

bool apply_file(Builder& b, std::string_view name, std::string_view value) {
  if (!name.starts_with("file") || name.starts_with("file.") || name.starts_with("file_")) return false;
  if (name == "filename" || name == "fileext")
    file_name(b, value, name == "fileext");
  else if (name == "filemd5")
    file_digest(b, name, value, Buffer::file_md5, DataSet::Type::md5);
  else if (name == "filesha1")
    file_digest(b, name, value, Buffer::file_sha1, DataSet::Type::sha1);
  else if (name == "filesha256")
    file_digest(b, name, value, Buffer::file_sha256, DataSet::Type::sha256);
  else if (name == "filesize")
    file_size(b, value);
  else if (name == "filestore")
    file_store(b, value);
  else
    return false;
  need_files(b, name);
  return true;
}

}  // namespace sekisho::signatures
