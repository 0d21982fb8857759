'use strict';
// Jest as it is installed: CommonJS, no flag of Node, so that nothing can be imported that is ESM only.
const { memory, mountedFiles, rotating, SecretStore } = require('hot-secrets');
const { createTestMount, nextEvent, sourceContract } = require('hot-secrets/testing');

const toClose = [];
afterEach(async () => {
  jest.useRealTimers();
  for (const close of toClose.splice(0).reverse()) await close();
});

async function open(layout) {
  const mount = await createTestMount({ 'api-key': 'first' }, { layout });
  toClose.push(() => mount.cleanup());
  const errors = [];
  // Only a watch is in time: the poll comes too late for any test.
  const source = mountedFiles(mount.path, { pollIntervalMs: 600_000 });
  const secrets = await SecretStore.open({
    secrets: { apiKey: 'api-key' },
    sources: [source],
    on: { error: (error) => errors.push(error.code) },
  });
  toClose.push(() => secrets.close());
  return { mount, secrets, errors };
}

describe.each([
  { layout: 'kubernetes', timers: 'real' },
  { layout: 'kubernetes', timers: 'fake' },
  { layout: 'plain', timers: 'real' },
  { layout: 'plain', timers: 'fake' },
])('a $layout mount with $timers timers', ({ layout, timers }) => {
  beforeEach(() => {
    if (timers === 'fake') jest.useFakeTimers({ now: 0 });
  });

  test('is read anew by refresh', async () => {
    const { mount, secrets, errors } = await open(layout);
    for (const value of ['second', 'third', 'fourth']) {
      await mount.rotate({ 'api-key': value });
      await secrets.refresh();
      expect(secrets.reveal('apiKey')).toBe(value);
    }
    expect(errors).toEqual([]);
  });

  test('is watched', async () => {
    const { mount, secrets, errors } = await open(layout);
    for (const value of ['second', 'third', 'fourth']) {
      const changed = nextEvent(secrets, 'change');
      await mount.rotate({ 'api-key': value });
      expect((await changed).trigger).toBe('watch');
      expect(secrets.reveal('apiKey')).toBe(value);
    }
    expect(errors).toEqual([]);
  });

  test('makes a resource rotate', async () => {
    const { mount, secrets } = await open(layout);
    const client = rotating(secrets, {
      build: async (s) => ({ key: s.reveal('apiKey') }),
      dispose: () => {},
    });
    toClose.push(() => client.close());
    expect(await client.ready).toEqual({ key: 'first' });
    const swapped = nextEvent(client, 'swapped');
    await mount.rotate({ 'api-key': 'second' });
    await secrets.refresh();
    await swapped;
    expect(client.current).toEqual({ key: 'second' });
  });

  test('may be waited for, in vain', async () => {
    const missing = mountedFiles('/nowhere/at/all', { waitForMountMs: 60 });
    await expect(SecretStore.open({ sources: [missing] })).rejects.toMatchObject({ code: 'MOUNT_MISSING' });
  });
});

test('the poll of a mount follows fake timers', async () => {
  jest.useFakeTimers();
  const { secrets } = await open('kubernetes');
  const reads = [];
  const { watch: _watch, ...silent } = memory({ key: 'first' });
  const polled = await SecretStore.open({
    sources: [
      {
        ...silent,
        read: (request) => {
          reads.push(request);
          return silent.read(request);
        },
        watch({ hint }) {
          const timer = setInterval(() => hint('poll'), 30_000);
          return () => clearInterval(timer);
        },
      },
    ],
  });
  toClose.push(() => polled.close());
  await jest.advanceTimersByTimeAsync(90_000);
  expect(reads.length).toBeGreaterThan(1);
  expect(secrets.generation).toBe(1);
});

describe('memory keeps the contract of sources', () => {
  const harness = {
    create(values) {
      const source = memory(values);
      const remove = (...names) => source.set(Object.fromEntries(names.map((name) => [name, undefined])));
      return { source, set: (more) => source.set(more), remove };
    },
  };
  for (const one of sourceContract(harness)) test(one.name, one.run);
});
