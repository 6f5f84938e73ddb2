// Files of signatures → signatures, and for every line that is none the reason.
//
//   Loader loader(options);
//   loader.add_file("et.rules.gz");
//   LoadResult result = std::move(loader).finish();
//
// Bounded: 256 MiB of text a file, 1 MiB a line, kMaxLoaded signatures. A refused signature never ends a
// load. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "signatures/ast.h"
#include "signatures/config_files.h"
#include "signatures/variables.h"

namespace sekisho::signatures {

inline constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxLoaded = 1u << 17;

struct LoadOptions {
  Variables variables = default_variables();
  Classifications classifications = default_classifications();
};

struct Rejection {
  std::string file;
  std::uint32_t line = 0, sid = 0;  // sid 0: none was found
  std::string why;
  std::string keyword;  // that was refused; empty: the header, or the signature as a whole
};
// "file:line: sid N: why"
std::string format(const Rejection& r);

struct Warning {
  std::string file;
  std::uint32_t line = 0, sid = 0;
  std::string text;
};

struct LoadResult {
  std::vector<Signature> signatures;  // in the order of the files
  std::vector<Rejection> rejections;
  std::vector<Warning> warnings;  // at most 10,000
  std::vector<std::string> files;
  std::vector<std::string> errors;  // files that could not be read
  std::size_t candidates = 0;       // lines that are signatures: loaded + rejected
};

// One signature, by itself. Sets either result; sid-duplicates are not its matter.
class Parser {
 public:
  explicit Parser(const LoadOptions& options) : options_(options), expressions_(options.variables) {}
  // True: `out` is complete. False: `rejection` says why (file and line are left as they are).
  bool parse(std::string_view text, std::string_view folder, Signature& out, Rejection& rejection,
             std::vector<std::string>& warnings);

 private:
  const LoadOptions& options_;
  Expressions expressions_;
  std::map<std::string, DataSet::Type, std::less<>> dataset_types_;
};

class Loader {
 public:
  explicit Loader(LoadOptions options) : options_(std::move(options)), parser_(options_) {}
  Loader(const Loader&) = delete;
  // Plain or gzip. False, and an entry in errors, if it cannot be read.
  bool add_file(const std::string& path);
  void add_text(const std::string& name, std::string_view text, const std::string& folder = {});
  LoadResult finish() &&;

 private:
  void add_line(std::string text, std::uint32_t file, std::uint32_t line, const std::string& folder);
  void reject(Rejection r);

  LoadOptions options_;
  Parser parser_;
  LoadResult result_;
  std::unordered_map<std::uint64_t, std::size_t> by_sid_;  // gid << 32 | sid → signatures[]
};

// Reads a file, plain or gzip, up to `limit` bytes. False: `why` is set.
bool read_text_file(const std::string& path, std::size_t limit, std::string& out, std::string& why);

}  // namespace sekisho::signatures
