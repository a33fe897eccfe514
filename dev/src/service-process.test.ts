import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

let folder: string;
let service: ServiceProcess | undefined;
let told: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-service-'));
  told = [];
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const logFile = () => join(folder, 'logs/one.log');
const log = () => readFileSync(logFile(), 'utf8');
const starts = () => log().match(/up/g)?.length ?? 0;

/** Starts a program that writes "up", then runs `body`. */
async function start(body: string, killAfterMs = 5_000) {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `const { ports } = JSON.parse(process.env.FIREPOD_SERVICE_OPTIONS);
    const ready = () => process.send({ ready: { web: ports.web || 4711 } });
    setInterval(() => {}, 1000); // as a server's socket would keep it alive
    console.log('up', ports.web);\n${body}`,
  );
  service = await startServiceProcess({
    name: 'one',
    program,
    options: { ports: { web: 0 } },
    env: { OWN: 'yes' },
    logFile: logFile(),
    killAfterMs,
    onTrouble: (sentence) => told.push(sentence),
  });
  return service;
}

test('it runs with the ports that it found, and keeps them when it is killed and started again', async () => {
  const { pid, ports } = await start('ready();');
  expect(ports).toEqual({ web: 4711 });
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(log()).toBe('up 0\nup 4711\n'), { timeout: 10_000 });
  expect(service?.ports).toEqual({ web: 4711 });
  expect(told).toEqual(['The one process is started again: it ended with SIGKILL.']);
});

test('one that dies at every start waits longer each time', async () => {
  await start('ready(); setTimeout(() => process.exit(7), 20);');
  await vi.waitFor(() => expect(starts()).toBeGreaterThanOrEqual(3), { timeout: 10_000 });
  // After 100 and 500 ms the third wait is two seconds: within the first of them nothing starts.
  await delay(1_000);
  expect(starts()).toBe(3);
  expect(told[0]).toBe('The one process is started again: it ended with 7.');
});

test('closing while it waits to be started again starts nothing more', async () => {
  const { pid, close } = await start('ready();');
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(told).toHaveLength(1), { timeout: 10_000 });
  await close();
  await delay(300);
  expect(starts()).toBe(1);
});

test('one that cannot start is reported with its reason and its log', async () => {
  await expect(
    start('process.send({ failed: "the port is taken." }, () => process.exit(1));'),
  ).rejects.toThrow(`The one process could not start: the port is taken. Its log is ${folder}/logs/one.log.`);
  await expect(start('process.exit(3);')).rejects.toThrow(
    'The one process could not start: it ended with 3.',
  );
});

test('one that does not heed SIGTERM is killed', async () => {
  const { pid, close } = await start('process.on("SIGTERM", () => {}); ready();', 100);
  await close();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('trouble that it reports is passed on', async () => {
  await start('process.send({ trouble: "A worker ended." }); ready();');
  expect(told).toEqual(['A worker ended.']);
});

test('it inherits no credentials, emulator addresses or proxies of the shell', async () => {
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/home/ada/key.json');
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', 'elsewhere:8080');
  vi.stubEnv('http_proxy', 'http://proxy:3128');
  vi.stubEnv('NODE_OPTIONS', '--no-warnings');
  await start('console.log(JSON.stringify(process.env)); ready();');
  const env = JSON.parse(log().split('\n')[1] ?? '') as Record<string, string>;
  expect(env).toMatchObject({ PATH: process.env['PATH'], OWN: 'yes' });
  for (const name of [
    'GOOGLE_APPLICATION_CREDENTIALS',
    'FIRESTORE_EMULATOR_HOST',
    'http_proxy',
    'NODE_OPTIONS',
  ])
    expect(env).not.toHaveProperty(name);
});
