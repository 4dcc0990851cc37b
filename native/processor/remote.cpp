#include "processor/remote.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "processor/bridge.hpp"
#include "secure/processor_server.hpp"

namespace cutwater::processor {
namespace {

using secure::SslCtxPtr;
using secure::SslPtr;

// Said once by who dials, before the first piece: what this is, and how many channels there are.
constexpr std::array<char, 4> kMagic{'C', 'W', 'R', '1'};
constexpr int kMaxChannels = 65;
constexpr int kSetUpSeconds = 5;     // for connecting and the TLS handshake
constexpr int kSilentMs = 10'000;    // bytes that the other host has not acknowledged for so long: it is gone
constexpr int kMaxAppliances = 64;   // at once
constexpr int kAfterAll = 200;       // above every file number the processors get

int complain(const std::string& what) {
  std::fprintf(stderr, "cutwater-secure: %s\n", what.c_str());
  return 1;
}

std::string tls_error() {
  std::array<char, 200> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
}

/// TLS 1.3, both sides with a certificate of the authority. Returns: nullptr, having said why.
SslCtxPtr make_context(const SSL_METHOD* method, const Credentials& from) {
  SslCtxPtr context{SSL_CTX_new(method)};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  const auto refuse = [](const std::string& file) { return complain(file + ": " + tls_error()), SslCtxPtr{}; };
  if (SSL_CTX_use_certificate_chain_file(context.get(), from.certificate.c_str()) != 1) return refuse(from.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), from.key.c_str(), SSL_FILETYPE_PEM) != 1) return refuse(from.key);
  if (SSL_CTX_load_verify_file(context.get(), from.authority.c_str()) != 1) return refuse(from.authority);
  return context;
}

struct Resolved {
  addrinfo* list = nullptr;
  ~Resolved() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

std::string resolve(const std::string& address, bool is_passive, Resolved& out) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return address + ": expected HOST:PORT";
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = is_passive ? AI_PASSIVE | AI_NUMERICSERV : AI_NUMERICSERV;
  const int error = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &out.list);
  return error == 0 ? "" : address + ": " + ::gai_strerror(error);
}

void set(int file, int level, int name, int value) { ::setsockopt(file, level, name, &value, sizeof value); }

/// Bounds what setting up and a silent other host may take.
void prepare(int file) {
  const timeval patience{kSetUpSeconds, 0};
  ::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  set(file, IPPROTO_TCP, TCP_NODELAY, 1);
  set(file, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(file, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set(file, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(file, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(file, IPPROTO_TCP, TCP_USER_TIMEOUT, kSilentMs);
}

int connect_to(const std::string& address) {
  Resolved found;
  if (const std::string wrong = resolve(address, false, found); !wrong.empty()) return complain(wrong), -1;
  int error = 0;
  for (const addrinfo* one = found.list; one != nullptr; one = one->ai_next) {
    const int file = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    prepare(file);
    if (::connect(file, one->ai_addr, one->ai_addrlen) == 0) return file;
    error = errno;
    ::close(file);
  }
  return complain(address + ": " + std::strerror(error)), -1;
}

/// The processors of one appliance: this program again, with a socket for each channel. Returns: whether they run.
bool start_processors(const std::vector<int>& theirs, const std::string& keys) {
  const pid_t child = ::fork();
  if (child != 0) return child > 0;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  for (std::size_t i = 0; i < theirs.size(); ++i) ::dup2(theirs[i], secure::kControlFile + static_cast<int>(i));
  std::string name = "cutwater-secure", threads = std::to_string(theirs.size() - 1), option = "--keys", folder = keys;
  char* const argv[] = {name.data(), threads.data(), option.data(), folder.data(), nullptr};
  char* const no_environment[] = {nullptr};
  ::execve("/proc/self/exe", argv, no_environment);
  std::_Exit(127);
}

int serve_appliance(SSL_CTX* context, int file, const std::string& keys) {
  prepare(file);
  const SslPtr tls{SSL_new(context)};
  SSL_set_fd(tls.get(), file);
  if (SSL_accept(tls.get()) != 1) return complain("an appliance was refused: " + tls_error());
  std::array<char, kMagic.size() + 1> greeting{};
  std::size_t got = 0;
  if (SSL_read_ex(tls.get(), greeting.data(), greeting.size(), &got) != 1 || got != greeting.size() ||
      !std::equal(kMagic.begin(), kMagic.end(), greeting.begin()) || greeting.back() < 2 || greeting.back() > kMaxChannels) {
    return complain("an appliance was refused: it speaks something else");
  }
  std::vector<int> ours, theirs;
  for (int i = 0; i < greeting.back(); ++i) {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) return complain(std::strerror(errno));
    ours.push_back(both[0]);
    theirs.push_back(::fcntl(both[1], F_DUPFD_CLOEXEC, kAfterAll));
    ::close(both[1]);
  }
  if (!start_processors(theirs, keys)) return complain(std::strerror(errno));
  for (const int one : theirs) ::close(one);
  carry(tls.get(), file, ours);
  return 0;
}

int open_listener(const std::string& address) {
  Resolved found;
  if (const std::string wrong = resolve(address, true, found); !wrong.empty()) return complain(wrong), -1;
  const int file = ::socket(found.list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  set(file, SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(file, found.list->ai_addr, found.list->ai_addrlen) == 0 && ::listen(file, kMaxAppliances) == 0) return file;
  return complain(address + ": " + std::strerror(errno)), -1;
}

}  // namespace

int dial(const DialPlan& plan) {
  secure::start_openssl();
  ::signal(SIGPIPE, SIG_IGN);
  const SslCtxPtr context = make_context(TLS_client_method(), plan.credentials);
  const int file = context == nullptr ? -1 : connect_to(plan.address);
  if (file < 0) return 1;
  const SslPtr tls{SSL_new(context.get())};
  SSL_set_fd(tls.get(), file);
  SSL_set1_host(tls.get(), plan.name.c_str());
  if (SSL_connect(tls.get()) != 1) return complain(plan.address + ": " + tls_error());
  std::array<char, kMagic.size() + 1> greeting{};
  std::copy(kMagic.begin(), kMagic.end(), greeting.begin());
  greeting.back() = static_cast<char>(plan.channels.size());
  std::size_t put = 0;
  if (SSL_write_ex(tls.get(), greeting.data(), greeting.size(), &put) != 1) return complain(plan.address + ": " + tls_error());
  carry(tls.get(), file, plan.channels);
  return 0;
}

int listen(const ListenPlan& plan) {
  secure::start_openssl();
  ::signal(SIGPIPE, SIG_IGN);
  const SslCtxPtr context = make_context(TLS_server_method(), plan.credentials);
  const int listener = context == nullptr ? -1 : open_listener(plan.address);
  if (listener < 0) return 1;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // `cutwater processor` is what people start and stop
  std::printf("{\"event\":\"ready\",\"listen\":\"%s\"}\n", plan.address.c_str());
  std::fflush(stdout);
  struct sigaction ended {};
  ended.sa_handler = [](int) {};  // that accept() is interrupted is all it is for
  ::sigaction(SIGCHLD, &ended, nullptr);
  for (int alive = 0;;) {
    const int file = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) --alive;
    if (file < 0) continue;
    const pid_t child = alive < kMaxAppliances ? ::fork() : -1;
    if (child == 0) {
      ::signal(SIGCHLD, SIG_DFL);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(listener);
      std::_Exit(serve_appliance(context.get(), file, plan.keys));
    }
    ::close(file);
    if (child > 0) ++alive;
  }
}

}  // namespace cutwater::processor
