// An archive verifies as it was made, and in no other way.
#include "control/evidence/signed_archive.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-evidence-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    std::string error;
    ASSERT_TRUE(key_.open(directory_, error)) << error;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string make(std::uint64_t most = 1 << 20) {
    const std::string path = directory_ + "/a.tar";
    EvidenceWriter writer(path, 1764514800ull * 1'000'000'000, most);
    writer.add("receipt.json", "{}\n");
    writer.add("flows.jsonl", std::string(3000, 'f'));
    writer.add_file("capture.pcap", directory_ + "/none", 100);
    failure_ = writer.finish({{"receipt", "r"}}, key_);
    return path;
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  std::string directory_, failure_;
  SigningKey key_;
};

TEST_F(ArchiveTest, Verifies) {
  const std::string path = make();
  EXPECT_EQ(failure_, "");
  const EvidenceVerdict v = verify_evidence(path, key_.public_key());
  EXPECT_TRUE(v.good) << v.fault;
  EXPECT_EQ(v.members, (std::vector<std::string>{"receipt.json", "flows.jsonl", "capture.pcap.absent"}));
  EXPECT_EQ(nlohmann::json::parse(v.manifest).at("about").at("receipt"), "r");
}

TEST_F(ArchiveTest, AnyChangedByteOfAMemberShows) {
  const std::string path = make();
  const std::string good = read(path);
  for (const char* text : {"{}\n", "fff", "\"receipt\""}) {
    std::string bytes = good;
    const std::size_t at = bytes.find(text);
    ASSERT_NE(at, bytes.npos);
    bytes[at] ^= 1;
    write(path, bytes);
    EXPECT_FALSE(verify_evidence(path, key_.public_key()).good) << text;
  }
}

TEST_F(ArchiveTest, AnotherKeyACutEndAndAnAddedMemberShow) {
  const std::string path = make();
  SigningKey other;
  std::string error;
  fs::create_directory(directory_ + "/other");
  ASSERT_TRUE(other.open(directory_ + "/other", error));
  EXPECT_TRUE(verify_evidence(path, other.public_key()).fault.starts_with("signature:"));
  const std::string good = read(path);
  write(path, good.substr(0, 2000));
  EXPECT_FALSE(verify_evidence(path, key_.public_key()).good);
  write(path, good);
  write(directory_ + "/added.txt", "x");
  ASSERT_EQ(std::system(("tar -C " + directory_ + " -rf " + path + " added.txt").c_str()), 0);
  EXPECT_EQ(verify_evidence(path, key_.public_key()).fault,
            "added: a member that the manifest does not name");
  EXPECT_FALSE(verify_evidence(directory_ + "/none", key_.public_key()).good);
}

// What the docs say that an auditor without Sekisho does.
TEST_F(ArchiveTest, VerifiesWithOrdinaryTools) {
  const std::string path = make();
  const std::string d = directory_;
  ASSERT_EQ(std::system(("tar -C " + d + " -xf " + path).c_str()), 0);
  EXPECT_EQ(std::system(("openssl pkeyutl -verify -pubin -inkey " + d + "/signing.pem -rawin -in " + d +
                         "/manifest.json -sigfile " + d + "/manifest.sig >/dev/null")
                            .c_str()),
            0);
  EXPECT_EQ(
      std::system(("cd " + d +
                   " && python3 -c 'import json,hashlib; m=json.load(open(\"manifest.json\")); "
                   "assert len(m[\"members\"])==3; "
                   "[exec(\"assert hashlib.sha256(open(x[\\\"name\\\"],\\\"rb\\\").read()).hexdigest()=="
                   "x[\\\"sha256\\\"]\") for x in m[\"members\"]]'")
                      .c_str()),
      0);
}

TEST_F(ArchiveTest, BoundsAndNamesAreRefusedAndLeaveNothing) {
  const std::string path = make(2000);
  EXPECT_NE(failure_.find("larger than 2000"), std::string::npos);
  EXPECT_FALSE(fs::exists(path));
  {
    EvidenceWriter writer(directory_ + "/b.tar", 0, 1000);
    writer.add("../x", "y");
    EXPECT_NE(writer.finish({}, key_), "");
  }
  EXPECT_FALSE(fs::exists(directory_ + "/b.tar"));
}

TEST_F(ArchiveTest, KeyIsKeptAndChecked) {
  SigningKey again;
  std::string error;
  ASSERT_TRUE(again.open(directory_, error));
  EXPECT_EQ(again.public_key(), key_.public_key());
  std::array<std::uint8_t, 32> from_pem{};
  ASSERT_TRUE(public_key_from_pem(read(directory_ + "/signing.pem"), from_pem));
  EXPECT_EQ(from_pem, key_.public_key());
  EXPECT_FALSE(public_key_from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", from_pem));
  std::string bytes = read(directory_ + "/signing.key");
  bytes[40] ^= 1;
  write(directory_ + "/signing.key", bytes);
  EXPECT_FALSE(SigningKey().open(directory_, error));
  write(directory_ + "/signing.key", "short");
  EXPECT_FALSE(SigningKey().open(directory_, error));
}

}  // namespace
}  // namespace sekisho::control
