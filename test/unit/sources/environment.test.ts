import { spawnSync } from 'node:child_process';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { environment, memory, SecretStore, type SecretsError, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

const opening = (variables: Record<string, string>, options = {}) =>
  SecretStore.open({ secrets: { p: 'db-password' }, sources: [environment(variables, options)] });

describe('a variable that names a file', () => {
  it('reads the file of DB_PASSWORD_FILE and follows its rotations, user and password together', async () => {
    await using mount = await createTestMount({ user: 'u0', password: 'p0\n' });
    const variables = { DB_USER_FILE: `${mount.path}/user`, DB_PASSWORD_FILE: `${mount.path}/password` };
    await using store = await SecretStore.open({
      secrets: { user: 'db-user', password: 'db-password' },
      sources: [environment(variables)],
    });
    const log = record(store);
    expect(store.get('password').origin).toBe(`DB_PASSWORD_FILE (${mount.path}/password)`);
    for (const round of [1, 2, 3]) {
      await mount.rotate({ user: `u${round}`, password: `p${round}\n` });
      await waitFor(() => store.reveal('user') === `u${round}`);
      expect(store.reveal('password')).toBe(`p${round}`);
    }
    expect([log.changes.length, log.codes(), store.health().status]).toEqual([3, [], 'ok']);
  });

  it('follows a plain file that is replaced', async () => {
    await using mount = await createTestMount({}, { layout: 'plain' });
    const path = `${mount.path}/password`;
    await writeFile(path, 'p0');
    await using store = await opening({ DB_PASSWORD_FILE: path }, { pollIntervalMs: 50 });
    for (const value of ['p1', 'p2', 'p3']) {
      await writeFile(`${path}.tmp`, value);
      await rename(`${path}.tmp`, path);
      await waitFor(() => store.reveal('p') === value);
    }
  });

  it('prefers the variable itself, and the first of several', async () => {
    await using mount = await createTestMount({ a: 'file-a', b: 'file-b' });
    const read = async (variables: Record<string, string>) => {
      const one = secret.text('one', { env: ['A', 'B'] });
      await using store = await SecretStore.open({ secrets: { one }, sources: [environment(variables)] });
      return store.reveal('one');
    };
    const files = { A_FILE: `${mount.path}/a`, B_FILE: `${mount.path}/b` };
    expect(await read({ ...files, A: 'value' })).toBe('value');
    expect(await read({ ...files, B: 'value' })).toBe('file-a');
    expect(await read({ ...files, A: '', A_FILE: '' })).toBe('file-b');
  });

  it('reads no file with files: false, and never one that belongs to a tool', async () => {
    await using mount = await createTestMount({ x: 'text' });
    const path = `${mount.path}/x`;
    await expect(opening({ DB_PASSWORD_FILE: path }, { files: false })).rejects.toMatchObject({
      code: 'SECRET_MISSING',
    });
    for (const name of ['ssl-cert', 'log', 'pid', 'config', 'node-extra']) {
      const variable = `${name.toUpperCase().replace('-', '_')}_FILE`;
      const opened = SecretStore.open({ secrets: { x: name }, sources: [environment({ [variable]: path })] });
      await expect(opened, name).rejects.toMatchObject({ code: 'SECRET_MISSING' });
    }
  });

  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['does not exist', async () => {}, 'FILE_UNREADABLE'],
    ['is a directory', (path) => mkdir(path), 'FILE_UNREADABLE'],
    ['is a link out of its directory', (path) => symlink('/etc/hostname', path), 'FILE_OUTSIDE_MOUNT'],
    ['is a pipe', async (path) => spawnSync('mkfifo', [path]), 'FILE_UNREADABLE'],
    ['is a device', (path) => symlink('/dev/zero', path), 'FILE_OUTSIDE_MOUNT'],
    ['is too large', (path) => writeFile(path, Buffer.alloc(1024 * 1024 + 1)), 'FILE_TOO_LARGE'],
  ])('fails when the file %s, and asks no other source', async (_what, make, code) => {
    await using mount = await createTestMount({ other: 'x' }, { layout: 'plain' });
    const path = `${mount.path}/password`;
    await make(path);
    const sources = [environment({ DB_PASSWORD_FILE: path }), memory({ 'db-password': 'below' })];
    const opened = SecretStore.open({ secrets: { p: 'db-password' }, sources });
    await expect(opened).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/named by DB_PASSWORD_FILE/),
    });
  });

  it('fails when the directory of the file does not exist', async () => {
    await expect(opening({ DB_PASSWORD_FILE: '/nowhere/at/all' })).rejects.toMatchObject({
      code: 'MOUNT_MISSING',
      message: expect.stringContaining('named by DB_PASSWORD_FILE'),
    });
  });

  it('shows no value when the variable holds the secret instead of a path', async () => {
    const error: SecretsError = await opening({ DB_PASSWORD_FILE: 'hunter2-marker' }).catch(
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: 'FILE_UNREADABLE', next: expect.stringContaining('DB_PASSWORD.') });
    expect(error.message).not.toContain('marker');
  });

  it('keeps the last value while the file is gone or unreadable, and recovers', async () => {
    await using mount = await createTestMount({ other: 'x' }, { layout: 'plain' });
    const path = `${mount.path}/password`;
    await writeFile(path, 'p1');
    await using store = await opening({ DB_PASSWORD_FILE: path });
    const log = record(store);
    await rm(path);
    await store.refresh();
    await store.refresh();
    expect([store.reveal('p'), log.codes()]).toEqual(['p1', ['FILE_UNREADABLE']]);
    await writeFile(path, 'p2');
    await store.refresh();
    expect([store.reveal('p'), log.recovered.length]).toEqual(['p2', 1]);
    if (process.getuid?.() === 0) return;
    await chmod(path, 0);
    await store.refresh();
    expect([store.reveal('p'), log.codes().at(-1)]).toEqual(['p2', 'FILE_UNREADABLE']);
  });

  it('reads it for an undeclared name too, and then follows it', async () => {
    await using mount = await createTestMount({ password: 'p1' });
    await using store = await SecretStore.open({
      sources: [environment({ DB_PASSWORD_FILE: `${mount.path}/password`, API_KEY_FILE: '/nowhere/x' })],
    });
    expect(store.reveal('db-password')).toBe('p1');
    expect(() => store.reveal('api-key')).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    for (const value of ['p2', 'p3', 'p4']) {
      await mount.rotate({ password: value });
      await store.refresh();
      expect(store.reveal('db-password')).toBe(value);
    }
  });
});

describe('a variable that others set', () => {
  const told = async (
    variables: Record<string, string>,
    secrets: Record<string, ReturnType<typeof secret.text>>,
  ) => {
    const errors: SecretsError[] = [];
    await using store = await SecretStore.open({
      secrets,
      sources: [environment(variables)],
      on: { error: (error) => errors.push(error) },
    });
    await store.refresh();
    return [
      errors.map(({ code }) => code),
      store.health().secrets.length,
      store.reveal('x'),
      errors[0]?.message,
    ];
  };

  it.each([
    ['username', 'USERNAME', 'maria'],
    ['pwd', 'PWD', '/srv'],
    ['hostname', 'HOSTNAME', 'pod-7f'],
    ['user', 'USER', 'maria'],
    ['redis-port', 'REDIS_PORT', 'tcp://10.0.0.11:6379'],
    ['redis-port', 'REDIS_PORT', 'tcp://[fd00::1]:6379'],
    ['redis-port-6379-tcp', 'REDIS_PORT_6379_TCP', 'tcp://10.0.0.11:6379'],
    ['redis-service-host', 'REDIS_SERVICE_HOST', '10.0.0.11'],
  ])(
    'reports the variable of the secret %s once, uses it, and shows no value',
    async (alias, variable, value) => {
      const [codes, problems, revealed, message] = await told(
        { [variable]: value },
        { x: secret.text(alias) },
      );
      expect([codes, problems, revealed]).toEqual([['VARIABLE_OF_SYSTEM'], 1, value]);
      expect(message).toContain(variable);
      if (value.length > 6) expect(message).not.toContain(value);
    },
  );

  it.each([
    ['db-user', 'USERNAME', 'maria'],
    ['npm-token', 'NPM_TOKEN', 'npm_x'],
    ['node-auth-token', 'NODE_AUTH_TOKEN', 'npm_x'],
    ['redis-port', 'REDIS_PORT', '6379'],
    ['redis-url', 'REDIS_URL', 'tcp://10.0.0.11:6379'],
  ])('reports nothing for %s in %s', async (alias, variable, value) => {
    const found = await told({ [variable]: value }, { x: secret.text(alias, { env: variable }) });
    expect(found.slice(0, 3)).toEqual([[], 0, value]);
  });

  it('finds no service link for an undeclared name', async () => {
    await using store = await SecretStore.open({
      sources: [environment({ REDIS_PORT: 'tcp://10.0.0.11:6379' })],
    });
    expect(store.has('redis-port')).toBe(false);
  });
});

describe('the bytes of a variable', () => {
  // Started without a shell of Node in between, which would pass on replaced bytes.
  it.runIf(process.platform === 'linux')(
    'reads the bytes of a variable that is not UTF-8, and refuses it as text',
    () => {
      const script = `
      import { environment, SecretStore, secret } from './src/index';
      const sources = [environment()];
      const store = await SecretStore.open({ secrets: { b: secret.bytes('b'), ok: 'ok', u: 'u' }, sources });
      console.log(Buffer.from(store.reveal('b')).toString('hex'), store.reveal('ok'), store.reveal('u').length);
      await SecretStore.open({ secrets: { t: 't' }, sources }).catch((error) => console.log(error.code));`;
      const shell = `export B="$(printf '\\xff\\xfe\\x01\\x80')" T="$(printf 'p\\xe4ss')" OK=grün U="$(printf 'a\\xef\\xbf\\xbd')"
      exec node --import tsx --input-type=module -e "$SCRIPT"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', shell], {
        env: { ...process.env, SCRIPT: script },
        encoding: 'utf8',
      });
      expect(stdout.trim().split('\n'), stderr).toEqual(['fffe0180 grün 2', 'VALUE_NOT_UTF8']);
    },
  );
});
