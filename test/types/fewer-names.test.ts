import { memory, SecretStore, type Snapshot } from 'hot-secrets';
import { describe, expectTypeOf, it } from 'vitest';

interface Credential {
  readonly user: string;
  readonly password: string;
}

describe('a store type with more names', () => {
  it('accepts a store that has more names than the type, and refuses one that has fewer', async () => {
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'password', other: 'other' },
      sources: [memory({ user: 'u', password: 'p', other: 'o' })],
    });
    const fewer: SecretStore<Credential> = store;
    const none: SecretStore<unknown> = store;
    const snapshot: Snapshot<Credential> = store.snapshot();
    expectTypeOf(fewer.get('user').reveal()).toEqualTypeOf<string>();
    expectTypeOf(snapshot.reveal('password')).toEqualTypeOf<string>();
    expectTypeOf(none.name).toEqualTypeOf<string>();
    // @ts-expect-error It has no such name.
    const more: SecretStore<Credential & { readonly pin: string }> = store;
    void more;
  });
});
