import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSecretsError } from '../../errors';
import { packageOf } from '../../internal/own-file';
import { assertPeer, PEERS, type PeerName } from '../../internal/peer';
import { type Finding, finding, findingOf } from '../findings';
import type { System } from '../system';

/** The oldest Node that this package supports, as `engines` of its package.json says. */
export const NEEDED_NODE = '20.19';

export function checkNode({ nodeVersion }: System): Finding[] {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NEEDED_NODE.split('.').map(Number);
  const isOld = major < neededMajor || (major === neededMajor && minor < neededMinor);
  return isOld ? [finding('NODE_UNSUPPORTED', { version: nodeVersion, needed: NEEDED_NODE })] : [];
}

/** Packages that the vault needs. */
const VAULT_PEERS: readonly PeerName[] = ['@azure/identity', '@azure/keyvault-secrets'];

/** Installed packages that are too old, and missing ones that the set-up needs. */
export function checkPeers({ environment }: System): Finding[] {
  return (Object.keys(PEERS) as PeerName[]).flatMap((name) => {
    try {
      assertPeer(name);
      return [];
    } catch (error) {
      if (!isSecretsError(error)) throw error;
      const isNeeded = Boolean(environment.AZURE_KEY_VAULT_ENDPOINT) && VAULT_PEERS.includes(name);
      return error.code === 'PEER_MISSING' && !isNeeded ? [] : [findingOf(error, { place: name })];
    }
  });
}

/** Copies of this package that the modules of the working directory load. */
export function checkCopiesOfPackage({ workingDirectory }: System): Finding[] {
  const folders = new Set<string>();
  for (let at = workingDirectory; ; at = dirname(at)) {
    for (const folder of installedBelow(join(at, 'node_modules'))) {
      if (packageOf(folder)?.name === 'hot-secrets') folders.add(realpathSync(folder));
    }
    if (at === dirname(at)) break;
  }
  if (folders.size < 2) return [];
  const copies = [...folders].map((folder) => `${folder} (${packageOf(folder)?.version ?? '?'})`);
  return [finding('PACKAGE_DUPLICATE', { copies }, { place: [...folders][1] })];
}

/** Places of a package in `node_modules`: at its top, below other packages, and in the store of pnpm. */
function installedBelow(folder: string): string[] {
  const names = namesIn(folder);
  const packages = names.flatMap((name) => {
    if (!name.startsWith('@')) return name.startsWith('.') ? [] : [name];
    return namesIn(join(folder, name)).map((inner) => `${name}/${inner}`);
  });
  const linked = namesIn(join(folder, '.pnpm')).filter((name) => name.startsWith('hot-secrets@'));
  return [
    join(folder, 'hot-secrets'),
    ...packages.map((name) => join(folder, name, 'node_modules/hot-secrets')),
    ...linked.map((name) => join(folder, '.pnpm', name, 'node_modules/hot-secrets')),
  ];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
