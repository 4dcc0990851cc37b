// cutwater-relay CLIENT_DEVICE SERVER_DEVICE [seed=N] [router=ADDRESS]… [up|down|both name=value…]…
//
//   … ── CLIENT_DEVICE [ up: impairments ──▶ ] SERVER_DEVICE ── …
//                      [ ◀── impairments :down ]
//
// Passes Ethernet packets between two devices and spoils them on the way (impairment.hpp says how). `tc netem` by other
// means, for kernels that have none. Reads further lines of the same words from its input while it runs; the word `stats`
// answers with one line of JSON, an empty line with `ok`. Ends with its input. Thread: one.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>

#include "line.hpp"
#include "too_big.hpp"
#include "wire_end.hpp"

namespace relay {
namespace {

std::uint64_t now_us() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count());
}

class Relay {
 public:
  Relay(const std::string& client_device, const std::string& server_device, std::uint64_t seed)
      : client_(client_device), server_(server_device), up_(seed * 2), down_(seed * 2 + 1) {}

  /// Takes a line of words. Returns: false at one that nobody knows; those before it count.
  bool take_words(const std::string& line) {
    std::istringstream words(line);
    bool sets_up = false, sets_down = false;
    for (std::string word; words >> word;) {
      if (word == "up" || word == "down" || word == "both") {
        sets_up = word != "down";
        sets_down = word != "up";
      } else if (word == "stats") {
        print_stats();
      } else if (word.rfind("router=", 0) == 0) {
        if (!take_router(word.substr(7))) return false;
      } else if ((sets_up && !set(up_.impairment, word)) || (sets_down && !set(down_.impairment, word)) || !(sets_up || sets_down)) {
        return false;
      }
    }
    return true;
  }

  /// Until the input ends.
  void run() {
    while (true) {
      pollfd fds[] = {{client_.fd(), POLLIN, 0}, {server_.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      const timespec wait = until_due();
      ppoll(fds, 3, &wait, nullptr);
      if (fds[0].revents != 0) receive(client_, up_);
      if (fds[1].revents != 0) receive(server_, down_);
      send_due(up_, server_);
      send_due(down_, client_);
      if (fds[2].revents != 0 && !read_input()) return;
    }
  }

 private:
  bool take_router(const std::string& text) {
    return inet_pton(AF_INET, text.c_str(), router_.v4.data()) == 1 || inet_pton(AF_INET6, text.c_str(), router_.v6.data()) == 1;
  }

  [[nodiscard]] timespec until_due() const {
    constexpr std::uint64_t kIdleUs = 100'000;
    std::uint64_t due = now_us() + kIdleUs;
    for (const Line* line : {&up_, &down_}) due = std::min(due, line->due_us().value_or(due));
    const std::uint64_t now = now_us();
    const std::uint64_t wait = due > now ? due - now : 0;
    return {static_cast<time_t>(wait / 1'000'000), static_cast<long>(wait % 1'000'000 * 1'000)};
  }

  void receive(WireEnd& from, Line& line) {
    const std::uint64_t now = now_us();
    for (const auto packet : from.rx()) {
      const auto mtu = line.take(packet, now);
      if (!mtu) continue;
      const auto answer = too_big_answer(packet, *mtu, router_);
      if (!answer.empty()) from.tx(answer);
    }
  }

  static void send_due(Line& line, WireEnd& to) {
    for (auto due = line.due_us(); due && *due <= now_us(); due = line.due_us()) to.tx(line.pop());
  }

  // Returns: false at the end of the input.
  bool read_input() {
    char buffer[4'096];
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
    if (got <= 0) return got < 0 && errno == EINTR;
    input_.append(buffer, static_cast<std::size_t>(got));
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      std::puts(take_words(input_.substr(0, end)) ? "ok" : "what?");
      input_.erase(0, end + 1);
    }
    std::fflush(stdout);
    return true;
  }

  void print_stats() {
    std::printf("{\"up\":");
    print_tally(up_.tally);
    std::printf(",\"down\":");
    print_tally(down_.tally);
    std::printf(",\"missed\":%llu}\n", static_cast<unsigned long long>(client_.missed() + server_.missed()));
  }

  static void print_tally(const Tally& t) {
    const std::pair<const char*, std::uint64_t> counts[] = {
        {"taken", t.taken}, {"passed", t.passed}, {"lost", t.lost}, {"duplicated", t.duplicated},
        {"reordered", t.reordered}, {"corrupted", t.corrupted}, {"queueFull", t.queue_full}, {"tooBig", t.too_big}};
    const char* before = "{";
    for (const auto& [name, count] : counts) {
      std::printf("%s\"%s\":%llu", before, name, static_cast<unsigned long long>(count));
      before = ",";
    }
    std::printf("}");
  }

  WireEnd client_, server_;
  Line up_, down_;
  RouterAddress router_;
  std::string input_;
};

int run(int argc, char** argv) {
  std::uint64_t seed = 1;
  std::string words;
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("seed=", 0) == 0) seed = std::strtoull(word.c_str() + 5, nullptr, 10);
    else words += word + " ";
  }
  if (argc < 3) return std::fputs("cutwater-relay CLIENT_DEVICE SERVER_DEVICE [word…]; see test/support/relay/main.cpp\n", stderr), 2;
  Relay relay(argv[1], argv[2], seed);
  if (!relay.take_words(words)) return std::fprintf(stderr, "cutwater-relay: cannot understand: %s\n", words.c_str()), 2;
  // A delay that waits for a busy core is jitter that nobody asked for. Without the right to it, the delay is what it is.
  prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
  (void)setpriority(PRIO_PROCESS, 0, -15);
  std::puts("ready");
  std::fflush(stdout);
  relay.run();
  return 0;
}

}  // namespace
}  // namespace relay

int main(int argc, char** argv) {
  try {
    return relay::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cutwater-relay: %s\n", error.what());
    return 1;
  }
}
