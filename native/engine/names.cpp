#include "engine/names.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace cutwater::engine {
namespace {

constexpr const char* kCountNames[] = {
#define X(name, help) #name,
    CUTWATER_COUNTERS(X)
#undef X
};
constexpr const char* kDropNames[] = {
#define X(name, text) "drop_" #name,
    CUTWATER_DROPS(X)
#undef X
};
constexpr const char* kResetNames[] = {
#define X(name, text) "reset_" #name,
    CUTWATER_RESETS(X)
#undef X
};
constexpr const char* kResetTexts[] = {
#define X(name, text) text,
    CUTWATER_RESETS(X)
#undef X
};
constexpr std::size_t kFailures = secure::kHandshakeFailures;
static_assert(kFailures <= Counters::kFailureReasons);

const char* text_of(splice::TraceNote note) {
  switch (note) {
    case splice::TraceNote::none: return "";
    case splice::TraceNote::opened_in_place: return "opened in place";
    case splice::TraceNote::custody_in: return "into custody";
    case splice::TraceNote::custody_out: return "from custody";
    case splice::TraceNote::custody_resent: return "resent from custody";
    case splice::TraceNote::sealed: return "sealed";
    case splice::TraceNote::resealed: return "resealed, same bytes";
    case splice::TraceNote::reopened: return "reopened";
    case splice::TraceNote::local_bytes: return "local bytes";
    case splice::TraceNote::local_resent: return "local bytes resent";
    case splice::TraceNote::acknowledged: return "our acknowledgement";
    case splice::TraceNote::translated: return "acknowledgement translated";
    case splice::TraceNote::held: return "held";
    case splice::TraceNote::reset: return "reset";
    case splice::TraceNote::passed: return "numbers kept, MSS and options rewritten";
    case splice::TraceNote::connecting: return "our own SYN to the server";
  }
  return "";
}

std::string flag_letters(std::uint8_t flags) {
  std::string letters;
  if ((flags & wire::kSyn) != 0) letters += 'S';
  if ((flags & wire::kFin) != 0) letters += 'F';
  if ((flags & wire::kRst) != 0) letters += 'R';
  if ((flags & wire::kPsh) != 0) letters += 'P';
  if ((flags & wire::kAck) != 0) letters += 'A';
  return letters;
}

const char* version_of(const record::Suite* suite) {
  return suite == nullptr ? "" : suite->version == record::Version::tls13 ? "TLS 1.3" : "TLS 1.2";
}

std::string suite_text(const record::Suite* suite) {
  return suite == nullptr ? "" : std::string(version_of(suite)) + " " + std::string(suite->name);
}

const char* state_text(splice::FlowState state, splice::ServerLink link) {
  const bool is_set_up = state == splice::FlowState::established || state == splice::FlowState::passing;
  if (is_set_up && link != splice::ServerLink::up) return "connecting";
  switch (state) {
    case splice::FlowState::free: return "free";
    case splice::FlowState::syn_sent: return "connecting";
    case splice::FlowState::syn_answered: return "connecting";
    case splice::FlowState::handshake: return "handshake";
    case splice::FlowState::established: return "established";
    case splice::FlowState::passing: return "passing";
    case splice::FlowState::draining: return "draining";
    case splice::FlowState::lingering: return "closed";
  }
  return "";
}

const char* way_text(path::FlowView::Way way) {
  switch (way) {
    case path::FlowView::Way::cut_through: return "cut-through";
    case path::FlowView::Way::custody: return "custody";
    case path::FlowView::Way::closed: return "closed";
  }
  return "";
}

}  // namespace

void add_counters(const Counters& counters, std::vector<Counter>& out) {
  const bool is_first = out.empty();
  std::size_t at = 0;
  const auto add = [&](std::string name, std::uint64_t value) {
    if (is_first) out.push_back({std::move(name), "", value});
    else out[at].value += value;
    ++at;
  };
  for (std::size_t i = 0; i < std::size(kCountNames); ++i) add(kCountNames[i], counters.value(static_cast<Count>(i)));
  for (std::size_t i = 1; i < std::size(kDropNames); ++i) add(kDropNames[i], counters.value(static_cast<Drop>(i)));
  for (std::size_t i = 1; i < std::size(kResetNames); ++i) add(kResetNames[i], counters.value(static_cast<Reset>(i)));
  for (std::size_t i = 1; i < kFailures; ++i) {
    add("handshake_" + std::string(secure::to_string(static_cast<secure::HandshakeFailure>(i))), counters.handshake_failures(i));
  }
}

void add_server_tls_counters(const Counters& counters, std::vector<Counter>& out) {
  struct Named {
    const char* name;
    Count count;
  };
  constexpr Named kNamed[] = {{"server_tls_called", Count::flows_opened},
                              {"server_tls_established", Count::flows_established},
                              {"server_tls_closed", Count::flows_closed},
                              {"server_tls_tls12", Count::tls12_established},
                              {"server_tls_tls13", Count::tls13_established},
                              {"server_tls_records_opened", Count::records_opened},
                              {"server_tls_records_sealed", Count::records_sealed},
                              {"server_tls_records_resealed", Count::records_resealed},
                              {"server_tls_custody_entered", Count::custody_entered}};
  const auto add = [&out](std::string name, std::uint64_t value) {
    const auto known = std::find_if(out.begin(), out.end(), [&](const Counter& counter) { return counter.name == name; });
    if (known == out.end()) out.push_back({std::move(name), "", value});
    else known->value += value;
  };
  for (const Named& named : kNamed) add(named.name, counters.value(named.count));
  for (std::size_t i = 1; i < std::size(kDropNames); ++i) add(std::string("server_tls_") + kDropNames[i], counters.value(static_cast<Drop>(i)));
  for (std::size_t i = 1; i < std::size(kResetNames); ++i) add(std::string("server_tls_") + kResetNames[i], counters.value(static_cast<Reset>(i)));
}

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.is_v4()) inet_ntop(AF_INET, address.v4(), text, sizeof text);
  else inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

std::string to_text(const IpAddress& address, std::uint16_t port) {
  const std::string host = address.is_v4() ? to_text(address) : "[" + to_text(address) + "]";
  return host + ":" + std::to_string(port);
}

Event to_event(const EventNote& note, std::uint64_t since_us, const std::string& service) {
  const path::FlowEvent& e = note.event;
  Event out{.at_us = e.at.us - since_us, .kind = "", .service = service, .client = to_text(e.client, e.client_port), .detail = ""};
  switch (e.kind) {
    case path::FlowEvent::Kind::established:
      out.kind = "established";
      out.detail = suite_text(e.suite) + (e.is_resumed ? " resumed " : " ") + note.text.data();
      break;
    case path::FlowEvent::Kind::handshake_failed:
      out.kind = "handshake_failed";
      out.detail = std::string(secure::to_string(e.failure)) + (e.alert != 0 ? " alert=" + std::to_string(e.alert) : "") +
                   (note.text[0] != 0 ? std::string(" ") + note.text.data() : "");
      break;
    case path::FlowEvent::Kind::reset:
      out.kind = "reset";
      out.detail = std::string(kResetNames[static_cast<std::size_t>(e.reset)] + 6) + ": " + kResetTexts[static_cast<std::size_t>(e.reset)];
      break;
    case path::FlowEvent::Kind::closed: out.kind = "closed"; break;
  }
  return out;
}

TraceEntry to_entry(const splice::TraceRecord& r, std::uint64_t since_us) {
  return {.at_us = r.at_us - since_us,
          .flow = r.flow,
          .side = r.side == splice::TraceSide::client ? "client" : "server",
          .direction = r.direction == splice::TraceDirection::rx ? "rx" : "tx",
          .seq = r.seq,
          .ack = r.ack,
          .window = r.window,
          .payload_bytes = r.payload_bytes,
          .flags = flag_letters(r.flags),
          .first_record = r.first_record,
          .last_record = r.last_record,
          .note = text_of(r.note)};
}

FailureReport to_report(const std::vector<path::ServiceFailures>& parts, Tick now, const std::string& service) {
  FailureReport report{.service = service, .reasons = {}, .recent = {}};
  for (std::size_t reason = 1; reason < secure::kHandshakeFailures; ++reason) {
    std::uint64_t count = 0;
    for (const path::ServiceFailures& part : parts) count += part.count(reason);
    if (count != 0) report.reasons.push_back({std::string(secure::to_string(static_cast<secure::HandshakeFailure>(reason))), count});
  }
  for (const path::ServiceFailures& part : parts) {
    part.each_sample([&](const path::FailureSample& s) {
      report.recent.push_back({.ago_ms = now <= s.at ? 0 : (now - s.at) / 1000,
                               .client = to_text(s.client, s.client_port),
                               .server_name = std::string(s.server_name.view()),
                               .reason = std::string(secure::to_string(s.reason)),
                               .alert = s.alert,
                               .detail = std::string(s.detail.view())});
    });
  }
  std::stable_sort(report.recent.begin(), report.recent.end(), [](const FailureSample& a, const FailureSample& b) { return a.ago_ms < b.ago_ms; });
  return report;
}

FlowEntry to_entry(const path::FlowView& v, Tick now, const std::string& service) {
  return {.service = service,
          .client = to_text(v.client, v.client_port),
          .server = v.server_port == 0 ? "" : to_text(v.server, v.server_port),  // not chosen yet
          .state = state_text(v.state, v.link),
          .up = way_text(v.up),
          .down = way_text(v.down),
          .version = version_of(v.suite),
          .suite = v.suite == nullptr ? "" : std::string(v.suite->name),
          .server_version = version_of(v.server_suite),
          .server_suite = v.server_suite == nullptr ? "" : std::string(v.server_suite->name),
          .up_bytes = v.up_bytes,
          .down_bytes = v.down_bytes,
          .age_ms = static_cast<std::uint32_t>(now.us / 1000) - v.opened_ms,
          .idle_ms = (now - v.last_active) / 1000,
          .requests = v.requests,
          .parked = v.parked,
          .up_since_ms = static_cast<std::uint32_t>(now.us / 1000) - v.up_since_ms,
          .custodies = v.custodies};
}

}  // namespace cutwater::engine
