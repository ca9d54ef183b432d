#include "agent/inquiry.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace clusterd::agent {
namespace {

using namespace std::chrono_literals;

/// An inquiry with a master that answers when the test says so.
struct Asked {
  void want(const std::string& who, bool metrics = false) {
    inquiry.want(metrics, [this, who](const std::optional<View>& view) {
      heard += who + (view ? view->reason : "nothing") + " ";
    });
  }
  void answer(std::int64_t ack, const std::string& reason) {
    inquiry.answered({ack, 0, true, reason}, nullptr);
  }

  boost::asio::io_context io;
  std::vector<protocol::Report> questions;
  std::string heard;
  Inquiry inquiry{io, [this](const protocol::Report& report) { questions.push_back(report); },
                  50ms};
};

}  // namespace

TEST_CASE("those who want to know while a question is on its way share the next") {
  Asked asked;
  asked.want("a");
  asked.want("b");
  asked.want("c", true);
  REQUIRE(asked.questions.size() == 1);
  CHECK_FALSE(asked.questions[0].metrics);
  asked.answer(asked.questions[0].seq, "1");
  CHECK(asked.heard == "a1 ");
  REQUIRE(asked.questions.size() == 2);
  CHECK(asked.questions[1].metrics);
  asked.answer(asked.questions[1].seq, "2");
  CHECK(asked.heard == "a1 b2 c2 ");
  CHECK(asked.questions.size() == 2);
}

TEST_CASE("an answer to nothing that was asked tells nobody anything") {
  Asked asked;
  asked.answer(0, "0");
  asked.want("a");
  asked.answer(asked.questions[0].seq + 1, "x");
  asked.answer(-1, "x");
  CHECK(asked.heard.empty());
  asked.answer(asked.questions[0].seq, "1");
  asked.answer(asked.questions[0].seq, "2");
  CHECK(asked.heard == "a1 ");
}

TEST_CASE("who has waited long enough hears that the master does not answer, once") {
  Asked asked;
  asked.want("a");
  asked.want("b");
  (void)asked.io.run();
  CHECK(asked.heard == "anothing bnothing ");
  // It is still the only question: a master that was stopped is not asked a thousand times.
  asked.io.restart();
  asked.want("c");
  CHECK(asked.questions.size() == 1);
  asked.answer(asked.questions[0].seq, "1");
  REQUIRE(asked.questions.size() == 2);
  asked.answer(asked.questions[1].seq, "2");
  CHECK(asked.heard == "anothing bnothing c2 ");
  (void)asked.io.run();
}

TEST_CASE("who hears an answer may want to know again") {
  Asked asked;
  asked.inquiry.want(false, [&](const std::optional<View>&) { asked.want("b"); });
  asked.answer(asked.questions[0].seq, "1");
  REQUIRE(asked.questions.size() == 2);
  asked.answer(asked.questions[1].seq, "2");
  CHECK(asked.heard == "b2 ");
}

}  // namespace clusterd::agent
