// Records sealed and opened under one fixed key and record number. The same number over and over is what a bench needs and
// traffic must never have (I3); this key never meets traffic.
#include "addon/micro.hpp"
#include "record/aead.hpp"

namespace cutwater::addon {

namespace {

using record::kHeaderBytes;
using record::kMaxFragmentBytes;
using record::kTagBytes;

constexpr std::uint64_t kNumber = 1;
constexpr std::size_t kBareFront = 16;  // keeps the bare AEAD's bytes aligned as a buffer of a file would be

class MicroCipher : public Napi::ObjectWrap<MicroCipher> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Cipher",
                       {
                           InstanceMethod<&MicroCipher::Expand>("expand"),
                           InstanceMethod<&MicroCipher::Seal>("seal"),
                           InstanceMethod<&MicroCipher::Open>("open"),
                           InstanceMethod<&MicroCipher::Copy>("copy"),
                           InstanceMethod<&MicroCipher::Bare>("bare"),
                       });
  }

  /// new Cipher(suite, aead): the suite's registered number, the backend's name or '' for the fastest.
  explicit MicroCipher(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    MicroArguments arguments(info);
    const auto number = static_cast<std::uint16_t>(arguments.number("suite", 0, 0xffff));
    const std::string name = arguments.text("aead");
    if (!arguments.failure().empty()) {
      arguments.refuse();
      return;
    }
    suite_ = record::find_suite(number, record::Version::tls13);
    if (suite_ == nullptr) suite_ = record::find_suite(number, record::Version::tls12);
    aead_ = name.empty() ? &record::default_aead() : record::find_aead(name);
    if (suite_ == nullptr || aead_ == nullptr) {
      throw_error(info.Env(), "CONFIG_INVALID", suite_ == nullptr ? "suite: not one we speak" : "aead: not built in, or not runnable here");
      return;
    }
    aead_->expand(*suite_, keys_, key_);
  }

 private:
  Napi::Value Expand(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      MicroArguments arguments(info);
      const std::uint32_t batch = arguments.batch();
      if (!arguments.failure().empty()) return arguments.refuse();
      for (std::uint32_t i = 0; i < batch; ++i) aead_->expand(*suite_, keys_, key_);
      return Napi::Number::New(info.Env(), static_cast<double>(suite_->key_bytes));
    });
  }

  /// seal(room, fragmentBytes, batch): in place, behind the header's room. Returns: bytes on the wire.
  Napi::Value Seal(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      MicroArguments arguments(info);
      const MutableBytes room = arguments.bytes("room", suite_->overhead_bytes() + 1);
      const std::uint32_t n = fragment_bytes(arguments, room.size(), suite_->overhead_bytes());
      const std::uint32_t batch = arguments.batch();
      if (!arguments.failure().empty()) return arguments.refuse();
      std::size_t wire_bytes = 0;
      for (std::uint32_t i = 0; i < batch; ++i) {
        wire_bytes = aead_->seal(key_, keys_, kNumber, record::ContentType::application_data, room.data() + suite_->front_bytes(), n);
      }
      return Napi::Number::New(info.Env(), static_cast<double>(wire_bytes));
    });
  }

  /// open(record, room, batch): copies the record into the room and opens it there, since opening destroys it; copy() does
  /// the first half alone. Returns: bytes of the fragment.
  Napi::Value Open(const Napi::CallbackInfo& info) { return with_record(info, Work::open); }
  Napi::Value Copy(const Napi::CallbackInfo& info) { return with_record(info, Work::copy); }

  enum class Work : std::uint8_t { copy, open };
  Napi::Value with_record(const Napi::CallbackInfo& info, Work work) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      MicroArguments arguments(info);
      const MutableBytes sealed = arguments.bytes("record", suite_->overhead_bytes() + 1, kMaxFragmentBytes + suite_->overhead_bytes());
      const MutableBytes room = arguments.bytes("room", sealed.size());
      const std::uint32_t batch = arguments.batch();
      if (!arguments.failure().empty()) return arguments.refuse();
      std::size_t opened_bytes = 0;
      for (std::uint32_t i = 0; i < batch; ++i) {
        std::memmove(room.data(), sealed.data(), sealed.size());  // a caller may pass the same array twice
        keep(room.data());
        if (work == Work::copy) continue;
        const record::Opened opened = aead_->open(key_, keys_, kNumber, room.first(sealed.size()));
        if (opened.status != record::Opened::Status::ok) return throw_error(info.Env(), "CONFIG_INVALID", "record: does not open");
        opened_bytes = opened.fragment.size();
      }
      return Napi::Number::New(info.Env(), static_cast<double>(opened_bytes));
    });
  }

  /// bare(room, bytes, batch): the AEAD without records, with a header's length of associated data. Returns: the bytes.
  Napi::Value Bare(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      MicroArguments arguments(info);
      const MutableBytes room = arguments.bytes("room", kBareFront + kTagBytes + 1);
      const std::uint32_t n = fragment_bytes(arguments, room.size(), kBareFront + kTagBytes);
      const std::uint32_t batch = arguments.batch();
      if (!arguments.failure().empty()) return arguments.refuse();
      for (std::uint32_t i = 0; i < batch; ++i) {
        if (!aead_->encrypt(key_, keys_.iv, room.first(kHeaderBytes), room.subspan(kBareFront, n), room.data() + kBareFront + n)) {
          return throw_error(info.Env(), "NATIVE_FAILED", "the backend failed");
        }
      }
      return Napi::Number::New(info.Env(), n);
    });
  }

  /// What fits into a room beside `overhead`, at most a record's worth.
  static std::uint32_t fragment_bytes(MicroArguments& arguments, std::size_t room_bytes, std::size_t overhead) {
    const std::size_t most = room_bytes < overhead + 1 ? 1 : std::min(room_bytes - overhead, kMaxFragmentBytes);
    return arguments.number("fragmentBytes", 1, static_cast<std::uint32_t>(most));
  }

  const record::Suite* suite_ = nullptr;
  const record::Aead* aead_ = nullptr;
  record::TrafficKeys keys_{};
  record::ExpandedKey key_;
};

}  // namespace

Napi::Function define_micro_cipher(Napi::Env env) { return MicroCipher::define(env); }

}  // namespace cutwater::addon
