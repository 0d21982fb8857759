import { once } from 'node:events';
import { inspect } from 'node:util';
import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import { createServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { rotating } from '../../../src/rotation/rotating';
import { createAuthority } from '../../support/certificates';
import { waitFor } from '../../support/wait-for';
import { harness } from './harness';

function stubWarnings() {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  onTestFinished(() => warn.mockRestore());
  return warn;
}

/** The errors that the store emits from now on. */
function listening(secrets: {
  on(event: 'error', listener: (error: SecretsError) => void): unknown;
}): SecretsError[] {
  const told: SecretsError[] = [];
  secrets.on('error', (error) => told.push(error));
  return told;
}

describe('a rotation that is printed', () => {
  it('shows its name, its generation and its counts', async () => {
    const { secrets, start } = await harness();
    const resource = start();
    expect(inspect(resource)).toBe("Rotating { name: 'resource', not ready }");
    await resource.ready;
    expect(inspect(resource)).toBe("Rotating { name: 'resource', generation: 1 }");
    await resource.close();
    expect(inspect(resource)).toBe("Rotating { name: 'resource', closed }");

    const pool = createPool(secrets, (s) => ({ user: s.reveal('user') }), { name: 'orders' });
    expect(inspect(pool.rotation)).toBe(
      "Rotation { name: 'orders', generation: 1, staleCount: 0, listeningCount: 0 }",
    );
    await pool.end();
  });
});

describe('the events of a rotating resource', () => {
  it('stops a listener of a resource by the returned function, off, a signal or once', async () => {
    const { start, rotate, of } = await harness();
    const resource = start();
    await resource.ready;
    const heard: string[] = [];
    const listener = () => heard.push('off');
    const abort = new AbortController();
    const stop = resource.on('swapped', () => heard.push('stopped'));
    resource.on('swapped', listener);
    resource.on('swapped', () => heard.push('aborted'), { signal: abort.signal });
    resource.once('swapped', () => heard.push('once'));
    await rotate({ password: 'p2' });
    await waitFor(() => of('swapped').length === 2);
    expect(heard.sort()).toEqual(['aborted', 'off', 'once', 'stopped']);
    stop();
    resource.off('swapped', listener);
    abort.abort();
    await rotate({ password: 'p3' });
    await waitFor(() => of('swapped').length === 3);
    expect(heard).toHaveLength(4);
  });

  it('supports events.once of Node, which rejects on an error event', async () => {
    const { start, rotate, secrets } = await harness();
    const resource = start({
      dispose: ({ password }) => {
        if (password === 'p2') throw new Error('dispose');
      },
    });
    await resource.ready;
    const swapped = once(resource as never, 'swapped');
    await rotate({ password: 'p2' });
    expect((await swapped)[0]).toMatchObject({ name: 'resource', generation: 2 });

    const names = createServerNames(secrets, {});
    onTestFinished(() => names.close());
    const pool = createPool(secrets, (s) => ({ port: 1, user: s.reveal('user') }));
    onTestFinished(() => void pool.end());
    for (const emitter of [resource, names, pool.rotation]) {
      const abort = new AbortController();
      const never = once(emitter as never, 'drained', { signal: abort.signal });
      abort.abort();
      await expect(never).rejects.toMatchObject({ name: 'AbortError' });
      expect(Object.keys(emitter)).not.toContain('removeListener');
    }
    const failing = once(resource as never, 'rejected');
    await rotate({ password: 'p3' });
    await expect(failing).rejects.toMatchObject({ code: 'DISPOSE_FAILED' });
  });

  it('refuses unknown events of a resource, and listeners that are not functions', async () => {
    const { start, secrets } = await harness();
    const resource = start();
    const pool = createPool(secrets, (s) => ({ port: 1, user: s.reveal('user') }));
    onTestFinished(() => void pool.end());
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => resource.on('swaped' as never, () => {})).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', next: 'Did you mean "swapped"?' }),
    );
    expect(() => resource.on('refused' as never, () => {})).toThrow(invalid);
    expect(() => resource.on('swapped', undefined as never)).toThrow(invalid);
    expect(() => pool.rotation.once('accepted', 'listener' as never)).toThrow(invalid);
    pool.rotation.once('refused', () => {})();
  });
});

describe('the problems of a resource', () => {
  it('delivers each error of a resource to its store, with the name of the resource', async () => {
    const warn = stubWarnings();
    const { rotate, secrets, make, built } = await harness();
    const told = listening(secrets);
    const resource = rotating(
      secrets,
      {
        build: make,
        verify: ({ password }) => {
          if (password === 'p2') throw new Error('refused');
        },
        dispose: () => {
          throw new Error('dispose');
        },
      },
      { name: 'mailer', retryBaseMs: 1e9, retryMaxMs: 1e9 },
    );
    onTestFinished(() => resource.close());
    await resource.ready;
    const own: SecretsError[] = [];
    resource.on('rejected', ({ error }) => own.push(error));
    await rotate({ password: 'p2' });
    await waitFor(() => told.length === 2);
    expect(told.map(({ code, resource: name }) => [code, name])).toEqual([
      ['VERIFY_FAILED', 'mailer'],
      ['DISPOSE_FAILED', 'mailer'],
    ]);
    expect(own[0]).toBe(told[0]);
    expect(built).toHaveLength(2);
    expect(warn).not.toHaveBeenCalled();
  });

  it('emits a process warning when neither the resource nor the store has a listener', async () => {
    const warn = stubWarnings();
    const { rotate, secrets, make } = await harness();
    const fails = {
      build: make,
      verify: ({ password }: { readonly password: string }) => {
        if (password !== 'p1') throw new Error('refused');
      },
    };
    const options = { retryBaseMs: 1e9, retryMaxMs: 1e9 };
    const silent = rotating(secrets, fails, { ...options, name: 'silent' });
    const loud = rotating(secrets, fails, { ...options, name: 'loud' });
    onTestFinished(async () => {
      await Promise.all([silent.close(), loud.close()]);
    });
    const own: unknown[] = [];
    loud.on('rejected', (event) => own.push(event));
    await Promise.all([silent.ready, loud.ready]);
    await rotate({ password: 'p2' });
    await waitFor(() => own.length === 1 && warn.mock.calls.length > 0);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain('silent');
  });

  it('reports the rejected pair of a server name to the store', async () => {
    const authority = await createAuthority();
    const [pair, other] = await Promise.all([authority.issue(), authority.issue()]);
    const source = memory({ cert: pair.cert, key: pair.key });
    await using secrets = await SecretStore.open({
      secrets: { cert: 'cert', key: 'key' },
      sources: [source],
    });
    const told = listening(secrets);
    await using names = createServerNames(secrets, {
      'api.test': (s) => ({ cert: s.reveal('cert'), key: s.reveal('key') }),
    });
    const rejected = once(names as never, 'rejected');
    source.set({ key: other.key });
    await secrets.refresh();
    const [{ name, error }] = await rejected;
    expect([name, error.resource]).toEqual(['api.test', 'server name api.test']);
    expect(told).toEqual([error]);
  });
});

describe('nested calls of close()', () => {
  it('closes a resource once when its drain, dispose, build or a listener calls close', async () => {
    const { rotate, secrets, make, built, of } = await harness();
    const closing = rotating(
      secrets,
      {
        build: make,
        drain: () => void closing.close(),
        dispose: (fake) => {
          fake.disposed += 1;
          void closing.close();
        },
      },
      { name: 'closing' },
    );
    const drained: unknown[] = [];
    closing.on('drained', (event) => {
      drained.push(event);
      void closing.close();
    });
    await closing.ready;
    await closing.close();
    expect([built.map(({ disposed }) => disposed), drained.length]).toEqual([[1], 1]);

    const building = rotating(secrets, {
      build: (s) => {
        if (s.reveal('password') !== 'p1') void building.close();
        return make(s);
      },
      dispose: (fake) => {
        fake.disposed += 1;
      },
    });
    await building.ready;
    await rotate({ password: 'p2' });
    await building.close();
    expect(built.map(({ disposed }) => disposed)).toEqual([1, 1, 1]);
    expect(of('error')).toEqual([]);
  });

  it('ends a pool once when a listener of its events calls end', async () => {
    const { secrets } = await harness();
    const pool = createPool(secrets, (s) => ({ port: 1, user: s.reveal('user') }));
    let ends = 0;
    pool.rotation.on('drained', () => {
      ends += 1;
      void pool.end();
    });
    await pool.end();
    await waitFor(() => ends === 1);
    await pool.end();
    expect(ends).toBe(1);
  });
});
