import { memory, SecretStore, type Snapshot, secret } from 'hot-secrets';
import { onTestFinished } from 'vitest';
import { rotating } from '../../../src/rotation/rotating';
import type { Lifecycle, Rotating, RotatingOptions, RotationEvents } from '../../../src/rotation/types';

/** What the store of these tests holds. */
export interface Values {
  readonly user: string;
  readonly password: string;
  readonly other: string;
  readonly extra: string | undefined;
}

/** A resource that counts how often it was disposed of. */
export interface Fake {
  readonly user: string;
  readonly password: string;
  readonly generation: number;
  disposed: number;
}

export interface Harness {
  readonly secrets: SecretStore<Values>;
  /** Everything that was built, in order. */
  readonly built: Fake[];
  /** Events as `name` and payload, in order. */
  readonly events: [keyof RotationEvents, RotationEvents[keyof RotationEvents]][];
  of<E extends keyof RotationEvents>(event: E): RotationEvents[E][];
  rotate(values: Record<string, string | undefined>): Promise<void>;
  make(snapshot: Snapshot<Values>): Fake;
  start(lifecycle?: Partial<Lifecycle<Fake, Values>>, options?: RotatingOptions): Rotating<Fake>;
}

export async function harness(): Promise<Harness> {
  const source = memory({ user: 'u1', password: 'p1', other: 'o1' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password', other: 'other', extra: secret.text('extra').optional() },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const built: Fake[] = [];
  const events: Harness['events'] = [];

  function make(snapshot: Snapshot<Values>): Fake {
    const { generation } = snapshot;
    const fake = {
      user: snapshot.reveal('user'),
      password: snapshot.reveal('password'),
      generation,
      disposed: 0,
    };
    built.push(fake);
    return fake;
  }

  return {
    secrets,
    built,
    events,
    make,
    of: (event) => events.filter(([name]) => name === event).map(([, payload]) => payload) as never,
    async rotate(values) {
      source.set(values);
      await secrets.refresh();
    },
    start(lifecycle = {}, options = {}) {
      const dispose = (fake: Fake) => {
        fake.disposed += 1;
      };
      const resource = rotating(
        secrets,
        { build: make, dispose, ...lifecycle },
        { retryBaseMs: 10, retryMaxMs: 20, ...options },
      );
      for (const event of ['swapped', 'rejected', 'drained', 'error'] as const) {
        resource.on(event, (payload) => events.push([event, payload]));
      }
      onTestFinished(() => resource.close());
      return resource;
    },
  };
}
