#include "engine/server_roster.hpp"

#include <algorithm>

#include "engine/names.hpp"

namespace cutwater::engine {
namespace {

splice::End to_end(const Endpoint& endpoint) { return {endpoint.address, endpoint.port}; }

std::string state_of(const balance::Tally& tally, bool is_current, Tick now) {
  if (!is_current) return "leaving";
  if (tally.admission() == balance::Admission::draining) return "draining";
  if (tally.health() == balance::Health::down) return "down";
  return tally.is_shunned(now) ? "shunned" : "up";
}

void add_once(std::vector<port::Steer>& to, const port::Steer& steer) {
  if (std::find(to.begin(), to.end(), steer) == to.end()) to.push_back(steer);
}

}  // namespace

void ServerRoster::list(const std::vector<ServiceConfig>& services, Tick now) {
  std::vector<bool> is_listed(entries_.size());
  for (const ServiceConfig& service : services) {
    for (const ServerConfig& server : service.servers) {
      Entry* entry = find(service.name, to_end(service.listen), to_end(server.endpoint));
      if (entry == nullptr) {
        entry = &entries_.emplace_back();
        is_listed.push_back(true);
        entry->service = service.name;
        entry->listen = to_end(service.listen);
        entry->server = to_end(server.endpoint);
        entry->tally = tally_of(service.name, to_end(server.endpoint));
        if (entry->tally == nullptr) {
          entry->tally = std::make_shared<balance::Tally>();
          if (is_running_) entry->tally->join(now);
        }
      }
      is_listed[static_cast<std::size_t>(entry - entries_.data())] = true;
      entry->name = server.name;
      entry->weight = server.weight;
      entry->max_sessions = server.max_sessions;
      entry->drain_limit_ms = service.drain_limit_ms;
      entry->is_current = true;
      entry->leaves = kNever;
    }
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (is_listed[i] || !entries_[i].is_current) continue;
    entries_[i].is_current = false;
    entries_[i].leaves = now + std::uint64_t{entries_[i].drain_limit_ms} * 1000;
  }
  is_running_ = true;
}

std::shared_ptr<const balance::ServerSet> ServerRoster::set_of(const ServiceConfig& service) const {
  std::vector<balance::Member> members;
  for (const ServerConfig& server : service.servers) {
    const Entry* entry = find(service.name, to_end(service.listen), to_end(server.endpoint));
    members.push_back({.address = server.endpoint.address,
                       .port = server.endpoint.port,
                       .weight = server.weight,
                       .max_sessions = server.max_sessions,
                       .tally = entry->tally});
  }
  return std::make_shared<const balance::ServerSet>(std::move(members), service.rule);
}

std::vector<ServerRoster::Ends> ServerRoster::take_overdue(Tick now) {
  std::vector<Ends> out;
  for (Entry& entry : entries_) {
    if (entry.is_current || now < entry.leaves) continue;
    entry.leaves = kNever;
    out.push_back({entry.listen, entry.server});
  }
  return out;
}

// A tally that other addresses of the service use does not tell when this one's flows have ended: then their limit does.
bool ServerRoster::drop_empty() {
  const auto is_shared = [&](const Entry& entry) {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) { return &other != &entry && other.tally == entry.tally; });
  };
  std::vector<Entry> kept;
  for (const Entry& entry : entries_) {
    const bool is_over = entry.tally->sessions() == 0 || (entry.leaves == kNever && is_shared(entry));
    if (entry.is_current || !is_over) kept.push_back(entry);
  }
  const bool is_changed = kept.size() != entries_.size();
  entries_ = std::move(kept);
  return is_changed;
}

void ServerRoster::add_steering(std::vector<port::Steer>& client_side, std::vector<port::Steer>& server_side) const {
  for (const Entry& entry : entries_) {
    add_once(client_side, {port::Steer::Match::destination, entry.listen.address, entry.listen.port});
    add_once(server_side, {port::Steer::Match::source, entry.server.address, entry.server.port});
  }
}

bool ServerRoster::set(const std::string& service, const std::string& server, balance::Admission admission) {
  bool is_found = false;
  for (Entry& entry : entries_) {
    if (!entry.is_current || entry.service != service || entry.name != server) continue;
    entry.tally->set(admission);
    is_found = true;
  }
  return is_found;
}

ServerRoster::Changed ServerRoster::set(const std::string& service, const std::string& server, balance::Health health, Tick now) {
  Changed changed = Changed::unknown_server;
  for (Entry& entry : entries_) {
    if (!entry.is_current || entry.service != service || entry.name != server) continue;
    if (entry.tally->health() != health) changed = Changed::yes;
    else if (changed != Changed::yes) changed = Changed::no;
    entry.tally->set(health, now);
  }
  return changed;
}

std::vector<ServerEntry> ServerRoster::entries(Tick now) const {
  std::vector<ServerEntry> out;
  for (const Entry& entry : entries_) {
    if (is_told_elsewhere(entry)) continue;
    out.push_back({.service = entry.service,
                   .name = entry.name,
                   .address = to_text(entry.server.address, entry.server.port),
                   .state = state_of(*entry.tally, entry.is_current, now),
                   .weight = entry.weight,
                   .max_sessions = entry.max_sessions,
                   .sessions = entry.tally->sessions(),
                   .opened = entry.tally->opened(),
                   .failures = entry.tally->failures()});
  }
  return out;
}

std::shared_ptr<balance::Tally> ServerRoster::tally_of(const std::string& service, const splice::End& server) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.service == service && entry.server == server && entry.tally != nullptr) return entry.tally;
  }
  return nullptr;
}

// Of a server that is entered for several addresses the first that is current speaks, or the first.
bool ServerRoster::is_told_elsewhere(const Entry& entry) const noexcept {
  const auto speaks = [&](const Entry& other) { return other.service == entry.service && other.server == entry.server && other.is_current; };
  const auto current = std::find_if(entries_.begin(), entries_.end(), speaks);
  if (current != entries_.end()) return &*current != &entry;
  const auto first = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& other) { return other.tally == entry.tally; });
  return &*first != &entry;
}

ServerRoster::Entry* ServerRoster::find(const std::string& service, const splice::End& listen, const splice::End& server) noexcept {
  return const_cast<Entry*>(std::as_const(*this).find(service, listen, server));
}

const ServerRoster::Entry* ServerRoster::find(const std::string& service, const splice::End& listen, const splice::End& server) const noexcept {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.service == service && entry.listen == listen && entry.server == server;
  });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace cutwater::engine
