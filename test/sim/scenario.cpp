#include "sim/scenario.hpp"

#include <cstdio>

namespace cutwater::sim {
namespace {

using Kind = Step::Kind;
using Choice = Habits::Choice;

bool decide(Choice choice, double chance, Random& r) {
  const bool drawn = r.chance(chance);
  return choice == Choice::any ? drawn : choice == Choice::always;
}

Host host_of(std::uint8_t net, std::uint8_t number, bool v6) {
  Host h;
  h.mac = {2, 0, 0, 0, net, number};
  if (v6) {
    h.address.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, number};
  } else {
    const std::array<std::uint8_t, 4> v4{10, 77, net, number};
    h.address = IpAddress::from_v4(v4.data());
  }
  return h;
}

std::uint32_t initial_number(bool wraps, Random& r) {
  return wraps ? 0xffff'ffffU - static_cast<std::uint32_t>(r.below(12'000)) : static_cast<std::uint32_t>(r.next());
}

TcpConfig draw_tcp(const Profile& p, bool is_client, Random& r) {
  const auto mtu = is_client ? p.serving.client_mtu : p.serving.server_mtu;
  static constexpr std::array<std::uint32_t, 8> kSmall{500, 700, 1'000, 1'460, 2'000, 3'000, 4'096, 8'192};
  TcpConfig c;
  c.mtu = mtu;
  if (is_client && r.chance(0.1)) c.mtu = static_cast<std::uint16_t>(r.between(1'280, 1'500));
  if (decide(p.habits.tiny_mss, 0.03, r)) c.mss_option = static_cast<std::uint16_t>(r.between(160, 536));
  if (!decide(p.habits.window_scale, 0.85, r)) c.window_shift.reset();
  else c.window_shift = static_cast<std::uint8_t>(r.below(10));
  c.use_sack = decide(p.habits.sack, 0.85, r);
  c.use_timestamps = decide(p.habits.timestamps, 0.8, r);
  c.use_ecn = decide(p.habits.ecn, 0.1, r);
  c.use_nagle = r.chance(0.6);
  c.forgets_sacks_on_timeout = r.chance(0.3);
  c.receive_buffer_bytes = decide(p.habits.small_windows, 0.08, r) ? r.pick(kSmall) : static_cast<std::uint32_t>(r.between(16'000, 400'000));
  c.send_buffer_bytes = static_cast<std::uint32_t>(r.between(2'000, 400'000));
  while (c.window_shift && *c.window_shift > 4 && (c.receive_buffer_bytes >> *c.window_shift) < 64) --*c.window_shift;
  c.initial_window_segments = r.chance(0.2) ? 2 : 10;
  c.delayed_ack_us = r.chance(0.2) ? 0 : r.between(1'000, 200'000);
  c.keepalive_us = r.chance(0.1) ? r.between(300'000, 20'000'000) : 0;
  c.max_retries = 15;
  c.initial_seq = initial_number(decide(p.habits.wraps, 0.3, r), r);
  c.timestamp_offset = decide(p.habits.wraps, 0.3, r) ? 0xffff'ffffU - static_cast<std::uint32_t>(r.below(2'000)) : static_cast<std::uint32_t>(r.next());
  c.regroup = static_cast<Regroup>(r.below(4));
  c.probe = static_cast<Probe>(r.below(2));
  c.padding = static_cast<Padding>(r.below(2));
  if (is_client && r.chance(0.1)) c.syn_other_kinds = {34};        // TCP Fast Open
  else if (is_client && r.chance(0.05)) c.syn_other_kinds = {30};  // MPTCP
  return c;
}

std::uint32_t draw_piece(Random& r) {
  static constexpr std::array<std::uint32_t, 8> kPieces{1, 17, 200, 1'000, 1'400, 4'096, 16'383, 16'384};
  return r.chance(0.5) ? r.pick(kPieces) : static_cast<std::uint32_t>(r.between(1, 16'384));
}

Step write(std::uint64_t bytes, std::uint32_t piece, std::uint64_t us = 0) {
  // A byte per record is dear; it need not go on for long.
  return {Kind::write, piece < 64 ? std::min<std::uint64_t>(bytes, piece * 150ULL) : bytes, piece, us};
}
Step await(std::uint64_t bytes) { return {Kind::await, bytes, 0, 0}; }
Step pause(std::uint64_t us) { return {Kind::pause, 0, 0, us}; }
Step act(Kind kind) { return {kind, 0, 0, 0}; }

/// A log-uniform size: as many small ones as large ones.
std::uint64_t draw_size(std::uint64_t low, std::uint64_t high, Random& r) {
  std::uint64_t top = low;
  while (top < high && r.chance(0.7)) top *= 2;
  return r.between(low, std::min(top * 2, high));
}

void request_response(Script& client, Script& server, Random& r) {
  std::uint64_t asked = 0, answered = 0;
  const auto rounds = r.between(1, 4);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    client.steps.push_back(write(draw_size(20, 4'000, r), draw_piece(r)));
    asked += client.steps.back().bytes;
    server.steps.push_back(await(asked));
    if (r.chance(0.2)) server.steps.push_back(pause(r.between(1, 100'000)));
    server.steps.push_back(write(draw_size(20, 40'000, r), draw_piece(r)));
    answered += server.steps.back().bytes;
    client.steps.push_back(await(answered));
    if (r.chance(0.1)) client.steps.push_back(pause(r.between(1, 2'000'000)));
  }
}

void bulk(Script& client, Script& server, std::uint64_t up, std::uint64_t down, Random& r) {
  if (up > 0) client.steps.push_back(write(up, draw_piece(r)));
  if (down > 0) server.steps.push_back(write(down, draw_piece(r)));
}

void tiny_writes(Script& client, Script& server, Random& r) {
  const auto trickle = [&r] {
    const auto piece = static_cast<std::uint32_t>(r.between(1, 300));
    return write(piece * r.between(5, 60), piece, r.chance(0.5) ? r.between(1, 5'000) : 0);
  };
  if (r.chance(0.6)) client.steps.push_back(trickle());
  server.steps.push_back(trickle());
}

void idle(Script& client, Script& server, Random& r) {
  client.steps.push_back(write(r.between(1, 500), 500));
  const auto first = client.steps.back().bytes;
  server.steps = {await(first), write(r.between(1, 3'000), 1'000), pause(r.between(1'000'000, 30'000'000)), write(r.between(1, 3'000), 1'000)};
  client.steps.push_back(await(server.bytes_to_write()));
}

void sprinkle_key_updates(Script& client, Random& r) {
  const auto count = r.between(1, 4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(r.below(client.steps.size() + 1));
    client.steps.insert(client.steps.begin() + at, act(r.chance(0.5) ? Kind::update_own_key : Kind::update_both_keys));
  }
}

void sprinkle_buffer_changes(Script& script, Random& r) {
  const auto count = r.between(1, 3);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(r.below(script.steps.size() + 1));
    script.steps.insert(script.steps.begin() + at, {Kind::resize_buffer, r.between(500, 20'000), 0, 0});
  }
}

/// Who says good-bye, and how.
void finish(Script& client, Script& server, Random& r) {
  const auto up = client.bytes_to_write(), down = server.bytes_to_write();
  const auto kind = r.below(100);
  if (kind < 25) {  // the client, having read all
    client.steps.insert(client.steps.end(), {await(down), act(Kind::close_write)});
    server.steps.insert(server.steps.end(), {await(up + 1), act(Kind::close_write)});
  } else if (kind < 45) {  // the server, having read all
    server.steps.insert(server.steps.end(), {await(up), act(Kind::close_write)});
    client.steps.insert(client.steps.end(), {await(down + 1), act(Kind::close_write)});
  } else if (kind < 60) {  // whoever is ready
    client.steps.push_back(act(Kind::close_write));
    server.steps.push_back(act(Kind::close_write));
  } else if (kind < 70) {  // half-close by the client, then the server goes on
    client.steps.push_back(act(Kind::close_write));
    server.steps.insert(server.steps.end(), {await(up + 1), write(draw_size(1, 20'000, r), draw_piece(r)), act(Kind::close_write)});
  } else if (kind < 80) {  // half-close by the server, then the client goes on
    server.steps.push_back(act(Kind::close_write));
    client.steps.insert(client.steps.end(), {await(down + 1), write(draw_size(1, 20'000, r), draw_piece(r)), act(Kind::close_write)});
  } else if (kind < 86) {  // close() by the client when it has all
    client.steps.insert(client.steps.end(), {await(down), act(Kind::close)});
    server.steps.insert(server.steps.end(), {await(up + 1), act(Kind::close_write)});
  } else if (kind < 90) {  // truncation
    client.steps.push_back(act(Kind::truncate));
    server.steps.insert(server.steps.end(), {await(up + 1), act(Kind::close_write)});
  } else if (kind < 95) {
    if (r.chance(0.5)) client.steps.push_back(await(r.below(down + 1)));
    client.steps.push_back(act(Kind::abort));
    server.steps.insert(server.steps.end(), {await(up + 1), act(Kind::close_write)});
  } else {
    if (r.chance(0.5)) server.steps.push_back(await(r.below(up + 1)));
    server.steps.push_back(act(Kind::abort));
    client.steps.insert(client.steps.end(), {await(down + 1), act(Kind::close_write)});
  }
}

void draw_scripts(const Profile& p, ConnectionPlan& plan, Random& r) {
  const std::uint64_t high = decide(p.habits.bulk, 0.05, r) ? 400'000 : 30'000;
  switch (const auto kind = p.habits.idle == Choice::always ? 10 : p.habits.bulk == Choice::always ? r.between(6, 8) : r.below(11); kind) {
    case 6: bulk(plan.client, plan.server, draw_size(500, high, r), 0, r); break;
    case 7: bulk(plan.client, plan.server, 0, draw_size(500, high, r), r); break;
    case 8: bulk(plan.client, plan.server, draw_size(500, high, r), draw_size(500, high, r), r); break;
    case 9: tiny_writes(plan.client, plan.server, r); break;
    case 10: idle(plan.client, plan.server, r); break;
    default: request_response(plan.client, plan.server, r);
  }
  finish(plan.client, plan.server, r);
  if (r.chance(0.1) || p.habits.key_updates == Choice::always) sprinkle_key_updates(plan.client, r);
  if (p.habits.shrinking_windows != Choice::never && decide(p.habits.shrinking_windows, 0.3, r)) {
    sprinkle_buffer_changes(plan.client, r);
    sprinkle_buffer_changes(plan.server, r);
    for (auto* tcp : {&plan.client_tcp, &plan.server_tcp}) {
      if (tcp->window_shift) tcp->window_shift = std::min<std::uint8_t>(*tcp->window_shift, 4);  // 500 bytes must still be a window
    }
  }
  for (auto* script : {&plan.client, &plan.server}) {
    if (!decide(p.habits.slow_readers, 0.06, r)) continue;
    script->read_bytes = r.between(200, 6'000);
    script->read_every_us = r.between(500, 40'000);
  }
}

void say_first(ConnectionPlan& plan, const Step& words) {
  plan.client.steps.insert(plan.client.steps.begin(), words);
  for (auto& step : plan.server.steps) {
    if (step.kind == Kind::await) step.bytes += words.bytes;
  }
}

/// Records larger than all the client may send before it hears of any of them.
void be_timid(ConnectionPlan& plan, Random& r) {
  plan.client_tcp.initial_window_segments = static_cast<std::uint32_t>(r.between(1, 3));
  say_first(plan, write(r.between(16'384, 60'000), 16'384));
}

/// OpenSSL 3.0's client takes the fragment length of the session it offers for its own hello already, and fails with
/// "internal error" before the first byte when the hello is larger.
bool writes_own_hello(const TlsPlan& t) { return t.max_fragment_code == 0 || t.hello_filler_bytes == 0; }

TlsPlan draw_tls(Random& r) {
  TlsPlan t;
  const auto suites = TlsClientContexts::suites();
  t.suite = r.chance(0.4) ? 0x1301 : suites[r.below(suites.size())];
  if (r.chance(0.03)) t.max_fragment_code = static_cast<std::uint32_t>(r.between(1, 4));
  if (r.chance(0.05)) t.padding_bytes = static_cast<std::uint32_t>(r.between(16, 1'024));
  if (r.chance(0.08)) t.hello_filler_bytes = static_cast<std::uint32_t>(r.between(500, 3'000));
  if (r.chance(0.06)) t.handshake_piece_bytes = r.chance(0.4) ? 1 : static_cast<std::uint32_t>(r.between(2, 600));
  return t;
}

/// Last of all that is drawn.
void draw_serving(const Profile& p, bool v6, Scenario& s) {
  s.serving = p.serving;
  const bool is_drawn = p.serving.answers == Serving::Answers::server && p.serving.sees == Serving::Sees::client && p.serving.servers == 1;
  if (!is_drawn) {  // the appliance has an address of its own there
    s.addressing = Addressing::balance;
    s.server = host_of(3, 7, v6);
  }
  const bool servers_v6 = p.serving.has_other_version ? !v6 : v6;
  s.servers.clear();
  for (std::uint8_t i = 0; i < p.serving.servers; ++i) {
    s.servers.push_back(is_drawn ? s.server : host_of(3, static_cast<std::uint8_t>(7 + i), servers_v6));
  }
  if (p.serving.sees == Serving::Sees::pool) {
    for (const std::uint8_t number : std::initializer_list<std::uint8_t>{201, 202}) s.pool.push_back(host_of(3, number, servers_v6).address);
    // Behind a pool a connection is known by its numbers: they may not be neighbours.
    for (std::size_t i = 0; i < s.connections.size(); ++i) {
      auto& own = s.connections[i].client_tcp.initial_seq;
      own -= static_cast<std::uint32_t>(i) * 50'000'000U;
      const auto is_near = [&](const ConnectionPlan& other) { return own - other.client_tcp.initial_seq + 10'000U < 20'000U; };
      if (std::any_of(s.connections.begin(), s.connections.begin() + static_cast<std::ptrdiff_t>(i), is_near)) own -= 25'000'000U;
    }
  }
}

}  // namespace

void forget_serving(Scenario& s) {
  const auto client_mtu = s.serving.client_mtu, server_mtu = s.serving.server_mtu;
  s.serving = {};
  s.serving.client_mtu = client_mtu, s.serving.server_mtu = server_mtu;
  s.servers = {s.server};
  s.pool.clear();
}

Scenario draw(std::uint64_t seed, const Profile& profile) {
  std::uint64_t salt = 0;
  for (const char c : profile.name) salt = salt * 131 + static_cast<std::uint8_t>(c);
  Random r{seed ^ (salt << 20)};
  Scenario s;
  s.seed = seed;
  const bool v6 = decide(profile.habits.ipv6, 0.25, r);
  s.addressing = r.chance(0.3) ? Addressing::balance : Addressing::direct;
  s.client = host_of(1, 10, v6);
  s.service = host_of(2, 80, v6);
  s.server = s.addressing == Addressing::direct ? s.service : host_of(3, 7, v6);
  s.device_client = host_of(1, 1, v6);
  s.device_server = host_of(3, 1, v6);
  s.truncation_forward = r.chance(0.3);
  s.rekey_after_records = r.chance(0.1) ? r.between(3, 40) : 0;
  if (profile.habits.key_updates == Choice::always) s.rekey_after_records = r.between(1, 8);
  s.release_streaming = profile.release_streaming;
  s.custody_congestion = profile.custody_congestion;
  const auto count = r.chance(0.75) ? 1 : r.between(2, 3);
  const auto first_port = r.between(1'024, 60'000);
  for (std::uint64_t i = 0; i < count; ++i) {
    ConnectionPlan plan;
    plan.start = i > 0 && r.chance(0.7) ? Start::after_previous : Start::at_time;
    plan.start_us = r.below(5'000);
    plan.client_port = static_cast<std::uint16_t>(first_port + i);
    plan.client_tcp = draw_tcp(profile, true, r);
    plan.server_tcp = draw_tcp(profile, false, r);
    draw_scripts(profile, plan, r);
    const bool is_same_client = i > 0 && r.chance(0.8);
    plan.tls = is_same_client ? s.connections.back().tls : draw_tls(r);
    plan.tls.is_resumption = is_same_client && plan.start == Start::after_previous && writes_own_hello(plan.tls);
    if (plan.tls.handshake_piece_bytes != 0) plan.client_tcp.use_nagle = false;
    if (profile.habits.timid_client == Choice::always) be_timid(plan, r);
    if (profile.habits.eager_client == Choice::always) say_first(plan, write(r.between(1, 400), 400));
    s.connections.push_back(std::move(plan));
  }
  if (profile.loses_a_side) s.client_dies_at_us = r.between(20'000, 400'000);
  draw_serving(profile, v6, s);
  return s;
}

namespace {

std::string describe(const Script& script) {
  static constexpr std::array<std::string_view, 10> kNames{"write",    "await", "pause", "update_own_key", "update_both_keys", "close_write",
                                                           "truncate", "abort", "close", "resize_buffer"};
  std::string out;
  for (const auto& s : script.steps) {
    out += " " + std::string{kNames[static_cast<std::size_t>(s.kind)]};
    if (s.bytes != 0) out += "(" + std::to_string(s.bytes) + (s.piece_bytes != 0 ? " by " + std::to_string(s.piece_bytes) : "") + ")";
    if (s.us != 0) out += "/" + std::to_string(s.us) + "us";
  }
  if (script.read_every_us != 0) out += " reads " + std::to_string(script.read_bytes) + " every " + std::to_string(script.read_every_us) + "us";
  return out;
}

std::string describe(const TcpConfig& c) {
  return " mtu " + std::to_string(c.mtu) + " buffers " + std::to_string(c.receive_buffer_bytes) + "/" + std::to_string(c.send_buffer_bytes) +
         (c.use_nagle ? " nagle" : "") + " delack " + std::to_string(c.delayed_ack_us) + " regroup " + std::to_string(static_cast<int>(c.regroup)) +
         " probe " + std::to_string(static_cast<int>(c.probe)) + " keepalive " + std::to_string(c.keepalive_us);
}

}  // namespace

std::string describe(const Scenario& s) {
  std::string out = s.serving.answers == Serving::Answers::device ? "proxy" : s.addressing == Addressing::direct ? "direct" : "balance";
  if (s.serving.handling != Serving::Handling::opens) out += s.serving.handling == Serving::Handling::passes ? " passes" : " passes TLS";
  if (!s.pool.empty()) out += s.serving.introduces == Serving::Introduces::client ? " pool, PROXY header" : " pool";
  out += s.truncation_forward ? " truncation:forward" : "";
  out += s.release_streaming ? " release:streaming" : "";
  out += s.custody_congestion == splice::CongestionControl::bbr ? " custody:bbr" : "";
  if (s.rekey_after_records != 0) out += " rekey after " + std::to_string(s.rekey_after_records);
  if (s.client_dies_at_us != kNoTime) out += " client dies at " + std::to_string(s.client_dies_at_us) + "us";
  for (const auto& c : s.connections) {
    std::array<char, 8> suite{};
    std::snprintf(suite.data(), suite.size(), "%04x", c.tls.suite);
    out += "\nconnection " + std::to_string(c.client_port) + " suite " + suite.data() + (c.tls.is_resumption ? " resumes" : "");
    out += "\n  client" + describe(c.client_tcp) + ":" + describe(c.client) + "\n  server" + describe(c.server_tcp) + ":" + describe(c.server);
  }
  return out + "\n";
}

}  // namespace cutwater::sim
