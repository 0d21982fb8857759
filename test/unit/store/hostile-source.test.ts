import { setImmediate as turn } from 'node:timers/promises';
import {
  memory,
  type Reading,
  type ReadRequest,
  type ReadResult,
  SecretStore,
  SecretsError,
  type Source,
  type SourceListener,
  secret,
} from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

const MARKER = 'marker-of-a-value';

/** A source whose values all carry one generation, and whose reads a test may replace. */
function hostile(...names: readonly string[]) {
  let generation = 1;
  let listener: SourceListener | undefined;
  const now = { reads: 0, running: 0, most: 0, closes: 0 };
  let behave: ((request: ReadRequest, answer: () => Promise<ReadResult>) => unknown) | undefined;

  const readingOf = (name: string): Reading =>
    names.includes(name)
      ? { status: 'found', bytes: new TextEncoder().encode(`"${name}-${generation}"`), origin: 'here' }
      : { status: 'missing', looked: name };
  const answerTo = (request: ReadRequest) => async () => ({
    unchanged: false,
    readings: new Map(request.lookups.map(({ name }) => [name, readingOf(name)])),
    revision: undefined,
  });
  const source: Source = {
    name: 'hostile',
    location: '',
    inventory: async () => names,
    read(request) {
      now.reads += 1;
      now.running += 1;
      now.most = Math.max(now.most, now.running);
      const result = behave === undefined ? answerTo(request)() : behave(request, answerTo(request));
      const done = () => {
        now.running -= 1;
      };
      if (result instanceof Promise) result.then(done, done);
      else done();
      return result as Promise<ReadResult>;
    },
    watch(given) {
      listener = given;
      return () => {};
    },
    close() {
      now.closes += 1;
    },
  };
  return {
    source,
    now,
    hint: () => listener?.hint('watch'),
    rotate: () => {
      generation += 1;
    },
    /** How the next reads behave; without one, they answer. */
    behave(next: typeof behave) {
      behave = next;
    },
  };
}

/** A schema whose answers wait until they are released. */
function heldSchema() {
  let gate = deferred<void>();
  gate.resolve();
  let waiting = 0;
  const validate = async (value: unknown) => {
    waiting += 1;
    await gate.promise;
    return { value };
  };
  return {
    schema: { '~standard': { version: 1, vendor: 'test', validate } } as const,
    hold() {
      gate = deferred();
      waiting = 0;
    },
    release: () => gate.resolve(),
    get waiting() {
      return waiting;
    },
  };
}

const PAIR = { user: secret.json('user'), password: secret.json('password') };
const down = () => Promise.reject(new SecretsError('SOURCE_FAILED', 'the source is away'));

describe('a refresh that fails while the previous one is still resolving', () => {
  it('serves both halves of a pair from one generation when a refresh fails while a schema runs', async () => {
    const stage = hostile('user', 'password');
    const held = heldSchema();
    await using store = await SecretStore.open({
      secrets: { user: secret.json('user', held.schema), password: secret.json('password') },
      sources: [stage.source],
    });
    record(store);
    held.hold();
    stage.rotate();
    const first = store.refresh();
    await waitFor(() => held.waiting === 1);
    stage.behave(down);
    const second = store.refresh();
    await turn();
    held.release();
    await Promise.all([first, second]);
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['user-2', 'password-2']);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 8, 12])(
    'serves both halves of a pair from one generation when a refresh fails after %i microtasks',
    async (microtasks) => {
      const stage = hostile('user', 'password');
      await using store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
      record(store);
      stage.rotate();
      stage.behave((_, answer) => {
        stage.behave(async () => {
          for (let count = 0; count < microtasks; count += 1) await null;
          return down();
        });
        return answer();
      });
      await Promise.all([store.refresh(), store.refresh()]);
      const [, generation] = String(store.reveal('user')).split('-');
      expect(store.reveal('password')).toBe(`password-${generation}`);
    },
  );
});

describe('a source that hints while it is read', () => {
  it('reads a source once more when it hints during a read, and never twice at the same time', async () => {
    const stage = hostile('user', 'password');
    await using store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
    record(store);
    const before = stage.now.reads;
    stage.behave((_, answer) => {
      stage.behave(undefined);
      stage.hint();
      stage.rotate();
      return answer();
    });
    stage.hint();
    await waitFor(() => stage.now.reads === before + 2);
    await turn();
    await turn();
    expect(stage.now).toMatchObject({ reads: before + 2, most: 1 });
    expect(store.reveal('user')).toBe('user-2');
  });

  it.each(['at once', 'after a wait'])(
    'leaves the event loop free when each read of a source hints %s',
    async (when) => {
      const stage = hostile('user', 'password');
      const store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
      record(store);
      stage.behave(async (_, answer) => {
        if (when !== 'at once') await null;
        stage.hint();
        return answer();
      });
      stage.rotate();
      stage.hint();
      // Timers still run although every read hints.
      await waitFor(() => stage.now.reads > 20);
      expect(stage.now.most).toBe(1);
      expect(store.reveal('user')).toBe('user-2');
      await store.close();
      const { reads } = stage.now;
      await turn();
      await turn();
      expect(stage.now.reads).toBe(reads);
    },
  );
});

describe('a source that breaks its contract once', () => {
  const answers: [string, (answer: () => Promise<ReadResult>) => unknown][] = [
    ['null', () => null],
    ['undefined', () => undefined],
    ['an object in place of a promise', () => ({ readings: 'none' })],
    [
      'a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: this is the fault under test.
        then() {
          throw new Error(MARKER);
        },
      }),
    ],
    ['a promise of null', async () => null],
    ['a promise of readings in an object', async () => ({ unchanged: false, readings: {} })],
    ['an unexpected "unchanged"', async () => ({ unchanged: true, readings: new Map() })],
  ];

  it.each(answers)(
    'reports SOURCE_FAILED when a source returns %s, and reads it again at the next refresh',
    async (_, broken) => {
      const stage = hostile('user', 'password');
      await using store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
      const log = record(store);
      stage.rotate();
      stage.behave((_request, answer) => broken(answer));
      await expect(store.refresh()).resolves.toBeUndefined();
      expect(log.codes()).toEqual(['SOURCE_FAILED']);
      expect([store.reveal('user'), store.reveal('password')]).toEqual(['user-1', 'password-1']);
      stage.behave(undefined);
      await store.refresh();
      expect([store.reveal('user'), store.reveal('password')]).toEqual(['user-2', 'password-2']);
      expect([log.recovered.length, store.health().status]).toEqual([1, 'ok']);
    },
  );

  const shapes: [string, object][] = [
    ['attributes without tags', { attributes: {} }],
    ['a tag that is not text', { attributes: { tags: { user: 1 } } }],
    ['a date as text', { attributes: { tags: {}, expiresOn: '2027-01-01' } }],
    ['an invalid date', { attributes: { tags: {}, expiresOn: new Date(Number.NaN) } }],
    ['text for bytes', { bytes: MARKER }],
    ['an unknown status', { status: MARKER }],
  ];

  it.each(shapes)(
    'reports SOURCE_FAILED for a reading with %s, and rotates the other source',
    async (_, shape) => {
      const stage = hostile('user', 'password');
      const good = memory({ token: 'token-1' });
      await using store = await SecretStore.open({
        secrets: { ...PAIR, token: 'token' },
        sources: [stage.source, good],
      });
      const log = record(store);
      stage.behave(async (_request, answer) => {
        const result = await answer();
        const change = ([name, reading]: [string, Reading]) =>
          [name, name === 'user' ? { ...reading, ...shape } : reading] as [string, Reading];
        return { ...result, readings: new Map([...result.readings].map(change)) };
      });
      stage.rotate();
      good.set({ token: 'token-2' });
      await expect(store.refresh()).resolves.toBeUndefined();
      expect(store.reveal('token')).toBe('token-2');
      expect([store.reveal('user'), store.reveal('password')]).toEqual(['user-1', 'password-1']);
      expect(log.codes()).toEqual(['SOURCE_FAILED']);
      expect(log.errors[0]).toMatchObject({ source: 'hostile', secret: 'user' });
      expect(String(log.errors[0]?.message)).not.toContain(MARKER);
      expect(store.health().status).toBe('degraded');
      stage.behave(undefined);
      await store.refresh();
      expect([store.reveal('user'), store.reveal('password')]).toEqual(['user-2', 'password-2']);
      expect(store.health().status).toBe('ok');
    },
  );
});

describe('nested calls of close', () => {
  it('emits one close event and closes each source once for parallel and nested calls of close', async () => {
    const stage = hostile('user', 'password');
    const store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
    const closed = vi.fn(() => void store.close());
    store.on('close', closed);
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(closed).toHaveBeenCalledTimes(1);
    expect(stage.now.closes).toBe(1);
  });

  it('closes a store from within a read of its source, without a change or an error', async () => {
    const stage = hostile('user', 'password');
    const store = await SecretStore.open({ secrets: PAIR, sources: [stage.source] });
    const log = record(store);
    stage.rotate();
    stage.behave((_, answer) => {
      void store.close();
      return answer();
    });
    await store.refresh();
    await store.close();
    expect([log.changes, log.errors, stage.now.closes]).toEqual([[], [], 1]);
    await expect(store.refresh()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('a snapshot from an earlier generation', () => {
  it('keeps the answers of a snapshot when a name appears later', async () => {
    const source = memory({ user: 'user-1' });
    await using store = await SecretStore.open({ sources: [source] });
    record(store);
    const held = store.snapshot();
    const answers = () => {
      let code = '';
      try {
        held.reveal('extra');
      } catch (error) {
        code = (error as SecretsError).code;
      }
      return [held.has('extra'), code, held.names(), held.reveal('user'), held.generation];
    };
    const before = answers();
    expect(before).toEqual([false, 'NAME_UNKNOWN', ['user'], 'user-1', 1]);
    source.set({ user: 'user-2', extra: 'extra-2' });
    await store.refresh();
    expect(answers()).toEqual(before);
    expect([store.reveal('user'), store.reveal('extra')]).toEqual(['user-2', 'extra-2']);
    source.set({ extra: '' });
    await store.refresh();
    expect(answers()).toEqual(before);
  });

  it('keeps the answers of a snapshot when an optional secret appears later', async () => {
    const source = memory({ user: 'user-1' });
    const secrets = { user: 'user', token: secret.text('token').optional() };
    await using store = await SecretStore.open({ secrets, sources: [source] });
    const held = store.snapshot();
    const answers = () => [held.has('token'), held.get('token'), held.reveal('token'), held.names()];
    const before = answers();
    source.set({ token: 'token-2' });
    await store.refresh();
    expect(answers()).toEqual(before);
    expect(store.reveal('token')).toBe('token-2');
  });
});
