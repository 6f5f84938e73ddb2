#include "dataplane/app/mime.h"

#include "dataplane/app/ftp_text.h"

namespace sekisho::app {
namespace {

// RFC 5322 2.1.1 and RFC 2045 6.7, 6.8; the others are those that Suricata's events name.
constexpr std::uint32_t kLongLine = 998, kLongEncodedLine = 76;
constexpr std::size_t kLongHeaderName = 75, kLongHeaderValue = 2000, kLongBoundary = 70;

// The value of a parameter ("; name=value", "; name=\"value\"", "; name*=utf-8''value", "; name*0=value").
Bytes parameter(Bytes value, const char* name) {
  const std::size_t n = std::strlen(name);
  bool quoted = false;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] == '"') quoted = !quoted;
    if (quoted || value[at] != ';') continue;
    const Bytes rest = ftp_trim(value.subspan(at + 1));
    if (!ftp_begins(rest, name)) continue;
    std::size_t p = n;
    const bool extended = p < rest.size() && rest[p] == '*';
    bool numbered = false;
    if (extended) {
      ++p;
      while (p < rest.size() && ((rest[p] >= '0' && rest[p] <= '9') || rest[p] == '*')) numbered = true, ++p;
    }
    while (p < rest.size() && (rest[p] == ' ' || rest[p] == '\t')) ++p;
    if (p >= rest.size() || rest[p] != '=') continue;
    ++p;
    while (p < rest.size() && (rest[p] == ' ' || rest[p] == '\t')) ++p;
    Bytes found = rest.subspan(p);
    if (!found.empty() && found[0] == '"') {
      found = found.subspan(1);
      std::size_t end = 0;
      while (end < found.size() && found[end] != '"') ++end;
      return found.first(end);
    }
    std::size_t end = 0;
    while (end < found.size() && found[end] != ';' && found[end] != ' ' && found[end] != '\t') ++end;
    found = found.first(end);
    if (extended) {  // charset'language'value
      unsigned quotes = 0;
      for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i] == '\'' && ++quotes == 2) return found.subspan(i + 1);
      if (numbered) return found;
    }
    return found;
  }
  return {};
}

}  // namespace

void MimeParser::tell(AppEvent event, MimeSink& sink) {
  const std::uint32_t bit =
      1u << (static_cast<unsigned>(event) - static_cast<unsigned>(AppEvent::smtp_mime_parse_failed));
  if ((told_ & bit) != 0) return;
  told_ |= bit;
  sink.anomaly(event);
}

void MimeParser::line(Bytes text, bool starts, bool ends, bool crlf, MimeSink& sink) {
  line_bytes_ = starts
                    ? static_cast<std::uint32_t>(text.size())
                    : static_cast<std::uint32_t>(std::min<std::size_t>(line_bytes_ + text.size(), 1u << 30));
  if (line_bytes_ > kLongLine) tell(AppEvent::smtp_mime_long_line, sink);
  if (starts) {
    skipping_line_ = false;
    if (text.size() >= 2 && text[0] == '-' && text[1] == '-' && boundary_line(text, sink)) {
      skipping_line_ = true;
    } else if (state_ == State::headers) {
      header_line(text, sink);
      skipping_line_ = true;
    }
  }
  if (skipping_line_ || state_ == State::headers) return;
  body(text, starts, ends, crlf, sink);
}

void MimeParser::header_line(Bytes text, MimeSink& sink) {
  if (text.empty()) {
    header(sink);
    headers_over(sink);
    return;
  }
  const bool continues = text[0] == ' ' || text[0] == '\t';
  if (!continues) header(sink);
  if (continues && header_.size() == 0 && any_header_) return;  // of a header that was let go
  if (!header_.append(*pool_, text, kMaxHeader)) tell(AppEvent::smtp_mime_long_header_value, sink);
}

// The header that was put together is whole.
void MimeParser::header(MimeSink& sink) {
  const Bytes whole = header_.view();
  if (whole.empty()) return;
  any_header_ = true;
  std::size_t colon = 0;
  while (colon < whole.size() && whole[colon] != ':') ++colon;
  if (colon == whole.size()) {
    tell(AppEvent::smtp_mime_malformed_msg, sink);
    header_.clear();
    return;
  }
  const Bytes name = ftp_trim(whole.first(colon)), value = ftp_trim(whole.subspan(colon + 1));
  if (name.size() > kLongHeaderName) tell(AppEvent::smtp_mime_long_header_name, sink);
  if (value.size() > kLongHeaderValue) tell(AppEvent::smtp_mime_long_header_value, sink);
  const auto take_name = [&](Bytes file) {
    if (file.empty() || name_.size() != 0) return;
    if (file.size() > kMaxName) tell(AppEvent::smtp_mime_long_filename, sink);
    name_.append(*pool_, file.first(std::min(file.size(), kMaxName)), kMaxName);
  };
  if (message_headers_) sink.header(name, value);
  if (ftp_is(name, "Content-Type")) {
    type_ = ftp_begins(value, "multipart/")                                              ? Type::multipart
            : ftp_begins(value, "message/rfc822") || ftp_begins(value, "message/global") ? Type::message
            : ftp_begins(value, "text/") || value.empty()                                ? Type::text
                                                                                         : Type::other;
    take_name(parameter(value, "name"));
    if (type_ == Type::multipart) {
      const Bytes boundary = parameter(value, "boundary");
      if (boundary.size() > kLongBoundary) tell(AppEvent::smtp_mime_long_boundary, sink);
      boundary_.clear();
      boundary_.append(*pool_, boundary.first(std::min(boundary.size(), kMaxBoundary)), kMaxBoundary);
    }
  } else if (ftp_is(name, "Content-Disposition")) {
    attachment_ = ftp_begins(value, "attachment");
    take_name(parameter(value, "filename"));
  } else if (ftp_is(name, "Content-Transfer-Encoding")) {
    encoding_ = ftp_contains(value, "base64")             ? MimeDecoder::Encoding::base64
                : ftp_contains(value, "quoted-printable") ? MimeDecoder::Encoding::quoted_printable
                                                          : MimeDecoder::Encoding::none;
  }
  header_.clear();
}

void MimeParser::headers_over(MimeSink& sink) {
  header_.release(*pool_);
  message_headers_ = false;
  line_end_ = 0;
  if (type_ == Type::multipart && boundary_.size() != 0) {
    state_ = State::skip;  // the preamble
    const auto length = static_cast<std::uint8_t>(boundary_.size());
    if (depth_ >= kMaxDepth) {
      tell(AppEvent::smtp_mime_too_deep, sink);
    } else if (boundaries_.append(*pool_, {&length, 1}, 8192)) {
      if (boundaries_.append(*pool_, boundary_.view(), 8192))
        ++depth_;
      else
        boundaries_.drop_back(1);
    }
    boundary_.release(*pool_);
  } else if (type_ == Type::message && encoding_ == MimeDecoder::Encoding::none && name_.size() == 0 &&
             !attachment_) {
    // A message in a message: its headers follow, and no boundary of its own ends it.
    begin_part();
  } else if (name_.size() != 0 || attachment_ || type_ != Type::text) {
    state_ = State::file;
    decoder_.begin(encoding_);
    sink.file_begins(name_.view());
  } else {
    state_ = State::skip;
  }
}

void MimeParser::begin_part() {
  state_ = State::headers;
  type_ = Type::text;
  encoding_ = MimeDecoder::Encoding::none;
  attachment_ = any_header_ = false;
  line_end_ = 0;
  header_.clear();
  name_.release(*pool_);
  boundary_.clear();
}

// REQUIRES: text begins with "--".
bool MimeParser::boundary_line(Bytes text, MimeSink& sink) {
  const Bytes rest = text.subspan(2);
  const Bytes all = boundaries_.view();
  // An exact one first, then one that the line goes on behind; of those the innermost.
  std::size_t found = all.size(), begin = 0;
  unsigned level = 0, depth = 0;
  bool exact = false;
  for (; begin < all.size(); begin += 1 + all[begin], ++depth) {
    const Bytes boundary = all.subspan(begin + 1, all[begin]);
    if (rest.size() < boundary.size() || !std::equal(boundary.begin(), boundary.end(), rest.begin()))
      continue;
    const Bytes tail = ftp_trim(rest.subspan(boundary.size()));
    const bool ends_here = tail.empty() || (tail.size() == 2 && tail[0] == '-' && tail[1] == '-');
    if (exact && !ends_here) continue;
    found = begin;
    level = depth;
    exact = ends_here;
  }
  if (found == all.size()) return false;
  const Bytes tail = ftp_trim(rest.subspan(all[found]));
  const bool closing = tail.size() >= 2 && tail[0] == '-' && tail[1] == '-';
  if (state_ == State::headers) header(sink);
  close_file(sink);
  // What was open inside is over; at the closing line the multipart is too.
  const std::size_t keep = closing ? found : found + 1 + all[found];
  depth_ = static_cast<std::uint8_t>(closing ? level : level + 1);
  boundaries_.drop_back(all.size() - keep);
  begin_part();
  if (closing) state_ = State::skip;
  return true;
}

void MimeParser::body(Bytes text, bool starts, bool ends, bool crlf, MimeSink& sink) {
  if (state_ != State::file) return;
  static constexpr std::uint8_t kCrlf[2] = {'\r', '\n'};
  bool sound = true;
  // The line end before a boundary belongs to the boundary.
  if (starts && line_end_ != 0)
    sound = decoder_.add(line_end_ == 2 ? Bytes(kCrlf) : Bytes(kCrlf + 1, 1), sink);
  sound = decoder_.add(text, sink) && sound;
  line_end_ = ends ? (crlf ? 2 : 1) : 0;
  const bool base64 = decoder_.encoding() == MimeDecoder::Encoding::base64;
  if (!sound) tell(base64 ? AppEvent::smtp_mime_invalid_base64 : AppEvent::smtp_mime_invalid_qp, sink);
  if (decoder_.encoding() != MimeDecoder::Encoding::none && line_bytes_ > kLongEncodedLine)
    tell(AppEvent::smtp_mime_long_enc_line, sink);
}

void MimeParser::close_file(MimeSink& sink) {
  if (state_ != State::file) return;
  if (!decoder_.end(sink))
    tell(decoder_.encoding() == MimeDecoder::Encoding::base64 ? AppEvent::smtp_mime_invalid_base64
                                                              : AppEvent::smtp_mime_invalid_qp,
         sink);
  sink.file_ends();
  state_ = State::skip;
}

void MimeParser::end(MimeSink& sink) {
  if (depth_ != 0) tell(AppEvent::smtp_mime_malformed_msg, sink);  // a multipart that was not closed
  if (state_ == State::headers) header(sink);
  close_file(sink);
}

void MimeParser::release() {
  header_.release(*pool_);
  name_.release(*pool_);
  boundary_.release(*pool_);
  boundaries_.release(*pool_);
}

}  // namespace sekisho::app
