#include "balance/server_set.hpp"

namespace cutwater::balance {
namespace {

// Of address and port alone: names and places in the list may differ between nodes.
std::uint64_t identity_of(const Member& member) noexcept {
  std::array<std::uint8_t, 18> bytes{};
  std::memcpy(bytes.data(), member.address.bytes.data(), 16);
  store_be16(bytes.data() + 16, member.port);
  return siphash(SipKey{}, bytes);
}

Maglev table_of(const std::vector<Member>& members) {
  std::vector<Maglev::Entry> entries;
  for (const Member& member : members) entries.push_back({identity_of(member), member.weight});
  return Maglev(entries);
}

}  // namespace

ServerSet::ServerSet(std::vector<Member> members, const Rule& rule) : members_(std::move(members)), rule_(rule) {
  if (rule_.algorithm == Algorithm::consistent_hash) table_.emplace(table_of(members_));
}

std::shared_ptr<const ServerSet> subset(const ServerSet& all, const std::vector<std::uint32_t>& places) {
  std::vector<Member> members;
  for (const std::uint32_t place : places) members.push_back(all.members().at(place));
  return std::make_shared<const ServerSet>(std::move(members), all.rule());
}

}  // namespace cutwater::balance
