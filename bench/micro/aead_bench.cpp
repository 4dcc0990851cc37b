// Nanoseconds for one record: seal, open, open in pieces of a packet, and for one key expansion and one cache hit,
// per backend and suite. "bare" is the same AEAD without record framing, in the same run: the ratio to it is what lasts.
// Best of seven interleaved rounds, one hot buffer. Run: aead_bench [--json]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string_view>
#include <vector>

#include "record/key_cache.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::record;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kSizes[] = {64, 256, 512, 1438, 4096, 16384};  // 1,438: a full packet's record (numbers.md)
constexpr int kRounds = 7;
constexpr std::size_t kPacketBytes = 1460;

template <class F>
double ns_per_call(F&& f, int calls) {
  const auto start = Clock::now();
  for (int i = 0; i < calls; ++i) f();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / calls;
}

struct Row {
  double bare = std::numeric_limits<double>::max(), seal = bare, open = bare, stream = bare;
};

struct Subject {
  const Aead& aead;
  const Suite& suite;
  TrafficKeys keys{};
  ExpandedKey key{};
  std::vector<std::uint8_t> room, sealed;

  Subject(const Aead& a, const Suite& s) : aead(a), suite(s), room(kMaxFragmentBytes + 64), sealed(room) {
    aead.expand(suite, keys, key);
  }

  Row measure(std::size_t n) {
    const int calls = static_cast<int>(std::clamp<std::size_t>(8'000'000 / (n + 200), 400, 20'000));
    const std::size_t front = suite.front_bytes();
    Row row;
    double copying = row.open;
    for (int round = 0; round < kRounds; ++round) {
      row.bare = std::min(row.bare, ns_per_call([&] { bare(n); }, calls));
      row.seal = std::min(row.seal, ns_per_call([&] { seal(n, room); }, calls));
      const std::size_t bytes = seal(n, sealed);
      // Opening destroys the record, so each call copies it first; the copy alone is measured and taken off.
      const auto copy = [&] { std::memcpy(room.data(), sealed.data(), bytes); keep(room.data()); };
      copying = std::min(copying, ns_per_call(copy, calls));
      row.open = std::min(row.open, ns_per_call([&] { copy(); open(bytes); }, calls));
      row.stream = std::min(row.stream, ns_per_call([&] { stream(front, bytes); }, calls));
    }
    row.open -= copying;
    return row;
  }

 private:
  static void keep(const void* p) { __asm__ __volatile__("" : : "r"(p) : "memory"); }
  static void check(bool is_right) {
    if (!is_right) std::abort();
  }
  std::size_t seal(std::size_t n, std::vector<std::uint8_t>& where) {
    return aead.seal(key, keys, 1, ContentType::application_data, where.data() + suite.front_bytes(), n);
  }
  void bare(std::size_t n) {
    check(aead.encrypt(key, keys.iv, Bytes{room}.first(kHeaderBytes), MutableBytes{room}.subspan(16, n), room.data() + 16 + n));
  }
  void open(std::size_t bytes) { check(aead.open(key, keys, 1, {room.data(), bytes}).status == Opened::Status::ok); }
  // The pieces that custody sees: what a packet carries, out of place.
  void stream(std::size_t front, std::size_t bytes) {
    const std::size_t inner = bytes - front - kTagBytes;
    aead.open_begin(open_stream_, key, keys, 1, Bytes{sealed}.first(front));
    for (std::size_t at = 0; at < inner; at += kPacketBytes) {
      aead.open_update(open_stream_, key, room.data() + at, sealed.data() + front + at, std::min(kPacketBytes, inner - at));
    }
    check(aead.open_finish(open_stream_, key, sealed.data() + front + inner));
  }
  OpenStream open_stream_;
};

double expansion_ns(const Aead& aead, const Suite& suite) {
  const TrafficKeys keys{};
  ExpandedKey key;
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) best = std::min(best, ns_per_call([&] { aead.expand(suite, keys, key); }, 5'000));
  return best;
}

double cache_hit_ns(const Aead& aead, const Suite& suite) {
  const TrafficKeys keys{};
  KeyCache cache{aead, 1024, 1};
  std::uint32_t flow = 0;
  const auto look = [&] { (void)cache.at({.flow = flow++ % 256}, suite, keys); };
  ns_per_call(look, 256);
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) best = std::min(best, ns_per_call(look, 20'000));
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_json = argc > 1 && std::string_view{argv[1]} == "--json";
  if (!is_json) std::printf("%-9s %-43s %6s %9s %9s %9s %9s %9s\n", "backend", "suite", "bytes", "bare ns", "seal ns", "open ns", "pieces ns", "seal/bare");
  const char* comma = "";
  if (is_json) std::printf("[");
  for (const char* name : {"ipsec-mb", "openssl"}) {
    const Aead* const aead = find_aead(name);
    if (aead == nullptr) continue;
    for (const auto iana : std::initializer_list<std::uint16_t>{0x1301, 0x1302, 0x1303, 0xC02F}) {
      const Suite& suite = *find_suite(iana, iana == 0xC02F ? Version::tls12 : Version::tls13);
      Subject subject{*aead, suite};
      for (const std::size_t n : kSizes) {
        const Row row = subject.measure(n);
        if (is_json) {
          std::printf("%s\n{\"backend\":\"%s\",\"suite\":\"%s\",\"bytes\":%zu,\"bareNs\":%.1f,\"sealNs\":%.1f,\"openNs\":%.1f,\"piecesNs\":%.1f}", comma,
                      name, suite.name.data(), n, row.bare, row.seal, row.open, row.stream);
          comma = ",";
        } else {
          std::printf("%-9s %-43s %6zu %9.0f %9.0f %9.0f %9.0f %9.2f\n", name, suite.name.data(), n, row.bare, row.seal, row.open, row.stream, row.seal / row.bare);
        }
      }
      const double expansion = expansion_ns(*aead, suite), hit = cache_hit_ns(*aead, suite);
      if (is_json) {
        std::printf("%s\n{\"backend\":\"%s\",\"suite\":\"%s\",\"expandNs\":%.1f,\"cacheHitNs\":%.1f}", comma, name, suite.name.data(), expansion, hit);
      } else {
        std::printf("%-9s %-43s key expansion %.0f ns, cache hit %.0f ns\n", name, suite.name.data(), expansion, hit);
      }
    }
  }
  if (is_json) std::printf("\n]\n");
}
