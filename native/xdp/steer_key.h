// What the XDP program and the process that loads it agree on: the layout of its maps. Plain C, read by both compilers.
// Used by: redirect.bpf.c, port/xdp_redirect.cpp.
#ifndef CUTWATER_XDP_STEER_KEY_H
#define CUTWATER_XDP_STEER_KEY_H

#include <linux/types.h>

#define CUTWATER_MAX_ENDPOINTS 65536 /* room for a /16 of services; an entry is some 60 bytes of kernel memory */
#define CUTWATER_MAX_QUEUES 256      /* receive queues of one device; larger cards exist, larger hosts hardly */

#define CUTWATER_MATCH_DESTINATION 0
#define CUTWATER_MATCH_SOURCE 1
#define CUTWATER_MATCH_OWN 2 /* the port is 0: what servers send to such an address is the kernel's */

/* One steered endpoint. No padding: the hash is taken over all bytes. */
struct steer_key {
  __u8 address[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
  __u16 port;       /* network order */
  __u16 match;      /* CUTWATER_MATCH_* */
};

/* One array entry: what the program must know besides the endpoints. */
struct steer_settings {
  __u8 mac[6];          /* the device's own: what is sent to others is none of our business */
  __u16 vlan;           /* host order, 0: untagged */
  __u8 any_address_v4;  /* an endpoint for every IPv4 address exists: worth a second look-up */
  __u8 any_address;     /* the same for every address at all */
  __u8 unused[2];
};

#endif
