// The packet path of one worker: bursts and time in, packets out, no I/O and no clock (I7). Tests, simulator and benches
// drive this class over memory; the worker drives it over ports.
// Thread: owning worker.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/counters.hpp"
#include "base/siphash.hpp"
#include "base/tick.hpp"
#include "hello/hello_blocks.hpp"
#include "path/failures.hpp"
#include "path/services.hpp"
#include "port/chunk_pool.hpp"
#include "record/aead.hpp"
#include "secure/pool.hpp"
#include "splice/flow.hpp"
#include "splice/trace.hpp"

namespace cutwater::path {

enum class Side : std::uint8_t { client, server };

/// Something an operator may want to know about one flow: rare, never per packet.
struct FlowEvent {
  enum class Kind : std::uint8_t { established, handshake_failed, reset, closed };
  Kind kind = Kind::established;
  Tick at;
  IpAddress client;
  std::uint16_t client_port = 0;
  std::uint32_t service = 0;
  Reset reset = Reset::none;
  secure::HandshakeFailure failure = secure::HandshakeFailure::none;
  std::uint8_t alert = 0;
  const record::Suite* suite = nullptr;
  bool is_resumed = false;
  const std::string* text = nullptr;  // valid during the call
};
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void event(const FlowEvent& e) noexcept = 0;
};

/// One flow as it stands, for `cutwater flows`.
struct FlowView {
  IpAddress client, server;
  std::uint16_t client_port = 0, server_port = 0;
  std::uint32_t service = 0;
  splice::FlowState state = splice::FlowState::free;
  splice::ServerLink link = splice::ServerLink::none;
  enum class Way : std::uint8_t { cut_through, custody, closed } up = Way::cut_through, down = Way::cut_through;
  const record::Suite* suite = nullptr;
  const record::Suite* server_suite = nullptr;  // towards a server that speaks TLS
  std::uint64_t up_bytes = 0, down_bytes = 0;  // plaintext; modulo 2^32, since numbers of TCP are all that is kept
  Tick last_active;
  std::uint32_t opened_ms = 0;  // modulo 2^32
  std::uint32_t up_since_ms = 0;  // when `up` last changed between cut-through and custody, modulo 2^32
  std::uint32_t requests = 0;     // that went to servers; 0 where they are not read
  std::uint8_t parked = 0;        // connections to servers kept beside the one to `server`
  std::uint16_t custodies = 0;    // how often it has been in custody
};

/// What flows hold beyond themselves at this moment. With the last flow it is all zero again (I5).
struct Holdings {
  std::size_t span_blocks = 0, held_segments = 0, custodies = 0, local_senders = 0, previous_keys = 0, layer7 = 0, handshakes = 0;
  std::size_t expanded_keys = 0;
  std::size_t far_flows = 0;  // to servers that speak TLS
};

struct PathConfig {
  std::uint32_t max_flows = 65'536;
  std::uint32_t max_half_open = 65'536;           // clients that have proved nothing yet: beyond it the oldest go
  hello::HelloBlocksConfig blocks = {};
  std::array<std::uint8_t, hello::kCookieKeyBytes> retry_secret{}, cookie_key{};  // of all workers; of all TLS contexts
  std::int64_t wall_at_zero_s = 0;                // wall-clock time at Tick 0: cookies carry it
  std::uint64_t hash_seed[2] = {0, 0};            // entropy is an argument (C9)
  SipKey syn_key{};                               // of SYN cookies; secret
  const record::Aead* aead = nullptr;             // nullptr: default_aead()
  std::uint32_t worker = 0, workers = 1;          // whose path this is: ports it chooses must be its own (owner.hpp)
};

class Path {
 public:
  Path(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure);
  ~Path();

  /// Swaps the services in. Established flows keep the ones they were admitted under.
  void configure(std::shared_ptr<const Services> services) noexcept;

  /// Takes a burst that arrived on one side (ownership of all chunks) and runs it to completion.
  void run(Side side, std::span<port::Packet> burst, Tick now) noexcept;
  /// For a device that plays both sides: a packet to a service is a client's, anything else steered here a server's.
  [[nodiscard]] Side side_of(Bytes packet) const noexcept;
  /// Takes what the secure processors finished.
  void drain_secure(Tick now) noexcept;
  /// Runs due timers, at most a bounded number; call again when next_deadline() is still past.
  void expire(Tick now) noexcept;
  [[nodiscard]] Tick next_deadline() const noexcept;

  /// Packets to send on a side, in order. The caller sends them (taking the chunks) and calls clear_tx.
  [[nodiscard]] std::span<const port::Packet> tx(Side side) const noexcept;
  void clear_tx(Side side) noexcept;

  /// The neighbour of a server has another link address now: flows that are up follow it.
  void refresh_hop(const IpAddress& server, const MacAddress& mac) noexcept;
  /// Ends every flow with RST both ways: the appliance stops, or `service` was taken away (all services: ~0).
  void reset_flows(std::uint32_t service, Reset reason, Tick now) noexcept;
  /// The same for the flows between one address of a service and one server.
  void reset_flows(const splice::End& service, const splice::End& server, Reset reason, Tick now) noexcept;

  [[nodiscard]] const Counters& counters() const noexcept;
  /// Of the flows to servers that speak TLS: what they call a client is the server there.
  [[nodiscard]] const Counters& server_tls_counters() const noexcept;
  void set_trace(splice::TraceSink* sink) noexcept;
  void set_events(EventSink* sink) noexcept;
  /// Calls visit(view) for each flow until it returns false. For people, not for packets.
  void each_flow(const std::function<bool(const FlowView&)>& visit);

  /// Failed handshakes of each service since the start. For people, not for packets.
  [[nodiscard]] const FailureBook& failures() const noexcept;
  [[nodiscard]] std::uint32_t live_flows() const noexcept;
  /// Clients that have proved nothing yet, hellos in line for a processor, and blocks that hold hellos.
  struct HelloLoad {
    std::uint32_t half_open = 0, waiting = 0, blocks = 0;
  };
  [[nodiscard]] HelloLoad hello_load() const noexcept;
  /// Counted when asked for: for checks and people, not for packets.
  [[nodiscard]] Holdings holdings() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cutwater::path
