// cutwater-secure: the secure processors as a process of their own, started by the dataplane; it speaks the hand-off protocol on
// the files it inherits, and ends when they close. With --dial it only stands for processors on another host, with --listen it is
// that host's. Not a command for people: `cutwater run` and `cutwater processor` start it.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "processor/remote.hpp"
#include "secure/processor_server.hpp"

namespace {

using namespace cutwater;

constexpr int kMaxThreads = 64;

/// Private keys are in this process: no core file, no debugger of the same user, no new privileges.
void close_the_doors() {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

/// "--name value" pairs.
std::map<std::string, std::string> options_from(int argc, char** argv, int first) {
  std::map<std::string, std::string> options;
  for (int i = first; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  const bool is_started = threads >= 1 && threads <= kMaxThreads;
  auto options = options_from(argc, argv, is_started ? 2 : 1);
  const processor::Credentials credentials{options["--certificate"], options["--key"], options["--ca"]};
  if (!is_started && options["--listen"].empty()) {
    std::fprintf(stderr, "cutwater-secure is started by cutwater (secure: { place: process }), not by hand\n");
    return 2;
  }
  close_the_doors();
  ::prctl(PR_SET_NAME, "cutwater-secure");  // started by way of /proc/self/exe it would be called "exe"
  if (!is_started) return processor::listen({options["--listen"], credentials, options["--keys"]});
  std::vector<int> files;
  for (int i = 0; i < threads; ++i) files.push_back(secure::kFirstDataFile + i);
  if (options["--dial"].empty()) return secure::serve_processor(secure::kControlFile, files, options["--keys"]);
  files.insert(files.begin(), secure::kControlFile);
  return processor::dial({options["--dial"], options["--name"], credentials, files});
}
