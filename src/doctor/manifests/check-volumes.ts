import type { Finding } from '../findings';
import { checkReference } from './check-containers';
import type { Field } from './fields';
import { keyVaultObjects } from './key-vault-objects';
import {
  at,
  type Cluster,
  type Container,
  classNameOf,
  mountsOf,
  type Volume,
  type Workload,
} from './resources';

/** Checks the volumes of a pod that hold secrets, and how its containers mount them. */
export function checkVolumes(cluster: Cluster, workload: Workload): Finding[] {
  return [
    ...checkUndefined(workload),
    ...workload.volumes.flatMap((volume) => [
      ...checkHostPath(workload, volume),
      ...(volume.kind === undefined ? [] : checkMounts(workload, volume)),
      ...(volume.kind === 'csi'
        ? checkCsi(cluster, workload, volume)
        : checkSecrets(cluster, workload, volume)),
    ]),
  ];
}

function checkUndefined({ root, containers, volumes, kind }: Workload): Finding[] {
  const claims = root
    .get('spec', 'volumeClaimTemplates')
    .items.map((one) => one.get('metadata', 'name').text);
  // An extension may add volumes of its own.
  if (!/^(Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job|CronJob)$/.test(kind)) return [];
  const names = new Set([...volumes.map(({ name }) => name), ...claims]);
  return containers.flatMap(({ root: container, where }) =>
    container
      .get('volumeMounts')
      .items.filter((mount) => mount.get('name').text !== '' && !names.has(mount.get('name').text))
      .map((mount) => at(mount, 'VOLUME_UNDEFINED', { where, volume: mount.get('name').text })),
  );
}

const SECRET_PATH = /(^|[/_-])(secrets?|credentials?|passwords?|private|tls)([/_-]|$)/i;

function checkHostPath(workload: Workload, { root, name }: Volume): Finding[] {
  const path = root.get('hostPath', 'path');
  const mounts = mountsOf(workload, name).map(({ mount }) => mount.get('mountPath').text);
  const names = [path.text, name, ...mounts];
  // The driver itself, and agents of the node, have theirs.
  if (
    path.text === '' ||
    names.some((one) => /csi|kubelet/i.test(one)) ||
    !names.some((one) => SECRET_PATH.test(one))
  )
    return [];
  return [at(path, 'VOLUME_HOST_PATH', { where: workload.where, volume: name })];
}

function checkMounts(workload: Workload, { root, name }: Volume): Finding[] {
  const { where, isJob } = workload;
  const mounts = mountsOf(workload, name);
  if (mounts.length === 0) return [at(root, 'VOLUME_UNUSED', { where, volume: name })];
  const level = isJob ? 'note' : undefined;
  const found = mounts.flatMap(({ container, mount }) => {
    const field = ['subPath', 'subPathExpr'].map((one) => mount.get(one)).find(({ text }) => text !== '');
    if (field === undefined) return [];
    const path = mount.get('mountPath').text;
    const once = container.isInit ? 'note' : level;
    return [at(field, 'VOLUME_SUBPATH', { where: container.where, volume: name, path }, once)];
  });
  if (mounts.every(({ container }) => container.isInit)) {
    const names = [...new Set(mounts.map(({ container }) => container.name))];
    const copies = mounts.some(({ container }) => sharesDirectory(workload, container));
    found.push(
      at(root, 'VOLUME_INIT_ONLY', { where, volume: name, names }, isJob || !copies ? 'note' : undefined),
    );
  }
  return found;
}

/** Whether an init container can hand over files to the containers that run. */
function sharesDirectory(workload: Workload, init: Container): boolean {
  return workload.volumes.some(({ name, root }) => {
    const mounts = mountsOf(workload, name);
    const isShared =
      mounts.some(({ container }) => container === init) && mounts.some(({ container }) => !container.isInit);
    return root.fields.has('emptyDir') && isShared;
  });
}

function checkCsi(cluster: Cluster, workload: Workload, volume: Volume): Finding[] {
  const { where } = workload;
  const { root, name } = volume;
  const csi = root.get('csi');
  const className = classNameOf(volume);
  const field = csi.get('volumeAttributes', 'secretProviderClass');
  const provider = cluster.find('SecretProviderClass', className, workload);
  const found: Finding[] = [];
  if (!csi.get('readOnly').isTrue) found.push(at(csi, 'VOLUME_NOT_READONLY', { where, volume: name }));
  if (className === '') found.push(at(field, 'PROVIDER_CLASS_MISSING', { where, name: className }, 'error'));
  else if (provider === undefined) {
    const other = cluster.elsewhere('SecretProviderClass', className, workload, field);
    const areHere = cluster.ofKind('SecretProviderClass').length > 0;
    const level = areHere ? undefined : 'note';
    const missing = at(field, 'PROVIDER_CLASS_MISSING', { where, name: className }, level);
    found.push(...(other.length > 0 || isExternal(className) ? other : [missing]));
  } else {
    const parameters = provider.root.get('spec', 'parameters');
    const identities = ['clientID', 'useVMManagedIdentity', 'usePodIdentity'].map((one) =>
      parameters.get(one),
    );
    const hasIdentity = identities.some(
      ({ text, value }) => (text !== '' && text !== 'false') || value === true,
    );
    const isAzure = provider.root.get('spec', 'provider').text === 'azure';
    // Spelt otherwise, it is a finding of its own.
    const isMisspelt = [...parameters.fields.keys()].some(
      (one) => one.toLowerCase() === 'clientid' && one !== 'clientID',
    );
    if (isAzure && !hasIdentity && !isMisspelt && !csi.get('nodePublishSecretRef').exists) {
      found.push(at(parameters, 'PROVIDER_IDENTITY_MISSING', { where: provider.where }));
    }
    for (const object of keyVaultObjects(provider).objects) {
      const mode = object.root.get('filePermission');
      found.push(...checkMode(workload, volume, mode));
    }
  }
  return found;
}

function isExternal(name: string): boolean {
  return name.includes('$') || name.includes('{{');
}

function checkSecrets(cluster: Cluster, workload: Workload, volume: Volume): Finding[] {
  const { where } = workload;
  const { root, name: of, kind } = volume;
  if (kind === undefined) return [];
  const source = root.get(kind);
  const parts =
    kind === 'secret'
      ? [{ reference: source, nameField: 'secretName' }]
      : source.get('sources').items.map((one) => ({ reference: one.get('secret'), nameField: 'name' }));
  const found = parts.flatMap(({ reference, nameField }) => {
    const name = reference.get(nameField).text;
    const keys = reference.get('items').items;
    const optional = reference.get('optional');
    return [
      ...(optional.isTrue ? [at(optional, 'VOLUME_OPTIONAL', { where, volume: of, name })] : []),
      ...(keys.length === 0 ? [undefined] : keys.map((one) => one.get('key'))).flatMap((key) =>
        checkReference(cluster, workload, { where, reference, nameField, key }),
      ),
      ...keys.flatMap((one) => checkMode(workload, volume, one.get('mode'))),
    ];
  });
  // Tokens belong to the user of the container, whatever the mode is.
  const hasFiles = parts.some(({ reference }) => reference.exists);
  return [...once(found), ...(hasFiles ? checkMode(workload, volume, source.get('defaultMode')) : [])];
}

/** Several keys of one Secret make the same finding several times. */
function once(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}

/** Numbers that are octal to everybody but a parser that was given none. */
const DECIMAL = new Set([400, 440, 444, 600, 640, 644, 755, 777]);
const OTHERS_READ = 0o004;
const GROUP_READS = 0o040;

/** Checks whether the user of each container may read files that belong to root. */
function checkMode(workload: Workload, volume: Volume, field: Field): Finding[] {
  const isText = volume.kind === 'csi';
  const mode = modeOf(isText && DECIMAL.has(Number(field.value)) ? String(field.value) : field.value);
  if (mode === undefined) return [];
  const { where } = workload;
  if (!isText && DECIMAL.has(mode) && typeof field.value === 'number') {
    return [at(field, 'VOLUME_MODE_DECIMAL', { where, mode: String(mode), octal: `0${mode}` })];
  }
  if (mode & OTHERS_READ) return [];
  const kind = volume.kind as string;
  const pod = workload.spec.get('securityContext');
  // The kubelet gives files of Secrets to this group, and lets it read them. It leaves those of CSI drivers as they are.
  if (kind !== 'csi' && pod.get('fsGroup').exists) return [];
  const unable = mountsOf(workload, volume.name).find(({ container }) => {
    const setting = (name: string) => {
      const own = container.root.get('securityContext', name);
      return own.exists ? own.value : pod.get(name).value;
    };
    const user = setting('runAsUser');
    if (user === 0 || (user === undefined && setting('runAsNonRoot') !== true)) return false;
    const groups = [setting('runAsGroup'), ...pod.get('supplementalGroups').items.map(({ value }) => value)];
    // Without runAsGroup, the image decides.
    return !(mode & GROUP_READS) || (groups[0] !== undefined && !groups.includes(0));
  });
  if (unable === undefined) return [];
  const args = { where: unable.container.where, volume: volume.name, mode: `0${mode.toString(8)}`, kind };
  return [at(field, 'VOLUME_MODE_UNREADABLE', args)];
}

function modeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^(0o?)?[0-7]{3}$/.test(value)
    ? Number.parseInt(value.replace('o', ''), 8)
    : undefined;
}
