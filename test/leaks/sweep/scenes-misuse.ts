import { memory, rotating, SecretStore, secret } from 'hot-secrets';
import { bearer } from 'hot-secrets/bearer';
import { createCallCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { createAgent } from 'hot-secrets/https';
import { createPool } from 'hot-secrets/pg';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import type { Outputs } from './outputs';
import { attempt, secrets, text, values } from './scenes-resources';
import { listeners } from './stage';
import { marks, pairs } from './values';

const { first } = pairs;

/** Calls that are wrong because a value stands where something else belongs. */
export async function misuseScenes(outputs: Outputs): Promise<void> {
  outputs.scene('values in the wrong place');
  const store = await SecretStore.open({
    secrets,
    sources: [memory(values(text))],
    on: listeners(outputs) as never,
  });
  const key = marks.key.value;
  attempt(outputs, 'createPool of options', () => createPool(store, { password: text } as never));
  attempt(outputs, 'createAgent of a pair', () => createAgent(store, { key, cert: first.cert } as never));
  attempt(outputs, 'createDispatcher of a text', () => createDispatcher(store, text as never));
  attempt(outputs, 'bearer of a text', () => bearer(store, text as never));
  attempt(outputs, 'an origin that is text', () =>
    bearer(store, (s) => s.reveal('one').slice(0, 3)).interceptor(text),
  );
  attempt(outputs, 'createCallCredentials of a text', () => createCallCredentials(store, text as never));
  attempt(outputs, 'createServerCredentials of a pair', () =>
    createServerCredentials(store, { key, cert: first.cert } as never),
  );
  attempt(outputs, 'rotating without a build', () => rotating(store, { build: text as never }));
  attempt(outputs, 'attachSecureContext of a pair', () =>
    attachSecureContext({ key } as never, store, (() => {}) as never),
  );
  attempt(outputs, 'createServerNames of a pair', () =>
    createServerNames(store, { 'a.test': { key } } as never),
  );
  attempt(outputs, 'memory of an object', () => memory({ one: { password: text } as never }));
  attempt(outputs, 'secret.text with a value as default', () =>
    secret.text('one', { default: text } as never),
  );
  attempt(outputs, 'secret.text with a bad option', () => secret.text('one', { trim: text as never }));
  attempt(outputs, 'secret.json with a value as schema', () => secret.json('one', text as never));
  for (const one of [store, store.get('one')]) attempt(outputs, 'cloning', () => structuredClone(one));
  attempt(outputs, 'toString', () => Object.prototype.toString.call(store.get('one')));
  attempt(outputs, 'adding', () => `${store.get('one') as never}${1 + (store.get('one') as never)}`);
  attempt(outputs, 'dates', () => new Date(store.get('one') as never));
  attempt(outputs, 'encodeURIComponent', () => encodeURIComponent(store.get('one') as never));
  await store.close();
}
