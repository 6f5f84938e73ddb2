// The console's files, read into memory once, before the sandbox closes: afterwards no file can be opened, so
// no path can climb anywhere. Immutable once loaded.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace sekisho::control {

struct StaticFile {
  std::string type;                 // "text/html; charset=utf-8"
  std::string plain, gzip, brotli;  // gzip and brotli: from NAME.gz and NAME.br beside it; empty: none
  std::string tag;                  // strong ETag, quotes included
  bool immutable = false;           // below /assets/: named by its content
};

class StaticFiles {
 public:
  static constexpr std::size_t kMostFiles = 2000, kMostBytes = 64u << 20;
  // Regular files of known types below `directory`; symbolic links and others are left out. False: `why`.
  bool load(const std::string& directory, std::string& why);
  // By the path of a request, exactly; "/" is "/index.html". Null: no such file.
  const StaticFile* find(std::string_view path) const;
  std::size_t size() const { return files_.size(); }

 private:
  std::unordered_map<std::string, StaticFile> files_;
};

}  // namespace sekisho::control
