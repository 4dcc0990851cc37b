#include "path/state.hpp"

#include <sys/mman.h>

#include <new>

namespace cutwater::path {
namespace {
constexpr std::uint32_t kSpanBlocksPerChunk = 4;      // 40 spans a chunk: more than fit in flight through the pool
constexpr std::uint32_t kBusyKeys = 1024;             // flows that move data at once; the rest is expanded again (130 ns)
constexpr std::uint32_t kMaxHandshakes = 65'536;
constexpr std::uint32_t kAwake = port::kBurst * 4;  // half-open clients that have a Flow at once: those of a burst, and a few
}  // namespace

FlowSlab::FlowSlab(std::uint32_t capacity) : capacity_(capacity) {
  void* memory = mmap(nullptr, sizeof(splice::Flow) * std::size_t{capacity}, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  flows_ = static_cast<splice::Flow*>(memory);
}

FlowSlab::~FlowSlab() {
  for (std::uint32_t i = 0; i < used_; ++i) (flows_ + i)->~Flow();
  munmap(flows_, sizeof(splice::Flow) * std::size_t{capacity_});
}

splice::Flow* FlowSlab::take() noexcept {
  if (free_.empty() && used_ == capacity_) return nullptr;
  std::uint32_t index = used_;
  std::uint32_t generation = 1;
  if (free_.empty()) {
    ++used_;
  } else {
    index = free_.back();
    free_.pop_back();
    generation = (flows_ + index)->generation + 1;
  }
  auto* flow = new (flows_ + index) splice::Flow{};
  flow->index = index;
  flow->generation = generation;
  return flow;
}

// Keys and secrets are wiped now, not when the place is used again; the generation stays.
void FlowSlab::put(splice::Flow& flow) noexcept {
  const std::uint32_t index = flow.index, generation = flow.generation;
  flow.~Flow();
  wipe(&flow, sizeof flow);
  auto* empty = new (&flow) splice::Flow{};
  empty->index = index;
  empty->generation = generation;
  free_.push_back(index);
}

State::State(const PathConfig& config, port::ChunkPool& pool, secure::Link& link, Counters& given)
    : counters(given),
      timers(config.max_flows + kAwake),
      r{.chunks = pool,
        .aead = config.aead != nullptr ? *config.aead : record::default_aead(),
        .counters = counters,
        .timers = timers,
        .spans = splice::SpanPool(pool.capacity() * kSpanBlocksPerChunk + config.max_flows / 4),
        .held = splice::HeldPool(pool.capacity(), pool),
        .keys = record::KeyCache(config.aead != nullptr ? *config.aead : record::default_aead(), kBusyKeys * 2, config.hash_seed[0]),
        .custodies = ObjectPool<splice::Custody>(pool.capacity() / 4 + 16),
        .locals = ObjectPool<splice::LocalSender>(config.max_flows),
        .previous_keys = ObjectPool<splice::PreviousKeys>(config.max_flows),
        .to_client = splice::Outbox(pool),
        .to_server = splice::Outbox(pool),
        .to_far = splice::Outbox(pool),
        .client_link = {},
        .server_link = {},
        .owing = {},
        .now = {},
        .stamp_origin = static_cast<std::uint32_t>(config.syn_key[0] >> 32)},
      table((config.max_flows + config.max_half_open) * 2, config.hash_seed),
      flows(config.max_flows + kAwake),
      half_open(config.max_half_open),
      blocks(config.blocks),
      cookies(config.retry_secret, config.cookie_key),
      server_randoms(config.retry_secret, config.worker),
      wall_at_zero_s(config.wall_at_zero_s),
      triage({config.hash_seed[1], config.hash_seed[0]}),
      known({config.hash_seed[0], ~config.hash_seed[1]}),
      max_flows(config.max_flows),
      secure(link),
      syn_key(config.syn_key),
      spent_cookies(config.syn_key),
      layer7(config.max_flows),
      handshakes(kMaxHandshakes),
      worker(config.worker),
      workers(config.workers),
      seed(config.hash_seed[1] + config.worker),
      next_port(static_cast<std::uint32_t>(config.hash_seed[1] >> 32)),
      own_routes(config.max_flows) {
  r.owing.reserve(port::kBurst * 16);
  awake.reserve(kAwake);
  route_sets.emplace_back();
}

}  // namespace cutwater::path
