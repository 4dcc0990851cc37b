// All that one worker's path owns: flows and how they are found, handshakes under way, routes, and the splice's resources.
// Private to path/. Thread: owning worker.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "balance/chooser.hpp"
#include "flow/flow_table.hpp"
#include "hello/deferral.hpp"
#include "hello/known_clients.hpp"
#include "path/half_open.hpp"
#include "path/layer7.hpp"
#include "path/path.hpp"
#include "path/spent_cookies.hpp"
#include "port/port.hpp"
#include "splice/custody.hpp"
#include "splice/local_sender.hpp"
#include "splice/resources.hpp"

namespace cutwater::path {

/// A flow's setting-up, from its whole hello on: what the client sent behind it and the secure processor has not used up; in
/// proxy mode also what its server is chosen by. Freed when the splice takes over.
struct Handshake {
  static constexpr std::size_t kMaxInputBytes = 96 * 1024;  // more than the window we show; a chain of certificates fits
  std::vector<std::uint8_t> input;
  std::uint32_t hello_bytes = 0;   // the hello as it was posted, its record header included, and a reply that went with it
  std::uint32_t posted_bytes = 0;  // of the input
  bool has_fin = false;  // the client's FIN came before we were done: it takes effect behind what it sent

  // Proxy mode (connect.cpp).
  bool is_connecting = false;         // TLS is up, the processor is done
  static constexpr std::size_t kMaxTried = 4;
  std::string server_name;            // SNI, as the hello had it
  std::string protocol;               // ALPN, as the client agreed on it
  std::uint32_t pool = 0;             // of the listener: whom it may be given to
  std::array<std::uint32_t, kMaxTried> tried{};
  std::uint8_t tried_count = 0;       // servers asked, the current one included, by their places in the pool
  std::uint8_t syns = 0;              // sent to the current one
};

/// Servers of a listener that share a purpose, and who chooses among them.
struct ServerPool {
  std::shared_ptr<const balance::ServerSet> servers;
  balance::Chooser chooser;
  std::vector<std::uint32_t> places;    // of its members among all servers of the listener
};

/// What listens at one address and port, and the ways to its servers.
struct Listener {
  std::uint32_t first_route = 0;
  std::uint32_t routes_per_server = 1;  // one for each address of the pool
  std::vector<ServerPool> pools;        // all servers; then those of each of the rules
  const Service* service = nullptr;     // kept alive by its route set
  static constexpr std::uint32_t kNoDoor = ~0U;
  std::uint32_t door = kNoDoor;         // proxy mode: the route of flows whose server is not chosen yet
  [[nodiscard]] bool is_proxy() const noexcept { return door != kNoDoor; }
};

/// The routes of one configuration. Kept while it is current or flows were admitted under it.
struct RouteSet {
  std::vector<splice::Route> routes;       // by listener, server, address of the pool
  std::vector<Listener> listeners;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_end;  // listeners by a hash of address and port
  std::uint32_t flows = 0;
  std::shared_ptr<const Services> services;

  void add(Listener listener, const IpAddress& address, std::uint16_t port);
  [[nodiscard]] Listener* find(const IpAddress& address, std::uint16_t port) noexcept;
};

/// Flows by index: constructed when first used, so memory follows the number of flows, up to the cap (I5).
class FlowSlab {
 public:
  explicit FlowSlab(std::uint32_t capacity);
  ~FlowSlab();
  FlowSlab(const FlowSlab&) = delete;
  FlowSlab& operator=(const FlowSlab&) = delete;
  splice::Flow* take() noexcept;  // nullptr at the cap
  void put(splice::Flow& flow) noexcept;
  [[nodiscard]] splice::Flow& at(std::uint32_t index) noexcept { return *(flows_ + index); }
  [[nodiscard]] std::uint32_t live() const noexcept { return used_ - static_cast<std::uint32_t>(free_.size()); }
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }

 private:
  splice::Flow* flows_ = nullptr;
  std::uint32_t capacity_ = 0, used_ = 0;
  std::vector<std::uint32_t> free_;
};

/// A received packet and what is known about it so far.
struct Work {
  port::Packet packet;
  wire::Segment segment;
  splice::Flow* flow = nullptr;
  std::uint32_t generation = 0;  // of the flow when it was found: its place may be used anew within a burst
  Verdict verdict = kForward;  // dropped by a stage: later stages pass it by
};

/// Whether hellos pile up at the processors: what switches automatic retries on, and off again (hysteresis).
struct Pressure {
  bool is_high = false;
  Tick low_since;
  std::uint32_t posted = 0;  // hellos, ever
};

/// The half of a path that talks to clients, and the one that talks to servers in TLS (far.cpp).
enum class Half : std::uint8_t { near, far };
inline constexpr std::uint32_t kFarToken = 1U << 30;  // marks the flows of the far half towards the secure processors

struct State {
  State(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure, Counters& counters);

  Counters& counters;
  flow::TimerWheel timers;
  splice::Resources r;
  flow::FlowTable table;
  FlowSlab flows;
  HalfOpenTable half_open;
  hello::HelloBlocks blocks;
  hello::CookieKeys cookies;
  hello::ServerRandoms server_randoms;
  std::int64_t wall_at_zero_s;
  std::shared_ptr<const Services> services;
  std::vector<const HelloRules*> hello_rules;  // by service id, into `services`
  Pressure pressure;
  FailureBook failures;
  hello::Triage triage;
  hello::KnownClients known;
  std::vector<splice::Flow*> awake;  // half-open clients that have a Flow until the burst ends
  std::uint32_t max_flows;
  secure::Link& secure;
  SipKey syn_key;
  SpentCookies spent_cookies;
  std::deque<RouteSet> route_sets;   // oldest first; the last is current
  ObjectPool<Layer7> layer7;
  ObjectPool<Handshake> handshakes;
  std::vector<Handshake*> under_way; // by Flow::handshake
  std::vector<std::uint32_t> free_handshakes;
  std::unique_ptr<secure::Reply> waiting;  // a reply that found the pool dry: nothing behind it is taken before it
  EventSink* events = nullptr;
  std::uint32_t worker, workers;
  std::uint64_t seed;                // for choices that workers should not all make alike
  std::uint32_t next_port;           // of the pool: where to look first
  std::array<Work, port::kBurst> work;
  Half half = Half::near;
  State* other = nullptr;            // the other half, if there is one
  bool is_inward = false;            // packets of the other half are being run, not those of a port
  ObjectPool<splice::Route> own_routes;  // far half: each flow has one of its own
};

struct Path::Impl {
  Impl(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure);

  Counters near_counters, far_counters;
  State state;
  std::unique_ptr<State> far;        // made with the first service whose servers speak TLS
  PathConfig config;
  port::ChunkPool& pool;
  std::vector<port::Packet> room;    // of packets that are being carried between the halves
  bool is_unfinished = false;        // the halves have still something to say to each other

  // far.cpp
  /// Makes the far half, if it is not there. The halves' links are those of the near one.
  void open_far();
  /// Packets of the servers' side: the far half's go there.
  void run_from_servers(std::span<port::Packet> burst) noexcept;
  /// Carries packets between the halves until they are quiet, and the far half's to where they are sent.
  void exchange() noexcept;
};

/// Runs a burst to completion in one half.
void run_half(State& s, Side side, std::span<port::Packet> burst) noexcept;  // run.cpp

// TLS to servers (far.cpp).
/// A packet of the near half that belongs to no far flow yet, or a SYN.
Verdict take_call(State& s, Work& w) noexcept;
/// What a server says before TLS is up: the answer to our SYN.
Verdict take_called(State& s, Work& w) noexcept;
/// The handshake with a server has ended, one way or the other.
void establish_far(State& s, splice::Flow& f, secure::Reply& reply) noexcept;
void fail_far(State& s, splice::Flow& f, secure::Reply& reply) noexcept;
/// A far flow that has not come up is due.
void on_far_timer(State& s, splice::Flow& f) noexcept;
void forget_far(State& s, splice::Flow& f) noexcept;
/// Whether a packet from a port may speak for the server of a flow: not where that server speaks TLS.
inline bool may_speak(const State& s, const splice::Flow& f) noexcept {
  return f.route->policy.speech == splice::ServerSpeech::clear || s.is_inward;
}
/// A refusal of the far half says in its window field that TLS is why: no packet from a port gets here (may_speak).
inline constexpr std::uint16_t kRefusedByTls = 1;

// The stages, in order. Each is a loop round a function for one packet; run.cpp calls them.
void parse(State& s, Side side, std::span<Work> work) noexcept;        // parse.cpp
void lookup(State& s, Side side, std::span<Work> work) noexcept;       // lookup.cpp
void translate(State& s, Side side, std::span<Work> work) noexcept;    // translate.cpp
void finish(State& s, std::span<Work> work) noexcept;                  // finish.cpp

/// Shows a received packet of a flow to the trace. Requires: tracing.
[[gnu::cold]] void trace_in(State& s, Side side, const Work& w) noexcept;  // translate.cpp

// Half-open clients (wake.cpp). Their entries in the table, and Flow::handshake, carry this mark on the record's index.
inline constexpr std::uint32_t kHalfOpenEntry = 1U << 31;
inline bool is_half_open_entry(std::uint32_t entry) noexcept { return (entry & kHalfOpenEntry) != 0 && entry != kNobody; }
inline bool is_half_open(const splice::Flow& f) noexcept { return is_half_open_entry(f.handshake); }
/// Requires: is_half_open(f).
HalfOpen& half_open_of(State& s, const splice::Flow& f) noexcept;
/// A record for a flow that begins; the oldest unproven client makes room. Returns: nullptr when all have proved themselves.
HalfOpen* take_half_open(State& s, splice::Flow& f) noexcept;
/// Gives the record of an awake flow back, with its blocks.
void drop_half_open(State& s, splice::Flow& f) noexcept;
/// The Flow of a record until the burst ends. Returns: nullptr when there is no place for one.
splice::Flow* wake(State& s, HalfOpen& h) noexcept;
/// The end of a burst: awake flows that still have proved nothing become records again.
void sleep_all(State& s) noexcept;
/// A half-open flow becomes one of its own. Its record is gone, with its blocks.
void promote(State& s, splice::Flow& f) noexcept;
/// Gives a half-open client up. Returns: false when there was none.
bool reap(State& s, HalfOpen* h) noexcept;
/// Gives up the one that has held its hello block longest, unless that is `but`.
bool reap_speaking(State& s, const splice::Flow& but) noexcept;
/// Whether one more flow may stay; places for those that are only awake are extra.
inline bool has_room_for_flow(const State& s) noexcept { return s.flows.live() - s.awake.size() < s.max_flows; }

// Side doors.
/// A segment to a proxy service that belongs to no flow: with the right cookie it makes one (kForward), else it is answered.
Verdict accept(State& s, Work& w) noexcept;                            // accept.cpp
/// Answers a client's SYN itself. Keeps nothing.
Verdict answer_syn(State& s, const Listener& listener, const wire::Segment& syn) noexcept;  // accept.cpp
/// Chooses a server for a flow whose client is ready, and calls it. The flow may end over it.
void connect(State& s, splice::Flow& f) noexcept;                      // connect.cpp
/// What a server says to our SYN.
Verdict take_connect_answer(State& s, Work& w) noexcept;               // connect.cpp
/// A server that has not answered for too long: again, or another.
void on_connect_timer(State& s, splice::Flow& f) noexcept;             // connect.cpp
/// As connect(), for a request that waits in custody, to a server of that pool. Requires: no server.
void connect_for_request(State& s, splice::Flow& f, std::uint32_t pool) noexcept;  // connect.cpp
/// A SYN of a client, for a new flow or one that may make room for it.
Verdict admit(State& s, Work& w) noexcept;                             // admit.cpp
/// SYN-ACK or RST while the server has not been heard of.
Verdict answer_from_server(State& s, Work& w) noexcept;                // admit.cpp
/// Everything a client sends before the keys are there.
Verdict take_hello(State& s, Work& w) noexcept;                        // handshake.cpp
/// The next bytes of a half-open client's stream. Returns: how many were used.
std::size_t collect_hello(State& s, splice::Flow& f, Bytes bytes) noexcept;  // hello.cpp
/// Hands what waits to the processors, as much as they will take.
void post_waiting(State& s) noexcept;                                  // hello.cpp
/// The client has not acknowledged our answer to its first hello and sends that again: so do we.
void resend_retry(State& s, splice::Flow& f) noexcept;                 // hello.cpp
/// A half-open client's time is over.
void expire_half_open(State& s, splice::Flow& f) noexcept;             // hello.cpp
/// Puts a client in line for a processor.
void wait_for_processor(State& s, splice::Flow& f, Standing standing) noexcept;  // hello.cpp

// Clients that are answered from a template and owe their secret (deferral.cpp).
[[nodiscard]] bool is_deferred(const HalfOpen& h) noexcept;
/// The templates that serve a flow. Returns: nullptr when there are none for it.
[[nodiscard]] const record::RsaFlights* rsa_flights_of(const State& s, const splice::Flow& f, const HelloRules& rules) noexcept;
/// Answers the hello in the client's block. Returns: false when there is no room for what has to be kept; nothing has changed.
bool answer_from_template(State& s, splice::Flow& f, const hello::Deferred& deferred) noexcept;
/// The next bytes of its reply. Returns: how many were used; those behind its end are not. Requires: is_deferred.
std::size_t collect_reply(State& s, splice::Flow& f, Bytes bytes) noexcept;
/// After each segment of the client: what it acknowledged makes room for more.
void go_on_with_flight(State& s, splice::Flow& f, const wire::Segment& seg) noexcept;
/// The client sends its hello again: it lacks our answer. Requires: is_deferred.
void resend_flight(State& s, splice::Flow& f) noexcept;
/// Returns: false when the client's time is over. Requires: is_deferred.
bool on_deferral_timer(State& s, splice::Flow& f) noexcept;
/// Adds to a request that holds the hello what else a processor has to know (H4). `rest`: what cannot go yet. Requires: Turn::reply.
void add_deferral(State& s, const splice::Flow& f, secure::Request& request, std::vector<std::uint8_t>& rest);
/// A client's own alert ends its handshake: counted, and both sides are reset.
void end_by_alert(State& s, splice::Flow& f, std::uint8_t alert) noexcept;  // handshake.cpp

/// Starts a handshake with a whole hello. Returns: false when the flow has ended over it.
bool start_handshake(State& s, splice::Flow& f, Bytes hello, hello::Turn turn) noexcept; // handshake.cpp
/// Our own verdict on a client's bytes: counted, and an alert as a framed record, never clear text (I4).
void refuse_handshake(State& s, splice::Flow& f, secure::HandshakeFailure failure, std::uint8_t alert) noexcept;  // handshake.cpp
/// Whether what the client sent ahead of its keys finds room in custody: it was acknowledged, there is no way back.
[[nodiscard]] bool has_memory_for(State& s, const secure::Reply& reply) noexcept;
void take_reply(State& s, secure::Reply& reply) noexcept;              // handshake.cpp
/// Takes a handshake of a flow that waits for its server and for nothing else. Returns: false at the cap.
bool await_server(State& s, splice::Flow& f, std::string_view server_name);  // handshake.cpp
/// A whole hello as it goes to somebody else: in records of its own, whatever the client's cut was.
void record_hello(Bytes hello, std::vector<std::uint8_t>& out);        // handshake.cpp

// Bytes that pass untouched (pass.cpp).
/// The first segment behind the SYN of a client whose service opens nothing.
Verdict start_passing(State& s, Work& w) noexcept;
/// From here on the flow's bytes pass; where it has no server yet, connect() comes next. Returns: false when there is no room for the
/// flow; then nothing has changed. The flow may end over it.
bool begin_passing(State& s, splice::Flow& f, std::string_view server_name) noexcept;
/// The client's next bytes, which the server will get once it is there. Returns: false when there is no room.
bool keep_for_server(State& s, splice::Flow& f, Bytes bytes) noexcept;
/// The server has answered: both ends are joined.
void join_passing(State& s, splice::Flow& f) noexcept;
Verdict pass_from_client(State& s, Work& w) noexcept;
Verdict pass_from_server(State& s, Work& w) noexcept;
/// Tells the server of a client whose TLS, if it has any, is its own affair. Returns: false when there is no room.
bool introduce_untouched(State& s, splice::Flow& f) noexcept;          // introduce.cpp
/// Tells the server of its client, ahead of the client's bytes, if the service wants it so. Returns: false when there is no room.
bool introduce(State& s, splice::Flow& f, const secure::Established& e) noexcept;  // introduce.cpp
void cancel_handshake(State& s, splice::Flow& f) noexcept;             // handshake.cpp
/// Counts a failed handshake, keeps a sample of it and tells whoever listens.
void count_failure(State& s, const splice::Flow& f, secure::HandshakeFailure failure, std::uint8_t alert, const std::string* text) noexcept;  // handshake.cpp
/// The keys of a finished handshake become the flow's.
void install(splice::Flow& f, secure::Established& e) noexcept;        // handshake.cpp
/// How much of the input the handshake used: what follows is application data.
[[nodiscard]] std::size_t used_input(const Handshake& h, const secure::Reply& reply) noexcept;  // handshake.cpp
/// A request to the processors in the flow's name.
[[nodiscard]] std::unique_ptr<secure::Request> make_request(const State& s, const splice::Flow& f, secure::Request::Kind kind);  // handshake.cpp
/// An ICMP "packet too big" that quotes a packet of ours. Returns: false when it is anything else.
[[gnu::cold]] bool take_too_big(State& s, Side side, Work& w) noexcept;  // too_big.cpp
/// Answers a packet that belongs to no flow with RST (RFC 9293 3.10.7.1).
[[gnu::cold]] Verdict refuse(State& s, Side side, Work& w) noexcept;   // refuse.cpp
/// Sends a packet without payload. Returns: kConsume, or why not.
Verdict send_bare(State& s, const wire::Header& h, splice::Outbox& outbox) noexcept;  // refuse.cpp
/// nullptr while no processor works for the flow, and once the splice does.
Handshake* take_handshake(State& s, splice::Flow& f);                  // handshake.cpp; nullptr at the cap
[[nodiscard]] Handshake* handshake_of(State& s, const splice::Flow& f) noexcept;  // handshake.cpp
void drop_handshake(State& s, splice::Flow& f) noexcept;               // handshake.cpp
/// Takes a flow that has become `free` out of the tables.
void forget(State& s, splice::Flow& f) noexcept;                       // lookup.cpp
splice::Flow* find(State& s, Side side, const wire::Segment& segment) noexcept;  // lookup.cpp
/// The two entries of a flow, as its client and as its server is seen. The latter changes with the server.
bool enlist_client(State& s, splice::Flow& f) noexcept;                // lookup.cpp
bool enlist_server(State& s, splice::Flow& f) noexcept;                // lookup.cpp
void strike_server(State& s, splice::Flow& f) noexcept;                // lookup.cpp
[[nodiscard]] bool is_taken(State& s, const splice::End& server, const IpAddress& source, std::uint16_t port) noexcept;  // lookup.cpp

/// Gives a flow a server: its route, a source port, its session, and its entry on the server's side. A flow that has one keeps
/// it unless another takes it. Returns: none, or why nobody takes it.
Drop place(State& s, Listener& listener, splice::Flow& f) noexcept;    // place.cpp
/// As place(), in one of the listener's pools, and beside servers that will not do (`tried`, places in that pool); they are not
/// asked again.
Drop place_beside(State& s, Listener& listener, std::uint32_t pool, splice::Flow& f, std::span<const std::uint32_t> tried) noexcept;  // place.cpp
/// The place of a flow's server in a pool, if it is one of it.
[[nodiscard]] std::optional<std::uint32_t> server_of(const ServerPool& pool, const splice::Flow& f) noexcept;  // place.cpp
/// The pool for a connection, by what its hello agreed on: the first rule that looks at no request and fits. Returns: nullopt
/// when no rule does.
[[nodiscard]] std::optional<std::uint32_t> pool_for(const Listener& listener, std::string_view sni, std::string_view alpn) noexcept;  // place.cpp
/// The same for the request whose head was read.
[[nodiscard]] std::optional<std::uint32_t> pool_for(const Listener& listener, const Layer7& x) noexcept;  // place.cpp
/// How a server failed a flow that called it.
enum class Failed : std::uint8_t { refused, silent };
/// Gives a flow whose server did not take it to another one: to one that was not asked, then to one that was and said nothing.
/// Returns: false when there is none; then it keeps the one it has.
bool move_on(State& s, splice::Flow& f, Failed how) noexcept;          // place.cpp
/// The server's side of a flow is done: it counts no more there.
void end_session(splice::Flow& f) noexcept;                            // place.cpp
/// Takes a flow from its server: session and entry.
void leave_server(State& s, splice::Flow& f) noexcept;                 // place.cpp
/// The server failed a flow. Enough of that in a row shuns it.
void note_failure(State& s, const splice::Flow& f, balance::Failing kind) noexcept;  // place.cpp
std::uint32_t client_hash(const State& s, const splice::Flow& f) noexcept;  // lookup.cpp
std::uint32_t server_hash(const State& s, const splice::Flow& f) noexcept;  // lookup.cpp

}  // namespace cutwater::path
