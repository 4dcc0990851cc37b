#include "secure/seal_box.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>

#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

namespace {

constexpr int kNonceBytes = 12, kTagBytes = 16;
using ContextPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX_free>>;

const std::uint8_t* bytes_of(std::string_view text) noexcept { return reinterpret_cast<const std::uint8_t*>(text.data()); }
int length(std::size_t bytes) noexcept { return static_cast<int>(bytes); }

}  // namespace

std::vector<std::uint8_t> seal_box(const SealKey& key, std::string_view purpose, Bytes secret) {
  std::vector<std::uint8_t> box(secret.size() + kSealBytes);
  std::uint8_t* const nonce = box.data();
  std::uint8_t* const text = nonce + kNonceBytes;
  const ContextPtr context{EVP_CIPHER_CTX_new()};
  int written = 0;
  const bool is_sealed = RAND_bytes(nonce, kNonceBytes) == 1 &&
                         EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), key.expose().data(), nonce, nullptr) == 1 &&
                         EVP_EncryptUpdate(context.get(), nullptr, &written, bytes_of(purpose), length(purpose.size())) == 1 &&
                         EVP_EncryptUpdate(context.get(), text, &written, secret.data(), length(secret.size())) == 1 &&
                         EVP_EncryptFinal_ex(context.get(), text + written, &written) == 1 &&
                         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, text + secret.size()) == 1;
  if (!is_sealed) box.clear();
  return box;
}

bool open_box(const SealKey& key, std::string_view purpose, Bytes box, MutableBytes out) noexcept {
  if (box.size() != out.size() + kSealBytes) return false;
  const Bytes nonce = box.first(kNonceBytes), text = box.subspan(kNonceBytes, out.size());
  std::uint8_t tag[kTagBytes];
  std::copy_n(box.end() - kTagBytes, kTagBytes, tag);
  const ContextPtr context{EVP_CIPHER_CTX_new()};
  int written = 0;
  const bool is_open = EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), key.expose().data(), nonce.data(), nullptr) == 1 &&
                       EVP_DecryptUpdate(context.get(), nullptr, &written, bytes_of(purpose), length(purpose.size())) == 1 &&
                       EVP_DecryptUpdate(context.get(), out.data(), &written, text.data(), length(text.size())) == 1 &&
                       EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
                       EVP_DecryptFinal_ex(context.get(), out.data() + written, &written) == 1;
  if (!is_open) wipe(out.data(), out.size());
  return is_open;
}

}  // namespace cutwater::secure
