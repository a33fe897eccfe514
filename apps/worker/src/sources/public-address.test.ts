import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { isPublicAddress } from './public-address.ts';

/** An address of each range that IANA keeps out of the public internet, and what clouds put there. */
const NOT_PUBLIC = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200', // Alibaba Cloud's metadata
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254', // metadata of AWS, Google, Azure
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192', // Oracle Cloud's metadata
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:0:7f00:1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::a00:1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254', // AWS's metadata
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
];

test.each(NOT_PUBLIC)('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => {
    expect(isPublicAddress(address)).toBe(true);
  },
);

test.each(['', 'localhost', 'example.com', '1.2.3', '1.2.3.4.5', '8.8.8.8/8', '2606:4700::1%1'])(
  '%j is no public address',
  (text) => expect(isPublicAddress(text)).toBe(false),
);

describe('any address', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const ipv4 = fc.tuple(byte, byte, byte, byte);
  const dotted = ([a, b, c, d]: number[]) => `${a}.${b}.${c}.${d}`;

  it('is judged the same plain and mapped into IPv6, and by no translator', () => {
    fc.assert(
      fc.property(ipv4, (bytes) => {
        const address = dotted(bytes);
        expect(isPublicAddress(`::ffff:${address}`)).toBe(isPublicAddress(address));
        const [a, b, c, d] = bytes;
        const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        for (const translated of [
          `64:ff9b::${groups}`,
          `2002:${groups}::1`,
          `::${groups}`,
          `::ffff:0:${groups}`,
        ])
          expect({ translated, isPublic: isPublicAddress(translated) }).toEqual({
            translated,
            isPublic: false,
          });
      }),
    );
  });

  it('of a private network is refused whatever its last bytes are', () => {
    const networks = fc.constantFrom(
      [10],
      [127],
      [192, 168],
      [169, 254],
      [172, 20],
      [100, 64],
      [0],
      [224],
      [250],
    );
    fc.assert(
      fc.property(networks, ipv4, (network, rest) => {
        expect(isPublicAddress(dotted([...network, ...rest].slice(0, 4)))).toBe(false);
      }),
    );
  });
});
