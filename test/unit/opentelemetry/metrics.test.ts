import { inspect } from 'node:util';
import { rotating, SecretsError } from 'hot-secrets';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { telemetry, valueIn } from '../../support/telemetry';
import { waitFor } from '../../support/wait-for';
import { stage } from './stage';

const SECRET = 'hot_secrets.secret.name';
const STATE = 'hot_secrets.store.state';
const OUTCOME = 'hot_secrets.outcome';

describe('the metrics of a store', () => {
  it('counts the rotations of each secret by trigger and source', async () => {
    const { secrets, rotate } = await stage();
    const { meterProvider, series } = telemetry();
    instrumentSecrets(secrets, { meterProvider });
    await rotate({ password: 'leak-marker-1' }, 'reload');
    await rotate({ password: 'leak-marker-2', user: 'user-second' }, 'reload');
    await rotate({ password: 'leak-marker-3' }, 'sighup');
    await secrets.refresh();

    const shop = { 'hot_secrets.store.name': 'shop', 'hot_secrets.source.name': 'memory' };
    expect(await series('hot_secrets.secret.rotations')).toEqual([
      expect.objectContaining({
        attributes: { ...shop, [SECRET]: 'password', 'hot_secrets.trigger': 'reload' },
        value: 2,
      }),
      expect.objectContaining({
        attributes: { ...shop, [SECRET]: 'user', 'hot_secrets.trigger': 'reload' },
        value: 1,
      }),
      expect.objectContaining({
        attributes: { ...shop, [SECRET]: 'password', 'hot_secrets.trigger': 'sighup' },
        value: 1,
      }),
    ]);
    expect(valueIn(await series('hot_secrets.store.generation'))).toBe(4);
    const refreshes = await series('hot_secrets.refresh.duration');
    expect(valueIn(refreshes, { 'hot_secrets.trigger': 'reload', [OUTCOME]: 'changed' })).toBe(2);
    expect(valueIn(refreshes, { 'hot_secrets.trigger': 'refresh', [OUTCOME]: 'unchanged' })).toBe(1);
  });

  it('counts a failure once, and reports the state of the store until it recovers', async () => {
    const { secrets, refresh } = await stage();
    secrets.on('error', () => {});
    const { meterProvider, series } = telemetry();
    instrumentSecrets(secrets, { meterProvider });
    const state = async () => {
      const status = await series('hot_secrets.store.status');
      return ['ok', 'degraded', 'stale'].filter((one) => valueIn(status, { [STATE]: one }) === 1);
    };
    expect(await state()).toEqual(['ok']);
    for (let round = 1; round <= 3; round += 1) {
      await refresh('broken');
      await refresh('broken');
      expect(await state()).toEqual(['degraded']);
      const errors = await series('hot_secrets.store.errors');
      expect(valueIn(errors, { 'error.type': 'SOURCE_FAILED' })).toBe(round);
      await refresh('working');
      expect(await state()).toEqual(['ok']);
    }
    const refreshes = await series('hot_secrets.refresh.duration');
    expect(valueIn(refreshes, { [OUTCOME]: 'failed', 'error.type': 'SOURCE_FAILED' })).toBe(6);
  });

  it('reports the time since the last successful refresh, which grows while refreshes fail', async () => {
    const { secrets, refresh } = await stage();
    secrets.on('error', () => {});
    const { meterProvider, series } = telemetry();
    instrumentSecrets(secrets, { meterProvider });
    await refresh('broken');
    const age = async () => valueIn(await series('hot_secrets.source.staleness')) as number;
    const before = await age();
    await waitFor(async () => (await age()) > before + 0.02);
    await refresh('working');
    expect(await age()).toBeLessThan(before + 0.02);
  });

  it('counts reads only with access: true', async () => {
    const { secrets } = await stage();
    const quiet = telemetry();
    const counting = telemetry();
    instrumentSecrets(secrets, { meterProvider: quiet.meterProvider });
    const stop = instrumentSecrets(secrets, { meterProvider: counting.meterProvider, access: true });
    for (let read = 0; read < 3; read += 1) secrets.reveal('password');
    secrets.snapshot().reveal('user');
    stop();
    secrets.reveal('user');
    const reads = await counting.series('hot_secrets.secret.reads');
    expect(valueIn(reads, { [SECRET]: 'password' })).toBe(3);
    expect(valueIn(reads, { [SECRET]: 'user' })).toBe(1);
    expect(await quiet.series('hot_secrets.secret.reads')).toEqual([]);
  });
});

describe('the metrics of a resource', () => {
  it('follows a resource through a rejection, swaps, draining and close', async () => {
    const { secrets, rotate } = await stage();
    const { meterProvider, series } = telemetry();
    instrumentSecrets(secrets, { meterProvider });
    let release = () => {};
    const client = rotating(
      secrets,
      {
        build(s) {
          const password = s.reveal('password');
          if (password.endsWith('bad')) throw new SecretsError('BUILD_FAILED', 'no such user');
          return { generation: s.generation };
        },
        drain: () => new Promise<void>((resolve) => (release = resolve)),
      },
      { name: 'client', retryBaseMs: 5, retryMaxMs: 5 },
    );
    client.on('rejected', () => {});
    const of = async (name: string, attributes = {}) => valueIn(await series(name), attributes);
    await client.ready;
    await rotate({ password: 'leak-marker-bad' });
    await waitFor(() => of('hot_secrets.resource.rejections', { 'error.type': 'BUILD_FAILED' }));
    expect(await of('hot_secrets.resource.generation')).toBe(1);
    expect(await of('hot_secrets.resource.rejected')).toBe(1);
    for (let round = 1; round <= 3; round += 1) {
      await rotate({ password: `leak-marker-${round}` });
      await waitFor(() => client.generation === 2 + round);
      expect(await of('hot_secrets.resource.generation')).toBe(2 + round);
      expect(await of('hot_secrets.resource.rejected')).toBe(0);
      expect(await of('hot_secrets.resource.draining.count')).toBe(1);
      release();
      await waitFor(async () => (await of('hot_secrets.resource.draining.count')) === 0);
    }
    expect(await of('hot_secrets.resource.rotations', { [OUTCOME]: 'swapped' })).toBe(4);
    expect(await of('hot_secrets.resource.rotations', { [OUTCOME]: 'superseded' })).toBe(1);
    expect(await of('hot_secrets.resource.rejections')).toBe(1);
    expect((await series('hot_secrets.resource.rotations'))[0]?.attributes).toMatchObject({
      'hot_secrets.store.name': 'shop',
      'hot_secrets.resource.name': 'client',
      'hot_secrets.resource.kind': 'resource',
    });
    const closing = client.close();
    release();
    await closing;
    expect(await of('hot_secrets.resource.generation'), 'not its last value for ever').toBe(0);
  });
});

describe('instrumentSecrets', () => {
  it('counts a store once per meter until its last instrumentation stops, and again after a new start', async () => {
    const { secrets, rotate } = await stage();
    const { meterProvider, tracerProvider, series, spans } = telemetry();
    const other = telemetry();
    const options = { meterProvider, tracerProvider };
    const stops = [instrumentSecrets(secrets, options), instrumentSecrets(secrets, options)];
    instrumentSecrets(secrets, { meterProvider: other.meterProvider });
    const rotations = async () => valueIn(await series('hot_secrets.secret.rotations'));

    await rotate({ password: 'leak-marker-1' });
    expect(await rotations()).toBe(1);
    expect(spans()).toHaveLength(1);
    stops[0]?.();
    stops[0]?.();
    await rotate({ password: 'leak-marker-2' });
    expect(await rotations()).toBe(2);
    stops[1]?.();
    await rotate({ password: 'leak-marker-3' });
    expect(await rotations()).toBe(2);
    expect(valueIn(await series('hot_secrets.store.status'), { [STATE]: 'ok' }), 'no state any more').toBe(0);

    const stop = instrumentSecrets(secrets, options);
    await rotate({ password: 'leak-marker-4' });
    expect(await rotations()).toBe(3);
    stop();
    instrumentSecrets(secrets, options);
    expect(valueIn(await series('hot_secrets.store.status'), { [STATE]: 'ok' })).toBe(1);
    expect(valueIn(await series('hot_secrets.store.generation'))).toBe(5);
    expect(valueIn(await other.series('hot_secrets.secret.rotations'))).toBe(4);
  });

  it('counts two stores of one process separately', async () => {
    const [shop, billing] = [await stage('shop'), await stage('billing')];
    const { meterProvider, series } = telemetry();
    for (const { secrets } of [shop, billing]) instrumentSecrets(secrets, { meterProvider });
    await shop.rotate({ password: 'leak-marker-1' });
    await shop.rotate({ password: 'leak-marker-2' });
    await billing.rotate({ password: 'leak-marker-3' });
    for (const name of ['hot_secrets.secret.rotations', 'hot_secrets.store.generation']) {
      const all = await series(name);
      const [ofShop, ofBilling] = ['shop', 'billing'].map((store) =>
        valueIn(all, { 'hot_secrets.store.name': store }),
      );
      expect(ofShop).toBe((ofBilling as number) + 1);
    }
  });

  it('stops when the store closes, and refuses a closed store or a misspelt option', async () => {
    const { secrets } = await stage();
    const { meterProvider, series } = telemetry();
    const stop = instrumentSecrets(secrets, { meterProvider });
    expect(valueIn(await series('hot_secrets.store.generation'))).toBe(1);
    await secrets.close();
    expect(valueIn(await series('hot_secrets.store.generation'))).toBe(0);
    stop();
    expect(() => instrumentSecrets(secrets, { meterProvider })).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }),
    );
    expect(() => instrumentSecrets(secrets, { metre: meterProvider } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN', next: 'Did you mean "meter"?' }),
    );
  });

  it('keeps the process warnings of a store and a resource without listeners', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const { secrets, rotate, refresh } = await stage();
    const { meterProvider, tracerProvider } = telemetry();
    instrumentSecrets(secrets, { meterProvider, tracerProvider, access: true });
    const client = rotating(secrets, {
      build(s) {
        if (s.reveal('password').endsWith('bad')) throw new SecretsError('BUILD_FAILED', 'no such user');
      },
    });
    onTestFinished(() => client.close());
    await client.ready;
    await refresh('broken');
    await refresh('working');
    await rotate({ password: 'leak-marker-bad' });
    const codes = () => warn.mock.calls.map(([, options]) => (options as { code: string }).code);
    await waitFor(() => codes().includes('BUILD_FAILED'));
    expect(codes()).toEqual(['SOURCE_FAILED', 'BUILD_FAILED']);
  });

  it('keeps the store unaffected when the SDK fails, and warns once', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const uncaught = vi.fn();
    process.on('uncaughtException', uncaught);
    onTestFinished(() => void process.off('uncaughtException', uncaught));
    const fail = () => {
      throw new Error('the exporter is gone');
    };
    const { meterProvider, metrics } = telemetry();
    const meter = meterProvider.getMeter('test');
    vi.spyOn(meter, 'createCounter').mockReturnValue({ add: fail });
    vi.spyOn(meter, 'createHistogram').mockReturnValue({ record: fail });
    const { secrets, rotate } = await stage();
    instrumentSecrets(secrets, { meter, tracer: { startSpan: fail, startActiveSpan: fail }, access: true });
    vi.spyOn(secrets, 'health').mockImplementation(fail);

    for (let round = 1; round <= 3; round += 1) {
      await rotate({ password: `leak-marker-${round}` });
      expect(secrets.reveal('password')).toBe(`leak-marker-${round}`);
      await metrics();
    }
    // Node rethrows the error of a subscriber on the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(uncaught).not.toHaveBeenCalled();
    const codes = warn.mock.calls.map(([, options]) => (options as { code: string }).code);
    expect(new Set(codes)).toEqual(new Set(['LISTENER_FAILED']));
    expect(codes).toHaveLength(1);
    expect(inspect(warn.mock.calls)).not.toContain('exporter is gone');
  });

  it.each([
    ['a string for options', 'meter', 'OPTION_INVALID'],
    ['a misspelt option', { meterprovider: undefined }, 'OPTION_UNKNOWN'],
    ['a string for a flag', { access: 'yes' }, 'OPTION_INVALID'],
  ])('refuses to instrument a store with %s', async (_title, options, code) => {
    const { secrets } = await stage();
    expect(() => instrumentSecrets(secrets, options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('undoes the instrumentation when a meter throws', async () => {
    const { secrets, rotate } = await stage();
    const { meterProvider, tracerProvider, spans } = telemetry();
    const meter = meterProvider.getMeter('test');
    vi.spyOn(meter, 'createHistogram').mockImplementation(() => {
      throw new Error('no more instruments');
    });
    expect(() => instrumentSecrets(secrets, { meter, tracerProvider })).toThrow('no more instruments');
    await rotate({ password: 'leak-marker-1' });
    expect(spans()).toEqual([]);
  });
});
