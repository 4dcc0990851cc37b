// Registering packet memory with the kernel, and taking it back.
// Thread: control thread.
#include "port/umem.hpp"

#include <cerrno>
#include <cstring>

namespace cutwater::port {

Result<std::shared_ptr<Umem>, std::string> Umem::open(ChunkPool& pool, xsk_ring_prod& fill, xsk_ring_cons& completion,
                                                      std::uint32_t ring_entries) {
  std::shared_ptr<Umem> umem(new Umem(pool));
  // Headroom 0 of our own: the kernel leaves XDP_PACKET_HEADROOM, which is kHeadroomBytes.
  const xsk_umem_config config{
      .fill_size = ring_entries, .comp_size = ring_entries, .frame_size = kChunkBytes, .frame_headroom = 0, .flags = 0};
  const int error =
      xsk_umem__create(&umem->umem_, pool.memory().data(), pool.memory().size(), &fill, &completion, &config);
  if (error == 0) return umem;
  umem->umem_ = nullptr;
  const std::string mebibytes = std::to_string(pool.memory().size() >> 20);
  if (error == -ENOBUFS || error == -ENOMEM) {
    return Failure{
        mebibytes +
        " MiB of packet memory cannot be locked (raise `ulimit -l`, grant CAP_IPC_LOCK, or configure fewer chunks)"};
  }
  if (error == -EPERM || error == -EACCES)
    return Failure{std::string("no permission for AF_XDP sockets (CAP_NET_RAW); `port: packet` may do")};
  if (error == -EAFNOSUPPORT)
    return Failure{std::string("this kernel has no AF_XDP (CONFIG_XDP_SOCKETS); use `port: packet`")};
  return Failure{"packet memory cannot be registered with AF_XDP: " + std::string(std::strerror(-error))};
}

Umem::~Umem() {
  if (umem_ != nullptr) xsk_umem__delete(umem_);  // the socket it was made on is closed here, not by its port
  for (ChunkId chunk = 0; chunk < lent_.size(); ++chunk) {
    if (lent_[chunk] != 0) pool_.put(chunk);
  }
}

}  // namespace cutwater::port
