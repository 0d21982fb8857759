import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:tls';
import { memory, SecretStore, secret, type TlsMaterial } from 'hot-secrets';
import {
  type AttachedContext,
  attachSecureContext,
  type ContextRecipe,
  createServerNames,
} from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, type Issued } from '../support/certificates';

const authority = await createAuthority();
const pairs = (await Promise.all([authority.issue(), authority.issue()])) as [Issued, Issued];
const collect = await collector();

async function collector(): Promise<() => void> {
  const { default: v8 } = await import('node:v8');
  v8.setFlagsFromString('--expose-gc');
  return (await import('node:vm')).runInNewContext('gc') as () => void;
}

async function rotatingPair() {
  const source = memory({ cert: pairs[0].cert, key: pairs[0].key });
  const secrets: SecretStore<{ readonly pair: TlsMaterial }> = await SecretStore.open({
    secrets: { pair: secret.tls({ cert: 'cert', key: 'key' }) },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  return {
    secrets,
    async rotate() {
      const { cert, key } = pairs[secrets.generation % 2] as Issued;
      source.set({ cert, key });
      await secrets.refresh();
    },
  };
}

function nextSwap(rotating: Pick<AttachedContext, 'on'>): Promise<void> {
  return new Promise((resolve) => {
    const stop = rotating.on('swapped', () => {
      stop();
      resolve();
    });
  });
}

/** Counts the objects that survive a garbage collection. */
async function alive(objects: readonly WeakRef<object>[]): Promise<number> {
  // This turn still holds what it awaited.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return objects.filter((object) => object.deref() !== undefined).length;
}

describe('an attached TLS server', () => {
  it('frees the TLS contexts of old generations and of deleted server names', async () => {
    const { secrets, rotate } = await rotatingPair();
    const made: WeakRef<object>[] = [];
    const recipe: ContextRecipe<{ readonly pair: TlsMaterial }> = (s) => {
      // Only a context in use holds this array.
      const cert = [s.reveal('pair').cert as string];
      made.push(new WeakRef(cert));
      return { ...s.reveal('pair'), cert };
    };
    const names = createServerNames(secrets, { 'api.test': recipe }, { drainTimeoutMs: 1000 });
    const server = createServer({ SNICallback: names.SNICallback });
    const context = attachSecureContext(server, secrets, recipe, { names });
    for (let round = 0; round < 100; round += 1) {
      const rotated = Promise.all([nextSwap(names), nextSwap(context)]);
      await rotate();
      names.set(`name-${round}.test`, recipe);
      await rotated;
      names.delete(`name-${round}.test`);
    }
    expect(made.length).toBeGreaterThanOrEqual(300);
    // The contexts in use, and a few of the last round that still drain.
    expect(await alive(made)).toBeLessThan(10);
    await context.close();
  });

  it('removes its listeners from a server when the attached context closes', async () => {
    const { secrets, rotate } = await rotatingPair();
    const server = createHttpsServer(() => {});
    const count = () => server.eventNames().map((event) => server.listenerCount(event));
    const before = count();
    for (let round = 0; round < 20; round += 1) {
      const names = createServerNames(secrets, {}, { drainTimeoutMs: 1000 });
      const context = attachSecureContext(server, secrets, (s) => s.reveal('pair'), {
        names,
        drainTimeoutMs: 1000,
      });
      const rotated = nextSwap(context);
      await rotate();
      await rotated;
      await context.close();
    }
    expect(count()).toEqual(before);
  });
});
