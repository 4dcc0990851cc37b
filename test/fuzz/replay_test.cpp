// The stored corpora of all fuzz targets, played once by the usual build: what was ever found stays found, on machines without
// clang and in seconds. Each input runs in a process of its own, since a target that is not content aborts.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

// build.cmake gives each target's entry point a name of its own.
extern "C" {
int replay_record(const std::uint8_t* data, std::size_t size);
int replay_hello(const std::uint8_t* data, std::size_t size);
int replay_reply(const std::uint8_t* data, std::size_t size);
int replay_tcp(const std::uint8_t* data, std::size_t size);
int replay_http(const std::uint8_t* data, std::size_t size);
int replay_modes(const std::uint8_t* data, std::size_t size);
int replay_handoff(const std::uint8_t* data, std::size_t size);
int replay_icmp(const std::uint8_t* data, std::size_t size);
int replay_card(const std::uint8_t* data, std::size_t size);
int replay_cookie(const std::uint8_t* data, std::size_t size);
int replay_flow(const std::uint8_t* data, std::size_t size);
}

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);
namespace fs = std::filesystem;

std::vector<std::uint8_t> read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool survives(Target target, const std::vector<std::uint8_t>& bytes) {
  const pid_t child = fork();
  if (child == 0) {
    (void)target(bytes.data(), bytes.size());
    _exit(0);
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void replay(const char* name, Target target) {
  const fs::path folder = fs::path(CUTWATER_CORPUS) / name;
  std::size_t inputs = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    ++inputs;
    CHECK_MESSAGE(survives(target, read(entry.path())), entry.path().string());
  }
  CHECK(inputs > 0);
}

}  // namespace

TEST_CASE("fuzz: all that is stored of records, hellos, replies, packets, requests, frames, cookies, jobs and flows is taken without a fault") {
  replay("record", replay_record);
  replay("hello", replay_hello);
  replay("reply", replay_reply);
  replay("tcp", replay_tcp);
  replay("http", replay_http);
  replay("flow", replay_flow);
  replay("cookie", replay_cookie);
  replay("card", replay_card);
  replay("icmp", replay_icmp);
  replay("handoff", replay_handoff);
  replay("modes", replay_modes);
}
