#include "dataplane/measure/search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sekisho::measure {
namespace {

// A device that carries `capacity` and loses what is above it, and `leak` of everything from `leak_from` on.
struct Device {
  double capacity, leak_from = 1e18, leak = 0;
  int trials = 0;
  double seconds = 0;
  Trial operator()(double rate, double s) {
    ++trials;
    seconds += s;
    const auto sent = static_cast<std::uint64_t>(rate * s);
    double lost = rate > capacity ? (rate - capacity) * s : 0;
    if (rate > leak_from) lost = std::max(lost, leak * static_cast<double>(sent));
    return {rate, s, sent, static_cast<std::uint64_t>(std::ceil(lost))};
  }
};

TEST(BinarySearch, FindsTheRateWithinThePrecision) {
  for (const double capacity : {1500.0, 123456.0, 7.3e6, 99e6}) {
    Device device{capacity};
    const Found f = binary_search({1000, 100e6, 0.01, 1, 0}, std::ref(device));
    EXPECT_LE(f.rate, capacity);
    EXPECT_GE(f.above, capacity);
    EXPECT_LE((f.above - f.rate) / f.above, 0.01);
    EXPECT_LT(device.trials, 30);
  }
}

TEST(BinarySearch, SaysWhenTheDeviceIsBeyondTheLimits) {
  Device fast{1e9}, dead{10};
  const Found above = binary_search({1000, 1e6, 0.01, 1, 0}, std::ref(fast));
  EXPECT_EQ(above.rate, 1e6);
  EXPECT_EQ(above.above, 0);
  const Found below = binary_search({1000, 1e6, 0.01, 1, 0}, std::ref(dead));
  EXPECT_EQ(below.rate, 0);
  EXPECT_EQ(below.above, 1000);
}

TEST(BinarySearch, BearsTheLossThatIsAllowed) {
  Device device{5e6, 1e6, 0.001};
  EXPECT_LE(binary_search({1000, 1e8, 0.01, 1, 0}, std::ref(device)).rate, 1e6);
  const Found f = binary_search({1000, 1e8, 0.01, 1, 0.002}, std::ref(device));
  EXPECT_GE(f.rate, 4.9e6);
  EXPECT_LE(f.rate, 5.02e6);
}

TEST(BinarySearch, StopsWhenTold) {
  Device device{5e6};
  int left = 4;
  const Found f = binary_search({1000, 1e8, 1e-4, 1, 0}, std::ref(device), [&] { return --left > 0; });
  EXPECT_LE(f.trials.size(), 6u);
  EXPECT_LE(f.rate, 5e6);
}

TEST(BinarySearch, ATrialThatCouldNotBeMadeIsLoss) {
  const Found f = binary_search({1000, 1e6, 0.01, 1, 0}, [](double rate, double s) {
    return Trial{rate, s, 0, 0};
  });
  EXPECT_EQ(f.rate, 0);
}

TEST(Mlr, FindsBothRatesAndSpendsLongTrialsOnlyAtTheEnd) {
  Device device{8e6, 6e6, 0.002};
  MlrGoals goals;
  goals.loss = {0, 0.005};
  goals.last_seconds = 10;
  goals.first_seconds = 0.1;
  const MlrFound f = mlr_search(goals, std::ref(device));
  ASSERT_EQ(f.goals.size(), 2u);
  EXPECT_LE(f.goals[0].rate, 6e6);
  EXPECT_GE(f.goals[0].above, 6e6);
  EXPECT_LE((f.goals[0].above - f.goals[0].rate) / f.goals[0].above, 0.0101);
  const double pdr = 8e6 / 0.995;  // loss of 0.5 %
  EXPECT_LE(f.goals[1].rate, pdr * 1.001);
  EXPECT_GE(f.goals[1].above, pdr * 0.999);
  int length_last = 0;
  for (const Trial& t : f.trials) length_last += t.seconds == 10;
  EXPECT_LT(length_last, 20);
  Device again{8e6, 6e6, 0.002};
  binary_search({1000, 100e6, 0.01, 10, 0}, std::ref(again));
  EXPECT_LT(device.seconds, again.seconds * 1.5);  // two goals for the price of one
}

TEST(Mlr, SaysWhenTheDeviceCarriesTheHighestRate) {
  Device device{1e9};
  MlrGoals goals;
  goals.highest = 1e6;
  const MlrFound f = mlr_search(goals, std::ref(device));
  EXPECT_EQ(f.goals[0].rate, 1e6);
  EXPECT_EQ(f.goals[0].above, 0);
}

TEST(Mlr, ADeadDeviceHasNoLowerBound) {
  const MlrFound f = mlr_search({}, [](double rate, double s) { return Trial{rate, s, 100, 100}; });
  EXPECT_EQ(f.goals[0].rate, 0);
  EXPECT_EQ(f.goals[1].rate, 0);
}

}  // namespace
}  // namespace sekisho::measure
