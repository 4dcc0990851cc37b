// What a packet and an idle flow cost: bytes and allocations. (Nanoseconds: bench/path/path_bench.)
#include <doctest/doctest.h>

#include "splice/flow.hpp"
#include "support/native/allocations.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

constexpr std::uint16_t kSuites[] = {0x1301, 0x1302, 0xc02b};

// A burst in chunks of the pool, as a port would have received it.
std::vector<port::Packet> load(PathRig& rig, const std::vector<sim::Segment>& segments) {
  std::vector<port::Packet> burst;
  for (const sim::Segment& segment : segments) {
    const sim::Frame frame = sim::encode(segment, sim::Padding::none);
    port::Packet packet = *rig.chunks().take();
    std::memcpy(packet.data, frame.data(), frame.size());
    packet.bytes = static_cast<std::uint32_t>(frame.size());
    burst.push_back(packet);
  }
  return burst;
}

std::uint64_t allocations_of(PathRig& rig, Side side, const std::vector<sim::Segment>& segments) {
  auto burst = load(rig, segments);
  const std::uint64_t before = allocations();
  rig.path().run(side, burst, rig.now());
  const std::uint64_t after = allocations();
  for (const Side to : {Side::client, Side::server}) {
    ScriptedEnd& end = to == Side::client ? rig.client : rig.server;
    for (const port::Packet& packet : rig.path().tx(to)) {
      end.take(sim::decode({packet.data, packet.bytes}).segment);
      rig.chunks().put(packet.chunk);
    }
    rig.path().clear_tx(to);
  }
  return after - before;
}

}  // namespace

TEST_CASE("an idle established flow is at most 512 bytes, keys included") { CHECK(sizeof(splice::Flow) <= 512); }

TEST_CASE("no allocation per packet: in order, up and down, in custody, acknowledgements") {
  if (!is_counting_allocations()) return;
  const std::uint64_t before_one = allocations();
  ::operator delete(::operator new(64));
  REQUIRE(allocations() == before_one + 1);
  for (const std::uint16_t suite : kSuites) {
    CAPTURE(suite);
    PathRig rig({.suite = suite});
    rig.establish();
    std::uint64_t up = 0, down = 0, acks = 0, custody = 0, resent = 0;
    for (int round = 0; round < 40; ++round) {
      std::vector<sim::Segment> segments;
      std::vector<std::size_t> at;
      for (int i = 0; i < 32; ++i) at.push_back(rig.client_writes(500));
      for (const std::size_t begin : at) {
        const std::size_t end = begin == at.back() ? rig.client.out.size() : begin + (rig.client.out.size() - at[0]) / 32;
        segments.push_back(rig.client.segment(begin, end - begin));
      }
      const std::uint64_t n_up = allocations_of(rig, Side::client, segments);
      const std::uint64_t n_again = allocations_of(rig, Side::client, segments);
      const std::uint64_t n_ack = allocations_of(rig, Side::server, {rig.server.segment(rig.server.out.size(), 0)});
      const std::size_t from = rig.server_writes(32 * 500);
      segments.clear();
      for (std::size_t i = 0; i < 32; ++i) segments.push_back(rig.server.segment(from + i * 500, 500));
      const std::uint64_t n_down = allocations_of(rig, Side::server, segments);
      const std::uint64_t n_ack2 = allocations_of(rig, Side::client, {rig.client.segment(rig.client.out.size(), 0)});
      const std::size_t cut = rig.client_writes(3000);
      const std::size_t middle = cut + 1460;
      const std::uint64_t n_cut =
          allocations_of(rig, Side::client, {rig.client.segment(cut, 1460), rig.client.segment(middle, rig.client.out.size() - middle)});
      const std::uint64_t n_ack3 = allocations_of(rig, Side::server, {rig.server.segment(rig.server.out.size(), 0)});
      if (round < 4) continue;  // pools grow to what a flow needs, once
      up += n_up, down += n_down, acks += n_ack + n_ack2 + n_ack3, custody += n_cut, resent += n_again;
    }
    CHECK(up == 0);
    CHECK(down == 0);
    CHECK(acks == 0);
    CHECK(custody == 0);
    CHECK(resent == 0);
    CHECK(rig.count(Count::records_sealed) == 40 * 32);
    CHECK(rig.held_chunks() == 0);
  }
}
