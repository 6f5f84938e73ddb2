#include "control/people/people_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/people/refusal.h"

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;

class PeopleFile : public ::testing::Test {
 protected:
  PeopleFile() {
    std::string pattern = ::testing::TempDir() + "peopleXXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/people.json";
  }
  ~PeopleFile() override { fs::remove_all(directory_); }
  static PeopleList two() {
    PeopleList list;
    Person p;
    p.number = 1;
    p.name = "aoki";
    p.roles = {Role::operator_, Role::admin};
    p.password = "$argon2id$x";
    p.totp = {1, 2, 3, 4, 5};
    p.totp_confirmed = true;
    p.totp_last_step = 77;
    list.people.push_back(p);
    p = {};
    p.number = 2;
    p.name = "vendor-1";
    p.roles = {Role::vendor};
    p.vendor = "ct-maker";
    p.disabled = true;
    list.people.push_back(p);
    ApiToken t;
    t.name = "soc";
    t.hash = "h";
    t.permissions = bit(Permission::quarantine);
    t.zone = "his";
    t.expires_s = 99;
    list.tokens.push_back(t);
    list.next_number = 3;
    return list;
  }
  std::string read(const std::string& path) const {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void write(const std::string& path, const std::string& text) const { std::ofstream(path) << text; }
  std::string directory_, path_;
};

TEST_F(PeopleFile, KeepsWhatItIsGiven) {
  ASSERT_EQ(save_people(path_, two()), "");
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  const PeopleLoad load = load_people(path_);
  EXPECT_EQ(load.report, "");
  EXPECT_EQ(people_to_json(load.list), people_to_json(two()));
  EXPECT_EQ(load.list.people[0].permissions(), permissions_of(Role::operator_) | permissions_of(Role::admin));
}

TEST_F(PeopleFile, NoneYetIsNoFault) {
  const PeopleLoad load = load_people(path_);
  EXPECT_EQ(load.report, "");
  EXPECT_FALSE(load.existed);
  EXPECT_TRUE(load.list.people.empty());
}

TEST_F(PeopleFile, EveryDamageIsNamedAndTheListBeforeIsTaken) {
  ASSERT_EQ(save_people(path_, two()), "");
  PeopleList more = two();
  more.people[1].disabled = false;
  ASSERT_EQ(save_people(path_, more), "");
  const std::string good = read(path_);
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), std::string("[]"), std::string("{}"),
        std::string(good).replace(good.find("aoki"), 4, "aoko"), std::string(5u << 20, ' ')}) {
    write(path_, bad);
    const PeopleLoad load = load_people(path_);
    EXPECT_NE(load.report.find("damaged"), std::string::npos) << load.report;
    EXPECT_NE(load.report.find("before the last change"), std::string::npos) << load.report;
    ASSERT_EQ(load.list.people.size(), 2u);
    EXPECT_TRUE(load.list.people[1].disabled);
    EXPECT_TRUE(fs::exists(path_ + ".damaged")) << "evidence stays";
    fs::remove(path_ + ".damaged");
  }
}

TEST_F(PeopleFile, WithBothDamagedNobodyIsInventedAndRootIsToldWhatToDo) {
  write(path_, "{");
  write(path_ + ".before", "{");
  const PeopleLoad load = load_people(path_);
  EXPECT_TRUE(load.list.people.empty());
  EXPECT_NE(load.report.find("sekisho user add"), std::string::npos) << load.report;
}

TEST_F(PeopleFile, UnknownRolesAndDoubleNamesAreRefused) {
  PeopleList list = two();
  list.people[1].name = "aoki";
  PeopleList out;
  std::string why;
  EXPECT_FALSE(people_from_json(people_to_json(list), out, why));
  EXPECT_NE(why.find("twice"), std::string::npos);
}

TEST_F(PeopleFile, ADiskThatCannotBeWrittenChangesNothing) {
  ASSERT_EQ(save_people(path_, two()), "");
  fs::create_directory(path_ + ".new");
  EXPECT_NE(save_people(path_, PeopleList{}), "");
  EXPECT_EQ(load_people(path_).list.people.size(), 2u);
}

TEST(PersonName, IsPlain) {
  for (const char* good : {"aoki", "a", "9", "a.b-c_d"}) EXPECT_EQ(person_name_fault(good), "") << good;
  for (const char* bad : {"", "Aoki", ".a", "-a", "a b", "a/b", "青木", "token:x"})
    EXPECT_NE(person_name_fault(bad), "") << bad;
  EXPECT_NE(person_name_fault(std::string(33, 'a')), "");
}

}  // namespace
}  // namespace sekisho::control
