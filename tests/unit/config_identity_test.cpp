#include "config/accounts.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

TEST_CASE("a user is looked up when the file is read, with the groups it is in") {
  CHECK_FALSE(good(kGood).user.has_value());
  const Settings settings = good(in_top("user = 'www-data'"));
  CHECK(settings.user == Identity{"www-data", 33, 33, {33, 44}, "/var/www", "/bin/false"});
  CHECK(good(in_top("user = '33'")).user == settings.user);
  const auto other = good(in_top("user = 'www-data'\ngroup = 'adm'")).user;
  CHECK(other->gid == 4);
  CHECK(other->groups == std::vector<gid_t>{4, 33, 44});
  const auto number = good(in_top("user = '4242'\ngroup = 'adm'")).user;
  CHECK(number->uid == 4242);
  CHECK(number->groups == std::vector<gid_t>{4});
}

TEST_CASE("who cannot be found is named, with the nearest who can") {
  each_is_bad(&bad_top, "1: ",
              {{"user = 'ww-data'", "user: there is no user 'ww-data'; did you mean 'www-data'?"},
               {"user = 'x'", "user: there is no user 'x'"},
               {"user = ''", "user: expected a name or a number, as a string, got string ''"},
               {"user = 33", "user: expected a name or a number, as a string, got integer 33"},
               {"user = '4242'", "user: '4242' has no name, and so no group of its own; set group"},
               {"group = 'adm'", "group: is only for a user: set user as well"}});
  CHECK(bad_top("user = 'alice'\ngroup = 'adn'") ==
        "2: group: there is no group 'adn'; did you mean 'adm'?");
}

TEST_CASE("the control socket is its owner's, or a group's too") {
  const auto control = [](const std::string& lines) {
    return good(kGood + "[control]\n" + lines).control;
  };
  CHECK(control("").mode == 0600);
  CHECK_FALSE(control("").group.has_value());
  CHECK(control("group = 'adm'").mode == 0660);
  CHECK(control("group = 'adm'").group == Group{"adm", 4});
  CHECK(control("group = '4'\nmode = '0620'").mode == 0620);
  CHECK(bad(kGood + "[control]\ngroup = 'nobody'\n") ==
        "6: control.group: there is no group 'nobody'");
}

TEST_CASE("limits of workers are numbers, amounts or none") {
  const auto worker = [](const std::string& lines) { return good(in_worker(lines)).worker; };
  CHECK_FALSE(worker("").nproc.has_value());
  CHECK(worker("nproc = 100").nproc == 100);
  CHECK(worker("nproc = 'unlimited'").nproc == kUnlimited);
  CHECK(worker("memlock = '64KiB'").memlock == 65536);
  CHECK(worker("memlock = 'unlimited'").memlock == kUnlimited);
  CHECK(worker("core = 0").core == 0);
  CHECK(contains(bad_worker("nproc = 0"), "worker.nproc: expected 'unlimited' or an integer"));
  CHECK(contains(bad_worker("core = 'much'"), "worker.core: expected "));
}

TEST_CASE("workers run where they may") {
  using Kind = Affinity::Kind;
  const auto affinity = [](const std::string& value) {
    return good(in_worker("affinity = " + value)).worker.affinity;
  };
  CHECK(affinity("'none'") == Affinity{});
  CHECK(affinity("'slot'") == Affinity{Kind::slot, {0, 1, 3}});
  CHECK(affinity("[3, 0, 3]") == Affinity{Kind::list, {3, 0, 3}});
  each_is_bad(
      &bad_worker, "5: worker.affinity: ",
      {{"affinity = [1, 2]", "clusterd may not run on CPU 2"},
       {"affinity = []", "is empty: no CPU to run on"},
       {"affinity = [-1]", "expected 'none', 'slot' or an array of CPU numbers, got integer -1"}});
  CHECK(bad_worker("affinity = 'slots'") ==
        "5: unknown affinity 'slots'; expected 'none' or 'slot'; did you mean 'slot'?");
}

TEST_CASE("the machine's database knows root, by name and by number") {
  const auto root = find_user("root");
  REQUIRE(root.has_value());
  CHECK(root->uid == 0);
  CHECK(root->gid == 0);
  CHECK(find_user("0")->user == "root");
  CHECK(find_group("0")->name == "root");
  CHECK_FALSE(find_user("no-such-user-here").has_value());
  CHECK_FALSE(find_group("4294967296").has_value());
  const auto names = user_names();
  CHECK(std::count(names.begin(), names.end(), "root") == 1);
}
