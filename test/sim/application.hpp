// An application: a script of writes, waits and an end on one side, and a reader that checks every byte it gets.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <memory>

#include "sim/content.hpp"
#include "sim/stream.hpp"

namespace cutwater::sim {

struct Step {
  enum class Kind : std::uint8_t { write, await, pause, update_own_key, update_both_keys, close_write, truncate, abort, close, resize_buffer };
  Kind kind = Kind::write;
  std::uint64_t bytes = 0;       // write: how many; await: received in all; resize_buffer: to
  std::uint32_t piece_bytes = 0; // write: in one call
  std::uint64_t us = 0;          // write: between calls; pause: how long
};

struct Script {
  std::vector<Step> steps;
  std::uint64_t read_bytes = ~0ULL, read_every_us = 0;  // a slow reader
  [[nodiscard]] std::uint64_t bytes_to_write() const noexcept;
  [[nodiscard]] bool has(Step::Kind kind) const noexcept;
};

class Application {
 public:
  Application(std::unique_ptr<Stream> stream, Script script, Content writes, Content expects);

  /// Does all that can be done now.
  void run(std::uint64_t now);
  [[nodiscard]] std::uint64_t deadline() const noexcept;

  [[nodiscard]] Stream& stream() noexcept { return *stream_; }
  [[nodiscard]] const Script& script() const noexcept { return script_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] bool has_closed_write() const noexcept { return closed_write_; }
  /// Nothing that TCP has delivered waits to be read.
  [[nodiscard]] bool has_read_all() noexcept { return stopped_reading_ || stream_->tcp().readable().empty(); }
  [[nodiscard]] bool is_scripted_out() const noexcept { return at_ == script_.steps.size(); }
  /// The offset of the first byte that was not what the peer wrote, or none.
  [[nodiscard]] std::optional<std::uint64_t> first_wrong_byte() const noexcept { return wrong_; }
  [[nodiscard]] std::string describe() const;

 private:
  void watch_progress(std::uint64_t now);
  void read(std::uint64_t now);
  bool step(std::uint64_t now);
  bool step_write(const Step& s, std::uint64_t now);

  std::unique_ptr<Stream> stream_;
  Script script_;
  Content writes_, expects_;
  std::size_t at_ = 0;
  std::uint64_t step_written_ = 0, written_ = 0, received_ = 0;
  std::uint64_t wake_at_ = kNoTime, read_at_ = 0, patience_ends_at_ = kNoTime, progress_ = 0;
  bool closed_write_ = false, stopped_reading_ = false;
  std::optional<std::uint64_t> wrong_;
};

}  // namespace cutwater::sim
