// Requests of one client connection to several servers, one at a time (A10). A flow has one server at a time as ever; a server
// whose turn is over is kept beside it as a leg, so that coming back costs no new connection. All a leg needs is the numbers
// that differ from server to server: the splice itself never knows that there is more than one.
// Private to path/. Thread: owning worker.
#pragma once

#include <functional>
#include <string>

#include "http/exchange.hpp"
#include "splice/flow.hpp"

namespace cutwater::secure {
struct Established;
}

namespace cutwater::path {

struct State;

/// A connection to a server on which nothing is under way: what of a Flow belongs to the server's side.
struct Leg {
  const splice::Route* route = nullptr;
  std::uint16_t source_port = 0;
  bool has_session = false;
  bool is_closing = false;          // our FIN is out
  SeqNum up_next, up_first, server_edge;
  SeqNum down_next, down_first, ack_shown, edge_shown;
  std::uint32_t stamp_offset = 0, ts_recent = 0;
  std::uint16_t option_flags = 0;   // what the server agreed on
  std::uint8_t shift_shown = 0;
  splice::SideState server_tcp;
};

struct Layer7 : http::Exchange {
  static constexpr std::uint8_t kMaxLegs = 4;
  std::string server_name, protocol;  // what the hello agreed on: SNI, ALPN
  std::array<Leg, kMaxLegs> legs;     // oldest first
  std::uint8_t leg_count = 0;
  std::uint8_t retries = 0;           // of the current request
  std::uint32_t requests = 0;         // given to servers
  std::uint32_t pool = 0;             // of the current request
  splice::End last_server;            // of the request before
};

inline Layer7& layer7_of(const splice::Flow& f) noexcept { return static_cast<Layer7&>(*f.exchange); }

/// Whether requests of a flow that has just been established are read: its service wants it, and it speaks HTTP/1.1.
[[nodiscard]] bool reads_requests(State& s, const splice::Flow& f, const secure::Established& e) noexcept;
/// Returns: false at a cap.
bool start_layer7(State& s, splice::Flow& f, const secure::Established& e);
/// Reads what the client has said and does what is due. To be called after each packet of the flow. The flow may end over it.
void advance(State& s, splice::Flow& f) noexcept;
/// The server has reset the connection. Returns: false when the client must hear of that.
bool take_reset_between(State& s, splice::Flow& f) noexcept;
/// No server takes the request. `was_asked`: some were asked.
void answer_unserved(State& s, splice::Flow& f, Reset reason, bool was_asked) noexcept;

/// The leg that a server's packet belongs to; nullptr when it is none's.
[[nodiscard]] Leg* leg_of(splice::Flow& f, const wire::Segment& segment) noexcept;
void take_from_leg(State& s, splice::Flow& f, Leg& leg, const wire::Segment& segment) noexcept;
/// The flow is done: its legs get their FIN.
void close_legs(State& s, splice::Flow& f) noexcept;
/// Resets the legs whose route is meant.
void drop_legs(State& s, splice::Flow& f, const std::function<bool(const splice::Route&)>& is_meant) noexcept;
/// Resets all legs and gives everything back.
void end_layer7(State& s, splice::Flow& f) noexcept;

}  // namespace cutwater::path
