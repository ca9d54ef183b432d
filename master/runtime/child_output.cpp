#include "master/runtime/child_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr std::size_t kTail = 4 * 1024;
/// What a child can print while the master is busy, without waiting. The kernel's own is 64 KiB.
constexpr int kPipeBytes = 256 * 1024;

struct Pipe {
  UniqueFd ours;
  UniqueFd childs;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return errno_error("make a pipe");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // The child's end blocks, as a simple program expects.
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return errno_error("make a pipe");
  ::fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);  // refused beyond what one user's pipes may hold
  return pipe;
}

}  // namespace

struct ChildOutput::Streams {
  Streams(boost::asio::io_context& loop, Pipe for_out, Pipe for_error)
      : io(loop), out_ends(std::move(for_out)), error_ends(std::move(for_error)) {}
  ~Streams() { finish(); }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  void start(Take taker) {
    take = std::move(taker);
    out_ends.childs.reset();
    error_ends.childs.reset();
    out = OutputPipe::open(io, std::move(out_ends.ours),
                           [this](std::string_view lines) { take(log::Stream::out, lines); });
    error = OutputPipe::open(io, std::move(error_ends.ours), [this](std::string_view lines) {
      tail.add(lines);
      take(log::Stream::error, lines);
    });
  }

  void finish() {
    if (out) out->finish();
    if (error) error->finish();
  }

  boost::asio::io_context& io;
  Take take;
  Tail tail{kTail};
  Pipe out_ends;
  Pipe error_ends;
  std::shared_ptr<OutputPipe> out;
  std::shared_ptr<OutputPipe> error;
};

Result<ChildOutput> ChildOutput::open(boost::asio::io_context& io, os::SpawnSpec& spec,
                                      bool capture) {
  ChildOutput output;
  if (!capture) return output;
  auto out = make_pipe();
  if (!out) return out.error();
  auto error = make_pipe();
  if (!error) return error.error();
  spec.output = out->childs.get();
  spec.error = error->childs.get();
  // Programs that open /dev/stderr anew need a right to the file, which is ours. Only who has the
  // pipe, or may trace who has it, can get at it to use that.
  if (spec.identity) {
    for (const int fd : {spec.output, spec.error}) ::fchmod(fd, 0622);
  }
  // If the master dies, its children finish what they hold, and may well print meanwhile.
  spec.ignores_sigpipe = true;
  output.streams_ = std::make_unique<Streams>(io, std::move(*out), std::move(*error));
  return output;
}

ChildOutput::ChildOutput() = default;
ChildOutput::ChildOutput(ChildOutput&&) noexcept = default;
ChildOutput& ChildOutput::operator=(ChildOutput&&) noexcept = default;
ChildOutput::~ChildOutput() = default;

void ChildOutput::start(Take take) {
  if (streams_) streams_->start(std::move(take));
}

std::string ChildOutput::last_words() const { return streams_ ? streams_->tail.text() : ""; }

std::string ChildOutput::finish() {
  if (streams_) streams_->finish();
  return last_words();
}

}  // namespace clusterd::runtime
