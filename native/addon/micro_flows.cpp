// A flow table filled with made-up connections, and looked up as native/path/lookup.cpp does: hash, then compare with the flow.
#include <vector>

#include "addon/micro.hpp"
#include "flow/flow_table.hpp"

namespace cutwater::addon {

namespace {

constexpr std::uint32_t kMaxFlows = 1 << 20;
constexpr std::uint64_t kSeed[2] = {0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};  // digits of pi: any will do here
constexpr std::uint32_t kStride = 7919;  // a prime: the next look-up is nowhere near the last one

class MicroFlows : public Napi::ObjectWrap<MicroFlows> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Flows", {InstanceMethod<&MicroFlows::Hit>("hit"), InstanceMethod<&MicroFlows::Miss>("miss")});
  }

  /// new Flows(flows): two entries for each, as in the path.
  explicit MicroFlows(const Napi::CallbackInfo& info) : ObjectWrap(info), table_(1, kSeed) {
    MicroArguments arguments(info);
    const std::uint32_t flows = arguments.number("flows", 1, kMaxFlows);
    if (!arguments.failure().empty()) {
      arguments.refuse();
      return;
    }
    (void)guarded(info.Env(), [&]() -> Napi::Value {
      fill(flows);
      return info.Env().Undefined();
    });
  }

 private:
  void fill(std::uint32_t flows) {
    table_ = flow::FlowTable(flows * 2, kSeed);
    keys_.reserve(std::size_t{flows} * 2);
    for (std::uint32_t i = 0; i < flows; ++i) {
      for (const std::uint32_t side : {0U, 1U}) {
        keys_.push_back(key_of(i, side));
        table_.insert(table_.hash(keys_.back()), static_cast<flow::FlowIndex>(keys_.size() - 1));
      }
    }
  }

  static flow::FlowKey key_of(std::uint32_t flow, std::uint32_t side) {
    constexpr std::uint8_t kServer[4] = {203, 0, 113, 10};
    const std::uint8_t client[4] = {198, static_cast<std::uint8_t>(18 + (flow >> 24)), static_cast<std::uint8_t>(flow >> 16), 1};
    const auto port = static_cast<std::uint16_t>(flow);
    flow::FlowKey key{.remote = IpAddress::from_v4(client), .local = IpAddress::from_v4(kServer), .remote_port = port, .local_port = 443, .side = 0};
    if (side == 0) return key;
    return {.remote = key.local, .local = key.remote, .remote_port = 80, .local_port = port, .side = 1};
  }

  /// hit(batch). Returns: how many were found, which is all of them.
  Napi::Value Hit(const Napi::CallbackInfo& info) { return look_up(info, 0); }
  /// miss(batch): keys of the other side's port, which no flow has. Returns: how many were found, which is none.
  Napi::Value Miss(const Napi::CallbackInfo& info) { return look_up(info, 1); }

  Napi::Value look_up(const Napi::CallbackInfo& info, std::uint16_t port_change) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      MicroArguments arguments(info);
      const std::uint32_t batch = arguments.batch();
      if (!arguments.failure().empty()) return arguments.refuse();
      std::uint32_t found = 0;
      for (std::uint32_t i = 0; i < batch; ++i) {
        at_ = static_cast<std::uint32_t>((std::uint64_t{at_} + kStride) % keys_.size());
        flow::FlowKey key = keys_[at_];
        (key.side == 0 ? key.local_port : key.remote_port) ^= port_change;
        const auto index = table_.find(table_.hash(key), [&](flow::FlowIndex candidate) { return keys_[candidate] == key; });
        if (index != flow::kNoFlow) ++found;
      }
      return Napi::Number::New(info.Env(), found);
    });
  }

  flow::FlowTable table_;
  std::vector<flow::FlowKey> keys_;  // what the flows' own fields are to the path
  std::uint32_t at_ = 0;
};

}  // namespace

Napi::Function define_micro_flows(Napi::Env env) { return MicroFlows::define(env); }

}  // namespace cutwater::addon
