// The operations without a state of their own, and the object that has them all.
#include "addon/micro.hpp"

#include "hello/fingerprint.hpp"
#include "record/deframer.hpp"
#include "wire/checksum.hpp"

namespace cutwater::addon {

MutableBytes MicroArguments::bytes(const char* name, std::size_t least, std::size_t most) {
  const Napi::Value value = info_[next_++];
  if (!failure_.empty()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    failure_ = std::string(name) + ": expected a Uint8Array";
    return {};
  }
  auto array = value.As<Napi::Uint8Array>();
  if (array.ByteLength() < least || array.ByteLength() > most) {
    failure_ = std::string(name) + ": expected " + std::to_string(least) + (most == SIZE_MAX ? " bytes or more" : " to " + std::to_string(most) + " bytes");
    return {};
  }
  return {array.Data(), array.ByteLength()};
}

std::uint32_t MicroArguments::number(const char* name, std::uint32_t min, std::uint32_t max) {
  return static_cast<std::uint32_t>(Field{info_[next_++], name, failure_}.number(min, max));
}

namespace {

constexpr std::size_t kMaxInput = 1 << 20;  // more than any operation meets at once

/// Calls `work(bytes)` batch times. Returns: what the last call gave, as a number.
template <class Work>
Napi::Value repeat(const Napi::CallbackInfo& info, std::size_t least, Work&& work) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    MicroArguments arguments(info);
    const MutableBytes bytes = arguments.bytes("bytes", least, kMaxInput);
    const std::uint32_t batch = arguments.batch();
    if (!arguments.failure().empty()) return arguments.refuse();
    double result = 0;
    for (std::uint32_t i = 0; i < batch; ++i) {
      keep(bytes.data());
      result = work(Bytes{bytes});
    }
    return Napi::Number::New(info.Env(), result);
  });
}

// The call itself: arguments are read, the loop runs, nothing is done.
Napi::Value Nothing(const Napi::CallbackInfo& info) {
  return repeat(info, 0, [](Bytes bytes) { return static_cast<double>(bytes.size()); });
}

Napi::Value Checksum(const Napi::CallbackInfo& info) {
  return repeat(info, 0, [](Bytes bytes) { return static_cast<double>(wire::fold(wire::sum(bytes))); });
}

Napi::Value Records(const Napi::CallbackInfo& info) {
  return repeat(info, 0, [](Bytes bytes) { return static_cast<double>(record::whole_records(bytes).records); });
}

// Returns: how many extensions the hello has; -1 when it is refused.
Napi::Value Hello(const Napi::CallbackInfo& info) {
  return repeat(info, 0, [](Bytes bytes) {
    const auto hello = hello::parse_client_hello(bytes);
    keep(&hello);
    return hello ? static_cast<double>(hello->extension_count) : -1.0;
  });
}

Napi::Value Ja4(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    MicroArguments arguments(info);
    const MutableBytes bytes = arguments.bytes("bytes", 0, kMaxInput);
    const std::uint32_t batch = arguments.batch();
    if (!arguments.failure().empty()) return arguments.refuse();
    hello::Ja4 fingerprint{};
    for (std::uint32_t i = 0; i < batch; ++i) {
      const auto hello = hello::parse_client_hello(bytes);
      if (!hello) return throw_error(info.Env(), "CONFIG_INVALID", "bytes: not a ClientHello");
      fingerprint = hello::ja4(*hello);
      keep(fingerprint.data());
    }
    return Napi::String::New(info.Env(), std::string(hello::to_string(fingerprint)));
  });
}

}  // namespace

Napi::Object micro_object(Napi::Env env) {
  auto object = Napi::Object::New(env);
  object.Set("nothing", Napi::Function::New<Nothing>(env, "nothing"));
  object.Set("checksum", Napi::Function::New<Checksum>(env, "checksum"));
  object.Set("records", Napi::Function::New<Records>(env, "records"));
  object.Set("hello", Napi::Function::New<Hello>(env, "hello"));
  object.Set("ja4", Napi::Function::New<Ja4>(env, "ja4"));
  object.Set("Cipher", define_micro_cipher(env));
  object.Set("Flows", define_micro_flows(env));
  return object;
}

}  // namespace cutwater::addon
