import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretStore } from 'hot-secrets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultMounts } from '../../../src/store/default-sources';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'default-sources-'));
  for (const name of ['SECRETS_PATH', 'SERVICE_BINDING_ROOT', 'CREDENTIALS_DIRECTORY']) vi.stubEnv(name, '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** Creates a directory with one file and returns its path. */
function mountWith(name: string, file: string, value: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, file, '..'), { recursive: true });
  writeFileSync(join(path, file), value);
  return path;
}

const locations = (variables: NodeJS.ProcessEnv, docker: string) =>
  defaultMounts(variables, docker).map(({ location }) => location);

describe('the default mounts', () => {
  it('reads bindings, then credentials of systemd, then the others, each of which may be missing', async () => {
    const bindings = mountWith('bindings', 'orders-db/password', 'of-binding');
    const credentials = mountWith('credentials', 'api-key', 'of-systemd');
    mountWith('credentials', 'orders-db/password', 'passed over');
    vi.stubEnv('SERVICE_BINDING_ROOT', bindings);
    vi.stubEnv('CREDENTIALS_DIRECTORY', credentials);
    vi.stubEnv('OTHER', 'of-environment');
    await using store = await SecretStore.open({
      secrets: { password: 'orders-db/password', key: 'api-key', other: 'other' },
    });
    expect([store.reveal('password'), store.reveal('key'), store.reveal('other')]).toEqual([
      'of-binding',
      'of-systemd',
      'of-environment',
    ]);
    rmSync(bindings, { recursive: true });
    await using again = await SecretStore.open({ secrets: { password: 'orders-db/password' } });
    expect(again.reveal('password')).toBe('passed over');
  });

  it('reads only $SECRETS_PATH if it is set', () => {
    const variables = { SECRETS_PATH: '/s', SERVICE_BINDING_ROOT: '/b', CREDENTIALS_DIRECTORY: '/c' };
    expect(locations(variables, mountWith('docker', 'key', 'value'))).toEqual(['/s']);
  });

  it('reads /run/secrets last, and only if files lie in the directory itself', () => {
    const docker = mountWith('docker', 'key', 'value');
    const pod = mountWith('pod', 'kubernetes.io/serviceaccount/token', 'value');
    expect(locations({ CREDENTIALS_DIRECTORY: '/c' }, docker)).toEqual(['/c', '/mnt/secrets-store', docker]);
    expect(locations({}, pod)).toEqual(['/mnt/secrets-store']);
    expect(locations({}, join(directory, 'nothing'))).toEqual(['/mnt/secrets-store']);
    expect(locations({ SERVICE_BINDING_ROOT: docker }, docker)).toEqual([docker, '/mnt/secrets-store']);
  });
});
