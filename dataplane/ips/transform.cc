#include "dataplane/ips/transform.h"

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "dataplane/ips/base64.h"
#include "dataplane/ips/content.h"

namespace sekisho::ips {
namespace {

using Kind = abi::TransformKind;
using Out = std::span<std::uint8_t>;

bool is_space(std::uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
std::uint8_t upper(std::uint8_t c) {
  return static_cast<std::uint8_t>(c - (static_cast<std::uint8_t>(c - 'a') < 26 ? 32 : 0));
}
int hex(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int l = c | 0x20;
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool keeps_length(Kind k) {
  return k == Kind::to_lowercase || k == Kind::to_uppercase || k == Kind::xor_key ||
         k == Kind::header_lowercase;
}

std::size_t compress_whitespace(Bytes in, Out out) {
  std::size_t n = 0;
  bool space = false;
  for (const std::uint8_t c : in) {
    if (is_space(c)) {
      if (!space) out[n++] = ' ';
      space = true;
    } else {
      out[n++] = c;
      space = false;
    }
  }
  return n;
}

std::size_t url_decode(Bytes in, Out out) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && i + 2 < in.size() && hex(in[i + 1]) >= 0 && hex(in[i + 2]) >= 0) {
      out[n++] = static_cast<std::uint8_t>(hex(in[i + 1]) << 4 | hex(in[i + 2]));
      i += 2;
    } else {
      out[n++] = in[i] == '+' ? std::uint8_t{' '} : in[i];
    }
  }
  return n;
}

std::size_t header_lowercase(Bytes in, Out out) {
  bool name = true;
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = name ? lower(in[i]) : in[i];
    if (in[i] == '\n')
      name = true;
    else if (in[i] == ':')
      name = false;
  }
  return in.size();
}

// Lines that begin with ':' (HTTP/2) are left out.
std::size_t strip_pseudo_headers(Bytes in, Out out) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < in.size();) {
    const void* p = std::memchr(in.data() + i, '\n', in.size() - i);
    const std::size_t end =
        p == nullptr ? in.size()
                     : static_cast<std::size_t>(static_cast<const std::uint8_t*>(p) - in.data()) + 1;
    if (in[i] != ':') {
      std::memcpy(out.data() + n, in.data() + i, end - i);
      n += end - i;
    }
    i = end;
  }
  return n;
}

std::size_t digest(Kind kind, Bytes in, Out out) {
  if (kind == Kind::to_md5) {
    md5_ctx c;
    md5_init(&c);
    md5_update(&c, in.size(), in.data());
    md5_digest(&c, MD5_DIGEST_SIZE, out.data());
    return MD5_DIGEST_SIZE;
  }
  if (kind == Kind::to_sha1) {
    sha1_ctx c;
    sha1_init(&c);
    sha1_update(&c, in.size(), in.data());
    sha1_digest(&c, SHA1_DIGEST_SIZE, out.data());
    return SHA1_DIGEST_SIZE;
  }
  sha256_ctx c;
  sha256_init(&c);
  sha256_update(&c, in.size(), in.data());
  sha256_digest(&c, SHA256_DIGEST_SIZE, out.data());
  return SHA256_DIGEST_SIZE;
}

// A key of the buffer that is not visible (a body's window went on, or it has not come) decodes nothing.
std::size_t xor_key(const abi::TransformRecord& t, Bytes keys, const View& view, Out out) {
  const Bytes in = view.bytes;
  Bytes key = keys.subspan(t.key, t.key_bytes);
  if (t.mode == 1) {
    if (t.length < view.base || t.length - view.base > in.size() ||
        in.size() - (t.length - view.base) < t.key_size)
      return 0;
    key = in.subspan(t.length - view.base, t.key_size);
  }
  if (key.empty()) return 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::uint64_t at = view.base + i;
    out[i] = at < t.number ? in[i] : in[i] ^ key[(at - t.number) % key.size()];
  }
  return in.size();
}

// zlib's memory: from the work area, never given back before the end.
voidpf take_work(voidpf opaque, uInt items, uInt size) {
  Out& left = *static_cast<Out*>(opaque);
  const std::size_t bytes = (std::size_t{items} * size + 15) / 16 * 16;
  if (bytes > left.size()) return Z_NULL;
  std::uint8_t* p = left.data();
  left = left.subspan(bytes);
  return p;
}
void give_work(voidpf, voidpf) {}

// What could be decoded, at most t.number bytes; nothing where the format is another.
std::optional<std::size_t> decompress(const abi::TransformRecord& t, Bytes in, Out out, Out work) {
  if (out.size() < t.number || work.size() < kInflateWork) return std::nullopt;
  z_stream z{};
  z.zalloc = take_work;
  z.zfree = give_work;
  z.opaque = &work;
  if (inflateInit2(&z, t.kind == Kind::gunzip ? 31 : 15) != Z_OK) return std::nullopt;
  z.next_in = const_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = out.data();
  z.avail_out = t.number;
  const int rc = ::inflate(&z, Z_SYNC_FLUSH);
  const std::size_t n = t.number - z.avail_out;
  inflateEnd(&z);
  return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? n : 0;
}

}  // namespace

std::optional<std::size_t> transform(const abi::TransformRecord& t, Bytes keys, const View& view, Out out,
                                     Out work) {
  const Bytes in = view.bytes;
  const bool is_digest = t.kind == Kind::to_md5 || t.kind == Kind::to_sha1 || t.kind == Kind::to_sha256;
  if (out.size() < (is_digest ? std::size_t{SHA256_DIGEST_SIZE} : in.size() + 1)) return std::nullopt;
  switch (t.kind) {
    case Kind::dotprefix:
      out[0] = '.';
      if (!in.empty()) std::memcpy(out.data() + 1, in.data(), in.size());
      return in.size() + 1;
    case Kind::strip_whitespace: {
      std::size_t n = 0;
      for (const std::uint8_t c : in) {
        if (!is_space(c)) out[n++] = c;
      }
      return n;
    }
    case Kind::compress_whitespace:
      return compress_whitespace(in, out);
    case Kind::to_lowercase:
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = lower(in[i]);
      return in.size();
    case Kind::to_uppercase:
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = upper(in[i]);
      return in.size();
    case Kind::to_md5:
    case Kind::to_sha1:
    case Kind::to_sha256:
      return digest(t.kind, in, out);
    case Kind::url_decode:
      return url_decode(in, out);
    case Kind::xor_key: {
      return xor_key(t, keys, view, out);
    }
    case Kind::header_lowercase:
      return header_lowercase(in, out);
    case Kind::strip_pseudo_headers:
      return strip_pseudo_headers(in, out);
    case Kind::from_base64: {
      Bytes from = in.subspan(std::min<std::size_t>(t.number, in.size()));
      if (t.length != 0 && t.length < from.size()) from = from.first(t.length);
      return decode_base64(from, static_cast<Base64Mode>(t.mode), out);
    }
    case Kind::gunzip:
    case Kind::zlib_deflate:
      return decompress(t, in, out, work);
  }
  return std::nullopt;
}

std::optional<View> TransformCache::apply(const SetView& set, const abi::GroupRecord& group, const View& in) {
  const auto list = set.transforms.subspan(group.first_transform, group.transform_count);
  for (std::size_t i = 0; i < count_; ++i) {
    const Entry& e = entry_[i];
    if (e.data == in.bytes.data() && e.size == in.bytes.size() && e.base == in.base &&
        e.complete == in.complete && e.count == list.size() &&
        (e.first == group.first_transform ||
         std::memcmp(set.transforms.data() + e.first, list.data(), list.size_bytes()) == 0)) {
      View found = e.result;
      found.min_end = found.base == in.base && found.bytes.size() == in.bytes.size() ? in.min_end : 0;
      return found;
    }
  }
  View view = in;
  for (const abi::TransformRecord& t : list) {
    const Out room{arena_.get() + used_, kArena - used_};
    const auto n = transform(t, set.bytes, view, room, {work_.get(), kInflateWork});
    if (!n) return std::nullopt;
    used_ += *n;
    view.bytes = room.first(*n);
    if (!keeps_length(t.kind)) view.base = view.min_end = 0;
  }
  entry_[next_] = {in.bytes.data(),       in.bytes.size(), in.base, group.first_transform,
                   group.transform_count, in.complete,     view};
  next_ = (next_ + 1) % kEntries;
  if (count_ < kEntries) ++count_;
  return view;
}

}  // namespace sekisho::ips
