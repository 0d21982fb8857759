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

/** The error that this ends with; it holds no value, in whatever way it is printed. */
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
  it('is named with what every source was asked for and what lies there', async () => {
    await using mount = await createTestMount({ 'databse-password': MARKER });
    const error = await failure(() =>
      SecretStore.open({
        secrets: { dbPassword: 'database-password' },
        sources: [mountedFiles(mount.path), environment({ DATABASE_PASWORD: MARKER })],
      }),
    );
    expect(error.code).toBe('SECRET_MISSING');
    expect(error.message).toContain('"dbPassword"');
    expect(error.message).toMatch(/mounted-files has no \S+database-password \(there: databse-password\)/);
    expect(error.message).toContain('environment has no DATABASE_PASSWORD (there: DATABASE_PASWORD)');
    expect(error.message).toMatch(
      /^A required secret is in no source\. .* Add it to a source, correct its name,/,
    );
  });

  it('is named among others, and the message speaks of all of them', async () => {
    const error = await failure(() =>
      SecretStore.open({ secrets: { one: 'one', two: 'two' }, sources: [memory({})] }),
    );
    expect(error.message).toMatch(
      /^2 required secrets are in no source\. .* Add them to a source, correct their/,
    );
  });
});

describe('an argument of another kind', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['memory(5)', () => memory(5 as never), /^memory needs an object of names and values, not that number\./],
    ['memory({ a: 5 })', () => memory({ a: 5 } as never), /value of "a" must be a string or a Uint8Array/],
    ['set({ a: {} })', () => memory().set({ a: {} } as never), /not an object.*JSON\.stringify/],
    ['new SecretStore()', () => new (SecretStore as never as new () => unknown)(), /await SecretStore\.open/],
  ])('is refused with the fix: %s', async (_call, attempt, message) => {
    const error = await failure(attempt);
    expect([error.code, error.message]).toEqual(['OPTION_INVALID', expect.stringMatching(message)]);
  });

  it('is refused by redact', async () => {
    await using store = await SecretStore.open({ sources: [memory({ a: MARKER })] });
    const error = await failure(() => store.redact(123 as never));
    expect(error.message).toBe(
      'redact needs a string, not that number. Pass the finished log line: redact(JSON.stringify(entry)), for example.',
    );
  });

  it('leaves a memory source as it was', async () => {
    const source = memory({ a: 'first' });
    await using store = await SecretStore.open({ sources: [source] });
    await failure(() => source.set({ a: 'second', b: 5 } as never));
    await store.refresh();
    expect(store.reveal('a')).toBe('first');
  });
});

describe('a mount', () => {
  it.each([
    ['MOUNT_MISSING', (path: string) => join(path, 'gone')],
    ['MOUNT_EMPTY', (path: string) => path],
    [
      'MOUNT_EMPTY',
      (path: string) => {
        mkdirSync(join(path, '..2026_11_23_20_01_21.1853148849'));
        return path;
      },
    ],
    [
      'MOUNT_NOT_DIRECTORY',
      (path: string) => {
        writeFileSync(join(path, 'file'), MARKER);
        return join(path, 'file');
      },
    ],
  ])('is refused at open with %s when it cannot be used', async (code, prepare) => {
    const path = prepare(directory());
    const error = await failure(() => SecretStore.open({ sources: [mountedFiles(path)] }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
  });
});

describe('a file', () => {
  it('is refused when a link leads to it outside the mount', async () => {
    const outside = directory();
    const path = directory();
    writeFileSync(join(outside, 'one'), MARKER);
    symlinkSync(join(outside, 'one'), join(path, 'one'));
    const error = await failure(() =>
      SecretStore.open({ secrets: { one: 'one' }, sources: [mountedFiles(path)] }),
    );
    expect(error.code).toBe('FILE_OUTSIDE_MOUNT');
  });

  it('is refused over the size limit, and the last good value keeps serving', async () => {
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
    'is outside the mount when it is named %s',
    async (file) => {
      expect((await failure(() => secret.text('one', { file }))).code).toBe('FILE_OUTSIDE_MOUNT');
    },
  );
});

describe('a value', () => {
  const amount = { zod: z.object({ key: z.number() }), valibot: v.object({ key: v.number() }) };

  it.each([
    ['VALUE_EMPTY', 'one', ''],
    ['VALUE_EMPTY', 'one', '\n'],
    ['VALUE_NOT_UTF8', 'one', Uint8Array.of(0xff, 0xfe)],
    ['VALUE_NOT_BASE64', secret.bytes('one', { encoding: 'base64' }), `${MARKER}!`],
    ['VALUE_NOT_JSON', secret.json('one'), MARKER],
    ['VALUE_REFUSED', secret.json('one', amount.zod), JSON.stringify({ key: MARKER })],
    ['VALUE_REFUSED', secret.json('one', amount.valibot), JSON.stringify({ key: MARKER })],
    [
      'VALUE_REFUSED',
      secret.json(
        'one',
        z.string().transform((text) => {
          throw new Error(text);
        }),
      ),
      JSON.stringify(MARKER),
    ],
  ])('is refused with %s when it cannot be used', async (code, definition, bytes) => {
    const error = await failure(opening(definition as string, bytes));
    expect(error).toMatchObject({ code, secret: 'one' });
  });

  it('is located by its property when a schema refuses it', async () => {
    const error = await failure(
      opening(secret.json('one', amount.zod) as never, JSON.stringify({ key: MARKER })),
    );
    expect(error.message).toContain('"key"');
  });
});

describe('names and options', () => {
  it.each([
    ['NAME_INVALID', () => secret.text('a b')],
    ['NAME_INVALID', () => secret.text('')],
    ['NAME_INVALID', () => secret.text('one', { env: 'NOT-A-VARIABLE' })],
    ['NAME_DUPLICATE', () => SecretStore.open({ secrets: { a: 'one', b: 'one' }, sources: [memory()] })],
    ['NAME_DUPLICATE', () => SecretStore.open({ secrets: { a: 'a-b', b: 'a_b' }, sources: [memory()] })],
    ['OPTION_INVALID', () => SecretStore.open({ sources: [] })],
    ['OPTION_INVALID', () => secret.text('one', { keepPreviousMs: -1 })],
    ['OPTION_INVALID', () => mountedFiles('/m', { pollIntervalMs: Number.NaN })],
  ])('are refused with %s when they are invalid', async (code, attempt) => {
    expect((await failure(attempt)).code).toBe(code);
  });

  it('are refused with the right spelling when they are misspelt', async () => {
    const misspelt = { refreshTimeoutMS: 1, sources: [memory()] } as object;
    const error = await failure(() => SecretStore.open(misspelt));
    expect(error).toMatchObject({ code: 'OPTION_UNKNOWN', next: 'Did you mean "refreshTimeoutMs"?' });
  });
});
