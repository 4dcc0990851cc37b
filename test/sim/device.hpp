// What stands in the middle of a run. The real one is path_device; the router proves the models without it, and the reference
// device is a whole TLS terminator of model parts.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/scenario.hpp"

namespace cutwater::sim {

enum class Side : std::uint8_t { client, server };

class Device {
 public:
  using Send = std::function<void(Side, Frame&&)>;
  virtual ~Device() = default;
  void attach(Send send) { send_ = std::move(send); }
  virtual void receive(Side side, Frame&& frame, std::uint64_t now) = 0;
  [[nodiscard]] virtual std::uint64_t deadline() const { return kNoTime; }
  virtual void run_timers(std::uint64_t) {}
  /// It serves as its profile says (Serving); others know one server, and the client's address.
  [[nodiscard]] virtual bool serves() const { return false; }
  /// What leaves it are the frames that came, sound or not.
  [[nodiscard]] virtual bool is_transparent() const { return false; }
  /// The clients speak TLS to it and the servers do not.
  [[nodiscard]] virtual bool opens_tls() const { return true; }
  /// It has a TCP connection of its own on each side, so that it acknowledges what it merely holds.
  [[nodiscard]] virtual bool terminates_tcp() const { return false; }
  [[nodiscard]] virtual bool is_idle() const { return true; }
  /// What it still holds although every connection is over (I5).
  [[nodiscard]] virtual std::vector<std::string> leftovers() const { return {}; }
  /// What it has to say about itself since it was last asked, for the trace.
  virtual std::vector<std::string> take_notes() { return {}; }

 protected:
  void send(Side side, Frame&& frame) { send_(side, std::move(frame)); }

 private:
  Send send_;
};

/// Hands frames from one side to the other with new link-layer addresses, and nothing else.
class Router final : public Device {
 public:
  explicit Router(const Scenario& scenario) : scenario_(scenario) {}
  void receive(Side side, Frame&& frame, std::uint64_t now) override;
  [[nodiscard]] bool opens_tls() const override { return false; }
  [[nodiscard]] bool is_transparent() const override { return true; }

 private:
  const Scenario& scenario_;
};

}  // namespace cutwater::sim
