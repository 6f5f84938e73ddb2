#include "dataplane/measure/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace sekisho::measure {
namespace {

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (std::uint64_t v = 0; v < 256; ++v) h.record(v);
  const auto buckets = h.buckets();
  ASSERT_EQ(buckets.size(), 256u);
  for (std::uint64_t v = 0; v < 256; ++v) {
    EXPECT_EQ(buckets[v].low, v);
    EXPECT_EQ(buckets[v].high, v);
    EXPECT_EQ(buckets[v].count, 1u);
  }
}

TEST(Histogram, EveryValueLiesInItsBucketAndBucketsAreNarrow) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t v = random() >> (random() % 44 + 20);
    Histogram h;
    h.record(v);
    const auto buckets = h.buckets();
    ASSERT_EQ(buckets.size(), 1u);
    EXPECT_LE(buckets[0].low, v);
    EXPECT_GE(buckets[0].high, v);
    EXPECT_LE(static_cast<double>(buckets[0].high - buckets[0].low), static_cast<double>(v) / 127.0);
  }
}

TEST(Histogram, PercentilesAreThoseOfTheSortedValuesWithinABucket) {
  std::mt19937_64 random(5);
  std::lognormal_distribution<double> latency(7, 1.5);
  Histogram h;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 50000; ++i) {
    values.push_back(static_cast<std::uint64_t>(latency(random)));
    h.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double p : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const std::size_t rank = static_cast<std::size_t>(std::ceil(p / 100 * 50000)) - 1;
    const double exact = static_cast<double>(values[rank]);
    EXPECT_GE(static_cast<double>(h.percentile(p)), exact);
    EXPECT_LE(static_cast<double>(h.percentile(p)), exact * 1.008 + 1) << p;
  }
  EXPECT_EQ(h.max(), values.back());
  EXPECT_EQ(h.min(), values.front());
}

TEST(Histogram, HugeValuesCountInTheLastBucketAndMergeAdds) {
  Histogram a, b;
  a.record(~0ull);
  b.record(5, 3);
  a.merge(b);
  EXPECT_EQ(a.total(), 4u);
  EXPECT_EQ(a.min(), 5u);
  EXPECT_EQ(a.max(), (1ull << 44) - 1);
  EXPECT_EQ(a.percentile(75), 5u);
  a.clear();
  EXPECT_EQ(a.total(), 0u);
  EXPECT_EQ(a.percentile(50), 0u);
}

TEST(Histogram, JsonNamesItsBuckets) {
  Histogram h;
  h.record(100, 2);
  EXPECT_EQ(
      h.json(true),
      "{\"count\":2,\"min\":100,\"mean\":100,\"p50\":100,\"p90\":100,\"p99\":100,\"p999\":100,\"p9999\":100,"
      "\"max\":100,\"buckets\":[[100,2]]}");
}

}  // namespace
}  // namespace sekisho::measure
