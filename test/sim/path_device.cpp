// The thing under test: class Path over packet memory and secure processors without threads, all driven by the run's time.
// Its troubles (a worker that sleeps, a dry pool, slow or dead processors) are made here, around it.
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "path/path.hpp"
#include "sim/rig.hpp"

namespace cutwater::sim {
namespace {

constexpr std::uint32_t kChunks = 2'048;
constexpr std::size_t kBurst = 64;
constexpr std::uint64_t kMostLeapsUs = 60'000'000;  // in one run: no timeout of a patient peer may come of them

path::Side to_path(Side side) { return side == Side::client ? path::Side::client : path::Side::server; }

splice::Handling handling_of(Serving::Handling handling) {
  switch (handling) {
    case Serving::Handling::opens: break;
    case Serving::Handling::passes: return splice::Handling::pass;
    case Serving::Handling::passes_tls: return splice::Handling::pass_tls;
  }
  return splice::Handling::open;
}

splice::Introduction introduction_of(const Scenario& s) {
  if (s.serving.introduces == Serving::Introduces::nobody) return splice::Introduction::none;
  return s.seed % 2 == 0 ? splice::Introduction::proxy_v2 : splice::Introduction::proxy_v2_tls;
}

std::shared_ptr<const path::Services> services_of(const Scenario& s) {
  auto services = std::make_shared<path::Services>();
  path::Service service;
  service.name = "sim";
  service.address = s.service.address;
  service.port = 443;
  service.mode = s.serving.answers == Serving::Answers::device ? path::Mode::proxy : s.addressing == Addressing::direct ? path::Mode::direct : path::Mode::balance;
  for (const auto& server : s.servers) service.servers.push_back({.address = server.address, .port = 80, .hop = {.mac = server.mac, .is_known = true}});
  service.pool = s.pool;
  service.handling = handling_of(s.serving.handling);
  service.introduction = introduction_of(s);
  if (s.serving.speech == Serving::Speech::tls) service.speech = splice::ServerSpeech::tls;
  if (service.handling != splice::Handling::open) service.overhead_bytes = 0;
  service.truncation_forward = s.truncation_forward;
  service.release_streaming = s.release_streaming;
  service.custody_congestion = s.custody_congestion;
  service.idle_timeout_ms = 200'000;
  service.handshake_timeout_ms = 120'000;  // a hello of single bytes over a satellite, without SACK, takes a minute
  service.rekey_after_records = s.rekey_after_records;
  services->list.push_back(std::move(service));
  services->client = {.mac = s.device_client.mac, .mtu = s.serving.client_mtu, .vlan = 0};
  services->server = {.mac = s.device_server.mac, .mtu = s.serving.server_mtu, .vlan = 0};
  return services;
}

std::string_view name_of(Reset reason) {
  static constexpr std::array kNames{
#define X(name, text) std::string_view{#name},
      CUTWATER_RESETS(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(reason)];
}
std::string_view name_of(Drop reason) {
  static constexpr std::array kNames{
#define X(name, text) std::string_view{#name},
      CUTWATER_DROPS(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(reason)];
}

/// The device's clock, which need not be the run's: it leaps ahead, and stands still, but never goes back.
class DeviceClock {
 public:
  [[nodiscard]] Tick at(std::uint64_t now) const noexcept { return Tick{now < stopped_until_ ? stopped_at_ : now + ahead_}; }
  /// When, in the run's time, the clock shows `tick`.
  [[nodiscard]] std::uint64_t when(Tick tick, std::uint64_t now) const noexcept {
    if (tick.us <= at(now).us) return now;
    return std::max(tick.us > ahead_ ? tick.us - ahead_ : 0, stopped_until_);
  }
  void leap(std::uint64_t us) noexcept { ahead_ += us; }
  void stop(std::uint64_t now, std::uint64_t us) noexcept {
    if (now < stopped_until_) return;
    stopped_at_ = now + ahead_;
    stopped_until_ = now + us;
    ahead_ -= us;
  }

 private:
  static constexpr std::uint64_t kOriginUs = 100'000'000;  // nobody promised that it starts at zero
  std::uint64_t ahead_ = kOriginUs, stopped_at_ = 0, stopped_until_ = 0;
};

class PathDevice final : public Device, private path::EventSink {
 public:
  PathDevice(const Scenario& scenario, const Profile& profile, Timeline& timeline, Random random, port::ChunkPool& chunks, secure::Pool& secure,
             std::shared_ptr<DeviceClock> clock)
      : trouble_(profile.trouble),
        timeline_(timeline),
        clock_(std::move(clock)),
        random_(random),
        chunks_(chunks),
        secure_(secure),
        opens_tls_(profile.serving.handling == Serving::Handling::opens),
        path_({.max_flows = 16, .hash_seed = {0x0123'4567'89ab'cdefULL, scenario.seed}, .syn_key = {scenario.seed, 0x5eed}, .aead = profile.trouble.aead}, chunks, secure.link(0)) {
    path_.configure(services_of(scenario));
    path_.set_events(this);
  }
  ~PathDevice() override {
    for (const auto chunk : withheld_) chunks_.put(chunk);
  }

  void receive(Side side, Frame&& frame, std::uint64_t now) override {
    if (random_.chance(trouble_.rx_lost)) return;
    if (random_.chance(trouble_.rx_twice)) arrivals_.push_back({side, frame});
    arrivals_.push_back({side, std::move(frame)});
    disturb_clock(now);
    if (random_.chance(trouble_.scarcity)) withhold(now);
    if (now >= awake_at_ && random_.chance(trouble_.stall)) awake_at_ = now + random_.below(trouble_.stall_us);
    if (is_turn_booked_) return;
    const auto at = std::max(awake_at_, now + trouble_.coalesce_us);
    if (at == now) {
      turn(now);
      return;
    }
    is_turn_booked_ = true;
    timeline_.book(at, [this] {
      is_turn_booked_ = false;
      turn(timeline_.now());
    });
  }
  std::uint64_t deadline() const override {
    const auto at = path_.next_deadline();
    return at == kNever ? kNoTime : std::max(clock_->when(at, timeline_.now()), awake_at_);
  }
  void run_timers(std::uint64_t now) override {
    path_.expire(tick(now));
    after_turn(now);
  }
  bool serves() const override { return true; }
  bool opens_tls() const override { return opens_tls_; }
  bool is_idle() const override { return path_.live_flows() == 0 && path_.next_deadline() == kNever && arrivals_.empty() && !is_secure_booked_; }
  std::vector<std::string> leftovers() const override {
    std::vector<std::string> out;
    const auto note = [&out](bool is_left, const std::string& what) {
      if (is_left) out.push_back(what);
    };
    note(path_.live_flows() != 0, std::to_string(path_.live_flows()) + " flows alive");
    note(path_.next_deadline() != kNever, "a timer left, at " + std::to_string(path_.next_deadline().us));
    const auto missing = chunks_.capacity() - chunks_.free_chunks() - withheld_.size();
    note(missing != 0, std::to_string(missing) + " chunks not given back");
    const auto held = path_.holdings();
    const auto note_count = [&note](std::size_t count, const char* what) { note(count != 0, std::to_string(count) + " " + what + " not given back"); };
    note_count(held.span_blocks, "blocks of spans");
    note_count(held.held_segments, "held segments");
    note_count(held.custodies, "custodies");
    note_count(held.local_senders, "local senders");
    note_count(held.previous_keys, "earlier keys");
    note_count(held.layer7, "readers of requests");
    note_count(held.handshakes, "handshakes");
    note_count(held.expanded_keys, "expanded keys");
    note_count(held.far_flows, "flows to servers that speak TLS");
    note(secure_.stats().alive != 0, std::to_string(secure_.stats().alive) + " handshakes alive");
    note(!path_.tx(path::Side::client).empty() || !path_.tx(path::Side::server).empty(), "packets left to send");
    return out;
  }

  std::vector<std::string> take_notes() override {
    for (std::size_t i = 0; i < drops_.size(); ++i) {
      const auto count = path_.counters().value(static_cast<Drop>(i));
      if (count != drops_[i]) notes_.push_back("drop " + std::string{name_of(static_cast<Drop>(i))});
      drops_[i] = count;
    }
    return std::exchange(notes_, {});
  }

 private:
  void event(const path::FlowEvent& e) noexcept override {
    const auto about = ", client port " + std::to_string(e.client_port);
    if (e.kind == path::FlowEvent::Kind::reset) notes_.push_back("reset " + std::string{name_of(e.reset)} + about);
    if (e.kind == path::FlowEvent::Kind::handshake_failed) notes_.push_back("handshake failed, alert " + std::to_string(e.alert) + about);
    if (e.kind == path::FlowEvent::Kind::established) notes_.push_back("established" + std::string{e.is_resumed ? ", resumed" : ""} + about);
  }
  struct Arrival {
    Side side;
    Frame frame;
  };
  [[nodiscard]] Tick tick(std::uint64_t now) const noexcept { return clock_->at(now); }

  void turn(std::uint64_t now) {
    path_.drain_secure(tick(now));  // as the worker does, each turn
    std::size_t at = 0;
    const auto arrivals = std::exchange(arrivals_, {});
    while (at < arrivals.size()) {
      const auto side = arrivals[at].side;
      std::array<port::Packet, kBurst> burst;
      std::size_t count = 0;
      for (; at < arrivals.size() && arrivals[at].side == side && count < kBurst; ++at) {
        if (load(arrivals[at].frame, burst[count])) ++count;
      }
      path_.run(to_path(side), {burst.data(), count}, tick(now));
      send_all(Side::client);
      send_all(Side::server);
    }
    after_turn(now);
  }

  /// A port would do this: a packet that finds no chunk is lost at the ring.
  bool load(const Frame& frame, port::Packet& packet) {
    if (frame.size() > chunks_.max_packet_bytes()) return false;
    const auto taken = chunks_.take();
    if (!taken) return false;
    packet = *taken;
    std::memcpy(packet.data, frame.data(), frame.size());
    packet.bytes = static_cast<std::uint32_t>(frame.size());
    return true;
  }

  void send_all(Side side) {
    std::vector<Frame> frames;
    for (const auto& packet : path_.tx(to_path(side))) {
      frames.emplace_back(packet.data, packet.data + packet.bytes);
      if (!random_.chance(trouble_.leak)) chunks_.put(packet.chunk);
    }
    path_.clear_tx(to_path(side));
    for (auto& frame : frames) send(side, std::move(frame));
  }

  void after_turn(std::uint64_t now) {
    send_all(Side::client);
    send_all(Side::server);
    const bool is_dead = now >= trouble_.secure_dead_at_us && path_.live_flows() != 0;  // who is dead still gets buried at the end
    if (secure_.link(0).backlog() == 0 || is_secure_booked_ || is_dead) return;
    is_secure_booked_ = true;
    timeline_.book(now + random_.between(trouble_.secure_delay_us / 2, trouble_.secure_delay_us * 2), [this] {
      is_secure_booked_ = false;
      secure_.run_pending();
      path_.drain_secure(tick(timeline_.now()));
      after_turn(timeline_.now());
    });
  }

  void disturb_clock(std::uint64_t now) {
    const bool leaps = random_.chance(trouble_.clock_jump), stops = random_.chance(trouble_.clock_stop);
    if (!leaps && !stops) return;
    const auto us = random_.between(1'000, trouble_.clock_us);
    leapt_us_ += us;
    if (leapt_us_ > kMostLeapsUs) return;
    leaps ? clock_->leap(us) : clock_->stop(now, us);
    notes_.push_back((leaps ? "the clock leaps by " : "the clock stands still for ") + std::to_string(us) + " us");
  }

  /// Other flows' packets, as it were: the pool runs dry for a while.
  void withhold(std::uint64_t now) {
    if (!withheld_.empty()) return;
    const auto spare = random_.below(4);
    while (chunks_.free_chunks() > spare) withheld_.push_back(chunks_.take()->chunk);
    timeline_.book(now + random_.below(trouble_.scarcity_us), [this] {
      for (const auto chunk : withheld_) chunks_.put(chunk);
      withheld_.clear();
      turn(timeline_.now());
    });
  }

  Trouble trouble_;
  Timeline& timeline_;
  std::shared_ptr<DeviceClock> clock_;
  Random random_;
  port::ChunkPool& chunks_;
  secure::Pool& secure_;
  bool opens_tls_;
  path::Path path_;
  std::vector<Arrival> arrivals_;
  std::vector<port::ChunkId> withheld_;
  std::vector<std::string> notes_;
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::count_)> drops_{};
  std::uint64_t awake_at_ = 0, leapt_us_ = 0;
  bool is_turn_booked_ = false, is_secure_booked_ = false;
};

class PathFactory final : public DeviceFactory {
 public:
  explicit PathFactory(const Credentials& credentials) : credentials_(credentials) {}
  std::unique_ptr<Device> make(const Scenario& scenario, const Profile& profile, Timeline& timeline, Random random) override {
    // A run that failed may have left chunks behind; the next one is not to suffer for it.
    const auto bytes = port::chunk_bytes_for(std::max(scenario.serving.client_mtu, scenario.serving.server_mtu));
    auto& chunks = bytes == port::kChunkBytes ? chunks_ : large_chunks_;
    if (!chunks || chunks->free_chunks() != chunks->capacity()) chunks = std::make_unique<port::ChunkPool>(kChunks, bytes);
    const auto clock = std::make_shared<DeviceClock>();
    secure_ = std::make_unique<secure::Pool>(secure::PoolConfig{
        .threads = 0, .links = 1, .first_cpu = -1, .max_handshakes = 1'024, .clock = [&timeline, clock] { return clock->at(timeline.now()); }, .wake = {}, .key_log_path = {}});
    secure::ServiceTls tls;
    tls.name = "sim";
    tls.certificates = {{.name = "sim", .chain_pem = credentials_.certificate_pem, .key_pem = credentials_.key_pem}};
    tls.tickets = static_cast<std::uint32_t>(scenario.seed % 3);
    if (scenario.serving.speech == Serving::Speech::tls) {  // whom one believes is tested elsewhere (far_test)
      tls.servers = secure::ServerTls{};
      tls.servers->verify = secure::ServerVerify::none;
      tls.servers->name = "sim.example";
    }
    if (const auto wrong = secure_->configure(0, tls); !wrong.empty()) throw std::runtime_error(wrong);
    return std::make_unique<PathDevice>(scenario, profile, timeline, random, *chunks, *secure_, clock);
  }

 private:
  Credentials credentials_;
  std::unique_ptr<port::ChunkPool> chunks_, large_chunks_;
  std::unique_ptr<secure::Pool> secure_;  // of the run at hand: nothing of one run is left for the next
};

}  // namespace

std::unique_ptr<DeviceFactory> make_path_factory(const Credentials& credentials) { return std::make_unique<PathFactory>(credentials); }

}  // namespace cutwater::sim
