// Data beside the signatures: data sets, reputation (iprep) and country (geoip) lists. Internal to the
// compiler; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "signatures/compile.h"
#include "signatures/compile_tables.h"

namespace sekisho::signatures {

inline constexpr std::uint32_t kMaxDataItems = 4u << 20;

class Data {
 public:
  Data(Tables& tables, const CompileOptions& options) : t_(tables), options_(options) {}

  // Reads the options' lists. Returns why not, or "".
  std::string load();
  // Index of the data set; reads its file at the first use. Throws Refusal.
  std::uint32_t dataset(const DataSet& d);
  // Throws Refusal for a category that no file names.
  std::uint32_t category(const std::string& name) const;
  bool has_countries() const { return !t_.countries.empty(); }

 private:
  std::string load_categories();
  std::string load_reputation(const std::string& path);
  std::string load_countries();

  Tables& t_;
  const CompileOptions& options_;
  std::map<std::string, std::uint32_t> categories_;
  std::map<std::string, std::uint32_t> datasets_;
  std::map<std::string, std::string> dataset_files_;  // name → path
};

}  // namespace sekisho::signatures
