import type { Finding } from '../findings';
import type { Field } from './fields';
import { at, type Cluster, CSI_DRIVER, mountsOf, type Resource } from './resources';

interface Setting {
  readonly field: Field;
  readonly isOn: boolean;
  readonly setting: string;
}

/** Checks whether the Secrets Store CSI driver rotates, where the manifests show it. */
export function checkRotation(cluster: Cluster): Finding[] {
  const settings = cluster.resources.flatMap((resource) =>
    settingsOf(resource).map((one) => ({ ...one, where: resource.where })),
  );
  if (settings.length > 0) {
    return settings.flatMap(({ field, isOn, setting, where }) =>
      isOn ? [] : [at(field, 'ROTATION_OFF', { where, setting })],
    );
  }
  const mounting = cluster.workloads
    .filter(({ isJob }) => !isJob)
    .flatMap((workload) => {
      const volume = workload.volumes.find(
        ({ kind, name }) => kind === 'csi' && mountsOf(workload, name).length > 0,
      );
      return volume === undefined ? [] : [{ where: workload.where, volume }];
    });
  const [first] = mounting;
  if (first === undefined) return [];
  return [at(first.volume.root, 'ROTATION_UNKNOWN', { names: mounting.map(({ where }) => where) })];
}

const DRIVER_CHARTS = /^(csi-secrets-store-provider-azure|secrets-store-csi-driver)$/;
const IN_VALUES = /\benableSecretRotation["']?\s*[:=]\s*["']?(true|false)/;

/** What one object says about rotation: the driver itself, its chart in Flux or Argo CD, or a cluster with the add-on. */
function settingsOf({ root, kind, name }: Resource): Setting[] {
  if (kind === 'Secret' || kind === 'ConfigMap') return [];
  if (kind === 'CSIDriver') {
    const field = root.get('spec', 'requiresRepublish');
    const isOurs = name === CSI_DRIVER && field.exists;
    return isOurs ? [{ field, isOn: field.isTrue, setting: `requiresRepublish: ${field.value}` }] : [];
  }
  const found: Setting[] = [];
  let installs: { field: Field; setting: string } | undefined;
  visit(root, (key, field, parent) => {
    const { value, text } = field;
    if (/^(enableSecretRotation|secretRotationEnabled)$/.test(key)) {
      found.push({ field, isOn: field.isTrue, setting: `${key}: ${value}` });
    } else if (/(^|\.)enableSecretRotation$/.test(text) && key === 'name') {
      const isOn = parent.get('value').isTrue;
      found.push({ field: parent, isOn, setting: `enableSecretRotation: ${isOn}` });
    } else if (IN_VALUES.test(text)) {
      const isOn = IN_VALUES.exec(text)?.[1] === 'true';
      found.push({ field, isOn, setting: `enableSecretRotation: ${isOn}` });
    } else if (/^--?enable-secret-rotation\b/.test(text)) {
      found.push({ field, isOn: !text.endsWith('=false'), setting: text });
    } else if (/^--?provider-volume\b/.test(text) || (key === 'chart' && DRIVER_CHARTS.test(text))) {
      installs = { field, setting: 'enableSecretRotation is not set' };
    } else if (/^(azure)?keyvaultSecretsProvider$/i.test(key) && field.get('enabled').value !== false) {
      installs ??= { field, setting: 'enableSecretRotation is not set' };
    }
  });
  return found.length === 0 && installs !== undefined ? [{ ...installs, isOn: false }] : found;
}

/** Visits each field once: aliases may refer to the same one many times. */
function visit(
  field: Field,
  visitor: (key: string, field: Field, parent: Field) => void,
  seen = new Set<Field>(),
): void {
  if (seen.has(field)) return;
  seen.add(field);
  for (const [key, one] of [...field.fields, ...field.items.map((item) => ['', item] as const)]) {
    visitor(key, one, field);
    visit(one, visitor, seen);
  }
}
