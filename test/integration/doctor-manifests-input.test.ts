import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describeFinding, diagnoseManifests, renderSarif, renderText } from 'hot-secrets/doctor';
import { describe, expect, it, onTestFinished } from 'vitest';
import { main } from '../../src/cli/main';
import { folder } from '../support/doctor-stage';
import { diagnoseText, edited, manifest, placedIn } from '../support/manifests-stage';

const SHOP = manifest('shop');
const PINNED = edited(SHOP, 'objectVersion: ""', 'objectVersion: 5f1c3a7e9b2d4c6f');
const PINNED_LINE = PINNED.split('\n').findIndex((line) => line.includes('5f1c3a7e')) + 1;

/** Files in a new directory. */
function files(content: Readonly<Record<string, string>>): string {
  const root = folder();
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

const found = async (path: string) => {
  const { findings, facts } = await diagnoseManifests(path);
  return { codes: findings.map(({ code }) => code), findings, facts: facts.manifests };
};

describe('the files that the doctor reads', () => {
  it('reads directories with those below them, and checks all files together', async () => {
    const [account, credential, provider, workload, driver] = SHOP.split('---\n') as string[];
    const root = files({
      'base/account.yaml': `${account}---\n${credential}`,
      'base/provider.yml': provider as string,
      'shop.yaml': `${workload}---\n${driver}`,
      'README.md': 'kind: apiVersion:',
      'values.yaml': 'image: {tag: "{{ x }}"}\nkind: Deployment\n',
      'package.json': '{"name": "shop", "kind": 1',
      '.git/broken.yaml': 'apiVersion: v1\nkind: [',
      'node_modules/broken.yaml': 'apiVersion: v1\nkind: [',
    });
    expect(await found(root)).toMatchObject({ codes: [], facts: { files: 3, objects: 5 } });
  });

  it('notes templates of Helm once, and checks the other files', async () => {
    const root = files({
      'chart/templates/deployment.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ include "x" . }}\n',
      'chart/templates/service.yaml':
        'apiVersion: v1\nkind: Service\nmetadata:\n  name: "{{ .Release.Name }}"\n',
      'shop.yaml': PINNED,
    });
    const { codes, findings } = await found(root);
    expect(codes).toEqual(['PROVIDER_VERSION_PINNED', 'MANIFEST_TEMPLATE']);
    const { next, what } = describeFinding(findings[1] as never);
    expect(next).toBe(`Render it first: helm template ${join(root, 'chart')} | npx hot-secrets doctor -`);
    expect(what).toMatch(/deployment\.yaml, .*service\.yaml$/);
  });

  it('leaves patches of Kustomize out, since they are parts of objects', async () => {
    const patch =
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {template: {spec: {containers: [{name: app, volumeMounts: [{name: extra}]}]}}}\n';
    const root = files({
      'kustomization.yaml': 'resources: [shop.yaml]\npatches:\n  - path: patches/extra.yaml\n',
      'patches/extra.yaml': patch,
      'shop.yaml': SHOP,
    });
    const { codes, findings } = await found(root);
    expect(codes).toEqual(['MANIFEST_TEMPLATE']);
    expect(describeFinding(findings[0] as never).next).toContain(`kustomize build ${root} |`);
  });

  it.each([
    ['a path that does not exist', () => '/no/such/manifests', ['MANIFEST_UNREADABLE']],
    ['a directory without manifests', () => files({ 'values.yaml': 'a: 1\n' }), ['MANIFEST_NONE']],
    ['a file that is not a manifest', () => join(files({ a: 'text' }), 'a'), ['MANIFEST_NONE']],
    [
      'tabs',
      () => files({ 'a.yaml': 'apiVersion: v1\nkind: Pod\nspec:\n\tcontainers: []\n' }),
      ['MANIFEST_INVALID'],
    ],
    [
      'a key that is there twice',
      () => files({ 'a.yaml': 'apiVersion: v1\nkind: Pod\nkind: Pod\n' }),
      ['MANIFEST_INVALID'],
    ],
  ])('says so for %s', async (_set, path, codes) => {
    expect((await found(path())).codes).toEqual(codes);
  });

  it.skipIf(process.geteuid?.() === 0)('says which file may not be read', async () => {
    const root = files({ 'a.yaml': SHOP });
    chmodSync(join(root, 'a.yaml'), 0);
    const { codes, findings } = await found(root);
    expect(codes).toEqual(['MANIFEST_UNREADABLE']);
    expect(describeFinding(findings[0] as never).what).toContain('EACCES');
  });

  it.each([[[]], [[1]], [['']], [[{ text: 'kind: Pod' }]], [[null]]])(
    'refuses %j as manifests',
    async (inputs) => {
      await expect(diagnoseManifests(inputs as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    },
  );
});

describe('the lines of findings', () => {
  it('names the lines of the file in JSON, in Windows files and after a byte order mark', async () => {
    const json = `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, immutable: true }] }, null, '\t')}\n`;
    for (const text of [json, PINNED, PINNED.replaceAll('\n', '\r\n'), `\ufeff${PINNED}`]) {
      const { findings } = await diagnoseText(text);
      expect(findings.map((one) => placedIn(text, one))).toEqual([
        text === json
          ? 'SECRET_IMMUTABLE: "immutable": true'
          : 'PROVIDER_VERSION_PINNED: objectVersion: 5f1c3a7e9b2d4c6f',
      ]);
    }
  });

  it('names the line of the quoted text where the objects are quoted', async () => {
    const objects = JSON.stringify(
      'array:\n  - |\n    objectName: a\n    objectType: secret\n    objectVersion: "1"\n',
    );
    const text = `apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: a}\nspec:\n  provider: azure\n  parameters:\n    keyvaultName: kvname\n    tenantId: tid\n    objects: ${objects}\n`;
    const { findings } = await diagnoseText(text);
    expect(findings).toMatchObject([{ code: 'PROVIDER_VERSION_PINNED', line: 9 }]);
  });

  it('follows anchors and merge keys, and a bomb of them costs nothing', async () => {
    const text = edited(
      edited(
        SHOP,
        '          image: shop:1\n          env:\n',
        '          image: shop:1\n          env: &env\n',
      ),
      '          command: [node, migrate.js]\n',
      '          command: [node, migrate.js]\n        - <<: &other {name: other, image: "shop:1"}\n          env: [{name: DB_PASSWORD, value: Marked-Value-7c1f}]\n        - <<: [*other]\n          name: third\n          self: &self [*self]\n',
    );
    const { findings } = await diagnoseText(text);
    expect(findings.map((one) => placedIn(text, one))).toEqual([
      'ENV_PLAIN_SECRET: env: [{name: DB_PASSWORD, value: Marked-Value-7c1f}]',
    ]);
    const levels = Array.from(
      { length: 40 },
      (_, index) => `  a${index + 1}: &a${index + 1} [${`*a${index},`.repeat(9)}]`,
    );
    const bomb = `apiVersion: v1\nkind: Bomb\nmetadata: {name: a}\nspec:\n  a0: &a0 [x]\n${levels.join('\n')}\n`;
    const started = performance.now();
    expect((await diagnoseText(bomb)).findings).toEqual([]);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('hot-secrets doctor with manifests', () => {
  async function run(...args: string[]) {
    let out = '';
    let err = '';
    const status = await main(['doctor', ...args], {
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        err += text;
      },
      colors: false,
      signal: new AbortController().signal,
    });
    return { status, out, err };
  }

  it('prints the place of each finding, and ends with the status of the worst', async () => {
    const root = files({ 'shop.yaml': PINNED });
    const { status, out } = await run(root);
    expect(status).toBe(1);
    expect(out).toMatch(/^5 objects in 1 file\n\nwarning PROVIDER_VERSION_PINNED /);
    expect(out).toContain(`\n  ${root}/shop.yaml:${PINNED_LINE}\n  → Remove objectVersion`);
    expect((await run('--fail-on', 'error', root)).status).toBe(0);
    expect((await run(files({ 'shop.yaml': SHOP }))).out).toBe('5 objects in 1 file\n\nNothing to fix.\n');
    expect((await run('/no/such')).status).toBe(2);
  });

  it('reads the output of other programs from the standard input', async () => {
    const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor;
    onTestFinished(() => void Object.defineProperty(process, 'stdin', stdin));
    Object.defineProperty(process, 'stdin', {
      value: Readable.from([Buffer.from(PINNED)]),
      configurable: true,
    });
    const { status, out } = await run('-', '--json');
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      level: 'warning',
      facts: { manifests: { files: 1, objects: 5 } },
      findings: [{ code: 'PROVIDER_VERSION_PINNED', place: 'stdin', line: PINNED_LINE }],
    });
  });

  it('refuses options that are for a pod', async () => {
    const { status, err } = await run('manifests/', '--mount', '/mnt/secrets-store');
    expect(status).toBe(64);
    expect(err).toContain('--mount is for a running pod, not for manifests');
  });

  it('names file and line in SARIF, relative to the repository', async () => {
    const diagnosis = await diagnoseManifests({ name: './my manifests/shop.yaml', text: PINNED });
    expect(JSON.parse(renderSarif(diagnosis)).runs[0].results).toMatchObject([
      {
        ruleId: 'PROVIDER_VERSION_PINNED',
        level: 'warning',
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: 'my%20manifests/shop.yaml' },
              region: { startLine: PINNED_LINE },
            },
          },
        ],
      },
    ]);
    expect(renderText(diagnosis)).toContain(`\n  ./my manifests/shop.yaml:${PINNED_LINE}\n`);
  });
});
