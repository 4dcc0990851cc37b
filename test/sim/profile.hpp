// Named networks: what the links do to packets, and what habits the two ends have there.
// Thread: any (constants after start). Used by: scenario, main.
#pragma once

#include <span>
#include <string>

#include "record/aead.hpp"
#include "sim/adversary.hpp"
#include "sim/link.hpp"
#include "splice/congestion_control.hpp"

namespace cutwater::sim {

/// How the ends of a profile behave, where it is not drawn by chance.
struct Habits {
  enum class Choice : std::uint8_t { any, always, never };
  Choice small_windows = Choice::any;   // a receive buffer of less than a record
  Choice tiny_mss = Choice::any;        // 88 to 536
  Choice slow_readers = Choice::any;
  Choice window_scale = Choice::any, sack = Choice::any, timestamps = Choice::any, ecn = Choice::any;
  Choice wraps = Choice::any;           // sequence numbers that pass 2^32
  Choice shrinking_windows = Choice::never;
  Choice bulk = Choice::any;            // larger transfers
  Choice ipv6 = Choice::any;
  // Never drawn by chance, so that seeds keep their meaning:
  Choice key_updates = Choice::any;     // always: in every script, and the device changes its key every few records
  Choice idle = Choice::any;            // always: seconds of silence in the middle
  Choice eager_client = Choice::any;    // always: it speaks first
  Choice timid_client = Choice::any;    // always: a congestion window smaller than the records it writes (A12)
};

/// What is wrong with the device itself, or with its surroundings (issue 3, point 6).
struct Trouble {
  std::uint64_t secure_delay_us = 300;        // what a handshake step takes
  std::uint64_t secure_dead_at_us = kNoTime;  // from then on no handshake is answered
  double stall = 0;                           // chance, per packet, that the worker sleeps now
  std::uint64_t stall_us = 1'000'000;
  double scarcity = 0;                        // chance, per packet, that the pool is dry for a while
  std::uint64_t scarcity_us = 50'000;
  double tx_full = 0;                         // chance that a packet to send finds the ring full
  const record::Aead* aead = nullptr;         // a broken one: shows that the checks of I3 bite
  double leak = 0;                            // chance, per packet, that its chunk is never given back: shows that the check of I5 bites
  std::uint64_t coalesce_us = 0;              // packets that come within it arrive as one burst
  double rx_lost = 0, rx_twice = 0, tx_twice = 0;  // chance, per packet, that its descriptor is lost, or comes twice
  double clock_jump = 0, clock_stop = 0;      // chance, per packet, that the clock leaps ahead, or stands still for a while
  std::uint64_t clock_us = 10'000'000;        // by how much, at most
};

/// What the service is, where it is more than TLS opened on the way to one server. Of the profile alone, so that the seeds of the
/// others keep their meaning.
struct Serving {
  enum class Answers : std::uint8_t { server, device };                // who answers a client's SYN; device: proxy mode
  enum class Handling : std::uint8_t { opens, passes, passes_tls };    // passes_tls: behind a hello, which is read
  enum class Sees : std::uint8_t { client, pool };                     // whose address servers see
  enum class Introduces : std::uint8_t { nobody, client };             // by a PROXY header
  enum class Speech : std::uint8_t { clear, tls };                     // what servers speak; tls: proxy mode
  enum class First : std::uint8_t { well, refuses, silent };           // the first server; the others are well
  Answers answers = Answers::server;
  Handling handling = Handling::opens;
  Sees sees = Sees::client;
  Introduces introduces = Introduces::nobody;
  First first = First::well;
  Speech speech = Speech::clear;
  bool has_other_version = false;                                      // servers speak the other version of IP; proxy mode, with a pool
  std::uint8_t servers = 1;
  std::uint16_t client_mtu = 1500, server_mtu = 1500;                  // of the device's interfaces, and of those who stand there
};

struct Profile {
  std::string name;
  Serving serving;
  LinkConfig client_up, client_down, server_up, server_down;
  Habits habits;
  Trouble trouble;
  Malice client_malice, server_malice;  // in front of the client's side, and of the server's
  bool release_streaming = false;
  splice::CongestionControl custody_congestion = splice::CongestionControl::cubic;
  bool may_give_up = false;    // so bad that TCP itself may give up; bytes must be right all the same
  bool loses_a_side = false;   // a link dies for good in the middle
};

std::span<const Profile> all_profiles();
const Profile* find_profile(std::string_view name);

}  // namespace cutwater::sim
