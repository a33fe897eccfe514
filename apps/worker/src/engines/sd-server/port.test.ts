import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFreePort, isPortShared } from './port.ts';

/** What Linux said while two sd-servers of commit 97d2990 listened on port 34513, and a third socket was connected to it. */
const SHARED = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  11: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1190001 1 00000000c4dc32d0 100 0 0 10 0
  12: 0100007F:86D1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1200964 1 00000000c4dc32d1 100 0 0 10 0
  13: 0100007F:86D1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1201219 1 0000000042816c34 100 0 0 10 0
  14: 0100007F:0CEA 0100007F:86D1 01 00000000:00000000 00:00000000 00000000     0        0 1201220 1 0000000042816c35 20 4 30 10 -1
  15: 0100007F:0CEA 0100007F:86D2 01 00000000:00000000 00:00000000 00000000     0        0 1201221 1 0000000042816c36 20 4 30 10 -1
`;

describe('the port of a server', () => {
  it('is free, and its own when it alone listens there', async () => {
    const port = await findFreePort();
    expect(isPortShared(port)).toBe(false);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(isPortShared(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is shared when two sockets listen on it, not when one listens and others are connected', () => {
    const folder = mkdtempSync(join(tmpdir(), 'firepod-port-'));
    const table = join(folder, 'tcp');
    writeFileSync(table, SHARED);
    expect(isPortShared(0x86d1, table)).toBe(true);
    expect(isPortShared(0x0cea, table)).toBe(false);
    expect(isPortShared(0x86d2, table)).toBe(false);
    expect(isPortShared(0x86d1, join(folder, 'none'))).toBe(false);
    rmSync(folder, { recursive: true });
  });
});
