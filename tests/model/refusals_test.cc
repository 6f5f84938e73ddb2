// One named case for each refusal of the configuration reader: the text with "«" before the place that is
// wrong, and what is said about it. Exactly one error is expected, so no case drags others behind it.
#include <gtest/gtest.h>

#include <ostream>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "tests/model/refusal_cases.h"
#include "tests/model/site_text.h"

namespace sekisho::control {

void PrintTo(const RefusalCase& c, std::ostream* out) {
  *out << c.name;
}

class Refusal : public testing::TestWithParam<RefusalCase> {};

TEST_P(Refusal, NamesThePlaceAndTheReason) {
  const RefusalCase& c = GetParam();
  std::string text = c.whole ? c.text : kSite + c.text;
  const Position place = take_marker(text);
  ASSERT_NE(place.line, 0u) << "the case marks no place";
  const ReadResult result = read_config(text, "site.toml", kNow);
  EXPECT_FALSE(result.ok());
  std::vector<Diagnostic> errors;
  std::string all;
  for (const Diagnostic& d : result.diagnostics) {
    all += format(d, result.files) + "\n";
    if (d.severity == Diagnostic::Severity::error) errors.push_back(d);
  }
  ASSERT_EQ(errors.size(), 1u) << all;
  EXPECT_EQ(errors[0].at.line, place.line) << all;
  EXPECT_EQ(errors[0].at.column, place.column) << all;
  EXPECT_EQ(errors[0].what, c.what) << all;
  EXPECT_NE(errors[0].expected.find(c.expected), std::string::npos) << all;
}

namespace {
std::string case_name(const testing::TestParamInfo<RefusalCase>& c) {
  return c.param.name;
}
}  // namespace

INSTANTIATE_TEST_SUITE_P(Topology, Refusal, testing::ValuesIn(topology_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Links, Refusal, testing::ValuesIn(link_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Ips, Refusal, testing::ValuesIn(ips_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Records, Refusal, testing::ValuesIn(records_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Vendors, Refusal, testing::ValuesIn(vendor_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(People, Refusal, testing::ValuesIn(people_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Policy, Refusal, testing::ValuesIn(policy_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Recorder, Refusal, testing::ValuesIn(recorder_refusals()), case_name);
INSTANTIATE_TEST_SUITE_P(Response, Refusal, testing::ValuesIn(response_refusals()), case_name);

}  // namespace sekisho::control
