import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  environment,
  isSecretsError,
  memory,
  mountedFiles,
  SecretStore,
  type SecretsError,
  secret,
} from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import * as v from 'valibot';
import { afterEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

const MARKER = 'marker-of-a-value';
const made: string[] = [];

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'hot-secrets-bad-'));
  made.push(path);
  return path;
}

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** The error that `attempt` throws. Expects that it prints no value. */
async function failure(attempt: () => unknown): Promise<SecretsError> {
  try {
    await attempt();
  } catch (error) {
    expect(isSecretsError(error)).toBe(true);
    expect(inspect(error, { showHidden: true, depth: 10 }) + JSON.stringify(error)).not.toContain(MARKER);
    return error as SecretsError;
  }
  throw new Error('It did not fail.');
}

const opening = (definition: string | ReturnType<typeof secret.text>, bytes: string | Uint8Array) => () =>
  SecretStore.open({ secrets: { one: definition }, sources: [memory({ one: bytes })] });

describe('a required secret in no source', () => {
  it('names a missing secret, the place that each source was asked for, and the similar name there', async () => {
    await using mount = await createTestMount({ 'databse-password': MARKER });
    const error = await failure(() =>
      SecretStore.open({
        secrets: { dbPassword: 'database-password' },
        sources: [mountedFiles(mount.path), environment({ DATABASE_PASWORD: MARKER })],
      }),
    );
    expect(error.code).toBe('SECRET_MISSING');
    expect(error.message).toContain('"dbPassword"');
    expect(error.message).toMatch(/mounted-files has no \S+database-password \(it has: databse-password\)/);
    expect(error.message).toContain('environment has no DATABASE_PASSWORD (it has: DATABASE_PASWORD)');
    expect(error.message).toMatch(
      /^A required secret was not found in any source.* Add it to a source, correct its name,/,
    );
  });

  it('names all missing secrets in one error', async () => {
    const error = await failure(() =>
      SecretStore.open({ secrets: { one: 'one', two: 'two' }, sources: [memory({})] }),
    );
    expect(error.message).toMatch(
      /^2 required secrets were not found in any source.* Add them to a source, correct their/,
    );
  });
});

describe('an argument of another kind', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['memory(5)', () => memory(5 as never), /^memory needs an object of names and values, not that number\./],
    ['memory({ a: 5 })', () => memory({ a: 5 } as never), /value of "a" must be a string or a Uint8Array/],
    ['set({ a: {} })', () => memory().set({ a: {} } as never), /not an object.*JSON\.stringify/],
    ['new SecretStore()', () => new (SecretStore as never as new () => unknown)(), /await SecretStore\.open/],
  ])('refuses %s, and says what to pass', async (_call, attempt, message) => {
    const error = await failure(attempt);
    expect([error.code, error.message]).toEqual(['OPTION_INVALID', expect.stringMatching(message)]);
  });

  it('refuses to redact anything but a string', async () => {
    await using store = await SecretStore.open({ sources: [memory({ a: MARKER })] });
    const error = await failure(() => store.redact(123 as never));
    expect(error.message).toBe(
      'redact needs a string, not that number. Pass the finished log line: redact(JSON.stringify(entry)), for example.',
    );
  });

  it('keeps the values of a memory source when a new one is refused', async () => {
    const source = memory({ a: 'first' });
    await using store = await SecretStore.open({ sources: [source] });
    await failure(() => source.set({ a: 'second', b: 5 } as never));
    await store.refresh();
    expect(store.reveal('a')).toBe('first');
  });
});

describe('a mount', () => {
  it.each([
    ['a missing mount', 'MOUNT_MISSING', (path: string) => join(path, 'gone')],
    ['an empty mount', 'MOUNT_EMPTY', (path: string) => path],
    [
      'a mount whose ..data link is missing',
      'MOUNT_EMPTY',
      (path: string) => {
        mkdirSync(join(path, '..2026_11_23_20_01_21.1853148849'));
        return path;
      },
    ],
    [
      'a file in place of a mount',
      'MOUNT_NOT_DIRECTORY',
      (path: string) => {
        writeFileSync(join(path, 'file'), MARKER);
        return join(path, 'file');
      },
    ],
  ])('refuses %s at open with %s', async (_title, code, prepare) => {
    const path = prepare(directory());
    const error = await failure(() => SecretStore.open({ sources: [mountedFiles(path)] }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
  });
});

describe('a file', () => {
  it('refuses a link that leads to a file outside the mount', async () => {
    const outside = directory();
    const path = directory();
    writeFileSync(join(outside, 'one'), MARKER);
    symlinkSync(join(outside, 'one'), join(path, 'one'));
    const error = await failure(() =>
      SecretStore.open({ secrets: { one: 'one' }, sources: [mountedFiles(path)] }),
    );
    expect(error.code).toBe('FILE_OUTSIDE_MOUNT');
  });

  it('refuses a file over the size limit, and keeps serving the last good value', async () => {
    await using mount = await createTestMount({ one: 'small' });
    await using store = await SecretStore.open({
      secrets: { one: 'one' },
      sources: [mountedFiles(mount.path, { maxFileBytes: 64 })],
    });
    const errors: string[] = [];
    store.on('error', (error) => errors.push(error.code));
    await mount.rotate({ one: MARKER.repeat(10) });
    await store.refresh();
    expect([store.reveal('one'), errors]).toEqual(['small', ['FILE_TOO_LARGE']]);
  });

  it.each(['../x', '/etc/passwd', 'a/../../x', '..data/x'])(
    'refuses the file name %s as outside the mount',
    async (file) => {
      expect((await failure(() => secret.text('one', { file }))).code).toBe('FILE_OUTSIDE_MOUNT');
    },
  );
});

describe('a value', () => {
  const amount = { zod: z.object({ key: z.number() }), valibot: v.object({ key: v.number() }) };

  it.each([
    ['an empty value', 'VALUE_EMPTY', 'one', ''],
    ['a value of one line break', 'VALUE_EMPTY', 'one', '\n'],
    ['invalid UTF-8', 'VALUE_NOT_UTF8', 'one', Uint8Array.of(0xff, 0xfe)],
    ['invalid base64', 'VALUE_NOT_BASE64', secret.bytes('one', { encoding: 'base64' }), `${MARKER}!`],
    ['invalid JSON', 'VALUE_NOT_JSON', secret.json('one'), MARKER],
    [
      'a value that zod refuses',
      'VALUE_REFUSED',
      secret.json('one', amount.zod),
      JSON.stringify({ key: MARKER }),
    ],
    [
      'a value that valibot refuses',
      'VALUE_REFUSED',
      secret.json('one', amount.valibot),
      JSON.stringify({ key: MARKER }),
    ],
    [
      'a value whose transform throws',
      'VALUE_REFUSED',
      secret.json(
        'one',
        z.string().transform((text) => {
          throw new Error(text);
        }),
      ),
      JSON.stringify(MARKER),
    ],
  ])('refuses %s at open with %s', async (_title, code, definition, bytes) => {
    const error = await failure(opening(definition as string, bytes));
    expect(error).toMatchObject({ code, secret: 'one' });
  });

  it('names the property that a schema refused', async () => {
    const error = await failure(
      opening(secret.json('one', amount.zod) as never, JSON.stringify({ key: MARKER })),
    );
    expect(error.message).toContain('"key"');
  });
});

describe('names and options', () => {
  it.each([
    ['an alias with a space', 'NAME_INVALID', () => secret.text('a b')],
    ['an empty alias', 'NAME_INVALID', () => secret.text('')],
    ['an invalid variable name', 'NAME_INVALID', () => secret.text('one', { env: 'NOT-A-VARIABLE' })],
    [
      'two names for one alias',
      'NAME_DUPLICATE',
      () => SecretStore.open({ secrets: { a: 'one', b: 'one' }, sources: [memory()] }),
    ],
    [
      'two aliases for one variable',
      'NAME_DUPLICATE',
      () => SecretStore.open({ secrets: { a: 'a-b', b: 'a_b' }, sources: [memory()] }),
    ],
    ['an empty list of sources', 'OPTION_INVALID', () => SecretStore.open({ sources: [] })],
    ['a negative duration', 'OPTION_INVALID', () => secret.text('one', { keepPreviousMs: -1 })],
    ['a duration that is NaN', 'OPTION_INVALID', () => mountedFiles('/m', { pollIntervalMs: Number.NaN })],
  ])('refuses %s with %s', async (_title, code, attempt) => {
    expect((await failure(attempt)).code).toBe(code);
  });

  it('suggests the right spelling of a misspelt option', async () => {
    const misspelt = { refreshTimeoutMS: 1, sources: [memory()] } as object;
    const error = await failure(() => SecretStore.open(misspelt));
    expect(error).toMatchObject({ code: 'OPTION_UNKNOWN', next: 'Did you mean "refreshTimeoutMs"?' });
  });
});
