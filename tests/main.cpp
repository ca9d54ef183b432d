#define DOCTEST_CONFIG_IMPLEMENT

#include <doctest/doctest.h>

#include <iostream>

/// Each message is out at once: of a test that is ended for taking too long, too.
int main(int argc, char** argv) {
  std::cout << std::unitbuf;
  return doctest::Context(argc, argv).run();
}
