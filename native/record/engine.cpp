#include "record/engine.hpp"

namespace cutwater::record {

bool SoftwareEngine::submit(const EngineJob& job) noexcept {
  if (in_flight() == kCapacity) return false;
  jobs_[head_++ % kCapacity] = job;
  return true;
}

std::size_t SoftwareEngine::complete(std::span<EngineCompletion> out) noexcept {
  std::size_t done = 0;
  while (done < out.size() && in_flight() != 0) out[done++] = run(aead_, jobs_[tail_++ % kCapacity]);
  return done;
}

EngineCompletion run(const Aead& aead, const EngineJob& job) noexcept {
  EngineCompletion completion{.user = job.user, .operation = job.operation};
  switch (job.operation) {
    case EngineJob::Operation::seal:
      completion.sealed_bytes = aead.seal(*job.key, *job.keys, job.number, job.type, job.bytes, job.size);
      break;
    case EngineJob::Operation::open:
      completion.opened = aead.open(*job.key, *job.keys, job.number, {job.bytes, job.size});
      break;
  }
  return completion;
}

}  // namespace cutwater::record
