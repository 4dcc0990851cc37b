// Implements stream.hpp.
#include "stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace load {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address to_address(const std::string& literal, std::uint16_t port) {
  Address a;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&a.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&a.storage);
  if (inet_pton(AF_INET, literal.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    a.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, literal.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    a.size = sizeof(sockaddr_in6);
  } else {
    std::fprintf(stderr, "not an address: %s\n", literal.c_str());
    std::exit(2);
  }
  return a;
}

Address source_of(const Options& options, std::uint32_t index) {
  if (!options.bind.empty()) return to_address(options.bind[index % options.bind.size()], 0);
  char text[INET_ADDRSTRLEN];
  const in_addr address = parse_range(options.bind_range).at(index);
  return to_address(inet_ntop(AF_INET, &address, text, sizeof text), 0);
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* tls = static_cast<Tls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  SSL_SESSION_free(tls->session);
  tls->session = session;
  return 1;  // the reference is ours now
}

constexpr std::size_t kReadAheadBytes = 65'536;
}  // namespace

AddressRange parse_range(const std::string& text) {
  const auto slash = text.find('/');
  const int bits = slash == std::string::npos ? 32 : std::atoi(text.c_str() + slash + 1);
  in_addr address{};
  if (inet_pton(AF_INET, text.substr(0, slash).c_str(), &address) != 1 || bits < 1 || bits > 32) {
    std::fprintf(stderr, "not an IPv4 prefix: %s\n", text.c_str());
    std::exit(2);
  }
  const std::uint32_t mask = bits == 32 ? 0 : ~0U >> bits;
  return {ntohl(address.s_addr) & ~mask, mask};
}

Tls::Tls(const Options& options) {
  context = SSL_CTX_new(TLS_client_method());
  const int version = options.tls == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (options.is_reading_ahead) {
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
  }
  if (!options.suite.empty()) {
    const int set = options.tls == "1.2" ? SSL_CTX_set_cipher_list(context, options.suite.c_str())
                                         : SSL_CTX_set_ciphersuites(context, options.suite.c_str());
    if (set != 1) {
      std::fprintf(stderr, "unknown suite: %s\n", options.suite.c_str());
      std::exit(2);
    }
  }
}

Tls::~Tls() {
  SSL_SESSION_free(session);
  SSL_CTX_free(context);
}

Stream::Stream(const Options& options, Tls& tls, std::uint32_t index) {
  const Address to = to_address(options.connect, options.port);
  fd_ = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  set_congestion(fd_, options.congestion);
  if (!options.bind.empty() || !options.bind_range.empty()) {
    const Address from = source_of(options, index);
    ::setsockopt(fd_, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&from.storage), from.size);
  }
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0 && errno != EINPROGRESS) {
    failure_ = std::string("connect: ") + std::strerror(errno);
  }
  if (options.is_plain) return;
  ssl_ = SSL_new(tls.context);
  SSL_set_fd(ssl_, fd_);
  SSL_set_connect_state(ssl_);
  SSL_set_tlsext_host_name(ssl_, options.server_name.c_str());
  if (options.is_resuming && tls.session != nullptr) {  // a copy: OpenSSL takes a session for used up when a handshake with it is done
    SSL_SESSION* own = SSL_SESSION_dup(tls.session);
    SSL_set_session(ssl_, own);
    SSL_SESSION_free(own);
  }
}

Stream::~Stream() {
  SSL_free(ssl_);
  if (fd_ >= 0) ::close(fd_);
}

Io Stream::establish() {
  if (!failure_.empty()) return Io::failed;
  if (!is_connected_) {
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) {
      failure_ = std::string("connect: ") + std::strerror(error);
      return Io::failed;
    }
    if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return Io::again;
    is_connected_ = true;
  }
  if (ssl_ == nullptr) return Io::ok;
  return classify(SSL_do_handshake(ssl_));
}

Io Stream::read(std::span<char> into, std::size_t& got) {
  got = 0;
  if (ssl_ != nullptr) return classify(SSL_read_ex(ssl_, into.data(), into.size(), &got));
  const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
  if (n > 0) {
    got = static_cast<std::size_t>(n);
    return Io::ok;
  }
  if (n == 0) return Io::end;
  if (errno == EAGAIN) return Io::again;
  failure_ = std::strerror(errno);
  return Io::failed;
}

Io Stream::write(std::span<const char> from, std::size_t& put) {
  put = 0;
  if (ssl_ != nullptr) return classify(SSL_write_ex(ssl_, from.data(), from.size(), &put));
  const ssize_t n = ::send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
  if (n >= 0) {
    put = static_cast<std::size_t>(n);
    return Io::ok;
  }
  if (errno == EAGAIN) return Io::again;
  failure_ = std::strerror(errno);
  return Io::failed;
}

void Stream::finish() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ERR_clear_error();
  ::shutdown(fd_, SHUT_WR);
}

Io Stream::classify(int result) {
  if (result == 1) return Io::ok;
  const int saved = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      ERR_clear_error();
      return Io::again;
    case SSL_ERROR_ZERO_RETURN:
      return Io::end;
    case SSL_ERROR_SYSCALL:
      failure_ = saved == 0 ? "closed without close_notify" : std::strerror(saved);
      break;
    default: {
      std::array<char, 200> text{};
      ERR_error_string_n(ERR_get_error(), text.data(), text.size());
      failure_ = text.data();
    }
  }
  ERR_clear_error();
  return Io::failed;
}

Loop::Loop() : epoll_(::epoll_create1(0)) {}
Loop::~Loop() { ::close(epoll_); }

void Loop::add(Task& task, int fd) const {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP;
  event.data.ptr = &task;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Loop::run_once(int wait_ms) const {
  std::array<epoll_event, 256> events{};
  const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
  for (int i = 0; i < n; ++i) static_cast<Task*>(events[static_cast<std::size_t>(i)].data.ptr)->advance();
}

std::uint32_t Latencies::at(double quantile) {
  if (us.empty()) return 0;
  const auto index = static_cast<std::size_t>(quantile * static_cast<double>(us.size() - 1));
  std::nth_element(us.begin(), us.begin() + static_cast<std::ptrdiff_t>(index), us.end());
  return us[index];
}

void set_congestion(int fd, const std::string& name) {
  if (name.empty()) return;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())) == 0) return;
  std::fprintf(stderr, "congestion control %s: %s\n", name.c_str(), std::strerror(errno));
  std::exit(1);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace load
