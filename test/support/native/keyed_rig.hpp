// class Path between a scripted client and scripted servers, without a handshake: the rig answers for the secure processors, with
// keys that both ends know. For fuzzing: a path is used by one connection after the other, so setting up costs next to nothing.
// Time goes on in steps after which wheel and cookies stand as before, so that a script is the same run wherever it comes.
// Judged here, at each packet that the path sends: it is sound TCP, and no byte of a stream is ever another one when it comes again,
// also when it was lost in between (A15, I3).
// Thread: one. Used by: test/fuzz.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "path/path.hpp"
#include "support/native/record_end.hpp"
#include "support/native/scripted_end.hpp"

namespace cutwater::support {

/// What the service of the rig is.
enum class Shape : std::uint8_t { direct, pass, pass_hello, proxy, introduced, balance, layer7, far };
inline constexpr std::uint8_t kShapes = 8;

struct KeyedPlan {
  Shape shape = Shape::direct;
  std::uint16_t suite = 0x1301;
  bool is_v6 = false;
  bool has_sack = true, has_timestamps = false;
  std::uint8_t window_scale = 7;
  bool has_few_chunks = false;
  bool truncation_forward = false;
  bool release_streaming = false;
  bool is_asked_back = false;        // each hello is answered with a HelloRetryRequest first
  bool has_bbr = false;
  std::uint8_t rekey_after_records = 0;
  bool operator==(const KeyedPlan&) const = default;
};

/// Whether CUTWATER_FUZZ_TRACE asks for a line for each step and each packet.
bool is_traced();

/// What the rig's processor does with a hello.
enum class Processor : std::uint8_t { prompt, slow /* until serve() */, odd /* its answers are the script's */ };
/// What a server does with a SYN.
enum class Welcome : std::uint8_t { accept, refuse, mute };

class KeyedRig {
 public:
  static constexpr std::size_t kServers = 3;

  explicit KeyedRig(const KeyedPlan& plan);
  ~KeyedRig();

  ScriptedEnd client;
  std::array<ScriptedEnd, kServers> servers;
  std::size_t talking = 0;                    // the server that was last called
  [[nodiscard]] ScriptedEnd& server() { return servers[talking]; }
  RecordEnd client_tls, server_tls;           // the latter of Shape::far

  Processor processor = Processor::prompt;
  Welcome welcome = Welcome::accept;
  std::array<std::uint8_t, 4> oddness{};      // of Processor::odd
  /// Answers what slow processors still have.
  void serve();

  /// SYN to keys, nothing lost; the streams then begin behind what that took.
  void establish();
  void hello();  // appends the client's hello to what it has to say

  void send(path::Side from, const sim::Segment& segment);
  void send_frame(path::Side from, sim::Frame frame);
  void wait(std::uint64_t us);
  void lose(path::Side towards, std::size_t packets) { lost_[index(towards)] = packets; }
  /// What went last to a side. Empty: nothing yet.
  [[nodiscard]] const sim::Frame& latest(path::Side to) const { return latest_[index(to)]; }
  void reload();

  [[nodiscard]] path::Path& path();
  [[nodiscard]] std::uint32_t held_chunks() const;
  [[nodiscard]] bool is_contradicted() const { return is_contradicted_; }
  /// What the client hears is of two connections, of which the rig knows the keys of one.
  [[nodiscard]] bool has_reconnected() const { return has_reconnected_; }
  [[nodiscard]] bool is_keyed() const { return is_keyed_; }
  /// Of the client's and the server's incoming stream: where what the record layer wrote begins.
  std::size_t client_keyed_at = 0, server_keyed_at = 0;
  std::size_t connections = 0;                // to servers, ever
  [[nodiscard]] Tick now() const;

 private:
  struct Device;
  /// All that ever left towards one connection of an end, by offset.
  struct Sent {
    ByteVector bytes;
    std::vector<bool> is_known;
    bool agrees(std::size_t offset, Bytes more);
  };
  static std::size_t index(path::Side side) { return side == path::Side::client ? 0 : 1; }
  void collect();
  void collect(path::Side side);
  void note_answer(const sim::Segment& syn_ack);
  void take_to_server(const sim::Segment& segment, bool is_lost);
  void answer(const secure::Request& request);
  void reply(std::unique_ptr<secure::Reply> reply);

  KeyedPlan plan_;
  Device& device_;
  std::array<std::size_t, 2> lost_{};
  std::array<sim::Frame, 2> latest_;
  Sent sent_to_client_;
  std::array<Sent, kServers> sent_to_servers_;
  std::deque<std::unique_ptr<secure::Request>> waiting_;
  bool is_contradicted_ = false, is_keyed_ = false, has_reconnected_ = false;
};

}  // namespace cutwater::support
