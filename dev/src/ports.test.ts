import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { defaultPorts, findBusyPorts, portPlan } from './ports.ts';

test('an offset moves every port alike', () => {
  const ports = portPlan({ offset: 100 });
  expect(ports).toEqual({
    auth: 9199,
    firestore: 8180,
    storage: 9299,
    functions: 5101,
    web: 5100,
    runpod: 8900,
  });
});

test('a busy port is reported with the service that wants it and the process that holds it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    const busy = await findBusyPorts({ ...portPlan('any'), firestore: port }, '127.0.0.1');
    expect(busy).toHaveLength(1);
    expect(busy[0]).toMatchObject({ service: 'firestore', port });
    expect(busy[0]?.holder).toContain(`pid ${process.pid} (`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('ports that the system shall choose are never busy', async () => {
  expect(Object.keys(portPlan('any'))).toEqual(Object.keys(defaultPorts));
  expect(await findBusyPorts(portPlan('any'), '127.0.0.1')).toEqual([]);
});
