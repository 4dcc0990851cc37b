// cutwater-secure: the secure processors as a process of their own, started by the dataplane. Not a command for people: it speaks
// the hand-off protocol on the files it inherits, and ends when they close.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

#include "secure/processor_server.hpp"

namespace {

constexpr int kMaxThreads = 64;

/// The private keys are in this process: no core file, no debugger of the same user, no new privileges.
void close_the_doors() {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || threads > kMaxThreads) {
    std::fprintf(stderr, "cutwater-secure is started by cutwater (secure: { place: process }), not by hand\n");
    return 2;
  }
  close_the_doors();
  std::vector<int> data_files;
  for (int i = 0; i < threads; ++i) data_files.push_back(cutwater::secure::kFirstDataFile + i);
  return cutwater::secure::serve_processor(cutwater::secure::kControlFile, data_files);
}
