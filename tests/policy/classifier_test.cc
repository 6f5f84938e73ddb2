// The classifier against the oracle: for random policies and questions at and around every boundary, the
// trees decide as a walk over all rules does.
#include <gtest/gtest.h>

#include <random>

#include "control/policy/compile.h"
#include "control/policy/explain.h"
#include "dataplane/base/bytes.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"
#include "tests/policy/loaded.h"
#include "tests/policy/site.h"

namespace sekisho::test {
namespace {

using control::Model;
using control::PolicyQuestion;

class Asker {
 public:
  Asker(const Model& model, std::mt19937_64& random) : model_(model), random_(random) {
    for (const control::Rule& rule : model.rules) {
      for (const auto* set : {&rule.source, &rule.destination}) {
        for (const control::AddressRange& r : *set) {
          for (const int step : {-1, 0, 1}) {
            addresses_[r.low.version == 6].push_back(moved(r.low, step));
            addresses_[r.low.version == 6].push_back(moved(r.high, step));
          }
        }
      }
      for (const control::Service& s : rule.services) {
        for (const int step : {-1, 0, 1}) {
          ports_.push_back(static_cast<std::uint16_t>(s.destination_low + step));
          ports_.push_back(static_cast<std::uint16_t>(s.destination_high + step));
          source_ports_.push_back(static_cast<std::uint16_t>(s.source_low + step));
          source_ports_.push_back(static_cast<std::uint16_t>(s.source_high + step));
        }
        protocols_.push_back(s.protocol);
      }
    }
    addresses_[0].push_back(ip4(0x08080808));
    addresses_[1].push_back(ip6(1, 2));
    for (const std::uint16_t port : {0, 22, 443, 65535})
      ports_.push_back(port), source_ports_.push_back(port);
    for (const std::uint8_t protocol : {1, 6, 17, 132}) protocols_.push_back(protocol);
  }

  PolicyQuestion next() {
    PolicyQuestion q;
    q.from = static_cast<std::uint16_t>(random_() % model_.zones.size());
    q.to = static_cast<std::uint16_t>(random_() % model_.zones.size());
    const bool six = addresses_[0].size() == 1 || (addresses_[1].size() > 1 && random_() % 2 == 0);
    q.source = any_of(addresses_[six]);
    q.destination = any_of(addresses_[six]);
    q.protocol = any_of(protocols_);
    q.source_port = any_of(source_ports_);
    q.destination_port = any_of(ports_);
    // Half of the questions start from a rule, so that most rules are reached.
    if (!model_.rules.empty() && random_() % 2 == 0) {
      const control::Rule& rule = any_of(model_.rules);
      if (!rule.source.empty()) q.source = any_of(rule.source).high;
      for (int tries = 0; tries < 8 && !rule.destination.empty(); ++tries) {
        q.destination = any_of(rule.destination).low;
        if (q.destination.version == q.source.version) break;
      }
      if (q.source.version != q.destination.version) {
        (rule.source.empty() ? q.source : q.destination) =
            any_of(addresses_[(rule.source.empty() ? q.destination : q.source).version == 6]);
      }
      if (!rule.services.empty()) {
        const control::Service& s = any_of(rule.services);
        q.protocol = s.protocol;
        q.source_port = s.source_low;
        q.destination_port = s.destination_high;
      }
    }
    return q;
  }

 private:
  static control::Address moved(control::Address a, int step) {
    for (int i = a.version == 4 ? 3 : 15; step != 0 && i >= 0; --i) {
      a.bytes[static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>(a.bytes[static_cast<std::size_t>(i)] + step);
      if (a.bytes[static_cast<std::size_t>(i)] != (step > 0 ? 0 : 0xff)) break;
    }
    return a;
  }
  template <typename T>
  const T& any_of(const std::vector<T>& from) {
    return from[random_() % from.size()];
  }

  const Model& model_;
  std::mt19937_64& random_;
  std::vector<control::Address> addresses_[2];
  std::vector<std::uint16_t> ports_, source_ports_;
  std::vector<std::uint8_t> protocols_;
};

// Returns how many questions a rule decided.
std::size_t compare(const Model& model, std::size_t questions, std::mt19937_64& random) {
  const Loaded loaded(model);
  if (!loaded.ok()) {
    ADD_FAILURE() << loaded.why();
    return 0;
  }
  Asker asker(model, random);
  std::size_t decided = 0;
  for (std::size_t i = 0; i < questions && !testing::Test::HasFailure(); ++i) {
    const PolicyQuestion q = asker.next();
    const std::uint64_t wall = 1'700'000'000 + random() % (14 * 86400);
    const std::uint64_t open = random();
    const auto is_open = [&](std::uint16_t access) { return (open >> access & 1) != 0; };
    const control::Explanation want = control::explain(model, q, wall, is_open);
    const policy::Decision got =
        policy::decide(loaded.view(), query_of(q), policy::active_schedules(loaded.view(), wall), is_open);
    EXPECT_EQ(got.rule, want.rule) << "question " << i << " from " << q.from << " to " << q.to;
    EXPECT_EQ(got.action, want.action);
    EXPECT_EQ(got.log, want.log);
    EXPECT_EQ(got.idle_timeout_s, want.idle_timeout_s);
    std::uint16_t closed = abi::kNone16;
    for (const control::PassedOver& over : want.passed_over) {
      if (over.access_closed && !over.schedule_inactive) {
        closed = *model.rules[over.rule].access;
        break;
      }
    }
    EXPECT_EQ(got.closed_access, closed);
    if (want.rule != control::Explanation::kDefault) {
      ++decided;
      EXPECT_EQ(got.access, model.rules[want.rule].access.value_or(abi::kNone16));
    }
  }
  return decided;
}

// Many questions at once get the answers that each gets alone.
void compare_together(const Model& model, std::mt19937_64& random) {
  const Loaded loaded(model);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  Asker asker(model, random);
  std::vector<policy::Query> queries(1 + random() % 64);
  std::vector<policy::Decision> together(queries.size());
  for (policy::Query& q : queries) q = query_of(asker.next());
  const std::uint64_t schedules = random(), open = random();
  const auto is_open = [&](std::uint16_t access) { return (open >> access & 1) != 0; };
  policy::decide(loaded.view(), std::span<const policy::Query>(queries), together.data(), schedules, is_open);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const policy::Decision alone = policy::decide(loaded.view(), queries[i], schedules, is_open);
    EXPECT_EQ(together[i].rule, alone.rule) << i << " of " << queries.size();
    EXPECT_EQ(together[i].action, alone.action);
    EXPECT_EQ(together[i].log, alone.log);
    EXPECT_EQ(together[i].access, alone.access);
    EXPECT_EQ(together[i].closed_access, alone.closed_access);
    EXPECT_EQ(together[i].idle_timeout_s, alone.idle_timeout_s);
  }
}

TEST(ClassifierTogether, ManyQuestionsAreAnsweredAsEachAlone) {
  std::mt19937_64 random(11);
  for (const Taste taste : kTastes) {
    for (const std::size_t rules : {0, 1, 7, 150, 400}) {
      for (const std::size_t zones : {1, 4}) {
        Model model = site(zones);
        add_random_rules(model, rules, taste, random);
        model = without_unreachable(std::move(model));
        for (int round = 0; round < 5; ++round) compare_together(model, random);
        if (HasFailure()) FAIL() << rules << " rules, " << zones << " zones";
      }
    }
  }
}

class Classifier : public testing::TestWithParam<Taste> {};

TEST_P(Classifier, DecidesAsAWalkOverAllRules) {
  std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()) + 1);
  std::size_t decided = 0;
  for (const std::size_t rules : {1, 2, 3, 7, 20, 60, 150, 400}) {
    for (const std::size_t zones : {1, 4}) {
      for (int round = 0; round < 2; ++round) {
        Model model = site(zones);
        add_random_rules(model, rules, GetParam(), random);
        decided += compare(without_unreachable(std::move(model)), 1500, random);
        if (HasFailure()) FAIL() << rules << " rules, " << zones << " zones, round " << round;
      }
    }
  }
  EXPECT_GT(decided, 10'000u);  // the questions are not all answered by the default
}

INSTANTIATE_TEST_SUITE_P(Tastes, Classifier, testing::ValuesIn(kTastes),
                         [](const auto& taste) { return numbered("taste", static_cast<int>(taste.param)); });

TEST(ClassifierScale, ThreeThousandNestedRulesDecideAsTheOracle) {
  std::mt19937_64 random(42);
  Model model = site(4);
  add_random_rules(model, 3000, Taste::mixed, random);
  model = without_unreachable(std::move(model));
  EXPECT_GT(compare(model, 5000, random), 500u);
}

// Ranges that overlap at random in both addresses and in ports: the worst that a tree can be asked to cut.
TEST(ClassifierScale, AdversarialRangesStayWithinTheBudget) {
  std::mt19937_64 random(7);
  Model model = site(2);
  const auto range = [&] {
    const auto low = static_cast<std::uint32_t>(random());
    return control::AddressRange{ip4(low),
                                 ip4(low + std::min(~low, static_cast<std::uint32_t>(random() >> 35)))};
  };
  for (int i = 0; i < 10'000; ++i) {
    control::Rule r = rule(numbered("r", i), model);
    r.source = {range()};
    r.destination = {range()};
    const auto port = static_cast<std::uint16_t>(random() % 60'000);
    r.services = {tcp(port, static_cast<std::uint16_t>(port + random() % 5000))};
    r.action = static_cast<abi::Action>(random() % 3);
    model.rules.push_back(std::move(r));
  }
  model = without_unreachable(std::move(model));
  ASSERT_GT(model.rules.size(), 9000u);
  const control::CompileResult compiled = control::compile(model, 1);
  ASSERT_TRUE(compiled.ok());
  EXPECT_LT(compiled.bytes.size(), 48u << 20);
  compare(model, 3000, random);
}

TEST(ClassifierShape, PairsWithoutAWireHaveNoTreesAndDeny) {
  Model model = site(2);
  model.zones.push_back({"island", {}, {}});
  model.rules.push_back(rule("all", model));
  const Loaded loaded(model);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  policy::Query q;
  q.from = ZoneId{0};
  q.to = ZoneId{1};
  const auto open = [](std::uint16_t) { return true; };
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, open).rule, 0u);
  q.to = ZoneId{2};
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, open).rule, abi::kNoRule);
  EXPECT_FALSE(control::wired(model, 0, 2));
  q.to = ZoneId{200};
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, open).action, abi::Action::drop);
  q.to = ZoneId{1};
  q.ip_version = 5;
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, open).rule, abi::kNoRule);
}

}  // namespace
}  // namespace sekisho::test
