// The hand-off protocol from a hostile other end. First byte: what the rest is.
//  - the body of one frame (request, reply, options, greeting, verdict, taken): refused, or read to something that is written and read
//    again the same;
//  - a script of what a processor sends to a dataplane that has handshakes there: whole frames with wrong fields, and bytes. Nobody
//    but those handshakes gets replies, each of them ends exactly once, and what is counted as alive is right in the end.
// Run: fuzz_handoff test/fuzz/corpus/handoff -max_len=4000
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "fuzz/script.hpp"
#include "secure/carrier.hpp"
#include "secure/hand_off.hpp"
#include "secure/pool.hpp"
#include "secure/processor.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;
using namespace cutwater::secure;

using ByteVector = std::vector<std::uint8_t>;

ByteVector body_of(const SecretBuffer& frame) {
  const Bytes body = frame.view().subspan(kFrameHeaderBytes);
  require(load_be32(frame.view().data()) == body.size());
  return {body.begin(), body.end()};
}

/// `rewritten` reads a body and gives what would be written of it; empty: refused.
template <class Rewrite>
void check_normal_form(Bytes body, Rewrite&& rewritten) {
  const ByteVector exact(body.begin(), body.end());  // of exactly this size, so that a read past its end is seen
  const ByteVector once = rewritten(exact);
  if (once.empty()) return;
  require(rewritten(once) == once);
}

void try_frame(std::uint8_t which, Bytes body) {
  constexpr Tick kNow{1'000'000};
  check_normal_form(body, [&](const ByteVector& bytes) -> ByteVector {
    FrameReader in(bytes);
    SecretBuffer out;
    std::uint32_t lane = 0, taken = 0;
    if (which == 0) {
      Request request;
      if (!read(in, lane, request, kNow)) return {};
      require(lane < kMaxLanes && request.hello_bytes <= request.bytes.size());
      write(out, lane, request, kNow);
    } else if (which == 1) {
      Reply reply;
      if (!read(in, lane, taken, reply)) return {};
      require(lane < kMaxLanes && (reply.kind == Reply::Kind::established) == (reply.established != nullptr));
      write(out, lane, taken, reply);
    } else if (which == 2) {
      ServiceTls service;
      if (!read_service(in, lane, service)) return {};
      service.each_certificate([](CertificatePem& certificate) { require(certificate.key_pem.empty()); });
      write_configure(out, lane, service);
    } else if (which == 3) {
      Greeting greeting;
      if (!read(in, greeting)) return {};
      require(greeting.lanes >= 1 && greeting.lanes <= kMaxLanes);
      write(out, greeting);
    } else if (which == 4) {
      Verdict verdict;
      if (!read(in, verdict)) return {};
      write(out, verdict);
    } else {
      if (!read_taken(in, taken)) return {};
      write_taken(out, taken);
    }
    return body_of(out);
  });
}

constexpr std::uint32_t kLanes = 2, kHandshakes = 4;

class Hostile {
 public:
  Hostile() {
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_) == 0);
    carrier_.connect(ends_[0]);
    for (std::uint32_t i = 0; i < kHandshakes; ++i) {
      auto request = std::make_unique<Request>();
      request->token = {i, i + 1};
      lanes()[i % kLanes].to.push(std::move(request));
    }
    carrier_.run(64, {});
  }
  ~Hostile() { ::close(ends_[1]); }

  void play(Script script) {
    while (!script.bytes.empty()) {
      step(script);
      if (out_.size() > 1'000) send();
    }
    send();
    ::shutdown(ends_[1], SHUT_RDWR);  // the processor has gone
    for (int i = 0; i < 4; ++i) run();
    for (const int ended : ended_) require(ended == 1);
    require(shared_.alive == 0);
  }

 private:
  // Shared by all runs, and empty between them: their rings are large.
  static std::vector<Lane>& lanes() {
    static std::vector<Lane> lanes(kLanes);
    return lanes;
  }
  static std::vector<Lane*> lane_pointers() {
    for (Lane& lane : lanes()) {
      std::unique_ptr<Reply> reply;
      while (lane.from.pop(reply)) continue;
    }
    return {&lanes()[0], &lanes()[1]};
  }

  void step(Script& script) {
    const std::uint8_t what = script.next(), a = script.next(), b = script.next(), c = script.next();
    switch (what % 5) {
      case 0: out_.append(script.bytes.first(std::min<std::size_t>(a, script.bytes.size()))); break;
      case 1: case 2: reply(a, b, c); break;
      case 3: write_taken(out_, static_cast<std::uint32_t>(a) << b % 32); break;
      default: if (out_.size() > a) { const std::uint8_t byte[] = {c}; out_.replace(a, byte); } break;
    }
  }
  void reply(std::uint8_t kind, std::uint8_t who, std::uint8_t much) {
    Reply r;
    r.kind = static_cast<Reply::Kind>(kind % 3);
    r.token = {who % 8U, who % 8U + 1U + (who >= 128 ? 1U : 0U)};
    r.bytes.assign(much * 8U, kind);
    r.consumed_bytes = static_cast<std::uint32_t>(much) << kind % 25;
    if (r.kind == Reply::Kind::established) {
      r.established = std::make_unique<Established>();
      r.established->suite = &record::all_suites()[much % record::all_suites().size()];
    }
    write(out_, (who >> 3) % 4U == 0 ? who % kLanes : who >> 3, much, r);
  }
  void send() {
    (void)!::send(ends_[1], out_.view().data(), out_.size(), MSG_NOSIGNAL);
    out_.clear();
    run();
  }
  void run() {
    carrier_.run(64, {});
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      std::unique_ptr<Reply> reply;
      while (lanes()[lane].from.pop(reply)) {
        const Token token = reply->token;
        require(token.flow < kHandshakes && token.generation == token.flow + 1 && token.flow % kLanes == lane);
        require(ended_[token.flow] == 0);
        require((reply->kind == Reply::Kind::established) == (reply->established != nullptr));
        if (reply->kind != Reply::Kind::output) ++ended_[token.flow];
      }
    }
  }

  ProcessorShared shared_{.clock = [] { return Tick{1'000'000}; }, .max_handshakes = 100, .key_log = nullptr, .services = {}};
  int ends_[2] = {-1, -1};
  Carrier carrier_{shared_, lane_pointers()};
  SecretBuffer out_;
  int ended_[kHandshakes] = {};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  if (data[0] % 8 < 6) try_frame(data[0] % 8, rest);
  else Hostile().play({rest});
  return 0;
}
