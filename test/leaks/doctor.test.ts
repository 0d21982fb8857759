import { chmodSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountedFiles, secret } from 'hot-secrets';
import { describeFinding, type Finding } from 'hot-secrets/doctor';
import { createKeyVaultEmulator } from 'hot-secrets/testing';
import { expect, it, onTestFinished } from 'vitest';
import { withFindings } from '../../src/doctor/diagnose';
import { type DoctorCode, doctorLevels, type FindingArgs, finding } from '../../src/doctor/findings';
import { examine, expectNotIn, mountLine, mountOf, type SetUp } from '../support/doctor-stage';

const MARK = 'Marked-Value-7c1f';
const NEWER = 'Newer-Marked-91';
const MOUNTINFO = '/proc/self/mountinfo';

/** Values with every fault that a value can have. */
const FAULTY = {
  newline: `${MARK}\n`,
  newlines: `${MARK}\n\n`,
  whitespace: ` ${MARK}`,
  crlf: `${MARK}\r\n${MARK}`,
  bom: `\ufeff${MARK}`,
  utf16: Buffer.from(MARK, 'utf16le'),
  nul: `${MARK}\0`,
  quoted: `"${MARK}"`,
  pem: `"-----BEGIN PRIVATE KEY-----\n${MARK}\n-----END PRIVATE KEY-----"`,
  escaped: `-----BEGIN PRIVATE KEY-----\\n${MARK}\\n-----END PRIVATE KEY-----`,
  base64: Buffer.from(MARK).toString('base64'),
  reference: `vault:secret/data/shop#${MARK}`,
  part: `postgres://app:$(DB_PASSWORD)@${MARK}/app`,
  variable: `<${MARK}>`,
  placeholder: `[${MARK}]`,
  pfx: Buffer.concat([
    Buffer.from('308209a002010330820966060a2a864886f70d010701'.replace('060a', '0609'), 'hex'),
    Buffer.from(MARK.repeat(3)),
  ]).toString('base64'),
  'db-password': MARK,
  db_password: MARK,
  copy: MARK,
};

/** Set-ups that together have every finding whose facts come near a value. */
const SET_UPS: readonly (() => Promise<SetUp>)[] = [
  async () => ({
    environment: {
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      COPY: `${MARK}2`,
      BASE64: FAULTY.base64,
      API_TOKEN: MARK,
    },
    options: { mounts: [(await mountOf(FAULTY)).path], expectedRotationDays: 0 },
  }),
  async () => {
    const { path } = await mountOf({ password: MARK });
    symlinkSync(`..data/${'removed'}`, join(path, 'removed'));
    symlinkSync('..2026_01_01_00_00_00.1', join(path, '..data_tmp'));
    writeFileSync(join(path, 'extra'), MARK);
    chmodSync(join(path, 'extra'), 0o666);
    return { now: Date.now() + 100 * 86_400_000, options: { mounts: [path] } };
  },
  async () => {
    const { path } = await mountOf({ a: MARK, b: MARK }, { layout: 'plain' });
    const texts = {
      [MOUNTINFO]:
        mountLine('/home/a', `${path}/a`, 'nfs4') +
        mountLine('/home/b//deleted', `${path}/b`, 'nfs4') +
        mountLine('/', '/', 'nfs4'),
    };
    chmodSync(join(path, 'a'), 0o666);
    return { texts, nodeVersion: '18.0.0', options: { mounts: [path] } };
  },
  async () => ({
    environment: { ONLY: MARK },
    options: {
      secrets: {
        only: 'only',
        missing: 'missing',
        number: secret.json('number', {
          '~standard': {
            version: 1,
            vendor: MARK,
            validate: () => {
              throw new Error(MARK);
            },
          },
        }),
      },
      sources: [mountedFiles((await mountOf({ number: `{"a":"${MARK}"}` })).path)],
    },
  }),
  async () => {
    const vault = await createKeyVaultEmulator({ secrets: { password: MARK } });
    onTestFinished(() => vault.close());
    const { path } = await mountOf({ password: MARK, other: MARK });
    await vault.set('password', NEWER);
    await vault.projectToken({
      content: `a.${Buffer.from(`{"sub":"${MARK}","iat":"${MARK}"}`).toString('base64url')}.c`,
    });
    const identity = vault.workloadIdentity;
    return {
      now: Date.now() + 3_600_000,
      environment: {
        AZURE_FEDERATED_TOKEN_FILE: identity.tokenFilePath,
        AZURE_TENANT_ID: identity.tenantId,
        AZURE_CLIENT_ID: identity.clientId,
      },
      options: {
        mounts: [path],
        keyVault: {
          ...vault.options,
          workloadIdentity: undefined,
          startTimeoutMs: 2_000,
          credential: {
            getToken: async () => {
              throw Object.assign(new Error(MARK), { code: MARK });
            },
          },
        },
      },
    };
  },
];

it('shows no value in any output, whatever is wrong', async () => {
  const seen = new Set<string>();
  for (const build of SET_UPS) {
    const diagnosis = await examine(await build());
    for (const value of [MARK, NEWER]) expectNotIn(diagnosis, value);
    for (const { code } of diagnosis.findings) seen.add(code);
  }
  const values = (Object.keys(doctorLevels) as DoctorCode[]).filter((code) =>
    /^(VALUE|NAME|ENVIRONMENT|FILE|LINK)_/.test(code),
  );
  const ofPackage = [
    'VALUE_SUSPECT',
    'VALUE_UNRESOLVED',
    'VALUE_NOT_TEXT',
    'MOUNT_SINGLE_FILE',
    'MOUNT_REPLACED',
  ];
  expect([...values, ...ofPackage].filter((code) => !seen.has(code))).toEqual([]);
});

it('describes every code from its facts alone', async () => {
  const facts = new Proxy({} as Record<string, unknown>, {
    get: (_, name) =>
      /^(files|names|copies)$/.test(String(name))
        ? ['a', 'b']
        : /days|count|lines|seconds|value|used|seen|swaps|minutes/i.test(String(name))
          ? 3
          : `<${String(name)}>`,
  });
  const empty = await examine({});
  for (const code of Object.keys(doctorLevels) as DoctorCode[]) {
    const one: Finding = finding(code, facts as unknown as FindingArgs[typeof code], { secret: 'name' });
    const { what, next } = describeFinding(one);
    expect(what).toMatch(/^"name": \S/);
    expect(next).toMatch(/^[A-Z<].*\S$/s);
    expect(`${what}${next}`).not.toContain('undefined');
    expect(withFindings(empty, [one]).findings[0]).toEqual(one);
  }
});

it('leaves nothing in the temporary directory', async () => {
  const { path } = await mountOf({ a: MARK });
  const temporaryDirectory = join(path, '..', 'temporary');
  const { mkdirSync, readdirSync } = await import('node:fs');
  mkdirSync(temporaryDirectory);
  await examine({ temporaryDirectory, options: { mounts: [path], liveTest: true } });
  expect(readdirSync(temporaryDirectory)).toEqual([]);
  rmSync(temporaryDirectory, { recursive: true });
});
