// The XDP program: TCP packets of configured endpoints go to the AF_XDP socket of the queue they came in on, as do the ICMP errors
// about their size; everything else goes on to the kernel (H12). When in doubt, XDP_PASS.
// Built by clang -target bpf and embedded in the process (native/port/build.cmake); loaded by port/xdp_redirect.cpp.
// Implements: H12.
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer_key.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CUTWATER_MAX_ENDPOINTS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct steer_key);
  __type(value, __u8);
} endpoints SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct steer_settings);
} settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, CUTWATER_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} sockets SEC(".maps");

/* RFC 792 and RFC 1191 4. <linux/icmp.h> has them too, but draws in the C library's headers, and those want the 32-bit stubs for this target. */
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
struct icmphdr {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u32 rest;
};

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

struct tcp_ports {
  __be16 source;
  __be16 destination;
};

/* The two ends of a TCP packet, IPv4 in mapped form. */
struct ends {
  struct steer_key source;
  struct steer_key destination;
};

static __always_inline void set_v4(struct steer_key *key, __be32 address) {
  __builtin_memset(key->address, 0, 10);
  key->address[10] = key->address[11] = 0xff;
  __builtin_memcpy(key->address + 12, &address, 4);
}

static __always_inline int has_endpoint(struct steer_key *key, const struct steer_settings *with) {
  if (bpf_map_lookup_elem(&endpoints, key)) return 1;
  if (!with->any_address_v4 && !with->any_address) return 0;
  struct steer_key any = *key;
  if (with->any_address_v4 && any.address[10] == 0xff && any.address[11] == 0xff) {
    __builtin_memset(any.address + 12, 0, 4);
    if (bpf_map_lookup_elem(&endpoints, &any)) return 1;
  }
  if (!with->any_address) return 0;
  __builtin_memset(any.address, 0, sizeof(any.address));
  return bpf_map_lookup_elem(&endpoints, &any) != 0;
}

/* The host's own connections to a server: health checks, for instance. */
static __always_inline int is_for_host(const struct steer_key *destination) {
  struct steer_key own = *destination;
  own.port = 0;
  own.match = CUTWATER_MATCH_OWN;
  return bpf_map_lookup_elem(&endpoints, &own) != 0;
}

static __always_inline int is_steered(struct ends *ends, const struct steer_settings *with) {
  ends->destination.match = CUTWATER_MATCH_DESTINATION;
  ends->source.match = CUTWATER_MATCH_SOURCE;
  if (has_endpoint(&ends->destination, with)) return 1;
  return has_endpoint(&ends->source, with) && !is_for_host(&ends->destination);
}

/* An ICMP error quotes a packet that went the other way, so its ends change places. */
static __always_inline void swap_ends(struct ends *ends) {
  struct steer_key quoted_source = ends->source;
  ends->source = ends->destination;
  ends->destination = quoted_source;
}

/* Returns: where the layer above begins, or 0 for what we leave alone (fragments, bad lengths). */
static __always_inline void *read_v4(void *at, void *end, struct ends *ends, __u8 *protocol) {
  struct iphdr *ip = at;
  if ((void *)(ip + 1) > end) return 0;
  if (ip->version != 4 || ip->ihl < 5) return 0;
  if (ip->frag_off & bpf_htons(0x3fff)) return 0; /* more fragments to come, or not the first */
  set_v4(&ends->source, ip->saddr);
  set_v4(&ends->destination, ip->daddr);
  *protocol = ip->protocol;
  return at + ip->ihl * 4;
}

/* Packets with extension headers, fragments among them, stay with the kernel: the next header must be the transport itself. */
static __always_inline void *read_v6(void *at, void *end, struct ends *ends, __u8 *protocol) {
  struct ipv6hdr *ip = at;
  if ((void *)(ip + 1) > end) return 0;
  if (ip->version != 6) return 0;
  __builtin_memcpy(ends->source.address, &ip->saddr, 16);
  __builtin_memcpy(ends->destination.address, &ip->daddr, 16);
  *protocol = ip->nexthdr;
  return ip + 1;
}

static __always_inline int read_ports(void *at, void *end, struct ends *ends) {
  struct tcp_ports *ports = at;
  if ((void *)(ports + 1) > end) return 0;
  ends->source.port = ports->source;
  ends->destination.port = ports->destination;
  return 1;
}

/* "Fragmentation needed" (RFC 1191 4). The packet it is about follows the header. */
static __always_inline int is_fragmentation_needed(void *at, void *end) {
  struct icmphdr *icmp = at;
  if ((void *)(icmp + 1) > end) return 0;
  return icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED;
}

/* "Packet too big" (RFC 4443 3.2). The packet it is about follows the header. */
static __always_inline int is_packet_too_big(void *at, void *end) {
  struct icmp6hdr *icmp = at;
  if ((void *)(icmp + 1) > end) return 0;
  return icmp->icmp6_type == ICMPV6_PKT_TOOBIG;
}

static __always_inline int is_v4_ours(void *at, void *end, const struct steer_settings *with) {
  struct ends ends = {};
  __u8 protocol = 0;
  void *above = read_v4(at, end, &ends, &protocol);
  if (!above) return 0;
  if (protocol == IPPROTO_TCP) return read_ports(above, end, &ends) && is_steered(&ends, with);
  if (protocol != IPPROTO_ICMP) return 0;
  if (!is_fragmentation_needed(above, end)) return 0;
  above = read_v4(above + sizeof(struct icmphdr), end, &ends, &protocol);
  if (!above || protocol != IPPROTO_TCP || !read_ports(above, end, &ends)) return 0;
  swap_ends(&ends);
  return is_steered(&ends, with);
}

static __always_inline int is_v6_ours(void *at, void *end, const struct steer_settings *with) {
  struct ends ends = {};
  __u8 protocol = 0;
  void *above = read_v6(at, end, &ends, &protocol);
  if (!above) return 0;
  if (protocol == IPPROTO_TCP) return read_ports(above, end, &ends) && is_steered(&ends, with);
  if (protocol != IPPROTO_ICMPV6) return 0;
  if (!is_packet_too_big(above, end)) return 0;
  above = read_v6(above + sizeof(struct icmp6hdr), end, &ends, &protocol);
  if (!above || protocol != IPPROTO_TCP || !read_ports(above, end, &ends)) return 0;
  swap_ends(&ends);
  return is_steered(&ends, with);
}

/* By hand: there is no memcmp to call in here. */
static __always_inline int is_same_mac(const __u8 *a, const __u8 *b) {
  const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;
  return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

SEC("xdp")
int cutwater_redir(struct xdp_md *context) {
  void *at = (void *)(long)context->data;
  void *end = (void *)(long)context->data_end;
  const __u32 only = 0;
  const struct steer_settings *with = bpf_map_lookup_elem(&settings, &only);
  if (!with) return XDP_PASS;

  struct ethhdr *ethernet = at;
  if ((void *)(ethernet + 1) > end) return XDP_PASS;
  if (!is_same_mac(ethernet->h_dest, with->mac)) return XDP_PASS;
  __be16 protocol = ethernet->h_proto;
  __u16 vlan = 0;
  at = ethernet + 1;
  if (protocol == bpf_htons(ETH_P_8021Q)) {
    struct vlan_tag *tag = at;
    if ((void *)(tag + 1) > end) return XDP_PASS;
    vlan = bpf_ntohs(tag->tci) & 0x0fff;
    protocol = tag->protocol;
    at = tag + 1;
  }
  if (vlan != with->vlan) return XDP_PASS; /* another network, whatever the addresses say */

  int is_ours = 0;
  if (protocol == bpf_htons(ETH_P_IP)) is_ours = is_v4_ours(at, end, with);
  if (protocol == bpf_htons(ETH_P_IPV6)) is_ours = is_v6_ours(at, end, with);
  if (!is_ours) return XDP_PASS;
  return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS); /* no socket on this queue: the kernel's */
}

char cutwater_license[] SEC("license") = "Apache-2.0";
