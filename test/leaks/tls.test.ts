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

async function stage() {
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

function next(rotating: Pick<AttachedContext, 'on'>): Promise<void> {
  return new Promise((resolve) => {
    const stop = rotating.on('swapped', () => {
      stop();
      resolve();
    });
  });
}

/** How many of these objects are still there, once what nobody holds is collected. */
async function alive(objects: readonly WeakRef<object>[]): Promise<number> {
  // What was awaited in this turn is held until the next.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return objects.filter((object) => object.deref() !== undefined).length;
}

describe('a server that is attached', () => {
  it('holds no context of hundreds of rotations, nor of names that were set and deleted', async () => {
    const { secrets, rotate } = await stage();
    const made: WeakRef<object>[] = [];
    const recipe: ContextRecipe<{ readonly pair: TlsMaterial }> = (s) => {
      // Held by what is served, and by nothing else.
      const cert = [s.reveal('pair').cert as string];
      made.push(new WeakRef(cert));
      return { ...s.reveal('pair'), cert };
    };
    const names = createServerNames(secrets, { 'api.test': recipe }, { drainTimeoutMs: 1000 });
    const server = createServer({ SNICallback: names.SNICallback });
    const context = attachSecureContext(server, secrets, recipe, { names });
    for (let round = 0; round < 300; round += 1) {
      const rotated = Promise.all([next(names), next(context)]);
      await rotate();
      names.set(`name-${round}.test`, recipe);
      await rotated;
      names.delete(`name-${round}.test`);
    }
    expect(made.length).toBeGreaterThanOrEqual(900);
    // What is served, and a few of the last round that are still on their way out.
    expect(await alive(made)).toBeLessThan(10);
    await context.close();
  });

  it('has as many listeners as before, once it is closed', async () => {
    const { secrets, rotate } = await stage();
    const server = createHttpsServer(() => {});
    const count = () => server.eventNames().map((event) => server.listenerCount(event));
    const before = count();
    for (let round = 0; round < 20; round += 1) {
      const names = createServerNames(secrets, {}, { drainTimeoutMs: 1000 });
      const context = attachSecureContext(server, secrets, (s) => s.reveal('pair'), {
        names,
        drainTimeoutMs: 1000,
      });
      const rotated = next(context);
      await rotate();
      await rotated;
      await context.close();
    }
    expect(count()).toEqual(before);
  });
});
