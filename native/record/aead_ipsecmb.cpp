// The fast backend: Intel IPsec-MB by its direct functions, which keep no state of their own.
// `space` of an ExpandedKey holds the tables (AES-GCM) or the raw key (ChaCha20); `functions` points to the row for its cipher.
// Thread: any for expand; the rest by the owning worker. Source: SP 800-38D 7, RFC 8439 2.8.
#include <intel-ipsec-mb.h>

#include <memory>

#include "record/backends.hpp"
#include "record/framing.hpp"

namespace cutwater::record {

namespace {

/// The functions of one AES key size, picked for this CPU.
struct GcmFunctions {
  aes_gcm_pre_t expand;
  aes_gcm_enc_dec_t encrypt, decrypt;
  aes_gcm_init_t init;
  aes_gcm_enc_dec_update_t decrypt_update;
  aes_gcm_enc_dec_finalize_t decrypt_finalize;
};

struct ChachaFunctions {
  chacha_poly_init_t init;
  chacha_poly_enc_dec_update_t encrypt_update, decrypt_update;
  chacha_poly_finalize_t finalize;
};

struct Functions {
  bool is_runnable = false;
  GcmFunctions gcm_128{}, gcm_256{};
  ChachaFunctions chacha{};
};

static_assert(sizeof(gcm_key_data) <= sizeof ExpandedKey::space && alignof(gcm_key_data) <= alignof(ExpandedKey));
static_assert(sizeof(gcm_context_data) <= sizeof OpenStream::state);
static_assert(sizeof(chacha20_poly1305_context_data) <= sizeof OpenStream::state);

Functions pick_functions() noexcept {
  const std::unique_ptr<MB_MGR, decltype(&free_mb_mgr)> manager{alloc_mb_mgr(0), &free_mb_mgr};
  if (!manager) return {};
  init_mb_mgr_auto(manager.get(), nullptr);
  // Without AES-NI the library falls back to an emulation that is slower than OpenSSL.
  constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SELF_TEST_PASS;
  if ((manager->features & kNeeded) != kNeeded) return {};
  const MB_MGR& m = *manager;
  return {.is_runnable = true,
          .gcm_128 = {m.gcm128_pre, m.gcm128_enc, m.gcm128_dec, m.gcm128_init, m.gcm128_dec_update, m.gcm128_dec_finalize},
          .gcm_256 = {m.gcm256_pre, m.gcm256_enc, m.gcm256_dec, m.gcm256_init, m.gcm256_dec_update, m.gcm256_dec_finalize},
          .chacha = {m.chacha20_poly1305_init, m.chacha20_poly1305_enc_update, m.chacha20_poly1305_dec_update,
                     m.chacha20_poly1305_finalize}};
}

const Functions& functions() noexcept {
  static const Functions picked = pick_functions();
  return picked;
}

/// ChaCha20-Poly1305 in one call is only offered as a job: an eighth to a quarter faster than init, update and finalize for
/// what a packet carries, a little slower above (bench/micro/aead_bench). The job ring is state, so each thread has its own; jobs of this kind are done at once.
class ChachaJobs {
 public:
  ChachaJobs() noexcept : manager_(alloc_mb_mgr(0)) {
    if (manager_) init_mb_mgr_auto(manager_.get(), nullptr);
  }
  /// False for long records, and when there was no memory for the ring.
  [[nodiscard]] bool is_best_for(std::size_t n) const noexcept { return n <= kMaxBytes && manager_ != nullptr; }
  /// Returns: whether the job was done at once, as it is; anything else would be a changed library, and counts as failure.
  bool run(IMB_CIPHER_DIRECTION direction, const std::uint8_t* key, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes,
           std::size_t n, std::uint8_t* tag) noexcept {
    MB_MGR* const m = manager_.get();
    IMB_JOB* const job = IMB_GET_NEXT_JOB(m);
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = job->dec_keys = key;
    job->key_len_in_bytes = 32;
    job->iv = nonce;
    job->iv_len_in_bytes = kNonceBytes;
    job->u.CHACHA20_POLY1305.aad = aad.data();
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = aad.size();
    job->src = job->dst = bytes;
    job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = n;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = kTagBytes;
    const IMB_JOB* const done = IMB_SUBMIT_JOB_NOCHECK(m);
    return done == job && done->status == IMB_STATUS_COMPLETED;
  }

 private:
  static constexpr std::size_t kMaxBytes = 2048;  // 1,438 B: 524 against 602 ns; 4,096 B: 1,213 against 1,176
  struct FreeManager {
    void operator()(MB_MGR* manager) const noexcept { free_mb_mgr(manager); }
  };
  std::unique_ptr<MB_MGR, FreeManager> manager_;
};

ChachaJobs& chacha_jobs() noexcept {
  thread_local ChachaJobs jobs;
  return jobs;
}

void expand(const Suite& suite, const TrafficKeys& keys, ExpandedKey& out) noexcept {
  out.clear();
  out.suite = &suite;
  if (suite.cipher == Cipher::chacha20_poly1305) {
    std::memcpy(out.space.data(), keys.key.data(), keys.key.size());
    chacha_jobs();  // so that the thread's ring is allocated here, not by its first record
    out.functions = &functions().chacha;
    return;
  }
  const GcmFunctions& gcm = suite.cipher == Cipher::aes_128_gcm ? functions().gcm_128 : functions().gcm_256;
  gcm.expand(keys.key.data(), reinterpret_cast<gcm_key_data*>(out.space.data()));
  out.functions = &gcm;
}

bool is_chacha(const ExpandedKey& key) noexcept { return key.suite->cipher == Cipher::chacha20_poly1305; }

struct Gcm {
  const GcmFunctions& functions;
  const gcm_key_data* tables;

  explicit Gcm(const ExpandedKey& key) noexcept
      : functions(*static_cast<const GcmFunctions*>(key.functions)),
        tables(reinterpret_cast<const gcm_key_data*>(key.space.data())) {}
};

struct Chacha {
  const ChachaFunctions& functions;
  const std::uint8_t* key;

  explicit Chacha(const ExpandedKey& expanded) noexcept
      : functions(*static_cast<const ChachaFunctions*>(expanded.functions)), key(expanded.space.data()) {}
};

using Tag = std::array<std::uint8_t, kTagBytes>;

struct IpsecMb {
  static bool encrypt(const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes, std::size_t n,
                      std::uint8_t* tag) noexcept {
    if (is_chacha(key)) {
      const Chacha chacha{key};
      if (ChachaJobs& jobs = chacha_jobs(); jobs.is_best_for(n)) return jobs.run(IMB_DIR_ENCRYPT, chacha.key, nonce, aad, bytes, n, tag);
      chacha20_poly1305_context_data context;
      chacha.functions.init(chacha.key, &context, nonce, aad.data(), aad.size());
      chacha.functions.encrypt_update(chacha.key, &context, bytes, bytes, n);
      chacha.functions.finalize(&context, tag, kTagBytes);
      wipe(&context, sizeof context);
      return true;
    }
    const Gcm gcm{key};
    gcm_context_data context;
    gcm.functions.encrypt(gcm.tables, &context, bytes, bytes, n, nonce, aad.data(), aad.size(), tag, kTagBytes);
    wipe(&context, sizeof context);
    return true;
  }

  static bool decrypt(const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes, std::size_t n,
                      const std::uint8_t* tag) noexcept {
    Tag right;
    if (is_chacha(key)) {
      const Chacha chacha{key};
      if (ChachaJobs& jobs = chacha_jobs(); jobs.is_best_for(n)) {
        return jobs.run(IMB_DIR_DECRYPT, chacha.key, nonce, aad, bytes, n, right.data()) && tags_equal(right.data(), tag);
      }
      chacha20_poly1305_context_data context;
      chacha.functions.init(chacha.key, &context, nonce, aad.data(), aad.size());
      chacha.functions.decrypt_update(chacha.key, &context, bytes, bytes, n);
      chacha.functions.finalize(&context, right.data(), kTagBytes);
      wipe(&context, sizeof context);
    } else {
      const Gcm gcm{key};
      gcm_context_data context;
      gcm.functions.decrypt(gcm.tables, &context, bytes, bytes, n, nonce, aad.data(), aad.size(), right.data(), kTagBytes);
      wipe(&context, sizeof context);
    }
    return tags_equal(right.data(), tag);
  }

  static void stream_begin(OpenStream& stream, const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad) noexcept {
    stream.clear();
    if (is_chacha(key)) {
      const Chacha chacha{key};
      chacha.functions.init(chacha.key, chacha_state(stream), nonce, aad.data(), aad.size());
      return;
    }
    const Gcm gcm{key};
    gcm.functions.init(gcm.tables, gcm_state(stream), nonce, aad.data(), aad.size());
  }

  static void stream_update(OpenStream& stream, const ExpandedKey& key, std::uint8_t* out, const std::uint8_t* in,
                            std::size_t n) noexcept {
    if (n == 0) return;
    if (is_chacha(key)) {
      const Chacha chacha{key};
      chacha.functions.decrypt_update(chacha.key, chacha_state(stream), out, in, n);
      return;
    }
    const Gcm gcm{key};
    gcm.functions.decrypt_update(gcm.tables, gcm_state(stream), out, in, n);
  }

  static bool stream_finish(OpenStream& stream, const ExpandedKey& key, const std::uint8_t* tag) noexcept {
    Tag right;
    if (is_chacha(key)) {
      Chacha{key}.functions.finalize(chacha_state(stream), right.data(), kTagBytes);
    } else {
      const Gcm gcm{key};
      gcm.functions.decrypt_finalize(gcm.tables, gcm_state(stream), right.data(), kTagBytes);
    }
    stream.clear();
    return tags_equal(right.data(), tag);
  }

 private:
  static gcm_context_data* gcm_state(OpenStream& stream) noexcept {
    return reinterpret_cast<gcm_context_data*>(stream.state.data());
  }
  static chacha20_poly1305_context_data* chacha_state(OpenStream& stream) noexcept {
    return reinterpret_cast<chacha20_poly1305_context_data*>(stream.state.data());
  }
};

}  // namespace

const Aead* ipsecmb_aead() noexcept {
  static constexpr Aead kTable = RecordFraming<IpsecMb>::table("ipsec-mb", expand);
  return functions().is_runnable ? &kTable : nullptr;
}

}  // namespace cutwater::record
