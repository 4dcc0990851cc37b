// The secure processors on another host: the same connections as between two processes, carried by one TLS connection. On the
// appliance a process dials and stands for the processors; on the other host one listens, and starts processors for each that
// dials. Both prove who they are by certificates of one authority, made for nothing else. Private keys stay over there.
// Not here: what the connections carry (secure/hand_off.hpp). Thread: main. Implements: H4, H11.
#pragma once

#include <string>
#include <vector>

namespace cutwater::processor {

/// Who this end is, and whose certificates it accepts: files in PEM.
struct Credentials {
  std::string certificate, key, authority;
};

struct DialPlan {
  std::string address;        // "host:port"
  std::string name;           // that the other's certificate must have
  Credentials credentials;
  std::vector<int> channels;  // inherited: control first
};
/// Carries the channels until one of them or the other host is gone. Returns: the process's exit code.
int dial(const DialPlan& plan);

struct ListenPlan {
  std::string address;  // "address:port", "[address]:port"
  Credentials credentials;
  std::string keys;     // the folder that service keys are in
};
/// Serves appliances until it is killed. Returns: the process's exit code, when it cannot.
int listen(const ListenPlan& plan);

}  // namespace cutwater::processor
