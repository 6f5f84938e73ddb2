#include "control/front/static_files.h"

#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace sekisho::control {
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<std::string_view, const char*>, 14> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
    {".pdf", "application/pdf"},
    {".wasm", "application/wasm"},
}};

const char* type_of(const std::string& extension) {
  for (const auto& [known, type] : kTypes)
    if (extension == known) return type;
  return nullptr;
}

std::string tag_of(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr);
  std::string out = "\"";
  for (unsigned i = 0; i < 12; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", hash[i]);
    out += hex;
  }
  return out + "\"";
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool is_plain_file(const fs::path& path) {
  return fs::is_regular_file(fs::symlink_status(path));
}

}  // namespace

bool StaticFiles::load(const std::string& directory, std::string& why) {
  std::error_code ec;
  std::size_t bytes = 0;
  std::unordered_map<std::string, StaticFile> files;
  for (fs::recursive_directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    const fs::path& path = it->path();
    const char* type = type_of(path.extension());
    if (type == nullptr || !is_plain_file(path)) continue;
    StaticFile file;
    file.type = type;
    file.plain = read(path);
    if (const fs::path packed = path.string() + ".gz"; is_plain_file(packed)) file.gzip = read(packed);
    if (const fs::path packed = path.string() + ".br"; is_plain_file(packed)) file.brotli = read(packed);
    file.tag = tag_of(file.plain);
    const std::string name = "/" + fs::relative(path, directory).generic_string();
    file.immutable = name.starts_with("/assets/");
    bytes += file.plain.size() + file.gzip.size() + file.brotli.size();
    if (bytes > kMostBytes || files.size() >= kMostFiles) {
      why = directory + ": more than 2,000 files or 64 MiB";
      return false;
    }
    files.emplace(name, std::move(file));
  }
  if (ec) {
    why = directory + ": " + ec.message();
    return false;
  }
  files_ = std::move(files);
  return true;
}

const StaticFile* StaticFiles::find(std::string_view path) const {
  const auto it = files_.find(path == "/" ? std::string("/index.html") : std::string(path));
  return it == files_.end() ? nullptr : &it->second;
}

}  // namespace sekisho::control
