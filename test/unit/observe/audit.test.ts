import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { type AccessReport, auditAccess, memory, rotating, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../support/certificates';
import { waitFor } from '../../support/wait-for';

async function open(name = 'shop') {
  const source = memory({ user: 'leak-marker-user', password: 'leak-marker-0' });
  const secrets = await SecretStore.open({
    name,
    secrets: { user: 'user', password: secret.text('password', { keepPreviousMs: 60_000 }) },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const rotate = async (password: string) => {
    source.set({ password });
    await secrets.refresh();
  };
  return { secrets, rotate };
}

const counted = ({ secrets }: AccessReport) =>
  Object.fromEntries(secrets.map(({ name, reads }) => [name, reads]));

/** The number of the line below the call. */
function lineBelow(): number {
  const frame = new Error().stack?.split('\n')[2] ?? '';
  return Number(/audit\.test\.ts:(\d+)/.exec(frame)?.[1]) + 1;
}

/** The file and line of the call. */
function line(): string {
  const frame = new Error().stack?.split('\n')[2] ?? '';
  return /audit\.test\.ts:\d+/.exec(frame)?.[0] ?? 'no line';
}

describe('auditAccess', () => {
  it('counts each read of a value once, by any method', async () => {
    const { secrets, rotate } = await open();
    const taken = secrets.snapshot();
    await rotate('leak-marker-1');
    const audit = auditAccess(secrets);
    const reads: (() => unknown)[] = [
      () => secrets.reveal('password'),
      () => secrets.get('password').reveal(),
      () => secrets.snapshot().reveal('password'),
      () => taken.reveal('password'),
      // Counts as one read, although it returns two values.
      () => expect(secrets.revealWithPrevious('password')).toHaveLength(2),
    ];
    for (const [index, read] of reads.entries()) {
      read();
      expect(counted(audit.report())).toEqual({ password: index + 1 });
    }
    const client = rotating(secrets, { build: (s) => [s.reveal('user'), s.reveal('password')].length });
    onTestFinished(() => client.close());
    await client.ready;
    expect(counted(audit.report())).toEqual({ password: 6, user: 1 });
    for (let round = 2; round <= 4; round += 1) {
      await rotate(`leak-marker-${round}`);
      await waitFor(() => client.generation === secrets.generation);
    }
    expect(audit.report()).toMatchObject({
      store: 'shop',
      secrets: [
        { name: 'password', reads: 9, callers: [], otherReads: 0 },
        { name: 'user', reads: 4 },
      ],
    });
  });

  it('names the line of code that reads a secret, also in a recipe', async () => {
    const { secrets } = await open();
    const audit = auditAccess(secrets, { callers: true });
    const lines: string[] = [];
    for (let read = 0; read < 3; read += 1) lines.push(line(), secrets.reveal('password').slice(0, 0));
    lines.push(line(), secrets.get('password').reveal().slice(0, 0));
    const client = rotating(secrets, { build: (s) => lines.push(line(), s.reveal('user').slice(0, 0)) });
    onTestFinished(() => client.close());
    await client.ready;

    const [password, user] = audit.report().secrets;
    const [loop, , , , , , box, , recipe] = lines;
    expect(password?.callers.map(({ caller, reads }) => [caller.replace(/:\d+$/, ''), reads])).toEqual([
      [expect.stringMatching(new RegExp(`^/.*/test/unit/observe/${loop}$`)), 3],
      [expect.stringContaining(`${box}`), 1],
    ]);
    expect(user?.callers).toEqual([{ caller: expect.stringContaining(`${recipe}:`), reads: 1 }]);
    expect(new Set([loop, box, recipe]).size).toBe(3);
  });

  it('tells a subscriber of the access channel the caller during its call, and not afterwards', async () => {
    const { secrets } = await open();
    const heard: { readonly caller: string | undefined }[] = [];
    const callers: unknown[] = [];
    const listener = (message: unknown) => {
      heard.push(message as (typeof heard)[number]);
      callers.push(heard.at(-1)?.caller);
    };
    subscribe('hot-secrets:secret:access', listener);
    onTestFinished(() => void unsubscribe('hot-secrets:secret:access', listener));
    const first = lineBelow();
    secrets.reveal('user');
    const second = lineBelow();
    secrets.revealWithPrevious('password');
    expect(callers).toEqual([expect.stringContaining(`:${first}:`), expect.stringContaining(`:${second}:`)]);
    expect(heard.map(({ caller }) => caller)).toEqual([undefined, undefined]);
    expect(Object.keys(heard[0] ?? {})).toEqual(['store', 'storeId', 'name', 'version', 'source']);
  });

  it('counts at most maxCallers callers separately', async () => {
    const { secrets } = await open();
    const audit = auditAccess(secrets, { callers: true, maxCallers: 2 });
    for (let round = 0; round < 3; round += 1) {
      secrets.reveal('user');
      secrets.reveal('user');
      secrets.reveal('user');
      secrets.reveal('user');
    }
    const [user] = audit.report().secrets;
    expect(user?.callers.map(({ reads }) => reads)).toEqual([3, 3]);
    expect(user).toMatchObject({ reads: 12, otherReads: 6 });
  });

  it('does not count reads by the store itself', async () => {
    const { chain, key } = await (await createAuthority()).issue({ commonName: 'shop' });
    const source = memory({ web: chain + key, token: 'leak-marker-token' });
    const secrets = await SecretStore.open({
      secrets: { web: secret.tls('web'), token: secret.text('token', { keepPreviousMs: 60_000 }) },
      sources: [source],
    });
    onTestFinished(() => secrets.close());
    const audit = auditAccess(secrets);
    for (let round = 0; round < 3; round += 1) {
      source.set({ token: `leak-marker-${round}` });
      await secrets.refresh();
      expect(secrets.redact(`leak-marker-${round}`)).toBe('[secret token]');
      secrets.health();
      secrets.report();
      inspect([secrets.get('token'), secrets.snapshot()]);
      secrets.names();
      secrets.has('web');
    }
    expect(audit.report().secrets).toEqual([]);
  });

  it('counts the reads of one store only, until the audit stops or the store closes', async () => {
    const [one, other] = [await open('one'), await open('other')];
    const audits = [one, other].map(({ secrets }) => auditAccess(secrets));
    one.secrets.reveal('user');
    other.secrets.reveal('password');
    other.secrets.reveal('password');
    expect(audits.map((audit) => [audit.report().store, counted(audit.report())])).toEqual([
      ['one', { user: 1 }],
      ['other', { password: 2 }],
    ]);
    audits[0]?.stop();
    audits[0]?.stop();
    const kept = other.secrets.snapshot();
    await other.secrets.close();
    one.secrets.reveal('user');
    kept.reveal('user');
    expect(audits.map((audit) => counted(audit.report()))).toEqual([{ user: 1 }, { password: 2 }]);
    expect(() => auditAccess(other.secrets)).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
    const again = auditAccess(one.secrets);
    one.secrets.reveal('user');
    expect(counted(again.report())).toEqual({ user: 1 });
  });

  it('reports dates that a caller can change without affecting the audit', async () => {
    const { secrets } = await open();
    const audit = auditAccess(secrets);
    const since = audit.report().since.getTime();
    audit.report().since.setTime(0);
    expect(audit.report().since.getTime()).toBe(since);
  });

  it.each([
    ['a string for options', 'callers', 'OPTION_INVALID'],
    ['a misspelt option', { caller: true }, 'OPTION_UNKNOWN'],
    ['a bound of zero', { maxCallers: 0 }, 'OPTION_INVALID'],
    ['a string for a flag', { callers: 'yes' }, 'OPTION_INVALID'],
  ])('refuses an audit with %s', async (_title, options, code) => {
    const { secrets } = await open();
    expect(() => auditAccess(secrets, options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('prints an audit and its report without a value', async () => {
    const { secrets, rotate } = await open();
    const audit = auditAccess(secrets, { callers: true });
    for (let round = 1; round <= 3; round += 1) {
      await rotate(`leak-marker-${round}`);
      secrets.revealWithPrevious('password');
      secrets.reveal('user');
    }
    const shown = [audit, audit.report()]
      .map((one) => inspect(one, { depth: 20, showHidden: true, getters: true }) + JSON.stringify(one))
      .join();
    expect(shown).not.toContain('leak-marker');
  });
});
