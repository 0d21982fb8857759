import type { Agent } from 'node:https';
import type { SecretStore, SecretsError, TlsMaterial, TlsTrust } from 'hot-secrets';
import { createAgent, type HotAgent } from 'hot-secrets/https';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{
  readonly client: TlsMaterial;
  readonly ca: TlsTrust;
  readonly port: number;
}>;

test('gives the recipe of createAgent the types of the store, and returns an https.Agent', () => {
  const make = () =>
    createAgent(secrets, (s) => ({
      ...s.reveal('client'),
      ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca),
      keepAlive: true,
    }));
  expectTypeOf(make).returns.toEqualTypeOf<HotAgent>();
  expectTypeOf<HotAgent>().toExtend<Agent>();
  // @ts-expect-error A name that the store does not have.
  () => createAgent(secrets, (s) => s.reveal('clients'));
  // @ts-expect-error A number is no authority.
  () => createAgent(secrets, (s) => ({ ca: s.reveal('port') }));
  // @ts-expect-error A promise is no configuration.
  () => createAgent(secrets, async () => ({ keepAlive: true }));
  // @ts-expect-error A misspelt option.
  () => createAgent(secrets, () => ({}), { drainTimeout: 1 });
});

test('types the events of an agent', () => {
  const listen = ({ rotation }: HotAgent) => {
    expectTypeOf(rotation.staleCount).toEqualTypeOf<number>();
    rotation.on('swapped', (event) => expectTypeOf(event.generation).toEqualTypeOf<number>());
    rotation.on('rejected', (event) => expectTypeOf(event.error).toEqualTypeOf<SecretsError>());
    rotation.on('drained', (event) => expectTypeOf(event.forced).toEqualTypeOf<boolean>());
    // @ts-expect-error No such event.
    rotation.on('refused', () => {});
    // @ts-expect-error Read-only.
    rotation.generation = 1;
  };
  expectTypeOf(listen).returns.toEqualTypeOf<void>();
});
