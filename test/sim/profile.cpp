#include "sim/profile.hpp"

namespace cutwater::sim {
namespace {

using Choice = Habits::Choice;

void on_client(Profile& p, const auto& change) {
  change(p.client_up);
  change(p.client_down);
}
void on_server(Profile& p, const auto& change) {
  change(p.server_up);
  change(p.server_down);
}
void on_both(Profile& p, const auto& change) {
  on_client(p, change);
  on_server(p, change);
}

std::vector<Profile> build() {
  std::vector<Profile> all;
  const auto add = [&all](std::string name, const auto& change) {
    Profile p;
    p.name = std::move(name);
    on_client(p, [](LinkConfig& l) { l.delay_us = 10'000; });
    on_server(p, [](LinkConfig& l) { l.delay_us = 250; });
    change(p);
    all.push_back(std::move(p));
  };
  const auto loss = [](double rate) { return [rate](LinkConfig& l) { l.loss = rate; }; };
  const auto delay = [](std::uint64_t us) { return [us](LinkConfig& l) { l.delay_us = us; }; };

  // Clean, at several distances.
  add("clean", [](Profile&) {});
  add("lan", [&](Profile& p) { on_client(p, delay(100)); });
  add("same-host", [&](Profile& p) { on_both(p, delay(5)); });
  add("far-client", [&](Profile& p) { on_client(p, delay(150'000)); });
  add("far-server", [&](Profile& p) { on_server(p, delay(40'000)); });
  add("satellite", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.delay_us = 300'000; l.loss = 0.005; l.jitter_us = 20'000; }); });

  // Loss.
  add("loss-0.1", [&](Profile& p) { on_client(p, loss(0.001)); });
  add("loss-1", [&](Profile& p) { on_client(p, loss(0.01)); });
  add("loss-5", [&](Profile& p) { on_client(p, loss(0.05)); });
  add("loss-15", [&](Profile& p) { on_client(p, loss(0.15)); p.may_give_up = true; });
  add("loss-30", [&](Profile& p) { on_client(p, loss(0.30)); p.may_give_up = true; });
  add("loss-server-1", [&](Profile& p) { on_server(p, loss(0.01)); });
  add("loss-server-5", [&](Profile& p) { on_server(p, loss(0.05)); });
  add("loss-server-15", [&](Profile& p) { on_server(p, loss(0.15)); p.may_give_up = true; });
  add("loss-both-3", [&](Profile& p) { on_both(p, loss(0.03)); });
  add("loss-both-10", [&](Profile& p) { on_both(p, loss(0.10)); p.may_give_up = true; });
  add("loss-up-only", [&](Profile& p) { p.client_up.loss = p.server_up.loss = 0.08; });
  add("loss-down-only", [&](Profile& p) { p.client_down.loss = p.server_down.loss = 0.08; });
  add("loss-acks-up", [&](Profile& p) { p.client_up.loss = 0.2; p.may_give_up = true; });
  add("burst-loss", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.burst_start = 0.01; }); });
  add("burst-loss-server", [&](Profile& p) { on_server(p, [](LinkConfig& l) { l.burst_start = 0.01; }); });
  add("burst-loss-both", [&](Profile& p) { on_both(p, [](LinkConfig& l) { l.burst_start = 0.02; l.burst_stop = 0.2; }); p.may_give_up = true; });

  // Order and copies.
  const auto reorder = [](double rate, std::uint64_t us) { return [=](LinkConfig& l) { l.reorder = rate; l.reorder_us = us; }; };
  add("reorder-1", [&](Profile& p) { on_client(p, reorder(0.01, 5'000)); });
  add("reorder-20", [&](Profile& p) { on_client(p, reorder(0.2, 5'000)); });
  add("reorder-server", [&](Profile& p) { on_server(p, reorder(0.1, 1'000)); });
  add("reorder-both", [&](Profile& p) { on_both(p, reorder(0.1, 8'000)); });
  add("reorder-far", [&](Profile& p) { on_both(p, reorder(0.05, 400'000)); });
  const auto copies = [](double rate) { return [rate](LinkConfig& l) { l.duplicate = rate; }; };
  add("duplicates", [&](Profile& p) { on_client(p, copies(0.1)); });
  add("duplicates-server", [&](Profile& p) { on_server(p, copies(0.1)); });
  add("duplicates-all", [&](Profile& p) { on_both(p, copies(0.5)); });
  add("jitter", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.jitter_us = 30'000; }); });
  add("jitter-wild", [&](Profile& p) { on_both(p, [](LinkConfig& l) { l.jitter_us = 300'000; l.loss = 0.01; }); });
  add("reorder-loss-copies", [&](Profile& p) {
    on_both(p, [](LinkConfig& l) { l.reorder = 0.1; l.loss = 0.03; l.duplicate = 0.05; });
  });

  // Damage.
  const auto damage = [](double rate) { return [rate](LinkConfig& l) { l.corrupt = rate; }; };
  add("corruption", [&](Profile& p) { on_client(p, damage(0.03)); });
  add("corruption-server", [&](Profile& p) { on_server(p, damage(0.03)); });
  add("corruption-both", [&](Profile& p) { on_both(p, damage(0.08)); });

  // Width.
  const auto rate = [](std::uint64_t bytes_per_s, std::uint32_t queue) { return [=](LinkConfig& l) { l.bytes_per_s = bytes_per_s; l.queue_packets = queue; }; };
  add("modem", [&](Profile& p) { on_client(p, rate(7'000, 20)); });
  add("dsl", [&](Profile& p) { p.client_up.bytes_per_s = 125'000; p.client_down.bytes_per_s = 2'000'000; });
  add("shallow-queue", [&](Profile& p) { on_client(p, rate(1'000'000, 5)); p.habits.bulk = Choice::always; });
  add("bufferbloat", [&](Profile& p) { on_client(p, rate(250'000, 500)); });
  add("slow-server", [&](Profile& p) { on_server(p, rate(100'000, 10)); });

  // Path MTU.
  add("mtu-1400", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.mtu = 1400; }); });
  add("mtu-1400-server", [&](Profile& p) { on_server(p, [](LinkConfig& l) { l.mtu = 1400; }); });
  add("mtu-576", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.mtu = 576; }); p.habits.ipv6 = Choice::never; });
  add("mtu-drops-later", [&](Profile& p) { on_client(p, [](LinkConfig& l) { l.later_mtu = 1300; l.later_mtu_at_us = 80'000; }); p.habits.bulk = Choice::always; });
  add("mtu-drops-later-server", [&](Profile& p) { on_server(p, [](LinkConfig& l) { l.later_mtu = 1300; l.later_mtu_at_us = 80'000; }); p.habits.bulk = Choice::always; });
  add("mtu-black-hole", [&](Profile& p) {
    on_client(p, [](LinkConfig& l) { l.mtu = 1300; l.icmp = Icmp::silent; });
    p.may_give_up = true;  // nothing but the sender's guess helps
  });

  // Gone for a while, and gone for good.
  const auto outage = [](std::uint64_t at, std::uint64_t us) { return [=](LinkConfig& l) { l.outage_at_us = at; l.outage_us = us; }; };
  add("outage-2s", [&](Profile& p) { on_client(p, outage(60'000, 2'000'000)); });
  add("outage-server-2s", [&](Profile& p) { on_server(p, outage(60'000, 2'000'000)); });
  add("outage-25s", [&](Profile& p) { on_client(p, outage(90'000, 25'000'000)); p.may_give_up = true; });
  add("client-vanishes", [&](Profile& p) { p.loses_a_side = p.may_give_up = true; });

  // Windows and habits.
  add("small-windows", [](Profile& p) { p.habits.small_windows = Choice::always; });
  add("small-windows-loss", [&](Profile& p) { p.habits.small_windows = Choice::always; on_both(p, loss(0.03)); });
  add("slow-readers", [](Profile& p) { p.habits.slow_readers = Choice::always; });
  add("slow-readers-loss", [&](Profile& p) { p.habits.slow_readers = Choice::always; on_both(p, loss(0.03)); });
  add("shrinking-windows", [](Profile& p) { p.habits.shrinking_windows = Choice::always; });
  add("tiny-mss", [](Profile& p) { p.habits.tiny_mss = Choice::always; });
  add("tiny-mss-loss", [&](Profile& p) { p.habits.tiny_mss = Choice::always; on_both(p, loss(0.02)); });
  add("no-options", [&](Profile& p) { p.habits.sack = p.habits.timestamps = p.habits.window_scale = Choice::never; on_both(p, loss(0.03)); });
  add("no-sack", [&](Profile& p) { p.habits.sack = Choice::never; on_both(p, loss(0.03)); });
  add("sack-reorder", [&](Profile& p) { p.habits.sack = Choice::always; on_both(p, [](LinkConfig& l) { l.loss = 0.03; l.reorder = 0.1; }); });
  add("timestamps-wrap", [&](Profile& p) { p.habits.timestamps = p.habits.wraps = Choice::always; on_both(p, loss(0.02)); });
  add("sequence-wrap", [&](Profile& p) { p.habits.wraps = Choice::always; on_both(p, [](LinkConfig& l) { l.loss = 0.03; l.reorder = 0.05; }); });
  add("ipv6", [&](Profile& p) { p.habits.ipv6 = Choice::always; on_both(p, loss(0.02)); });
  add("ecn", [&](Profile& p) { p.habits.ecn = Choice::always; on_client(p, [](LinkConfig& l) { l.ce_mark = 0.05; }); });
  add("bulk", [&](Profile& p) { p.habits.bulk = Choice::always; });
  add("bulk-loss", [&](Profile& p) { p.habits.bulk = Choice::always; on_both(p, loss(0.01)); });

  // The device's own troubles.
  add("secure-slow", [](Profile& p) { p.trouble.secure_delay_us = 400'000; });
  add("secure-dead", [](Profile& p) { p.trouble.secure_dead_at_us = 0; p.may_give_up = true; });
  add("worker-stalls", [](Profile& p) { p.trouble.stall = 0.01; });
  add("pool-dry", [](Profile& p) { p.trouble.scarcity = 0.01; });
  add("tx-ring-full", [](Profile& p) { p.trouble.tx_full = 0.03; });
  add("coalesced", [&](Profile& p) { p.trouble.coalesce_us = 200; on_both(p, loss(0.02)); });
  add("descriptors", [&](Profile& p) { p.trouble.rx_lost = p.trouble.rx_twice = p.trouble.tx_twice = 0.02; p.trouble.coalesce_us = 100; });
  add("clock-jumps", [&](Profile& p) { p.trouble.clock_jump = 0.01; on_both(p, loss(0.01)); });
  add("clock-stops", [&](Profile& p) { p.trouble.clock_stop = 0.01; p.trouble.clock_us = 2'000'000; on_both(p, loss(0.01)); });

  // Somebody who means harm. Blind segments may cost nothing; what touches data may end a connection, never falsify it.
  const auto on_both_sides = [](Profile& p, const auto& change) { change(p.client_malice), change(p.server_malice); };
  add("blind-resets", [&](Profile& p) { on_both_sides(p, [](Malice& m) { m.blind_reset = 0.1; }); });
  add("blind-syns", [&](Profile& p) { p.client_malice.blind_syn = 0.1; p.server_malice.blind_syn = 0.05; });
  add("blind-acks", [&](Profile& p) { on_both_sides(p, [](Malice& m) { m.blind_ack = 0.1; }); });
  add("blind-clocks", [&](Profile& p) { p.habits.timestamps = Choice::always; on_both_sides(p, [](Malice& m) { m.blind_clock = 0.1; }); });
  add("blind-all-loss", [&](Profile& p) {
    on_both_sides(p, [](Malice& m) { m.blind_reset = m.blind_syn = m.blind_ack = m.blind_clock = 0.03; });
    on_both(p, loss(0.02));
  });
  add("injection", [](Profile& p) { p.client_malice.injection = 0.02; });
  add("injection-server", [](Profile& p) { p.server_malice.injection = 0.02; });
  add("copies-behind", [](Profile& p) { p.client_malice.copy_behind = 0.1; });
  add("copies-before", [](Profile& p) { p.client_malice.copy_before = 0.02; });
  add("copies-behind-server", [](Profile& p) { p.server_malice.copy_behind = 0.02; });
  add("copies-before-server", [](Profile& p) { p.server_malice.copy_before = 0.02; });
  add("copies-loss", [&](Profile& p) {
    on_both_sides(p, [](Malice& m) { m.copy_behind = m.copy_before = 0.01; });
    on_both(p, [](LinkConfig& l) { l.loss = 0.03; l.reorder = 0.05; });
  });
  add("forgery", [](Profile& p) { p.client_malice.forgery = 0.01; });
  add("forgery-server", [](Profile& p) { p.server_malice.forgery = 0.01; });

  // `release: streaming` (A13): the same promises while nobody forges; when somebody does, a reset and never a clean end.
  add("streaming", [](Profile& p) { p.release_streaming = true; });
  add("streaming-loss", [&](Profile& p) { p.release_streaming = true; p.habits.bulk = Choice::always; on_both(p, loss(0.03)); });
  add("streaming-forged", [](Profile& p) { p.release_streaming = true; p.habits.bulk = Choice::always; p.client_malice.forgery = 0.02; });
  add("streaming-forged-loss", [&](Profile& p) {
    p.release_streaming = true;
    p.client_malice.forgery = p.client_malice.copy_before = p.client_malice.injection = 0.01;
    on_both(p, [](LinkConfig& l) { l.loss = 0.02; l.reorder = 0.05; });
  });

  // Hard cases that chance alone meets too seldom.
  add("key-updates-loss", [&](Profile& p) { p.habits.key_updates = Choice::always; on_both(p, [](LinkConfig& l) { l.loss = 0.05; l.reorder = 0.05; }); });
  add("idle-rekeying", [&](Profile& p) { p.habits.key_updates = p.habits.idle = Choice::always; on_both(p, loss(0.02)); });
  add("last-words-lost", [&](Profile& p) { on_both(p, [](LinkConfig& l) { l.lost_fins = 2; }); });
  add("timid-client", [](Profile& p) { p.habits.timid_client = Choice::always; });
  add("timid-client-loss", [&](Profile& p) { p.habits.timid_client = Choice::always; on_both(p, loss(0.03)); });
  add("ecn-loss", [&](Profile& p) {
    p.habits.ecn = p.habits.bulk = Choice::always;
    on_both(p, [](LinkConfig& l) { l.ce_mark = 0.05; l.loss = 0.01; });
  });

  // Other services than TLS opened on the way to one server. Servers are three, so that loss alone never uses all of them up.
  using Answers = Serving::Answers;
  using First = Serving::First;
  const auto bad = [](LinkConfig& l) { l.loss = 0.03; l.reorder = 0.05; l.duplicate = 0.02; };
  const auto proxied = [](Profile& p) { p.serving.answers = Answers::device, p.serving.servers = 3; };
  const auto pooled = [](Profile& p) { p.serving.sees = Serving::Sees::pool, p.serving.introduces = Serving::Introduces::client; };
  add("proxy", [&](Profile& p) { proxied(p); });
  add("proxy-loss", [&](Profile& p) { proxied(p); on_both(p, loss(0.03)); });
  add("proxy-loss-15", [&](Profile& p) { proxied(p); on_both(p, loss(0.15)); p.may_give_up = true; });
  add("proxy-reorder-loss-copies", [&](Profile& p) { proxied(p); on_both(p, bad); });
  add("proxy-corruption", [&](Profile& p) { proxied(p); on_both(p, damage(0.03)); });
  add("proxy-syns-lost", [&](Profile& p) { proxied(p); on_both(p, [](LinkConfig& l) { l.lost_syns = 1; }); });
  add("proxy-late", [&](Profile& p) { proxied(p); p.serving.servers = 1; on_server(p, delay(700'000)); });
  add("proxy-refused", [&](Profile& p) { proxied(p); p.serving.first = First::refuses; });
  add("proxy-refused-loss", [&](Profile& p) { proxied(p); p.serving.first = First::refuses; p.serving.servers = 4; on_both(p, bad); });
  add("proxy-silent", [&](Profile& p) { proxied(p); p.serving.first = First::silent; });
  add("proxy-silent-loss", [&](Profile& p) { proxied(p); p.serving.first = First::silent; p.serving.servers = 4; on_both(p, bad); });
  add("proxy-pool", [&](Profile& p) { proxied(p); pooled(p); });
  add("proxy-pool-loss", [&](Profile& p) { proxied(p); pooled(p); on_both(p, bad); });
  add("proxy-other-version", [&](Profile& p) { proxied(p); pooled(p); p.serving.has_other_version = true; on_both(p, loss(0.02)); });
  add("proxy-small-windows-loss", [&](Profile& p) { proxied(p); p.habits.small_windows = Choice::always; on_both(p, loss(0.03)); });
  add("proxy-no-options", [&](Profile& p) { proxied(p); p.habits.sack = p.habits.timestamps = p.habits.window_scale = Choice::never; on_both(p, loss(0.03)); });
  add("proxy-bulk-loss", [&](Profile& p) { proxied(p); p.habits.bulk = Choice::always; on_both(p, loss(0.01)); });
  add("proxy-streaming-loss", [&](Profile& p) { proxied(p); p.release_streaming = true; p.habits.bulk = Choice::always; on_both(p, loss(0.03)); });
  add("proxy-forgery", [&](Profile& p) { proxied(p); p.client_malice.forgery = 0.01; });
  add("proxy-blind-loss", [&](Profile& p) {
    proxied(p);
    on_both_sides(p, [](Malice& m) { m.blind_reset = m.blind_syn = m.blind_ack = m.blind_clock = 0.03; });
    on_both(p, loss(0.02));
  });
  add("proxy-pool-dry", [&](Profile& p) { proxied(p); p.trouble.scarcity = 0.01; });
  const auto sealed = [&](Profile& p) { proxied(p); p.serving.speech = Serving::Speech::tls; };
  add("far", [&](Profile& p) { sealed(p); });
  add("far-loss", [&](Profile& p) { sealed(p); on_both(p, bad); });
  add("far-loss-15", [&](Profile& p) { sealed(p); on_both(p, loss(0.15)); p.may_give_up = true; });
  add("far-corruption", [&](Profile& p) { sealed(p); on_both(p, damage(0.03)); });
  add("far-refused-loss", [&](Profile& p) { sealed(p); p.serving.first = First::refuses; p.serving.servers = 4; on_both(p, bad); });
  add("far-pool-loss", [&](Profile& p) { sealed(p); pooled(p); p.serving.introduces = Serving::Introduces::nobody; on_both(p, bad); });
  add("far-small-windows-loss", [&](Profile& p) { sealed(p); p.habits.small_windows = Choice::always; on_both(p, loss(0.03)); });
  add("far-slow-readers-loss", [&](Profile& p) { sealed(p); p.habits.slow_readers = Choice::always; on_both(p, loss(0.03)); });
  add("far-bulk-loss", [&](Profile& p) { sealed(p); p.habits.bulk = Choice::always; on_both(p, loss(0.01)); });
  add("far-key-updates-loss", [&](Profile& p) { sealed(p); p.habits.key_updates = Choice::always; on_both(p, loss(0.03)); });
  add("far-pool-dry", [&](Profile& p) { sealed(p); p.trouble.scarcity = 0.01; });
  add("far-client-vanishes", [&](Profile& p) { sealed(p); p.loses_a_side = p.may_give_up = true; });
  add("balance-pool", [&](Profile& p) { pooled(p); p.serving.servers = 3; });
  add("balance-pool-loss", [&](Profile& p) { pooled(p); p.serving.servers = 3; on_both(p, bad); });
  add("balance-refused", [&](Profile& p) { p.serving.servers = 3, p.serving.first = First::refuses; on_both(p, loss(0.01)); });
  add("balance-silent", [&](Profile& p) { p.serving.servers = 3, p.serving.first = First::silent; on_both(p, loss(0.01)); });

  // Nobody knows of a client whose last ACK of three was lost and who waits for its server to speak: such is the price of SYN cookies.
  const auto eager = [](Profile& p) { p.habits.eager_client = Choice::always; };
  const auto passed = [](Profile& p) { p.serving.handling = Serving::Handling::passes; };
  const auto passed_tls = [](Profile& p) { p.serving.handling = Serving::Handling::passes_tls; };
  add("passes", [&](Profile& p) { passed(p); });
  add("passes-loss", [&](Profile& p) { passed(p); on_both(p, loss(0.03)); });
  add("passes-reorder-loss-copies", [&](Profile& p) { passed(p); on_both(p, bad); });
  add("passes-corruption", [&](Profile& p) { passed(p); on_both(p, damage(0.03)); });
  add("passes-pool-loss", [&](Profile& p) { passed(p); pooled(p); p.serving.servers = 3; on_both(p, bad); });
  add("passes-proxy", [&](Profile& p) { passed(p); proxied(p); });
  add("passes-proxy-loss", [&](Profile& p) { passed(p); proxied(p); eager(p); on_both(p, bad); });
  add("passes-proxy-corruption", [&](Profile& p) { passed(p); proxied(p); eager(p); on_both(p, damage(0.03)); });
  add("passes-proxy-refused-loss", [&](Profile& p) { passed(p); proxied(p); eager(p); p.serving.first = First::refuses; p.serving.servers = 4; on_both(p, bad); });
  add("passes-proxy-pool-loss", [&](Profile& p) { passed(p); proxied(p); eager(p); pooled(p); on_both(p, bad); });
  add("passes-proxy-other-version", [&](Profile& p) { passed(p); proxied(p); eager(p); pooled(p); p.serving.has_other_version = true; on_both(p, loss(0.02)); });
  add("passes-tls-proxy", [&](Profile& p) { passed_tls(p); proxied(p); });
  add("passes-tls-proxy-loss", [&](Profile& p) { passed_tls(p); proxied(p); on_both(p, bad); });
  add("passes-tls-proxy-pool-loss", [&](Profile& p) { passed_tls(p); proxied(p); pooled(p); on_both(p, bad); });
  add("passes-small-windows-loss", [&](Profile& p) { passed(p); p.habits.small_windows = Choice::always; on_both(p, loss(0.03)); });
  add("passes-mtu-1400", [&](Profile& p) { passed(p); on_client(p, [](LinkConfig& l) { l.mtu = 1400; }); });
  add("passes-client-vanishes", [&](Profile& p) { passed(p); proxied(p); eager(p); p.loses_a_side = p.may_give_up = true; });

  const auto jumbo = [](Profile& p) { p.serving.client_mtu = p.serving.server_mtu = 9000, p.habits.bulk = Choice::always; };
  add("mtu-9000", [&](Profile& p) { jumbo(p); });
  add("mtu-9000-loss", [&](Profile& p) { jumbo(p); on_both(p, bad); });
  add("mtu-9000-corruption", [&](Profile& p) { jumbo(p); on_both(p, damage(0.03)); });
  add("mtu-9000-client", [&](Profile& p) { jumbo(p); p.serving.server_mtu = 1500; on_both(p, loss(0.01)); });
  add("mtu-9000-server", [&](Profile& p) { jumbo(p); p.serving.client_mtu = 1500; on_both(p, loss(0.01)); });
  add("mtu-9000-path-1500", [&](Profile& p) { jumbo(p); on_both(p, [](LinkConfig& l) { l.mtu = 1500; }); });
  add("mtu-9000-proxy-loss", [&](Profile& p) { jumbo(p); proxied(p); on_both(p, bad); });
  add("mtu-9000-proxy-client", [&](Profile& p) { jumbo(p); proxied(p); p.serving.server_mtu = 1500; on_both(p, loss(0.01)); });
  add("mtu-9000-passes-loss", [&](Profile& p) { jumbo(p); passed(p); on_both(p, bad); });
  add("mtu-9000-passes-proxy-client", [&](Profile& p) { jumbo(p); passed(p); proxied(p); eager(p); p.serving.server_mtu = 1500; on_both(p, loss(0.01)); });

  add("everything", [](Profile& p) {
    on_both(p, [](LinkConfig& l) {
      l.loss = 0.02;
      l.duplicate = 0.03;
      l.reorder = 0.05;
      l.corrupt = 0.01;
      l.jitter_us = 5'000;
    });
    p.trouble.stall = 0.002;
    p.trouble.tx_full = 0.005;
    p.trouble.coalesce_us = 100;
    p.habits.shrinking_windows = Choice::any;
  });

  // Custody that sends by BBR: the same promises.
  const auto bbr = [&](const char* name, const auto& change) {
    add(name, [&](Profile& p) {
      p.custody_congestion = splice::CongestionControl::bbr;
      p.habits.bulk = Choice::always;
      change(p);
    });
  };
  bbr("custody-bbr", [](Profile&) {});
  bbr("custody-bbr-loss", [&](Profile& p) { on_both(p, loss(0.05)); });
  bbr("custody-bbr-reorder", [&](Profile& p) { on_both(p, [](LinkConfig& l) { l.loss = 0.02; l.reorder = 0.1; l.duplicate = 0.02; }); });
  bbr("custody-bbr-slow-server", [&](Profile& p) { on_server(p, rate(100'000, 10)); });
  bbr("custody-bbr-outage", [&](Profile& p) { on_server(p, outage(60'000, 2'000'000)); });
  bbr("custody-bbr-no-sack", [&](Profile& p) { p.habits.sack = Choice::never; on_both(p, loss(0.03)); });
  bbr("custody-bbr-windows", [&](Profile& p) { p.habits.slow_readers = Choice::always; on_both(p, loss(0.02)); });
  bbr("custody-bbr-stalls", [](Profile& p) { p.trouble.stall = 0.01; });
  bbr("custody-bbr-clocks", [&](Profile& p) { p.trouble.clock_jump = p.trouble.clock_stop = 0.005; p.trouble.clock_us = 2'000'000; on_both(p, loss(0.01)); });
  return all;
}

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> all = build();
  return all;
}

}  // namespace

std::span<const Profile> all_profiles() { return profiles(); }

const Profile* find_profile(std::string_view name) {
  for (const auto& p : profiles()) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

}  // namespace cutwater::sim
