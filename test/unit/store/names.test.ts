import {
  environment,
  memory,
  mountedFiles,
  SecretStore,
  type SecretsError,
  type Source,
  secret,
} from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';

const missing = async (alias: string, sources: readonly Source[]): Promise<SecretsError> =>
  SecretStore.open({ secrets: { dbPassword: alias }, sources }).then(
    () => Promise.reject(new Error('it opened')),
    (error) => error,
  );

describe('the nearest name', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`OTHER_${index}`, 'x']));

  it.each([
    ['db-password', 'db-pasword'],
    ['db-password', 'db_password'],
    ['db-password', 'DB-PASSWORD'],
    ['db-password', 'db-password.txt'],
    ['db-password', 'prod-db-password'],
    ['database-password', 'password'],
  ])('suggests for the alias %s the file %s that lies there', async (alias, file) => {
    await using mount = await createTestMount({ [file]: 'x', unrelated: 'y' });
    const error = await missing(alias, [mountedFiles(mount.path), environment({})]);
    expect(error).toMatchObject({ code: 'SECRET_MISSING', secret: 'dbPassword' });
    expect(error.next).toContain(
      `Did you mean "${file}" of mounted-files for "dbPassword"? Add it to a source`,
    );
  });

  it('suggests a variable among many, and nothing when no name is similar', async () => {
    const error = await missing('db-password', [environment({ ...many, DB_PASSWROD: 'x' })]);
    expect(error.next).toContain('Did you mean "DB_PASSWROD" of environment');
    const none = await missing('db-password', [environment({ ...many, X: 'db-password' })]);
    expect(none.next).toBe('Add it to a source, correct its name, or declare it .optional().');
  });

  it('says that a variable is set but empty', async () => {
    const error = await missing('db-password', [environment({ DB_PASSWORD: '' })]);
    expect(error.what).toContain('environment has no DB_PASSWORD (set, but empty)');
    expect(error.next).not.toContain('Did you mean');
  });
});

describe('messages about a secret whose alias is another name', () => {
  it.each([
    ['is missing', undefined, 'SECRET_MISSING'],
    ['is empty', '', 'VALUE_EMPTY'],
    ['is a reference', '$(X)', 'VALUE_UNRESOLVED'],
    ['has a NUL', 'a\0', 'VALUE_NOT_TEXT'],
  ])('names the alias and the declared name when it %s', async (_what, value, code) => {
    const error = await missing('db-password', [memory(value === undefined ? {} : { 'db-password': value })]);
    expect(error).toMatchObject({ code, secret: 'dbPassword' });
    expect(error.message).toContain('"db-password"');
    expect(error.message).toContain('"dbPassword"');
  });

  it('names both when it vanishes, is suspect or cannot be read', async () => {
    await using mount = await createTestMount({ 'db-password': 'a ', other: 'x' }, { layout: 'plain' });
    const errors: SecretsError[] = [];
    await using store = await SecretStore.open({
      secrets: { dbPassword: 'db-password' },
      sources: [mountedFiles(mount.path, { maxFileBytes: 10 })],
      on: { error: (error) => errors.push(error) },
    });
    await mount.rotate({ 'db-password': 'x'.repeat(11) });
    await store.refresh();
    await mount.remove('db-password');
    await store.refresh();
    await store.refresh();
    const seen = new Map(errors.map(({ code, message }) => [code, message]));
    expect([...seen.keys()]).toEqual(['VALUE_SUSPECT', 'FILE_TOO_LARGE', 'SECRET_VANISHED']);
    for (const message of seen.values()) {
      expect(message).toContain('"dbPassword"');
      expect(message).toContain('db-password');
    }
  });

  it('names it once when both are the same', async () => {
    const source = memory({ one: 'v' });
    await using store = await SecretStore.open({ secrets: { one: secret.text('one') }, sources: [source] });
    const log = record(store);
    source.set({ one: '' });
    await store.refresh();
    expect(log.errors[0]?.what).toBe('the value of "one" is empty (read from memory "one")');
  });
});
