// Clients that arrive at a rate of their own, however slow the server gets: each connects from the next address of --bind-range,
// shakes hands, asks for --path and waits for the first byte of the answer, for --patience seconds at most.
// It learns its session first (--resume), says {"event":"ready"}, and begins at the next line of standard input.
#include <algorithm>
#include <cstdio>
#include <deque>

#include "stream.hpp"

namespace load {
namespace {

class Visit : public Task {
 public:
  Visit(const Options& options, Tls& tls, const Loop& loop, std::uint32_t index)
      : stream_(options, tls, index),
        request_("GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\nConnection: close\r\n\r\n") {
    loop.add(*this, stream_.fd());
  }
  int fd() const override { return stream_.fd(); }

  void advance() override {
    if (is_over) return;
    if (!is_established_) {
      const Io io = stream_.establish();
      if (io == Io::again) return;
      if (io != Io::ok) return fail();
      is_established_ = true;
      was_resumed = stream_.was_resumed();
      std::size_t put = 0;
      if (stream_.write(request_, put) != Io::ok || put != request_.size()) return fail();
    }
    char answer[4096];
    std::size_t got = 0;
    const Io io = stream_.read(answer, got);
    if (io == Io::again) return;
    if (io != Io::ok) return fail();
    is_over = has_finished = true;
    took = Clock::now() - began;
    stream_.finish();
  }
  [[nodiscard]] std::string failure() const { return stream_.failure(); }

  Clock::time_point began = Clock::now();
  Clock::duration took{};
  bool is_over = false, has_finished = false, was_resumed = false;

 private:
  void fail() { is_over = true; }
  Stream stream_;
  std::string request_;
  bool is_established_ = false;
};

struct Tally {
  std::uint64_t arrived = 0, finished = 0, resumed = 0, failed = 0, late = 0;
  std::string failure;
  Latencies times;

  void count(const Visit& visit) {
    if (visit.has_finished) {
      ++finished;
      resumed += visit.was_resumed ? 1 : 0;
      times.add(visit.took);
    } else if (visit.is_over) {
      ++failed;
      failure = visit.failure();
    } else {
      ++late;
    }
  }
};

}  // namespace

int run_arrivals(const Options& options) {
  Tls tls(options);
  if (options.is_resuming && !learn_session(options, tls)) {
    std::fprintf(stderr, "the server gave no session\n");
    return 1;
  }
  std::printf("{\"event\":\"ready\"}\n");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 1;
  Loop loop;
  std::deque<std::unique_ptr<Visit>> visits;  // oldest first
  Tally tally;
  const auto start = Clock::now();
  const auto retire = [&] {
    while (!visits.empty() && (visits.front()->is_over || seconds_since(visits.front()->began) > options.patience)) {
      tally.count(*visits.front());
      visits.pop_front();
    }
  };
  for (double now = 0; (now = seconds_since(start)) < options.seconds || !visits.empty();) {
    while (now < options.seconds && static_cast<double>(tally.arrived) < options.rate * now) {
      visits.push_back(std::make_unique<Visit>(options, tls, loop, static_cast<std::uint32_t>(tally.arrived++)));
    }
    loop.run_once(1);
    retire();
  }
  std::printf("{\"arrived\":%llu,\"finished\":%llu,\"resumed\":%llu,\"failures\":%llu,\"late\":%llu,\"p50Us\":%u,\"p99Us\":%u,\"failure\":\"%s\"}\n",
              static_cast<unsigned long long>(tally.arrived), static_cast<unsigned long long>(tally.finished),
              static_cast<unsigned long long>(tally.resumed), static_cast<unsigned long long>(tally.failed),
              static_cast<unsigned long long>(tally.late), tally.times.at(0.5), tally.times.at(0.99), tally.failure.c_str());
  return tally.arrived > 0 ? 0 : 1;
}

}  // namespace load
