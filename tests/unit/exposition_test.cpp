#include "master/runtime/exposition.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

namespace clusterd::runtime {

using Type = Exposition::Type;

TEST_CASE("a family has its help, its type, and its samples") {
  Exposition page;
  page.family("a_total", Type::counter, "How many.");
  page.sample(std::uint64_t{1}, {{"slot", "0"}});
  page.sample(std::uint64_t{2}, {{"slot", "1"}, {"how", "exit"}});
  page.single("b", Type::gauge, "Whether.", true);
  CHECK(page.take() ==
        "# HELP a_total How many.\n"
        "# TYPE a_total counter\n"
        "a_total{slot=\"0\"} 1\n"
        "a_total{slot=\"1\",how=\"exit\"} 2\n"
        "# HELP b Whether.\n"
        "# TYPE b gauge\n"
        "b 1\n");
}

TEST_CASE("what would end a line or a label is escaped, each as its place wants it") {
  Exposition page;
  page.family("a", Type::gauge, "one\ntwo \\ \"three\"");
  page.sample(true, {{"name", "one\ntwo \\ \"three\""}});
  CHECK(page.take() ==
        "# HELP a one\\ntwo \\\\ \"three\"\n"
        "# TYPE a gauge\n"
        "a{name=\"one\\ntwo \\\\ \\\"three\\\"\"} 1\n");
}

TEST_CASE("what is no UTF-8 is replaced, and what is stays") {
  Exposition page;
  page.family("a", Type::gauge, "");
  (void)page.take();
  page.sample(true, {{"name", "\xc3\xa9 \xff \xc3"}});
  CHECK(page.take() == "a{name=\"\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\"} 1\n");
}

TEST_CASE("numbers are written as Prometheus reads them") {
  Exposition page;
  page.family("a", Type::gauge, "");
  (void)page.take();
  page.sample(std::numeric_limits<std::uint64_t>::max());
  page.sample(0.25);
  page.sample(1e300);
  page.sample(std::numeric_limits<double>::quiet_NaN());
  page.sample(std::numeric_limits<double>::infinity());
  page.sample(-std::numeric_limits<double>::infinity());
  CHECK(page.take() == "a 18446744073709551615\na 0.25\na 1e+300\na NaN\na +Inf\na -Inf\n");
}

}  // namespace clusterd::runtime
