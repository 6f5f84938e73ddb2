// What the keyword handlers work on: one signature while it is being read. Internal to signatures/.
//
// Buffers follow Suricata: a sticky buffer keyword moves all later matches into its group until the next one
// or pkt_data; a legacy modifier (http_uri, …) moves the last content, which stands in the payload, into its
// group.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/ast.h"
#include "signatures/config_files.h"
#include "signatures/refusal.h"
#include "signatures/text.h"

namespace sekisho::signatures {

class Builder {
 public:
  explicit Builder(const Classifications& classes) : classifications(classes) {}

  Signature sig;
  const Classifications& classifications;
  std::string folder;  // of the rules file, for dataset files
  // Types of the data sets that were named before, by name. Not null while options are applied.
  std::map<std::string, DataSet::Type, std::less<>>* dataset_types = nullptr;
  std::vector<std::string> warnings;

  // Keywords that were there, for the checks at the end.
  bool has_sid = false, has_priority = false, has_class = false, has_rev = false, has_gid = false;
  bool has_dsize = false, has_flags_only_packet = false, want_stream = false, alert_keyword = false;
  std::vector<std::string> seen;  // lower case names, in order

  // --- buffers ---
  // side: as `keyword: to_client` says; 0: as the buffer says
  void select(Buffer buffer, std::string_view keyword, std::uint8_t side = 0);  // sticky
  std::uint8_t bidir = 0;  // bidir.toserver, bidir.toclient: of the buffers that follow
  void select_payload();   // pkt_data
  void add_transform(Transform transform);
  bool sticky() const { return current_ != Buffer::payload || !pending_.empty(); }
  Buffer current() const { return current_; }
  // Appends to the group of the present buffer (or of `buffer`).
  Match& add(Match match);
  Match& add_to(Buffer buffer, Match match);
  // As add(), but without a sticky buffer a relative match stands where the match before it does, which a
  // legacy modifier may have moved.
  Match& add_after(Match match, bool relative);
  // The latest content of the signature; refuses if there is none.
  Content& last_content(std::string_view keyword);
  void move_last_content(Buffer buffer, std::string_view keyword);  // legacy modifier
  void need_protocol(AppProtocol protocol, std::string_view keyword);
  // base64_data selected: there must be a base64_decode before.
  bool base64_decoded = false;

  // The index of a byte_extract/byte_math variable; define refuses a second definition of another kind.
  std::int32_t define_variable(std::string_view name);
  Operand operand(std::string_view text, std::int64_t min, std::int64_t max, std::string_view what) const;

  void finish_buffer();  // refuses a buffer or transforms that no match follows

 private:
  // The side of a buffer in a => signature; 0 in others.
  std::uint8_t side_of(Buffer buffer, std::string_view keyword) const;
  std::size_t group_of(Buffer buffer, const std::vector<Transform>& transforms, bool fresh);

  Buffer current_ = Buffer::payload;
  std::size_t group_ = kNone;       // of the present sticky selection, once something stands in it
  std::vector<Transform> pending_;  // transforms of the present selection
  std::uint8_t side_ = 0;           // of the present selection
  bool fresh_ = false;              // the selection has just been made
  std::size_t last_group_ = kNone, last_match_ = 0;  // latest content
  std::size_t latest_group_ = kNone;                 // of the latest match that moves the cursor
  static constexpr std::size_t kNone = ~static_cast<std::size_t>(0);
};

// Handles one option. Throws Refusal.
void apply_option(Builder& b, std::string_view name, std::string_view value, bool has_value);
// Limits, order, conflicts; fills type, directions, priority. Throws Refusal.
void validate(Builder& b);
void classify(Signature& s);

// Header words → Protocol. Throws Refusal.
Protocol read_protocol(std::string_view word);
Action read_action(std::string_view word);

// Handlers by subject; each returns false when the keyword is not its own.
bool apply_meta(Builder& b, std::string_view name, std::string_view value);
bool apply_content(Builder& b, std::string_view name, std::string_view value);
bool apply_app_number(Builder& b, std::string_view name, std::string_view value);
bool apply_file(Builder& b, std::string_view name, std::string_view value);
bool apply_bytes(Builder& b, std::string_view name, std::string_view value);
bool apply_packet(Builder& b, std::string_view name, std::string_view value);
bool apply_app(Builder& b, std::string_view name, std::string_view value);
bool apply_number(Builder& b, std::string_view name, std::string_view value);
bool apply_state(Builder& b, std::string_view name, std::string_view value);
bool apply_buffer(Builder& b, std::string_view name, std::string_view value);
bool apply_transform(Builder& b, std::string_view name, std::string_view value);

// "text" with \" \; \\ \: and |hex| resolved. `what` for messages. Used by content, msg, tls.subject, ….
std::string decode_content(std::string_view quoted, std::string_view what);
// "…" → inside, refusing what is not quoted; leading ! gives negated.
std::string_view need_quoted(std::string_view value, bool* negated, std::string_view what,
                             bool inner_quotes = false);
// Refuses a protocol that carries no files.
void need_files(Builder& b, std::string_view keyword);
Threshold read_threshold(std::string_view value, bool detection_filter);
void check_pcre(const Pcre& p);

}  // namespace sekisho::signatures
