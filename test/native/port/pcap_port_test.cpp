// native/port/pcap_port.cpp; the files are read back by the port itself and by tcpdump.
#include "port/pcap_port.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "native/port/test_packet.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

namespace {

/// A file name that is free, and free again at the end.
struct ScratchFile {
  std::string path = "/tmp/cwport-" + std::to_string(::getpid()) + "-" +
                     std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".pcap";
  ~ScratchFile() { ::unlink(path.c_str()); }
};

TestPacket to_port(std::uint16_t port) {
  TestPacket packet;
  packet.ends.source = ip("192.0.2.1");
  packet.ends.destination = ip("192.0.2.2");
  packet.ends.source_port = 40000;
  packet.ends.destination_port = port;
  return packet;
}

}  // namespace

TEST_CASE("pcap_port: what is sent to a file is what a replay of it receives, byte for byte, and what tcpdump reads") {
  const ScratchFile file;
  ChunkPool pool(8);
  std::vector<Frame> frames;
  {
    auto port = PcapPort::open({.replay_path = "", .record_path = file.path}, pool);
    REQUIRE(port.has_value());
    for (std::uint16_t i = 1; i <= 100; ++i) {
      TestPacket test_packet = to_port(i);
      test_packet.payload.assign(i * 10U, static_cast<std::uint8_t>(i));
      frames.push_back(tcp_packet(test_packet));
      auto packet = pool.take();
      REQUIRE(packet.has_value());
      std::memcpy(packet->data, frames.back().data(), frames.back().size());
      packet->bytes = static_cast<std::uint32_t>(frames.back().size());
      CHECK((*port)->tx(std::span<const Packet>(&*packet, 1)) == 1);
    }
    CHECK((*port)->flush());
  }
  auto port = PcapPort::open({.replay_path = file.path, .record_path = ""}, pool);
  REQUIRE(port.has_value());
  std::size_t replayed = 0;
  std::array<Packet, 3> burst;
  while (const std::size_t count = (*port)->rx(burst)) {
    for (std::size_t i = 0; i < count; ++i, ++replayed) {
      CHECK(Frame(burst[i].data, burst[i].data + burst[i].bytes) == frames[replayed]);
      pool.put(burst[i].chunk);
    }
  }
  CHECK(replayed == 100);
  CHECK((*port)->is_at_end());
  CHECK(pool.free_chunks() == pool.capacity());
  if (run("command -v tcpdump >/dev/null") == 0) {
    CHECK(output_of("tcpdump -nr " + file.path + " 'tcp dst port 42' 2>/dev/null")
              .find("192.0.2.1.40000 > 192.0.2.2.42: Flags [S]") != std::string::npos);
  }
}

TEST_CASE("pcap_port: a missing, a foreign and a damaged file are refused or end the replay, in words") {
  ChunkPool pool(8);
  const auto missing = PcapPort::open({.replay_path = "/tmp/no/such/file.pcap", .record_path = ""}, pool);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().find("/tmp/no/such/file.pcap: No such file") == 0);
  const auto unwritable = PcapPort::open({.replay_path = "", .record_path = "/tmp/no/such/file.pcap"}, pool);
  REQUIRE_FALSE(unwritable.has_value());
  CHECK(unwritable.error().find("No such file") != std::string::npos);

  const ScratchFile file;
  std::ofstream(file.path) << "GET / HTTP/1.1\r\nHost: no.capture\r\n\r\n";
  CHECK_FALSE(PcapPort::open({.replay_path = file.path, .record_path = ""}, pool).has_value());
  {
    auto port = PcapPort::open({.replay_path = "", .record_path = file.path}, pool);
    auto packet = pool.take();
    const Frame frame = tcp_packet(to_port(443));
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->bytes = static_cast<std::uint32_t>(frame.size());
    (*port)->tx(std::span<const Packet>(&*packet, 1));
  }
  REQUIRE(::truncate(file.path.c_str(), 24 + 16 + 20) == 0);  // in the middle of the only packet
  auto cut = PcapPort::open({.replay_path = file.path, .record_path = ""}, pool);
  REQUIRE(cut.has_value());
  std::array<Packet, 4> burst;
  CHECK((*cut)->rx(burst) == 0);
  CHECK((*cut)->is_at_end());
  CHECK(pool.free_chunks() == pool.capacity());
}
