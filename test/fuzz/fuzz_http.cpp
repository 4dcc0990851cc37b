// Any bytes as requests, and as an answer: no fault, the same verdict in one piece and byte by byte, no byte used twice or skipped.
// First byte: what was asked, for the answer.
#include <cstdlib>
#include <string>

#include "http/forwarded.hpp"
#include "http/request_gate.hpp"
#include "http/response_tracker.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::http;

constexpr std::uint32_t kMaxHead = 512;

// What a gate saw, as text; fed at most `piece` bytes at a time.
std::string requests_of(Bytes in, std::size_t piece) {
  RequestGate gate;
  gate.start(kMaxHead);
  std::string seen;
  std::size_t at = 0;
  while (at < in.size()) {
    const std::size_t n = std::min(piece, in.size() - at);
    const std::size_t used = gate.take(in.subspan(at, n));
    if (used > n) std::abort();
    at += used;
    if (gate.state() == RequestGate::State::decide) {
      const RequestHead head = gate.head();
      seen += std::string(head.method) + ' ' + std::string(head.path) + ' ' + std::to_string(at) + '\n';
      const auto rewritten = with_forwarded(gate.text(), head, "192.0.2.1");
      if (!parse_request({reinterpret_cast<const char*>(rewritten.data()), rewritten.size()})) std::abort();
      gate.pass();
    }
    if (gate.state() == RequestGate::State::complete) gate.next(), seen += "end\n";
    if (gate.state() == RequestGate::State::refused) return seen + "refused " + std::to_string(static_cast<int>(gate.error()));
  }
  return seen + std::to_string(gate.known_bytes());
}

std::string answer_of(Bytes in, const Asked& asked, std::size_t piece) {
  ResponseTracker tracker;
  tracker.start(kMaxHead);
  tracker.expect(asked);
  for (std::size_t at = 0; at < in.size(); at += piece) {
    if (!tracker.take(in.subspan(at, std::min(piece, in.size() - at)))) break;
  }
  return std::to_string(static_cast<int>(tracker.state())) + ' ' + std::to_string(static_cast<int>(tracker.error()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes in(data + 1, size - 1);
  const Asked asked{.is_head = (data[0] & 1) != 0, .is_connect = (data[0] & 2) != 0, .is_upgrade = (data[0] & 4) != 0};
  if (requests_of(in, size) != requests_of(in, 1)) std::abort();
  if (answer_of(in, asked, size) != answer_of(in, asked, 1)) std::abort();
  return 0;
}
