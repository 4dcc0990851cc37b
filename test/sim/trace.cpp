#include "sim/trace.hpp"

#include <cstdio>

namespace cutwater::sim {
namespace {
std::string end_name(const IpAddress& address, std::uint16_t port) { return to_string(address) + ":" + std::to_string(port); }
std::string stamp(std::uint64_t us) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%11.6f ", static_cast<double>(us) / 1e6);
  return text.data();
}
}  // namespace

void Trace::packet(std::uint64_t at_us, std::string_view where, const Decoded& d) {
  text_ += stamp(at_us) + std::string{where} + " ";
  if (d.kind == Decoding::too_big) {
    text_ += "ICMP too big, mtu " + std::to_string(d.too_big.mtu) + "\n";
    return;
  }
  if (d.kind != Decoding::tcp) {
    text_ += d.kind == Decoding::bad_checksum ? "bad checksum\n" : "not read\n";
    return;
  }
  const Segment& s = d.segment;
  const auto side = std::string{where.substr(0, 1) == "c" ? "c" : "s"};
  const auto source = side + end_name(s.source, s.source_port), target = side + end_name(s.target, s.target_port);
  if (s.has(kSyn)) first_.emplace(source + target, s.seq + 1);
  const auto relative = [this](const std::string& key, std::uint32_t n) {
    const auto found = first_.find(key);
    return found == first_.end() ? std::to_string(n) : std::to_string(static_cast<std::int32_t>(n - found->second));
  };
  text_ += std::to_string(s.source_port) + ">" + std::to_string(s.target_port) + " " + flag_names(s.flags) + " seq " + relative(source + target, s.seq);
  text_ += " len " + std::to_string(s.payload.size());
  if (s.has(kAck)) text_ += " ack " + relative(target + source, s.ack);
  text_ += " win " + std::to_string(s.window);
  if (side == "s" && s.has(kSyn)) text_ += " server " + std::to_string(s.has(kAck) ? s.source.bytes.back() : s.target.bytes.back());
  if (s.options.mss) text_ += " mss " + std::to_string(*s.options.mss);
  if (s.options.window_scale) text_ += " ws " + std::to_string(*s.options.window_scale);
  if (s.options.sack_permitted) text_ += " sackok";
  if (s.options.timestamps) text_ += " ts " + std::to_string(s.options.timestamps->value) + "/" + std::to_string(s.options.timestamps->echo);
  for (std::size_t i = 0; i < s.options.sack_count; ++i) {
    text_ += " sack " + relative(target + source, s.options.sacks[i].begin) + ".." + relative(target + source, s.options.sacks[i].end);
  }
  text_ += "\n";
}

void Trace::note(std::uint64_t at_us, const std::string& text) { text_ += stamp(at_us) + "** " + text + "\n"; }

}  // namespace cutwater::sim
