#include "engine/open_ports.hpp"

#include <algorithm>

#include "port/link.hpp"
#include "port/packet_port.hpp"
#include "port/vlan_device.hpp"
#include "port/xdp_redirect.hpp"
#include "port/xsk_port.hpp"

namespace cutwater::engine {
namespace {

using Ports = std::vector<std::unique_ptr<port::Port>>;

port::AttachMode to_attach(const std::string& text) {
  return text == "driver" ? port::AttachMode::driver : text == "generic" ? port::AttachMode::generic : port::AttachMode::automatic;
}
port::CopyMode to_copy(const std::string& text) {
  return text == "zero-copy" ? port::CopyMode::zero_copy : text == "copy" ? port::CopyMode::copy : port::CopyMode::automatic;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// Offloads join packets and leave checksums out: with them on, what arrives here never was on a wire.
Result<bool, std::string> mend_offloads(const std::string& device, std::vector<std::string>& notes) {
  const auto link = port::read_link(device);
  if (!link) return Failure{link.error()};
  const std::vector<std::string> harmful = port::harmful_offloads(*link);
  if (harmful.empty()) return true;
  if (const auto off = port::set_offloads_off(device); !off) return Failure{device + ": cannot turn offloads off: " + off.error()};
  notes.push_back(device + ": turned off " + joined(harmful) + (link->driver == "veth" ? "; the other end of the veth needs it too" : ""));
  return true;
}

// Queues of a device, dealt out to the workers in turn; a worker may get none and lives on handed-over packets.
std::vector<std::uint32_t> queues_of(std::uint32_t queues, std::uint32_t worker, std::uint32_t workers) {
  std::vector<std::uint32_t> own;
  for (std::uint32_t q = worker; q < queues; q += workers) own.push_back(q);
  return own;
}

Result<std::uint32_t, std::string> neighbour_device(const InterfaceConfig& side, std::uint32_t ifindex) {
  if (side.vlan == 0) return ifindex;
  if (const std::uint32_t found = port::vlan_device(side.device, side.vlan); found != 0) return found;
  const std::string tag = std::to_string(side.vlan);
  return Failure{side.device + ": has no device for VLAN " + tag + ", where the kernel looks up and answers for addresses (`ip link add link " +
                 side.device + " name " + side.device + "." + tag + " type vlan id " + tag + "`, an address, and up)"};
}

struct Sides {
  const InterfaceConfig* client;
  const InterfaceConfig* server;
  bool is_one_arm;
};

// Both sides draw on one pool, so the larger MTU decides.
Result<std::size_t, std::string> needed_chunk_bytes(const Sides& sides) {
  std::size_t bytes = port::kChunkBytes;
  for (const InterfaceConfig* side : {sides.client, sides.server}) {
    const auto link = port::read_link(side->device);
    if (!link) return Failure{link.error()};
    bytes = std::max(bytes, port::chunk_bytes_for(link->mtu));
  }
  return bytes;
}

Result<bool, std::string> open_xsk_ports(const EngineConfig& config, const Sides& sides, OpenPorts& out) {
  std::vector<std::shared_ptr<port::XdpRedirect>> redirects;
  std::vector<const InterfaceConfig*> devices{sides.client};  // one arm: both sides may well be the very same interface
  if (!sides.is_one_arm) devices.push_back(sides.server);
  for (const InterfaceConfig* side : devices) {
    auto attached = port::XdpRedirect::attach({.device = side->device, .attach = to_attach(side->attach), .vlan = side->vlan});
    if (!attached) return Failure{attached.error()};
    redirects.push_back(*attached);
    out.steering.push_back(*attached);
  }
  for (std::uint32_t i = 0; i < config.workers; ++i) {
    std::vector<port::XskConfig> wanted;
    for (std::size_t k = 0; k < redirects.size(); ++k) {
      const auto queues = queues_of(redirects[k]->link().rx_queues, i, config.workers);
      if (queues.empty()) {
        return Failure{redirects[k]->link().name + ": has fewer queues than there are workers (" + std::to_string(config.workers) +
                       "); use ethtool -L, or fewer workers"};
      }
      wanted.push_back({.redirect = redirects[k], .queues = queues, .copy = to_copy(devices[k]->copy)});
    }
    auto ports = port::open_xsk(wanted, *out.workers[i].pool);
    if (!ports) return Failure{ports.error()};
    out.workers[i].client_port = std::move((*ports)[0]);
    if (!sides.is_one_arm) out.workers[i].server_port = std::move((*ports)[1]);
  }
  return true;
}

// Two AF_PACKET sockets on one device would both see every packet, so this port has one worker.
Result<bool, std::string> open_packet_port(const InterfaceConfig& side, port::ChunkPool& pool, OpenPorts& out,
                                           std::unique_ptr<port::Port>& slot) {
  auto opened = port::PacketPort::open({.device = side.device, .vlan = side.vlan}, pool);
  if (!opened) return Failure{opened.error()};
  port::PacketPort* packet_port = opened->get();
  slot = std::move(*opened);
  out.steering.push_back(std::shared_ptr<port::Steering>(packet_port, [](port::Steering*) {}));  // lives in the worker's parts
  return true;
}

}  // namespace

Result<bool, std::string> OpenPorts::steer(const std::vector<port::Steer>& client_side, const std::vector<port::Steer>& server_side) {
  if (steering.size() == 1) {
    std::vector<port::Steer> both = client_side;
    both.insert(both.end(), server_side.begin(), server_side.end());
    return steering[0]->steer(both);
  }
  if (auto done = steering[0]->steer(client_side); !done) return done;
  return steering[1]->steer(server_side);
}

Result<OpenPorts, std::string> open_ports(const EngineConfig& config) {
  const ServiceConfig& service = config.services[0];
  const Sides sides{&config.interfaces[service.client_interface], &config.interfaces[service.server_interface],
                    config.interfaces[service.client_interface].device == config.interfaces[service.server_interface].device};
  if (sides.client->kind != sides.server->kind) return Failure{std::string("interfaces: both must use the same port (xsk or packet)")};
  if (sides.client->kind == PortKind::packet && config.workers != 1) return Failure{std::string("workers: port packet runs one worker")};
  if (sides.is_one_arm && sides.client->vlan != sides.server->vlan) {
    return Failure{sides.client->device + ": this version runs one arm in one VLAN only, not between two on the same device"};
  }
  OpenPorts out;
  for (const InterfaceConfig* side : {sides.client, sides.server}) {
    if (const auto mended = mend_offloads(side->device, out.notes); !mended) return Failure{mended.error()};
  }
  const auto chunk_bytes = needed_chunk_bytes(sides);
  if (!chunk_bytes) return Failure{chunk_bytes.error()};
  const auto chunks = static_cast<std::uint32_t>(config.chunks / (*chunk_bytes / port::kChunkBytes));  // the same memory
  for (std::uint32_t i = 0; i < config.workers; ++i) {
    out.workers.emplace_back();
    out.workers.back().pool = std::make_unique<port::ChunkPool>(chunks, *chunk_bytes);
  }
  if (sides.client->kind == PortKind::xsk) {
    if (const auto opened = open_xsk_ports(config, sides, out); !opened) return Failure{opened.error()};
  } else {
    WorkerParts& parts = out.workers[0];
    if (const auto opened = open_packet_port(*sides.client, *parts.pool, out, parts.client_port); !opened) return Failure{opened.error()};
    if (!sides.is_one_arm) {
      if (const auto opened = open_packet_port(*sides.server, *parts.pool, out, parts.server_port); !opened) return Failure{opened.error()};
    }
  }
  out.client_report = out.workers[0].client_port->report();
  out.server_report = out.workers[0].server_port ? out.workers[0].server_port->report() : out.client_report;
  const auto neighbours = neighbour_device(*sides.server, out.server_report.ifindex);
  if (!neighbours) return Failure{neighbours.error()};
  out.server_ifindex = *neighbours;
  if (const auto listening = neighbour_device(*sides.client, out.client_report.ifindex)) out.client_ifindex = *listening;
  else out.client_device_missing = listening.error();  // only virtual addresses need it
  out.client_vlan = sides.client->vlan;
  out.server_vlan = sides.server->vlan;
  for (const InterfaceConfig& interface : config.interfaces) {
    if (interface.device == sides.client->device) out.reports.push_back(out.client_report);
    else if (interface.device == sides.server->device) out.reports.push_back(out.server_report);
    else out.reports.push_back({.device = interface.device, .kind = "unused", .attach_mode = "", .copy_mode = ""});
  }
  return out;
}

}  // namespace cutwater::engine
