// All checks on one connection, from what taps at the device's two interfaces see and from what the two applications know.
// It trusts no counter and no state of the device. Thread: one run, one thread. Used by: sim/run. Proves: I1, I2, I3, I4, I6.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "invariants/finding.hpp"
#include "invariants/half_stream.hpp"
#include "invariants/record_reader.hpp"
#include "sim/application.hpp"

namespace cutwater::invariants {

/// Where a tap sits: packets on their way into the device, and out of it.
enum class Tap : std::uint8_t { client_in, client_out, server_in, server_out };

/// A splice acknowledges to the server what the client has; a terminator what it holds itself.
enum class Acknowledges : std::uint8_t { delivered, held };

struct AuditFacts {
  std::size_t connection = 0;
  Acknowledges acknowledges = Acknowledges::delivered;
  bool truncation_forward = false, release_streaming = false;
  bool is_passed = false;                              // nothing is opened: what leaves has come, byte by byte
  bool is_sealed_again = false;                        // servers speak TLS: what goes there, and comes, is ciphertext
  bool grants_itself = false;                          // windows before a server's is known, or room that a header takes
  std::uint32_t client_mtu = 1500, server_mtu = 1500;  // of the device's interfaces
  std::optional<sim::Introduced> introduced;           // ahead of the client's bytes
  sim::Content up, down;
  std::uint64_t down_bytes = 0;                        // that the server's script writes in all
};

/// What one end has told the device of its receiving half.
struct Receiver {
  std::optional<std::uint32_t> syn_seq;  // of the SYN that said the rest
  bool has_timestamps = false, has_acked = false;
  std::uint16_t mss = 536;
  std::uint8_t shift = 0;
  std::uint64_t acked = 0, edge = 0;  // positions in the stream it receives
};

class FlowAudit {
 public:
  /// `client` is nullptr where no TLS is spoken: then only the TCP rules are checked.
  FlowAudit(const AuditFacts& facts, const sim::TlsClientStream* client, Findings& findings);

  void see(Tap tap, const sim::Segment& segment, std::size_t ip_bytes, std::uint64_t now);
  /// A server that speaks TLS took up the call that reached it at this address. It outlives the audit.
  void meet(const IpAddress& address, const sim::TlsServerStream& server);
  /// From now on bytes of that direction may be under a false name: what nobody can tell apart is not held against the device.
  void note_falsehood(sim::Direction direction) noexcept { (direction == sim::Direction::up ? is_up_false_ : is_down_false_) = true; }
  /// When no packet moves any more.
  void finish(std::uint64_t now);

  struct Owed {
    std::uint64_t whole_records = 0;   // plaintext of records acknowledged whole to the client: the device has to deliver it (I1)
    bool is_inside_record = false;     // the acknowledgement reaches into the next one: nobody will send its beginning again (I2)
  };
  [[nodiscard]] Owed owed_to_server() const noexcept;

 private:
  void see_client_in(const sim::Segment& s);
  void see_client_out(const sim::Segment& s, std::uint64_t now);
  void see_server_in(const sim::Segment& s);
  void see_server_out(const sim::Segment& s, std::uint64_t now);
  bool takes_up(Tap tap, const sim::Segment& s, std::uint64_t now);
  void learn_front(std::uint64_t now);
  void check_untouched(const HalfStream& in, std::uint64_t begin, const sim::Segment& s, std::uint64_t now);
  [[nodiscard]] bool is_keepalive(const sim::Segment& s, const HalfStream& stream, const Receiver& receiver) const noexcept;
  void check_passed_acknowledgement(const sim::Segment& s, std::uint64_t now);
  void check_size(const sim::Segment& s, std::size_t ip_bytes, const Receiver& receiver, std::uint32_t mtu, std::uint64_t now);
  void check_window(const sim::Segment& s, const HalfStream& stream, const Receiver& receiver, std::uint64_t now);
  void check_acknowledgement(const sim::Segment& s, const HalfStream& stream, std::uint64_t now);
  void check_client_acknowledged(std::uint64_t plain_acked, std::uint64_t now);
  void check_authentic(std::uint64_t begin, Bytes payload, std::uint64_t now);
  void check_clean_end(std::uint64_t end, std::uint64_t now);
  [[nodiscard]] bool has_entrusted();
  void read_second_leg();
  void check_second_leg(const sim::Segment& s, std::uint64_t now);
  void check_of_server(std::uint64_t begin, std::uint64_t end);
  void check_close_of_server(std::uint64_t now);
  void finish_second_leg(std::uint64_t now);
  void note_marks(Tap tap, const sim::Segment& s, std::uint64_t now);
  void add(std::string invariant, std::uint64_t now, std::string what) { findings_.add(std::move(invariant), now, facts_.connection, std::move(what)); }
  static void note_receiver(const sim::Segment& s, const HalfStream& stream, Receiver& receiver);

  AuditFacts facts_;
  const sim::TlsClientStream* client_;
  Findings& findings_;
  HalfStream up_in_, up_out_{Keep::bytes}, down_in_, down_out_{Keep::bytes};
  Receiver client_receiver_, server_receiver_;
  bool client_timestamps_ = false, server_timestamps_ = false;
  std::uint8_t client_offered_shift_ = 0, server_offered_shift_ = 0;
  std::uint64_t acked_to_client_ = 0;
  std::optional<IpAddress> server_;          // who was called last
  std::vector<std::uint32_t> greetings_;     // where its SYN-ACKs began: a cookie made later is another number, and the client takes one of them
  bool has_reset_ = false;                   // the device has, one side or the other
  std::optional<std::uint64_t> front_bytes_; // of a header ahead of the client's; none: not whole yet
  std::vector<std::pair<IpAddress, const sim::TlsServerStream*>> met_;  // servers that speak TLS, the newest last
  const sim::TlsServerStream* far_server_ = nullptr;                    // of server_
  std::unique_ptr<RecordReader> far_reader_;                            // of what the device seals for it
  bool far_reader_failed_ = false;
  bool reader_failed_ = false, is_up_false_ = false, is_down_false_ = false;
  RecordReader reader_;
  std::uint64_t reading_at_us_ = 0;

  /// Congestion, as one side tells the other of it through the device (RFC 3168).
  struct Congestion {
    bool is_echoing = false;                 // its newest segment said so
    std::uint32_t unheard = 0;               // segments in a row that did not pass it on
    std::uint64_t marks = 0, answers = 0;    // marked data that came, and what became of it: passed on, or echoed
  };
  Congestion client_congestion_, server_congestion_;
};

}  // namespace cutwater::invariants
