// One evidence archive: a ustar file of members, at its end manifest.json (SHA-256 of each member, in order)
// and manifest.sig, the box's Ed25519 signature over manifest.json. What verifies by `sekisho evidence
// verify` also verifies with tar, sha256sum and openssl (docs/response.md).
//
// Thread: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

// The box's key. The secret never leaves its file (0600).
class SigningKey {
 public:
  // Reads `directory`/signing.key, or makes it at the first start (signing.pem beside it: the public half).
  // False: `error`.
  bool open(const std::string& directory, std::string& error);
  bool usable() const { return usable_; }
  std::array<std::uint8_t, 64> sign(std::string_view bytes) const;
  const std::array<std::uint8_t, 32>& public_key() const { return public_; }

 private:
  std::array<std::uint8_t, 64> secret_{};
  std::array<std::uint8_t, 32> public_{};
  bool usable_ = false;
};

// SubjectPublicKeyInfo of RFC 8410.
std::string public_key_pem(const std::array<std::uint8_t, 32>& key);
// False: not the PEM of an Ed25519 public key.
bool public_key_from_pem(std::string_view pem, std::array<std::uint8_t, 32>& key);

class EvidenceWriter {
 public:
  // Writes to `path`, which must not exist; removed again unless finish() succeeds.
  EvidenceWriter(std::string path, std::uint64_t wall_ns, std::uint64_t most_bytes);
  ~EvidenceWriter();
  EvidenceWriter(const EvidenceWriter&) = delete;
  EvidenceWriter& operator=(const EvidenceWriter&) = delete;

  // A member; names are [a-z0-9._-], at most 99 bytes. After the first failure nothing is written any more.
  void add(const std::string& name, std::string_view bytes);
  // At most `most` bytes of the file; an absent one becomes a member "NAME.absent" that says so.
  void add_file(const std::string& name, const std::string& path, std::uint64_t most);
  // Manifest (with `about` inside), signature, fsync. Empty, or why not; the first failure of all.
  std::string finish(const nlohmann::json& about, const SigningKey& key);
  const std::string& failure() const { return failure_; }
  std::uint64_t bytes() const { return bytes_; }
  // The largest member that there is still room for.
  std::uint64_t room() const;

 private:
  struct Tar;
  struct Member {
    std::string name, sha256;
    std::uint64_t bytes;
  };
  void put(const std::string& name, std::string_view bytes);
  std::string path_;
  std::uint64_t wall_ns_, most_, bytes_ = 0;
  std::unique_ptr<Tar> tar_;
  std::vector<Member> members_;
  std::string failure_;
  bool finished_ = false;
};

struct EvidenceVerdict {
  bool good = false;
  std::string fault;  // the first: "changed: flows.jsonl", "signature: not by this key", …
  std::vector<std::string> members;
  std::string manifest;  // as it stands, if it could be read
};
// One member of an archive that was verified before. Nothing: there is none, or it is larger than `most`.
std::optional<std::string> read_member(const std::string& path, const std::string& name, std::uint64_t most);
EvidenceVerdict verify_evidence(const std::string& path, const std::array<std::uint8_t, 32>& key);

}  // namespace sekisho::control
