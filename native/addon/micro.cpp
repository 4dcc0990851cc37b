#include "addon/micro.hpp"

#include <array>
#include <memory>

#include "flow/flow_table.hpp"
#include "hello/client_hello.hpp"
#include "record/aead.hpp"
#include "wire/checksum.hpp"

namespace cutwater::addon {

namespace {

/// Makes the compiler believe that the value is used.
template <class T>
void keep(const T& value) {
  __asm__ __volatile__("" : : "r"(&value) : "memory");
}

/// A record in its room, with key: [ front ][ fragment ][ trailer ].
struct RecordRoom {
  const record::Suite& suite = *record::find_suite(0x1301, record::Version::tls13);
  const record::Aead& aead = record::default_aead();
  record::TrafficKeys keys{};
  record::ExpandedKey expanded{};
  std::array<std::uint8_t, record::kMaxOverheadBytes + record::kMaxFragmentBytes> bytes{};

  RecordRoom() { aead.expand(suite, keys, expanded); }
  std::uint8_t* fragment() { return bytes.data() + suite.front_bytes(); }
  std::size_t seal(std::size_t fragment_bytes) {
    return aead.seal(expanded, keys, 0, record::ContentType::application_data, fragment(), fragment_bytes);
  }
};

bool is_fragment(Bytes input) { return !input.empty() && input.size() <= record::kMaxFragmentBytes; }

bool copy(Bytes input, std::uint32_t repeats) {
  if (!is_fragment(input)) return false;
  const auto room = std::make_unique<RecordRoom>();
  for (std::uint32_t i = 0; i < repeats; ++i) {
    std::memcpy(room->fragment(), input.data(), input.size());
    keep(room->bytes);
  }
  return true;
}

bool seal(Bytes input, std::uint32_t repeats) {
  if (!is_fragment(input)) return false;
  const auto room = std::make_unique<RecordRoom>();
  std::memcpy(room->fragment(), input.data(), input.size());
  for (std::uint32_t i = 0; i < repeats; ++i) keep(room->seal(input.size()));
  return true;
}

/// Opening is in place, so each turn first copies the sealed record: subtract `copy` to have opening alone.
bool open(Bytes input, std::uint32_t repeats) {
  if (!is_fragment(input)) return false;
  const auto room = std::make_unique<RecordRoom>();
  std::memcpy(room->fragment(), input.data(), input.size());
  const std::size_t record_bytes = room->seal(input.size());
  const auto sealed = room->bytes;
  for (std::uint32_t i = 0; i < repeats; ++i) {
    std::memcpy(room->bytes.data(), sealed.data(), record_bytes);
    const auto opened = room->aead.open(room->expanded, room->keys, 0, {room->bytes.data(), record_bytes});
    if (opened.status != record::Opened::Status::ok) return false;
  }
  return true;
}

bool checksum(Bytes input, std::uint32_t repeats) {
  for (std::uint32_t i = 0; i < repeats; ++i) keep(wire::sum(input));
  return true;
}

bool parse_hello(Bytes input, std::uint32_t repeats) {
  if (!hello::parse_client_hello(input)) return false;
  for (std::uint32_t i = 0; i < repeats; ++i) keep(hello::parse_client_hello(input));
  return true;
}

/// A table of 65,536 flows in which every key is looked up in an order that no cache foresees. The input is not used.
bool look_up_flow(Bytes, std::uint32_t repeats) {
  constexpr std::uint32_t kFlows = 65'536;
  constexpr std::uint32_t kStride = 40'503;  // odd, so that all flows have their turn
  const std::uint64_t seed[2] = {0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210};
  flow::FlowTable table(kFlows, seed);
  std::vector<flow::FlowKey> keys(kFlows);
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    keys[i].remote.bytes[12] = static_cast<std::uint8_t>(i >> 8);
    keys[i].remote_port = static_cast<std::uint16_t>(i);
    if (!table.insert(table.hash(keys[i]), i)) return false;
  }
  for (std::uint32_t i = 0, at = 0; i < repeats; ++i, at = (at + kStride) % kFlows) {
    const auto found = table.find(table.hash(keys[at]), [&](flow::FlowIndex index) { return keys[index] == keys[at]; });
    if (found != at) return false;
  }
  return true;
}

struct Operation {
  std::string_view name;
  bool (*run)(Bytes input, std::uint32_t repeats);
};
constexpr std::array kOperations{
    Operation{"copy", copy},         Operation{"seal", seal},
    Operation{"open", open},         Operation{"checksum", checksum},
    Operation{"parse_hello", parse_hello}, Operation{"look_up_flow", look_up_flow},
};

}  // namespace

std::vector<std::string_view> operation_names() {
  std::vector<std::string_view> names;
  for (const auto& operation : kOperations) names.push_back(operation.name);
  return names;
}

bool run_operation(std::string_view name, Bytes input, std::uint32_t repeats) {
  for (const auto& operation : kOperations) {
    if (operation.name == name) return operation.run(input, repeats);
  }
  return false;
}

}  // namespace cutwater::addon
