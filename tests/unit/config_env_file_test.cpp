#include "config/env_file.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

using Variables = std::map<std::string, std::string>;

Variables variables(const std::string& text) {
  Variables result;
  Mistakes mistakes;
  parse_env_file("prod.env", text, result, mistakes);
  for (const Mistake& mistake : mistakes) FAIL_CHECK(config::text("", mistake));
  return result;
}

std::string value(const std::string& text) {
  const Variables all = variables("A=" + text);
  REQUIRE(all.size() == 1);
  return all.at("A");
}

/// The mistakes, one a line, with ' for ".
std::string mistakes_in(const std::string& text) {
  Variables ignored;
  Mistakes mistakes;
  parse_env_file("prod.env", text, ignored, mistakes);
  std::string all;
  for (const Mistake& mistake : mistakes) {
    all += (all.empty() ? "" : "\n") + config::text("app.conf", mistake);
  }
  std::replace(all.begin(), all.end(), '"', '\'');
  return all;
}

}  // namespace

TEST_CASE("an env file has a variable a line") {
  CHECK(variables("").empty());
  CHECK(variables("\n \t\n# A=1\n  ; B=2\n#\n").empty());
  CHECK(variables("A=1\n\n_b2=two\nA=3") == Variables{{"A", "3"}, {"_b2", "two"}});
  CHECK(variables("A=1\r\nB='x\r\ny'\r\n") == Variables{{"A", "1"}, {"B", "x\ny"}});
  CHECK(variables("  A \t= 1 \nB=\nC =") == Variables{{"A", "1"}, {"B", ""}, {"C", ""}});
  CHECK(variables("export A=1\nexport\tB = 2\nexport=3\nexport =4\nexported=5") ==
        Variables{{"A", "1"}, {"B", "2"}, {"export", "4"}, {"exported", "5"}});
  CHECK(variables("\xef\xbb\xbf"
                  "A=1") == Variables{{"A", "1"}});
}

TEST_CASE("a value without quotes goes to the end of the line") {
  CHECK(value("a b  c\t ") == "a b  c");
  CHECK(value("a # b") == "a # b");
  CHECK(value("it's \"so\"") == "it's \"so\"");
  CHECK(value("$HOME `id` ${X}") == "$HOME `id` ${X}");
  CHECK(value("a=b=c") == "a=b=c");
  CHECK(value("a\\\\b\\\"c\\ ") == "a\\b\"c ");
  CHECK(value("\\'a'") == "'a'");
  CHECK(value("a\\\n  b") == "a  b");
  CHECK(value("a\\") == "a");
  CHECK(variables("A=a\\\nB=b\nC=c") == Variables{{"A", "aB=b"}, {"C", "c"}});
}

TEST_CASE("a value in quotes ends with them") {
  CHECK(value("''") == "");
  CHECK(value("' a \"b\" \\ $c '  ") == " a \"b\" \\ $c ");
  CHECK(value("'a\nb'") == "a\nb");
  CHECK(value(R"("a\"b\\c\$d\`e\nf'")") == R"(a"b\c$d`e\nf')");
  CHECK(value("\"a\nb\\\nc\"") == "a\nbc");
  CHECK(value("\"a\"'b'\"c\"") == "abc");
  CHECK(variables("A='1\n2'\nB=3") == Variables{{"A", "1\n2"}, {"B", "3"}});
}

TEST_CASE("a bad line of an env file is a mistake there") {
  const std::string rule = "cannot name a variable (letters, digits and _, no digit first)";
  each_is_bad(&mistakes_in, "prod.env:",
              {{"A=1\n\nexport B", "3: expected NAME=VALUE, got 'export B'"},
               {"A", "1: expected NAME=VALUE, got 'A'"},
               {"=1", "1: '' " + rule},
               {"1A=1", "1: '1A' " + rule},
               {"A B=1", "1: 'A B' " + rule},
               {"export A B=1", "1: 'A B' " + rule},
               {"CLUSTERD_X=1", "1: 'CLUSTERD_X': CLUSTERD_ names are for clusterd"},
               {"A='x\ny' z", "2: unexpected 'z' after the closing quote"},
               {"A=\"x\" # y", "1: unexpected '# y' after the closing quote"},
               {"A=''b", "1: unexpected 'b' after the closing quote"},
               {"A=1\nB='x\ny\n", "2: a quote is not closed"},
               {"A=\"x\\\"", "1: a quote is not closed"},
               {"A=\"x\\", "1: a quote is not closed"},
               {std::string("A=1\nB=\0\n", 8), "2: contains a NUL byte"},
               {"\x1b[2J", "1: expected NAME=VALUE, got '\\x1b[2J'"}});
  CHECK(mistakes_in("A\nB='\n'c\nD=1\n2=x") ==
        "prod.env:1: expected NAME=VALUE, got 'A'\n"
        "prod.env:3: unexpected 'c' after the closing quote\n"
        "prod.env:5: '2' " +
            rule);
}

TEST_CASE("no env file is a crash") {
  const std::string bytes("AB=='\"\"\\\\\n\n\r #;$\xff export ", 24);
  std::minstd_rand random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random() % 60; i > 0; --i) text += bytes[random() % bytes.size()];
    const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
    Variables result;
    Mistakes mistakes;
    parse_env_file("prod.env", text, result, mistakes);
    for (const Mistake& mistake : mistakes) {
      CHECK((mistake.line >= 1 && mistake.line <= lines));
    }
  }
}

TEST_CASE("app.conf names env files, and what it says itself goes first") {
  const auto env = [](const std::string& lines) { return good(in_worker(lines)).worker.env; };
  CHECK(env("env_file = 'a.env'") == Variables{{"A", "1"}, {"B", "1"}});
  CHECK(env("env_file = ['./a.env', '/etc/shop/b.env']") ==
        Variables{{"A", "1"}, {"B", "2"}, {"C", "2"}});
  CHECK(env("env_file = ['b.env', 'a.env']\nenv = { C = 'env' }") ==
        Variables{{"A", "1"}, {"B", "1"}, {"C", "env"}});
  CHECK(env("env_file = []").empty());

  CHECK(bad_worker("env_file = 'bad.env'\nmax_pending = 0") ==
        "6: worker.max_pending: expected an integer from 1 to 1024, got integer 0\n"
        "bad.env:2: 'CLUSTERD_A': CLUSTERD_ names are for clusterd\n"
        "bad.env:3: expected NAME=VALUE, got 'B'");
  const std::string wanted = "expected a path or an array of paths, got ";
  each_is_bad(
      bad_worker, "6: worker.env_file: ",
      {{"env_file = [\n'none.env']", "'none.env': cannot be read: No such file or directory"},
       {"env_file = [\n1]", wanted + "integer 1"},
       {"env_file = [\n'']", wanted + "string ''"},
       {"\nenv_file = ''", wanted + "string ''"},
       {"\nenv_file = true", wanted + "boolean true"},
       {"\nenv_file = \"a\\u0000\"", "contains a NUL byte"}});
}
