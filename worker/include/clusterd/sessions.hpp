#pragma once

#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace clusterd {

/// The sessions that a program has open, so that a drain can reach those that wait for their
/// clients. It knows nothing of Asio, and goes well with it:
///
///     clusterd::Sessions<Session> sessions;
///     worker.on_drain([&] { sessions.each([](Session& session) { session.finish(); }); });
///
///     void Session::start() { place_ = server.sessions.add(weak_from_this()); ... }
///
///     clusterd::Sessions<Session>::Place place_;   // the last member, so the first to go
///
/// How a keep-alive connection is ended without losing a request, in finish() and in what follows:
///
///   - a request is being read or answered: nothing; the answer says "Connection: close";
///   - nothing has come yet: nothing. The client of a new connection may not know that it can try
///     again; it is answered with "Connection: close", or runs into the program's own timeout;
///   - between two requests: if bytes have come already (available(), FIONREAD), they are the next
///     one, which is answered as above; else shut down and close.
///
/// What no server can do is tell whether a request is on its way while it closes an idle
/// connection. Its client sees the end before any answer, and has to send it once more (RFC
/// 9112, 9.3.1), which HTTP clients do by themselves for requests that can be repeated.
///
/// Any thread may call anything. With several threads, finish() belongs into the session's strand.
/// It outlives the places that it gave: declare it before the io_context that has the sessions.
template <typename Session>
class Sessions {
  using List = std::list<std::weak_ptr<Session>>;

 public:
  /// One session's, for as long as it lives.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : sessions_(std::exchange(other.sessions_, nullptr)), at_(other.at_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(sessions_, other.sessions_);
      std::swap(at_, other.at_);
      return *this;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (sessions_ != nullptr) sessions_->remove(at_);
    }

   private:
    friend class Sessions;
    Place(Sessions* sessions, typename List::iterator at) : sessions_(sessions), at_(at) {}

    Sessions* sessions_ = nullptr;
    typename List::iterator at_{};
  };

  Sessions() = default;
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  [[nodiscard]] Place add(std::weak_ptr<Session> session) {
    const std::scoped_lock lock(mutex_);
    all_.push_back(std::move(session));
    return {this, std::prev(all_.end())};
  }

  /// Calls `tell` with each session that is open, which may end it, or others.
  template <typename Tell>
  void each(Tell&& tell) {
    std::vector<std::shared_ptr<Session>> open;
    {
      const std::scoped_lock lock(mutex_);
      open.reserve(all_.size());
      for (const auto& session : all_) {
        if (auto alive = session.lock()) open.push_back(std::move(alive));
      }
    }
    for (const auto& session : open) tell(*session);
  }

 private:
  void remove(typename List::iterator at) {
    const std::scoped_lock lock(mutex_);
    all_.erase(at);
  }

  std::mutex mutex_;
  List all_;
};

}  // namespace clusterd
