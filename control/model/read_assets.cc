// Assets from CSV and TOML.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/model/assets.h"
#include "control/model/csv.h"
#include "control/model/read_config.h"
#include "control/model/read_text.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxFieldBytes = 200;
const std::vector<std::string> kColumns = {"address", "name", "ward", "phone", "vendor", "protected"};

// Checks and keeps assets, whatever they come from.
class Collector {
 public:
  explicit Collector(std::string file_name) : file_(std::move(file_name)), findings_(kMaxDiagnostics) {}
  Findings& findings() { return findings_; }

  // False: no more are taken.
  bool room(Position at) {
    if (assets_.size() < kMaxAssets) return true;
    findings_.error(at, fmt::format("more than {} assets", kMaxAssets),
                    fmt::format("at most {}", kMaxAssets));
    return false;
  }

  void set_text(std::string& field, const std::string& text, Position at, bool needed) {
    const bool plain = std::none_of(text.begin(), text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (!plain || text.size() > kMaxFieldBytes) {
      findings_.error(at, fmt::format("bad text {}", quoted(text)),
                      fmt::format("at most {} bytes on one line", kMaxFieldBytes));
    } else if (needed && text.empty()) {
      findings_.error(at, "an asset without a name", "a name");
    } else {
      field = text;
    }
  }

  void add(Asset asset, const std::string& address, Position address_at) {
    const auto range = parse_address_range(address);
    if (!range) {
      findings_.error(address_at, range.what, range.expected);
      return;
    }
    if (!prefix_length(*range) || address.find('-') != address.npos) {
      findings_.error(address_at, fmt::format("the asset's address {} is a range", quoted(address)),
                      "a host or a prefix");
      return;
    }
    asset.address = *range;
    const auto [it, fresh] = seen_.try_emplace(to_string(*range), asset.at);
    if (!fresh) {
      findings_.error(
          address_at,
          fmt::format("the address {} is an asset already ({})", quoted(address), where(it->second)),
          "each address once");
      return;
    }
    assets_.push_back(std::move(asset));
  }

  ReadAssetsResult finish() {
    ReadAssetsResult result;
    result.files = {file_};
    const bool failed = findings_.failed();
    result.diagnostics = findings_.take();
    if (!failed) result.assets.emplace(std::move(assets_));
    return result;
  }

 private:
  std::string file_;
  Findings findings_;
  std::vector<Asset> assets_;
  std::map<std::string, Position> seen_;
};

// Column of the file for each of kColumns; SIZE_MAX: absent.
using Columns = std::array<std::size_t, 6>;

bool read_header(const CsvRecord& header, Columns& columns, Findings& findings) {
  columns.fill(SIZE_MAX);
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto found = std::find(kColumns.begin(), kColumns.end(), header[i].text);
    const std::string expected = "address, name, ward, phone, vendor, protected";
    if (found == kColumns.end()) {
      findings.error(header[i].at,
                     fmt::format("unknown column {}{}", quoted(header[i].text),
                                 did_you_mean(header[i].text, kColumns, findings)),
                     expected);
    } else if (auto& column = columns[static_cast<std::size_t>(found - kColumns.begin())];
               column != SIZE_MAX) {
      findings.error(header[i].at, fmt::format("the column {} stands twice", quoted(header[i].text)),
                     expected);
    } else {
      column = i;
    }
  }
  for (const std::size_t needed : {0, 1}) {
    if (columns[needed] == SIZE_MAX) {
      findings.error({0, 1, 1}, fmt::format("no column \"{}\"", kColumns[needed]),
                     "a header line such as address,name,ward,phone,vendor,protected");
    }
  }
  return !findings.failed();
}

void read_row(const CsvRecord& row, const Columns& columns, Collector& collector) {
  Asset asset;
  asset.at = row[0].at;
  const auto text = [&](std::size_t column, std::string& field) {
    if (columns[column] == SIZE_MAX) return;
    const CsvField& cell = row[columns[column]];
    collector.set_text(field, cell.text, cell.at, column == 1);
  };
  text(1, asset.name);
  text(2, asset.ward);
  text(3, asset.phone);
  text(4, asset.vendor);
  if (columns[5] != SIZE_MAX) {
    const CsvField& cell = row[columns[5]];
    asset.is_protected = cell.text == "yes" || cell.text == "true" || cell.text == "1";
    if (!asset.is_protected && !cell.text.empty() && cell.text != "no" && cell.text != "false" &&
        cell.text != "0") {
      collector.findings().error(cell.at, fmt::format("\"protected\" is {}", quoted(cell.text)),
                                 "yes, no or nothing");
    }
  }
  const CsvField& address = row[columns[0]];
  collector.add(std::move(asset), address.text, address.at);
}

void read_rows(std::string_view text, Collector& collector) {
  CsvReader reader(text);
  Findings& findings = collector.findings();
  const auto header = reader.next();
  Columns columns;
  if (header && read_header(*header, columns, findings)) {
    while (const auto row = reader.next()) {
      if (!collector.room((*row)[0].at)) return;
      if (row->size() == header->size()) {
        read_row(*row, columns, collector);
      } else {
        findings.error((*row)[0].at, fmt::format("{} fields", row->size()),
                       fmt::format("{}, as in the header", header->size()));
      }
    }
  } else if (!header && !reader.fault()) {
    findings.error({0, 1, 1}, "an empty file", "a header line and assets");
  }
  if (reader.fault()) findings.error(reader.fault()->at, reader.fault()->what, reader.fault()->expected);
}

bool too_large(std::string_view text, Findings& findings) {
  if (text.size() <= kMaxAssetBytes) return false;
  findings.error({}, "the assets are larger than 32 MiB");
  return true;
}

}  // namespace

ReadAssetsResult read_assets_csv(std::string_view text, std::string file_name) {
  Collector collector(std::move(file_name));
  if (too_large(text, collector.findings())) return collector.finish();
  if (const auto place = utf8_fault(text)) {
    collector.findings().error(*place, "not UTF-8 text",
                               "the file saved as \"CSV UTF-8\" (not as Shift_JIS or UTF-16)");
    return collector.finish();
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  read_rows(text, collector);
  return collector.finish();
}

ReadAssetsResult read_assets_toml(std::string_view text, std::string file_name) {
  Collector collector(std::move(file_name));
  Findings& findings = collector.findings();
  if (too_large(text, findings)) return collector.finish();
  std::vector<Diagnostic> syntax;
  const auto root = parse_toml(text, syntax);
  for (const Diagnostic& d : syntax) findings.error(d.at, d.what, d.expected);
  if (!root) return collector.finish();
  TableReader top(*root, findings, "a file of assets");
  top.get("asset");
  top.finish();
  for (const TomlNode* node : tables(*root, "asset", kMaxAssets, findings)) {
    TableReader table(*node, findings, "[[asset]]");
    Asset asset;
    asset.at = node->at;
    const auto address = table.text("address", TableReader::kRequired);
    const auto text_of = [&](const char* key, std::string& field, bool needed) {
      const auto value = table.text(key, needed ? TableReader::kRequired : TableReader::kOptional);
      if (value) collector.set_text(field, *value, table.at(key), needed);
    };
    text_of("name", asset.name, true);
    text_of("ward", asset.ward, false);
    text_of("phone", asset.phone, false);
    text_of("vendor", asset.vendor, false);
    asset.is_protected = table.flag("protected", false);
    table.finish();
    if (address) collector.add(std::move(asset), *address, table.at("address"));
  }
  return collector.finish();
}

ReadAssetsResult read_assets_file(const std::string& path) {
  const auto text = read_text(path, kMaxAssetBytes);
  if (!text) return {std::nullopt, {{Diagnostic::Severity::error, {}, text.what, text.expected}}, {path}};
  return path.ends_with(".toml") ? read_assets_toml(*text, path) : read_assets_csv(*text, path);
}

}  // namespace sekisho::control
