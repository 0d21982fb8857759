import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main';
import { folder, mountOf } from '../support/doctor-stage';
import { holds } from '../support/encodings';
import { waitFor } from '../support/wait-for';

const VALUE = 'Marked-Value-7c1f';
const OTHER = 'Other-Marked-33';
const service = (name: string) =>
  fileURLToPath(new URL(`../support/doctor-services/${name}.ts`, import.meta.url));

beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (/SECRET|TOKEN|KEY|PASS|AZURE/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined);
  vi.stubEnv('MARKED', VALUE);
  vi.resetModules();
});

afterEach(() => vi.unstubAllEnvs());

/** Runs a command in this process. Nothing that it writes contains a value. */
async function run(...args: string[]) {
  const started = start(...args);
  const status = await started.done;
  return { status, out: started.out(), err: started.err() };
}

function start(...args: string[]) {
  const stop = new AbortController();
  let out = '';
  let err = '';
  const checked = (text: string) => {
    for (const value of [VALUE, OTHER]) expect(holds(text, value)).toBe(false);
    return text;
  };
  const done = main(args, {
    write: (text) => {
      out += checked(text);
    },
    writeError: (text) => {
      err += checked(text);
    },
    colors: false,
    signal: stop.signal,
  });
  return { done, stop: () => stop.abort(), out: () => out, err: () => err };
}

const doctor = (...args: string[]) => run('doctor', '--no-live-test', ...args);

describe('hot-secrets doctor', () => {
  it('prints a sound mount with status 0, a warning with 1 and an error with 2', async () => {
    const sound = await mountOf({ 'db-password': VALUE }, { mode: 0o600 });
    const warning = await mountOf({ 'db-password': `"${VALUE}"` });
    expect(await doctor('--mount', sound.path)).toMatchObject({ status: 0, err: '' });
    expect((await doctor('--mount', sound.path)).out).toMatch(
      /a CSI or Secret volume.*1 file.*\n\nNothing to fix\.\n$/s,
    );
    expect(await doctor('--mount', warning.path)).toMatchObject({ status: 1 });
    expect(await doctor('--mount', warning.path, '--fail-on', 'error')).toMatchObject({ status: 0 });
    expect(await doctor('--mount', '/no/such')).toMatchObject({ status: 2 });
    expect(await doctor('--mount', '/no/such', '--fail-on', 'error')).toMatchObject({ status: 2 });
  });

  it('prints what happened, where, and what to do next', async () => {
    const { path } = await mountOf({ 'db-password': `"${VALUE}"` }, { mode: 0o600 });
    const { out } = await doctor('--mount', path);
    expect(out).toContain(
      'warning VALUE_SUSPECT the value of "db-password" is probably not what was meant: it is in quotes (offsets 0 and 18).\n',
    );
    expect(out).toContain('  → It is used as it is. Correct the stored text');
    expect(out).toMatch(/\n1 warning\n$/);
  });

  it('checks several mounts', async () => {
    const one = await mountOf({ a: `${VALUE}\n\n` });
    const other = await mountOf({ b: `'${VALUE}'` });
    const { out } = await doctor('--mount', one.path, '--mount', other.path);
    expect(out).toContain('VALUE_SUSPECT the value of "a"');
    expect(out).toContain('VALUE_SUSPECT the value of "b"');
  });

  it('prints JSON and SARIF for programs', async () => {
    const { path } = await mountOf({ 'db-password': `"${VALUE}"` }, { mode: 0o600 });
    const json = JSON.parse((await doctor('--mount', path, '--json')).out);
    expect(json).toMatchObject({
      version: 1,
      level: 'warning',
      facts: { mounts: [{ path, kind: 'kubernetes', files: 1 }] },
      findings: [
        {
          code: 'VALUE_SUSPECT',
          level: 'warning',
          secret: 'db-password',
          args: { what: expect.stringContaining('in quotes'), next: expect.any(String) },
          what: expect.any(String),
          next: expect.any(String),
        },
      ],
    });
    const sarif = JSON.parse((await doctor('--mount', path, '--sarif')).out);
    expect(sarif).toMatchObject({
      version: '2.1.0',
      runs: [{ tool: { driver: { rules: [{ id: 'VALUE_SUSPECT' }] } } }],
    });
    expect(sarif.runs[0].results).toMatchObject([
      {
        ruleId: 'VALUE_SUSPECT',
        ruleIndex: 0,
        level: 'warning',
        message: { text: expect.stringContaining('in quotes') },
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: expect.stringMatching(/^file:\/\/\/.*db-password$/) },
            },
          },
        ],
      },
    ]);
  });

  it('escapes control characters in the names of files', async () => {
    const path = folder();
    writeFileSync(join(path, 'evil\u001b[31m'), VALUE);
    const { out } = await doctor('--mount', path);
    expect(out).not.toContain('\u001b');
    expect(out).toContain('NAME_INVALID');
  });

  it('checks the declared secrets of a service', async () => {
    const { path } = await mountOf({ 'db-password': `${VALUE}\n\n` }, { mode: 0o600 });
    vi.stubEnv('SERVICE_MOUNT', path);
    vi.stubEnv('API_KEY', OTHER);
    const { status, out } = await doctor('--store', service('options'));
    expect(status).toBe(1);
    expect(out).toMatch(/VALUE_SUSPECT the value of "db-password" .* \(declared as "dbPassword"\)/);
    expect(out).toContain('ENVIRONMENT_ONLY "apiKey": only the variable API_KEY has this secret');
    expect(out).not.toContain('beta');
  });

  it('checks a store that the service opens, with its definitions', async () => {
    const { path } = await mountOf({ 'db-password': VALUE, 'api-key': OTHER }, { mode: 0o600 });
    vi.stubEnv('SERVICE_MOUNT', path);
    vi.stubEnv('DB_PASSWORD', OTHER);
    const { status, out } = await doctor('--store', service('store'));
    expect(out).toContain('ENVIRONMENT_COPY_DIFFERS "dbPassword"');
    expect(status).toBe(1);
  });

  it.each([
    ['whose store does not open', 'store', 'MOUNT_MISSING'],
    ['that exports no store', 'nothing', 'STORE_MODULE_INVALID'],
    ['that throws while it loads', 'throws', 'STORE_MODULE_INVALID'],
    ['that does not exist', 'none', 'STORE_MODULE_INVALID'],
  ])('reports a module %s', async (_which, name, code) => {
    const { status, out } = await doctor('--store', service(name));
    expect(status).toBe(2);
    expect(out).toContain(`error ${code}`);
  });

  it.each([
    [['doctor', '--nonsense'], /nonsense/],
    [['doctor', '--json', '--sarif'], /exclude/],
    [['doctor', '--fail-on', 'note'], /error or warning/],
    [['doctor', '--expect-rotation', 'soon'], /number of days/],
    [['doctor', '--vault', 'http://shop'], /https address/],
    [['report', '--sarif'], /sarif/],
    [['what'], /unknown command "what"/],
    [[], /Usage/],
  ])('ends with status 64 and says why for %j', async (args, message) => {
    const { status, out, err } = await run(...args);
    expect([status, out]).toEqual([64, '']);
    expect(err).toMatch(message);
  });

  it('says that the module of the service does not exist, and where it looked', async () => {
    const { status, out } = await doctor('--store', './no-such-module.js');
    expect(status).toBe(2);
    expect(out).toMatch(/no-such-module\.js does not exist.\n.*Looked for \/.*\/no-such-module\.js/);
  });

  it('checks the mount of systemd, which a store reads without being told', async () => {
    const { path } = await mountOf({ 'db-password': `"${VALUE}"` });
    vi.stubEnv('SECRETS_PATH', undefined);
    vi.stubEnv('CREDENTIALS_DIRECTORY', path);
    const { status, out } = await doctor();
    expect(status).toBe(1);
    expect(out).toContain(`${path}`);
    expect(out).not.toContain('MOUNT_MISSING');
    expect(out).not.toContain('CREDENTIALS_DIRECTORY');
  });

  it('prints the version of the package', async () => {
    expect(await run('--version')).toMatchObject({ status: 0, out: '0.1.0\n' });
  });

  it.each([[['--help']], [['help']], [['doctor', '--help']]])('prints its help for %j', async (args) => {
    const { status, out } = await run(...args);
    expect(status).toBe(0);
    expect(out).toContain('Usage: hot-secrets <command>');
  });
});

describe('hot-secrets report', () => {
  it('says which source serves each secret, what is left, and what may be deleted', async () => {
    const mount = await mountOf({ 'db-password': VALUE });
    vi.stubEnv('SERVICE_MOUNT', mount.path);
    vi.stubEnv('DB_PASSWORD', VALUE);
    vi.stubEnv('API_KEY', OTHER);
    const before = await run('report', '--store', service('options'));
    expect(before.status).toBe(1);
    expect(before.out).toMatch(/^dbPassword {2}mounted-files {2}\S+\/mount\/db-password$/m);
    expect(before.out).toMatch(
      /^apiKey {6}environment {2}API_KEY {2}\(fallback: mounted-files has no \S+\)$/m,
    );
    expect(before.out).toMatch(/^beta {8}absent \(optional\)$/m);
    expect(before.out).toContain('The migration is not done: 1 secret left (apiKey).');
    expect(before.out).toContain('May be deleted once nothing else reads them: DB_PASSWORD');

    vi.stubEnv('API_KEY_KV', OTHER);
    vi.resetModules();
    const between = JSON.parse((await run('report', '--store', service('options'), '--json')).out);
    expect(between).toMatchObject({ version: 1, done: false, removable: ['DB_PASSWORD', 'API_KEY'] });

    await mount.rotate({ 'api-key': OTHER });
    vi.resetModules();
    const after = await run('report', '--store', service('options'));
    expect(after.status).toBe(0);
    expect(after.out).toContain('The migration is done');
    expect(after.out).toContain('DB_PASSWORD, API_KEY_KV, API_KEY');
  });

  it('reports every file of a mount, and variables that nobody declared', async () => {
    const { path } = await mountOf({ 'db-password': VALUE });
    vi.stubEnv('STRIPE_API_KEY', OTHER);
    const { status, out } = await run('report', '--mount', path);
    expect(status).toBe(0);
    expect(out).toContain('Variables that look like secrets, but are not declared: STRIPE_API_KEY');
  });

  it('ends with status 2 and the reason if the store does not open', async () => {
    const { status, err } = await run('report', '--mount', '/no/such/mount');
    expect(status).toBe(2);
    expect(err).toContain('hot-secrets report: the mount /no/such/mount does not exist.');
    const json = JSON.parse((await run('report', '--json', '--mount', '/no/such/mount')).out);
    expect(json).toMatchObject({ done: false, error: { code: 'MOUNT_MISSING' } });
    expect(json.error.message).toContain('/no/such/mount does not exist');
  });

  it('does not call a migration done when no source has any secret', async () => {
    vi.stubEnv('SECRETS_PATH', undefined);
    vi.stubEnv('CREDENTIALS_DIRECTORY', (await mountOf({})).path);
    const { status, out } = await run('report');
    expect(status).toBe(1);
    expect(out).toContain('there is nothing to judge. Pass --store');
  });
});

describe('hot-secrets watch', () => {
  it.each([
    ['people', [], /generation 4 \(watch\): db-password rotated \(mounted-files, [\w-]{8} → [\w-]{8}\)/],
    ['programs', ['--json'], /"event":"change","generation":4/],
  ])(
    'prints each of three rotations and a problem for %s, and ends when it is asked',
    async (_who, args, last) => {
      const mount = await mountOf({ 'db-password': VALUE });
      const watching = start('watch', '--mount', mount.path, ...args);
      await waitFor(() => /open/.test(watching.out()));
      for (const round of [1, 2, 3]) {
        await mount.rotate({ 'db-password': `${OTHER}-${round}` });
        await waitFor(() => new RegExp(`generation\\W+${round + 1}\\b`).test(watching.out()));
      }
      await mount.rotate({ 'db-password': '' });
      await waitFor(() => watching.out().includes('VALUE_EMPTY'));
      watching.stop();
      expect(await watching.done).toBe(0);
      expect(watching.out()).toMatch(last);
      expect(watching.err()).toBe('');
      const lines = watching.out().trim().split('\n');
      if (args.length > 0) {
        const events = lines.map((line) => JSON.parse(line).event);
        expect(events.slice(0, 5)).toEqual(['open', 'change', 'change', 'change', 'error']);
        expect(events.at(-1)).toBe('close');
      } else {
        expect(lines.at(-1)).toMatch(/^\d\d:\d\d:\d\d closed at generation \d$/);
      }
    },
  );
});
