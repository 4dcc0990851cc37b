// Published AEAD vectors with a 96-bit nonce, as facts in hex. Used by: conformance/aead_vectors_test.cpp.
// Source: McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B (the set NIST adopted), cases 1-4 and 13-16;
// RFC 8439 2.8.2.
#pragma once

#include <array>
#include <string_view>

#include "record/suite.hpp"

namespace cutwater::vectors {

struct AeadVector {
  std::string_view name;
  record::Cipher cipher;
  std::string_view key, nonce, aad, plaintext, ciphertext, tag;
};

inline constexpr std::string_view kZero12 = "000000000000000000000000";
inline constexpr std::string_view kZero16 = "00000000000000000000000000000000";
inline constexpr std::string_view kZero32 = "0000000000000000000000000000000000000000000000000000000000000000";
inline constexpr std::string_view kPlain64 =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
inline constexpr std::string_view kPlain60 = kPlain64.substr(0, 120);
inline constexpr std::string_view kCipher128 =
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985";
inline constexpr std::string_view kCipher256 =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
inline constexpr std::string_view kAad20 = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
inline constexpr std::string_view kKey128 = "feffe9928665731c6d6a8f9467308308";
inline constexpr std::string_view kKey256 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
inline constexpr std::string_view kNonce = "cafebabefacedbaddecaf888";

inline constexpr std::array kAeadVectors{
    AeadVector{"GCM 1", record::Cipher::aes_128_gcm, kZero16, kZero12, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    AeadVector{"GCM 2", record::Cipher::aes_128_gcm, kZero16, kZero12, "", kZero16, "0388dace60b6a392f328c2b971b2fe78",
               "ab6e47d42cec13bdf53a67b21257bddf"},
    AeadVector{"GCM 3", record::Cipher::aes_128_gcm, kKey128, kNonce, "", kPlain64, kCipher128,
               "4d5c2af327cd64a62cf35abd2ba6fab4"},
    AeadVector{"GCM 4", record::Cipher::aes_128_gcm, kKey128, kNonce, kAad20, kPlain60, kCipher128.substr(0, 120),
               "5bc94fbc3221a5db94fae95ae7121a47"},
    AeadVector{"GCM 13", record::Cipher::aes_256_gcm, kZero32, kZero12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    AeadVector{"GCM 14", record::Cipher::aes_256_gcm, kZero32, kZero12, "", kZero16, "cea7403d4d606b6e074ec5d3baf39d18",
               "d0d1c8a799996bf0265b98b5d48ab919"},
    AeadVector{"GCM 15", record::Cipher::aes_256_gcm, kKey256, kNonce, "", kPlain64, kCipher256,
               "b094dac5d93471bdec1a502270e3cc6c"},
    AeadVector{"GCM 16", record::Cipher::aes_256_gcm, kKey256, kNonce, kAad20, kPlain60, kCipher256.substr(0, 120),
               "76fc6ece0f4e1768cddf8853bb2d551b"},
    AeadVector{"ChaCha20-Poly1305, RFC 8439 2.8.2", record::Cipher::chacha20_poly1305,
               "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
               "50515253c0c1c2c3c4c5c6c7",
               "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
               "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
               "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
               "637265656e20776f756c642062652069742e",
               "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
               "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
               "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
               "3ff4def08e4b7a9de576d26586cec64b6116",
               "1ae10b594f09e26a7e902ecbd0600691"},
};

}  // namespace cutwater::vectors
