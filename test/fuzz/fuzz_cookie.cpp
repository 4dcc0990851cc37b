// Cookies that come back from clients: the one in a SYN-ACK's number, and the one in a HelloRetryRequest. What we gave is known again
// with all it carried; anything else, and ours for another service or with a bit changed, is foreign (as far as 22 bits of a number can tell).
// The bytes: what to do (one), addresses, ports, numbers and options of a segment, times, then a cookie. Run: fuzz_cookie test/fuzz/corpus/cookie
#include <algorithm>
#include <vector>

#include "fuzz/script.hpp"
#include "hello/cookie.hpp"
#include "path/syn_cookie.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;

struct Input {
  Bytes bytes;
  std::uint64_t number(std::size_t n) {
    std::uint64_t value = 0;
    for (; n > 0 && !bytes.empty(); --n) value = value << 8 | bytes.front(), bytes = bytes.subspan(1);
    return value;
  }
};

constexpr SipKey kKey{0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0};

void try_syn(Input& in) {
  wire::Segment syn;
  std::array<std::uint8_t, 16> address{};
  store_be64(address.data(), in.number(8));
  syn.source = IpAddress::from_v6(address.data());
  store_be64(address.data(), in.number(4));
  syn.destination = IpAddress::from_v6(address.data());
  syn.source_port = static_cast<std::uint16_t>(in.number(2)), syn.destination_port = static_cast<std::uint16_t>(in.number(2));
  syn.seq = SeqNum{static_cast<std::uint32_t>(in.number(4))};
  syn.options.window_scale = static_cast<std::int8_t>(static_cast<int>(in.number(1) % 16) - 1);
  syn.options.has_sack_permitted = in.number(1) % 2 != 0;
  const auto mss = static_cast<std::uint16_t>(in.number(2));
  const Tick now{in.number(6)};
  const SeqNum cookie = path::make_cookie(kKey, syn, mss, now);
  wire::Segment first = syn;
  first.seq = syn.seq + 1U;
  first.ack = cookie + 1U;
  const path::CookieVerdict verdict = path::judge_cookie(kKey, first, now + in.number(3) % path::kCookiePeriodUs);
  require(verdict.kind == path::CookieVerdict::Kind::first);
  require(verdict.memory.window_scale == syn.options.window_scale && verdict.memory.has_sack == syn.options.has_sack_permitted);
  require(verdict.memory.mss <= std::max<std::uint16_t>(mss, 536));
  (void)path::judge_cookie(kKey, first, Tick{in.number(8)});
  first.ack = SeqNum{static_cast<std::uint32_t>(in.number(4))};
  const auto other = path::judge_cookie(kKey, first, now);
  require(other.kind != path::CookieVerdict::Kind::first || other.memory.mss <= 9'000);
}

void try_hello(Input& in) {
  static constexpr std::uint8_t kSecret[32] = {1}, kProcessorKey[32] = {2};
  static hello::CookieKeys keys{kSecret, kProcessorKey};
  hello::RetryMemory memory{.suite = static_cast<std::uint16_t>(in.number(2)), .group = static_cast<std::uint16_t>(in.number(2)),
                            .asks_for_share = in.number(1) % 2 != 0, .wall_s = 1'700'000'000 + in.number(3),
                            .hash_bytes = static_cast<std::uint8_t>(in.number(1) % 2 != 0 ? 48 : 32)};
  for (std::size_t i = 0; i < memory.hash_bytes; ++i) memory.hello_hash[i] = static_cast<std::uint8_t>(in.number(1));
  hello::CookieOwner owner{.client = {}, .service = static_cast<std::uint32_t>(in.number(1))};
  std::array<std::uint8_t, hello::kMostCookieBytes> cookie{};
  const std::size_t bytes = keys.seal(memory, owner, cookie.data());
  require(bytes != 0 && bytes <= cookie.size());
  const auto opened = keys.open(Bytes(cookie).first(bytes), owner, memory.wall_s);
  require(opened && opened->suite == memory.suite && opened->group == memory.group && opened->hello_hash == memory.hello_hash);
  const std::size_t at = in.number(1) % bytes;
  const auto bit = static_cast<std::uint8_t>(1U << in.number(1) % 8);
  ++owner.service;
  require(!keys.open(Bytes(cookie).first(bytes), owner, memory.wall_s));
  --owner.service;
  require(!keys.open(Bytes(cookie).first(at), owner, memory.wall_s));
  cookie[at] ^= bit;
  constexpr std::size_t kForProcessors = 32;  // at its end: theirs to check
  require(at >= bytes - kForProcessors || !keys.open(Bytes(cookie).first(bytes), owner, memory.wall_s));
  const std::vector<std::uint8_t> exact(in.bytes.begin(), in.bytes.end());  // any bytes at all, and no byte behind them is read
  require(!keys.open(exact, owner, memory.wall_s));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Input in{{data + 1, size - 1}};
  data[0] % 2 == 0 ? try_syn(in) : try_hello(in);
  return 0;
}
