import { createServer } from 'node:tls';
import { rotating, type SecretStore } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { createPool } from 'hot-secrets/pg';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import { describe, expect, it } from 'vitest';
import { harness } from './harness';

type Loose = (...args: unknown[]) => unknown;

const makers: readonly [string, Loose][] = [
  ['createPool', createPool as Loose],
  ['createAgent', createAgent as Loose],
  ['createDispatcher', createDispatcher as Loose],
  ['attachSecureContext', (...args) => (attachSecureContext as Loose)(createServer(), ...args)],
];

function refusal(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.each(makers)('%s with wrong arguments', (where, make) => {
  it(`refuses wrong arguments of ${where}, and says what to pass instead`, async () => {
    const { secrets } = await harness();
    const recipe = (s: SecretStore) => ({ user: s.reveal('user') });
    const wrong: readonly [string, readonly unknown[], RegExp][] = [
      ['no recipe', [secrets], new RegExp(`Call ${where}\\(secrets, \\(s\\)`)],
      ['a recipe first', [recipe, secrets], /the store comes first/],
      ['no store', [undefined, recipe], /SecretStore\.open/],
      ['a text for a store', ['secrets', recipe], /SecretStore\.open/],
      ['a promise of a store', [Promise.resolve(secrets), recipe], /Await SecretStore\.open/],
      ['a text for options', [secrets, recipe, 'fast'], /Pass an object/],
      ['null for options', [secrets, recipe, null], /Pass an object/],
    ];
    for (const [title, args, next] of wrong) {
      expect(
        refusal(() => make(...args)),
        title,
      ).toMatchObject({
        code: 'OPTION_INVALID',
        next: expect.stringMatching(next),
      });
    }
  });
});

describe('client settings among the options', () => {
  it.each([
    ['max', createPool as Loose],
    ['idleTimeoutMillis', createPool as Loose],
    ['keepAlive', createAgent as Loose],
    ['connections', createDispatcher as Loose],
  ])('refuses %s as an option and says that it belongs in the recipe', async (setting, make) => {
    const { secrets } = await harness();
    const recipe = (s: SecretStore) => ({ user: s.reveal('user') });
    expect(refusal(() => make(secrets, recipe, { [setting]: 10 }))).toMatchObject({
      code: 'OPTION_INVALID',
      next: expect.stringContaining(`Return it from the recipe: (s) => ({ ${setting}:`),
    });
  });
});

describe('rotating and createServerNames with wrong arguments', () => {
  it('refuses wrong arguments of rotating and createServerNames, each with a fix', async () => {
    const { secrets } = await harness();
    const calls: readonly (() => unknown)[] = [
      () => (rotating as Loose)(secrets),
      () => (rotating as Loose)(secrets, () => 1),
      () => (rotating as Loose)(secrets, {}),
      () => (rotating as Loose)(secrets, { build: () => 1, dispose: 'close' }),
      () => (rotating as Loose)({}, { build: () => 1 }),
      () => (rotating as Loose)(secrets, { build: () => 1 }, 'fast'),
      () => (createServerNames as Loose)(secrets),
      () => (createServerNames as Loose)(secrets, { 'api.test': 'recipe' }),
      () => (createServerNames as Loose)({}, {}),
    ];
    for (const call of calls) {
      expect(refusal(call), String(call)).toMatchObject({ code: 'OPTION_INVALID', next: expect.any(String) });
    }
  });
});
