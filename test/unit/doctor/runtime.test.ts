import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCopiesOfPackage, checkNode, checkPeers, NEEDED_NODE } from '../../../src/doctor/checks/runtime';
import { folder, machine } from '../../support/doctor-stage';

describe('checkNode', () => {
  it.each([
    ['18.20.4', 1],
    ['20.18.9', 1],
    ['20.19.0', 0],
    ['22.1.0', 0],
    ['26.10.0', 0],
  ])('compares Node %s with what the package needs', (nodeVersion, count) => {
    expect(checkNode(machine({ nodeVersion }))).toHaveLength(count);
  });

  it('needs what package.json says', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(engines.node).toBe(`>=${NEEDED_NODE}`);
  });
});

it('finds nothing to fix in the installed packages', () => {
  const environment = { AZURE_KEY_VAULT_ENDPOINT: 'https://shop.vault.azure.net' };
  expect(checkPeers(machine({ environment }))).toEqual([]);
});

describe('checkCopiesOfPackage', () => {
  function install(root: string, path: string, version: string): void {
    const file = join(root, path, 'package.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ name: 'hot-secrets', version }));
  }

  it.each([
    ['below another package', 'node_modules/other/node_modules/hot-secrets'],
    ['below a scoped package', 'node_modules/@scope/other/node_modules/hot-secrets'],
    ['above the working directory', '../node_modules/hot-secrets'],
    ['in the store of pnpm', 'node_modules/.pnpm/hot-secrets@0.2.0/node_modules/hot-secrets'],
  ])('finds a second copy %s', (_where, path) => {
    const root = join(folder(), 'app');
    install(root, 'node_modules/hot-secrets', '0.1.0');
    expect(checkCopiesOfPackage(machine({ workingDirectory: root }))).toEqual([]);
    install(root, path, '0.2.0');
    const [finding] = checkCopiesOfPackage(machine({ workingDirectory: root }));
    expect(finding).toMatchObject({ code: 'PACKAGE_DUPLICATE', level: 'warning' });
    expect(finding?.args.copies).toHaveLength(2);
    expect(JSON.stringify(finding?.args.copies)).toMatch(/\(0\.1\.0\).*\(0\.2\.0\)/);
  });
});
