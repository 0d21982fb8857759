import { channel } from 'node:diagnostics_channel';
import { memory, rotating, SecretStore, SecretsError, type Source, secret } from 'hot-secrets';
import { type StatusReport, type StoreStatus, statusHandler } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { channelNames } from '../../../src/observe/channels';
import { recordWarnings } from '../../support/http-stage';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

interface StageOptions {
  readonly timelineSize?: number;
  readonly values?: Record<string, string>;
}

async function stage({
  timelineSize,
  values = { one: 'first-value', two: 'first-value' },
}: StageOptions = {}) {
  const held = memory(values);
  const source = {
    ...held,
    fails: false,
    async read(request: Parameters<Source['read']>[0]) {
      if (!source.fails) return held.read(request);
      throw new SecretsError('SOURCE_FAILED', 'the source memory is out of reach', { source: 'memory' });
    },
  };
  const store = await SecretStore.open({
    secrets: Object.fromEntries(Object.keys(values).map((name) => [name, secret.text(name)])),
    sources: [source],
  });
  onTestFinished(() => store.close());
  const handler = statusHandler(store, { authorize: () => true, ...(timelineSize && { timelineSize }) });
  const status = async (): Promise<StoreStatus> => {
    const response = await handler(new Request('https://shop.example/?format=json'));
    return ((await response.json()) as StatusReport).stores[0] as StoreStatus;
  };
  const set = async (next: Record<string, string | undefined>) => {
    source.set(next);
    await store.refresh();
  };
  return { store, source, status, set };
}

const kindsOf = ({ timeline }: StoreStatus) => timeline.map(({ kind, names }) => `${kind} ${names.join()}`);

describe('the timeline', () => {
  it('lists rotations, errors and recoveries in the timeline, the newest first', async () => {
    const { store, set, status } = await stage();
    record(store);
    await set({ one: 'second-value', two: 'second-value' });
    await set({ one: '' });
    await set({ one: 'third-value' });
    const now = await status();
    expect(kindsOf(now)).toEqual(['rotated one', 'recovered one', 'error one', 'rotated one,two']);
    expect(now.timeline[3]).toMatchObject({
      level: 'active',
      subject: 'secret',
      generation: 2,
      trigger: expect.stringMatching(/^(watch|refresh)$/),
    });
    expect(now.timeline[2]).toMatchObject({
      level: 'problem',
      code: 'VALUE_EMPTY',
      message: expect.any(String),
    });
    expect(now.timeline.every(({ at }) => at === new Date(at).toISOString())).toBe(true);
  });

  it('keeps the last timelineSize entries, with one entry for a rotation of many names', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `secret-${index}`);
    const all = (value: string) => Object.fromEntries(names.map((name) => [name, value]));
    const { set, status } = await stage({ timelineSize: 3, values: all('first-value') });
    for (let round = 0; round < 5; round += 1) await set(all(`value-${round}`));
    const { timeline } = await status();
    expect(timeline.map(({ generation }) => generation)).toEqual([6, 5, 4]);
    expect(timeline[0]).toMatchObject({ names: names.slice(0, 20), moreNames: 30 });
  });

  it('merges repeated failures of a source in the timeline until something else happens', async () => {
    const { store, source, set, status } = await stage();
    record(store);
    source.fails = true;
    for (let round = 0; round < 4; round += 1) await store.refresh();
    const failing = await status();
    expect(kindsOf(failing)).toEqual(['refresh-failed memory', 'error memory']);
    expect(failing.timeline[0]).toMatchObject({ times: 4, code: 'SOURCE_FAILED', level: 'warning' });
    source.fails = false;
    await set({ one: 'second-value' });
    source.fails = true;
    await store.refresh();
    expect(kindsOf(await status()).filter((kind) => kind.startsWith('refresh'))).toHaveLength(2);
  });

  it('lists the events of resources in the timeline, and reports their state', async () => {
    const { store, set, status } = await stage();
    let isGood = true;
    const mailer = rotating(
      store,
      {
        build: (s) => s.reveal('one'),
        verify: () => (isGood ? undefined : Promise.reject(new Error('refused'))),
      },
      { name: 'mailer', retryBaseMs: 20, retryMaxMs: 20 },
    );
    mailer.on('rejected', () => {});
    await mailer.ready;
    expect((await status()).resources).toEqual([
      { kind: 'resource', name: 'mailer', generation: 1, draining: 0, refused: false, level: 'ok' },
    ]);
    isGood = false;
    await set({ one: 'second-value' });
    await waitFor(async () => (await status()).resources[0]?.level === 'problem');
    const [state] = (await status()).resources;
    expect(state).toMatchObject({
      generation: 1,
      rotating: { attempts: expect.any(Number), code: 'VERIFY_FAILED' },
      problem: { code: 'VERIFY_FAILED', message: expect.stringContaining('mailer') },
    });
    isGood = true;
    await waitFor(async () => (await status()).resources[0]?.level === 'ok');
    await waitFor(async () => (await status()).timeline[0]?.kind === 'drained');
    expect(kindsOf(await status())).toEqual([
      'drained mailer',
      'swapped mailer',
      'rejected mailer',
      'rotated one',
      'swapped mailer',
    ]);
    await mailer.close();
    expect((await status()).resources).toEqual([]);
  });

  it('does not silence the process warnings of a store without listeners', async () => {
    using warnings = recordWarnings();
    const { set } = await stage();
    await set({ one: '' });
    expect(warnings.codes()).toEqual(['VALUE_EMPTY']);
  });

  it('lists the events of one store only, and unsubscribes when that store closes', async () => {
    const [mine, other] = [await stage(), await stage()];
    await other.set({ one: 'second-value' });
    expect((await mine.status()).timeline).toEqual([]);
    await mine.store.close();
    expect(channelNames.some((name) => channel(name).hasSubscribers)).toBe(true);
    await other.store.close();
    expect(channelNames.filter((name) => channel(name).hasSubscribers)).toEqual([]);
  });
});

describe('the status of a secret', () => {
  it('reports the source, the version, the age and the problem of each secret', async () => {
    const { store, set, status } = await stage();
    record(store);
    await set({ one: '' });
    const { secrets, sources, generation, status: health } = await status();
    expect([generation, health]).toEqual([1, 'degraded']);
    expect(secrets).toEqual([
      {
        name: 'one',
        level: 'problem',
        required: true,
        source: 'memory',
        origin: 'memory "one"',
        version: store.get('one')?.version,
        ageMs: expect.any(Number),
        passed: [],
        problem: { code: 'VALUE_EMPTY', message: expect.stringContaining('is empty') },
        warnings: [],
        expiries: [],
      },
      expect.objectContaining({ name: 'two', level: 'ok' }),
    ]);
    expect(sources).toEqual([
      expect.objectContaining({
        source: 'memory',
        status: 'ok',
        level: 'ok',
        lastRefreshAgeMs: expect.any(Number),
      }),
    ]);
  });
});
