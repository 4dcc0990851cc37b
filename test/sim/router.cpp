#include <algorithm>

#include "sim/device.hpp"

namespace cutwater::sim {

void Router::receive(Side side, Frame&& frame, std::uint64_t) {
  if (decode(frame).kind == Decoding::bad_checksum) return;  // a second flipped bit could make the sum right again
  const bool goes_up = side == Side::client;
  const auto& target = goes_up ? scenario_.server.mac : scenario_.client.mac;
  const auto& source = goes_up ? scenario_.device_server.mac : scenario_.device_client.mac;
  std::copy(target.begin(), target.end(), frame.begin());
  std::copy(source.begin(), source.end(), frame.begin() + 6);
  send(goes_up ? Side::server : Side::client, std::move(frame));
}

}  // namespace cutwater::sim
