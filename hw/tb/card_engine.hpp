// A card behind the rings of native/record/engine.hpp: what a driver and its DMA would do, with the tops as the card. Seals and opens in place,
// completes in the order of submission. AES-GCM alone: a job of another suite is refused by the card, so its caller gives it to software.
// Not here: anything of the product. Thread: one; there is one card of each kind in a process.
#pragma once

#include "record/engine.hpp"
#include "top/tops.hpp"

namespace cutwater::hw::tb {

class CardEngine {
 public:
  static constexpr std::size_t kCapacity = 64;

  bool submit(const record::EngineJob& job) noexcept;
  std::size_t complete(std::span<record::EngineCompletion> out) noexcept;
  [[nodiscard]] std::size_t in_flight() const noexcept { return head_ - tail_; }

  /// So much time passes for the card.
  void turn(unsigned clocks = 64) noexcept;

 private:
  struct Slot {
    record::EngineJob job;
    record::EngineCompletion completion{};
    std::size_t text_at = 0;     // in job.bytes
    std::size_t in_bytes = 0;    // from there on, to the card
    std::size_t fed_bytes = 0;
    std::size_t out_bytes = 0;   // that may be written from there on
    std::size_t written_bytes = 0;
    bool is_fed = false;
    bool is_judged = false;
  };
  /// One card, and how far it has got through the slots of its kind.
  struct Card {
    void (*top)(Stream<RecordJob>&, Stream<InBlock>&, Stream<OutBlock>&, Stream<RecordCompletion>&) noexcept;
    record::EngineJob::Operation operation;
    Stream<RecordJob> jobs{"jobs"};
    Stream<InBlock> in{"blocks in"};
    Stream<OutBlock> out{"blocks out"};
    Stream<RecordCompletion> completions{"completions"};
    std::size_t asking = 0, feeding = 0;
  };

  [[nodiscard]] Slot& slot(std::size_t number) noexcept { return slots_[number % kCapacity]; }
  void clock(Card& card) noexcept;
  void ask(Card& card) noexcept;
  void feed(Card& card) noexcept;
  void write(const OutBlock& block) noexcept;
  void judge(const RecordCompletion& completion) noexcept;
  void pass_others(const Card& card, std::size_t& number) noexcept;

  std::array<Slot, kCapacity> slots_{};
  std::size_t head_ = 0, tail_ = 0;
  Card seal_{record_seal_top, record::EngineJob::Operation::seal};
  Card open_{record_open_top, record::EngineJob::Operation::open};
};
static_assert(record::AeadEngine<CardEngine>);

}  // namespace cutwater::hw::tb
