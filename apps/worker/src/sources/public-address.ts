/** Tells which IP addresses lie in the public internet: the only ones that a user's URL may lead to. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All that IANA has given out for global unicast: https://www.iana.org/assignments/ipv6-address-space */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an address, as `dns.lookup` and sockets write it, is public. Loopback, private, link-local (with the clouds'
 * metadata service), shared, reserved and multicast ranges are not, neither plain nor mapped into IPv6. Forms that carry
 * an IPv4 address through a translator (NAT64, 6to4, Teredo) are not either, whatever they carry.
 */
export function isPublicAddress(address: string): boolean {
  // A zone names an interface of this machine, and what only ipaddr.js reads no socket would write.
  if (address.includes('%') || isIP(address) === 0) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST);
}
