// How records reach an AEAD that may work beside the worker: jobs go into a submission ring, results come out of a completion
// ring, perhaps turns later. The software engine is the one that is always there; a hardware engine has the same shape.
// Not here: which records, in what order they may leave (the caller's). Thread: owning worker, one engine each.
#pragma once

#include <array>
#include <concepts>

#include "record/aead.hpp"

namespace cutwater::record {

/// One record to seal or open. What the pointers name stays put and untouched until the job's completion.
struct EngineJob {
  enum class Operation : std::uint8_t { seal, open };

  Operation operation = Operation::seal;
  ContentType type = ContentType::application_data;  // seal: the inner type
  const ExpandedKey* key = nullptr;                  // software; a hardware engine may keep its own tables and read `keys`
  const TrafficKeys* keys = nullptr;
  std::uint64_t number = 0;
  std::uint8_t* bytes = nullptr;  // seal: the fragment, with room before and behind (Aead::seal); open: the record
  std::uint32_t size = 0;         // of the fragment, or of the record
  std::uint64_t user = 0;         // handed back; the engine does not look at it
};

struct EngineCompletion {
  std::uint64_t user = 0;
  EngineJob::Operation operation = EngineJob::Operation::seal;
  std::size_t sealed_bytes = 0;  // seal: on the wire; 0 when it failed
  Opened opened{};               // open
};

/// An engine takes jobs while it has room and completes each exactly once, in the order of submission.
template <class E>
concept AeadEngine = requires(E& engine, const E& constant, const EngineJob& job, std::span<EngineCompletion> out) {
  { engine.submit(job) } noexcept -> std::same_as<bool>;           // false: full; nothing was taken
  { engine.complete(out) } noexcept -> std::same_as<std::size_t>;  // how many of `out` were filled; 0: none ready yet
  { constant.in_flight() } noexcept -> std::same_as<std::size_t>;  // taken and not yet completed
};

/// Does the work itself, when completions are asked for.
class SoftwareEngine {
 public:
  static constexpr std::size_t kCapacity = 64;  // a burst; whoever has more asks for completions in between

  explicit SoftwareEngine(const Aead& aead) noexcept : aead_(aead) {}

  bool submit(const EngineJob& job) noexcept;
  std::size_t complete(std::span<EngineCompletion> out) noexcept;
  [[nodiscard]] std::size_t in_flight() const noexcept { return head_ - tail_; }

 private:
  const Aead& aead_;
  std::array<EngineJob, kCapacity> jobs_{};
  std::size_t head_ = 0, tail_ = 0;  // count on for ever; the slot is the remainder
};
static_assert(AeadEngine<SoftwareEngine>);

/// Runs one job to its end: what an engine of any kind must be equal to.
EngineCompletion run(const Aead& aead, const EngineJob& job) noexcept;

}  // namespace cutwater::record
