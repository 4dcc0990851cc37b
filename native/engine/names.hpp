// Words for what the dataplane counts and reports: the names that operators, scripts and dashboards see. Stable.
// Thread: any (pure functions).
#pragma once

#include <string>

#include "engine/engine.hpp"
#include "engine/worker.hpp"

namespace cutwater::engine {

/// Adds the counters of one worker to `out`, which is empty or was filled by this function before.
void add_counters(const Counters& counters, std::vector<Counter>& out);
/// Adds those of the flows to servers that speak TLS, under "server_tls_…".
void add_server_tls_counters(const Counters& counters, std::vector<Counter>& out);
std::string to_text(const IpAddress& address);
std::string to_text(const IpAddress& address, std::uint16_t port);  // 192.0.2.1:443, [2001:db8::1]:443
Event to_event(const EventNote& note, std::uint64_t since_us, const std::string& service);
TraceEntry to_entry(const splice::TraceRecord& record, std::uint64_t since_us);
/// `parts`: what each worker has of one service.
FailureReport to_report(const std::vector<path::ServiceFailures>& parts, Tick now, const std::string& service);
FlowEntry to_entry(const path::FlowView& view, Tick now, const std::string& service);

}  // namespace cutwater::engine
