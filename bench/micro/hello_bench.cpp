// Nanoseconds to read one ClientHello of a real client, and to fingerprint it; memcpy of the same bytes beside it in
// the same run. Best of seven interleaved rounds, hot. Run: hello_bench [--json]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "hello/client_hello.hpp"
#include "hello/fingerprint.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::hello;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 7;
constexpr int kCalls = 20'000;
constexpr const char* kClients[] = {"nss_tls12", "openssl_tls13", "gnutls_default", "curl_name", "chromium"};

template <class T>
void keep(const T& value) {
  __asm__ __volatile__("" : : "r"(&value) : "memory");
}

template <class F>
double ns_per_call(F&& f) {
  const auto start = Clock::now();
  for (int i = 0; i < kCalls; ++i) f();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kCalls;
}

struct Row {
  double copy = std::numeric_limits<double>::max(), parse = copy, ja3 = copy, ja4 = copy;
};

std::vector<std::uint8_t> read(const std::string& client) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(root / "test" / "fuzz" / "corpus" / "hello" / client, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Row measure(const std::vector<std::uint8_t>& message) {
  std::vector<std::uint8_t> room(message.size());
  const auto hello = parse_client_hello(message);
  Row row;
  for (int round = 0; round < kRounds; ++round) {
    row.copy = std::min(row.copy, ns_per_call([&] {
                          std::memcpy(room.data(), message.data(), message.size());
                          keep(*room.data());
                        }));
    row.parse = std::min(row.parse, ns_per_call([&] { keep(parse_client_hello(message)); }));
    row.ja3 = std::min(row.ja3, ns_per_call([&] { keep(ja3(*hello)); }));
    row.ja4 = std::min(row.ja4, ns_per_call([&] { keep(ja4(*hello)); }));
  }
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_json = argc > 1 && std::string_view(argv[1]) == "--json";
  if (!is_json)
    std::printf("%-16s %6s %8s %8s %8s %8s\n", "client", "bytes", "copy ns", "parse ns", "ja3 ns", "ja4 ns");
  const char* comma = "";
  if (is_json) std::printf("[");
  for (const char* client : kClients) {
    const std::vector<std::uint8_t> message = read(client);
    if (!parse_client_hello(message)) {
      std::fprintf(stderr, "hello_bench: %s: no hello in test/fuzz/corpus/hello\n", client);
      return 1;
    }
    const Row row = measure(message);
    const char* format =
        is_json ? "%s\n{\"client\":\"%s\",\"bytes\":%zu,\"copyNs\":%.1f,\"parseNs\":%.1f,\"ja3Ns\":%.1f,\"ja4Ns\":%.1f}"
                : "%s%-16s %6zu %8.1f %8.1f %8.1f %8.1f\n";
    std::printf(format, comma, client, message.size(), row.copy, row.parse, row.ja3, row.ja4);
    if (is_json) comma = ",";
  }
  if (is_json) std::printf("\n]\n");
}
