import { isNamedLikeSecret } from '../checks/environment';
import type { Finding } from '../findings';
import type { Field } from './fields';
import { at, type Cluster, type Container, mountsOf, type Resource, type Workload } from './resources';

/** Checks the environment and the probes of the containers of a pod. */
export function checkContainers(cluster: Cluster, workload: Workload): Finding[] {
  return workload.containers.flatMap((container) => [
    ...checkEnvironment(cluster, workload, container),
    ...checkSecretsPath(workload, container),
    ...checkLiveness(container),
  ]);
}

function checkEnvironment(
  cluster: Cluster,
  workload: Workload,
  { root, where, isInit }: Container,
): Finding[] {
  // What runs once reads a new value the next time.
  const level = isInit || workload.isJob ? 'note' : undefined;
  const single = root.get('env').items.flatMap((one) => {
    const variable = one.get('name').text;
    const reference = one.get('valueFrom', 'secretKeyRef');
    if (reference.exists) {
      const name = reference.get('name').text;
      return [
        at(one, 'ENV_FROM_SECRET', { where, variable, name }, level),
        ...checkReference(cluster, workload, { where, reference, key: reference.get('key') }),
      ];
    }
    const { value } = one.get('value');
    return (isSecretName(variable) && isSecretValue(variable, String(value ?? ''))) ||
      hasPassword(String(value ?? ''))
      ? [at(one, 'ENV_PLAIN_SECRET', { where, variable })]
      : [];
  });
  const all = root.get('envFrom').items.flatMap((one) => {
    const reference = one.get('secretRef');
    if (!reference.exists) return [];
    const args = { where, variable: 'every envFrom variable', name: reference.get('name').text };
    return [
      at(one, 'ENV_FROM_SECRET', args, level),
      ...checkReference(cluster, workload, { where, reference }),
    ];
  });
  return [...single, ...all];
}

export interface Reference {
  readonly where: string;
  /** Has the name of the Secret. */
  readonly reference: Field;
  readonly nameField?: string;
  readonly key?: Field | undefined;
}

/** Checks that a Secret that a pod needs exists, by the manifests, and has the key. */
export function checkReference(cluster: Cluster, workload: Workload, wanted: Reference): Finding[] {
  const { where, reference, nameField = 'name', key } = wanted;
  const name = reference.get(nameField).text;
  if (name === '') return [];
  const secret = cluster.find('Secret', name, workload);
  const maker = secret === undefined ? synchronizing(cluster, name, workload) : undefined;
  const isOptional = reference.get('optional').isTrue;
  const found: Finding[] = [];
  const keys = secret === undefined ? maker?.keys : keysOf(secret);
  if (key?.text && keys !== undefined && !keys.includes(key.text) && !isOptional) {
    found.push(at(key, 'SECRET_KEY_MISSING', { where, name, key: key.text }));
  }
  if (maker !== undefined && !cluster.classesOf(workload).includes(maker.provider)) {
    const isMounted = cluster.workloads.some((one) => cluster.classesOf(one).includes(maker.provider));
    const args = { where, name, provider: maker.provider.name };
    found.push(at(reference, 'SECRET_SYNC_UNMOUNTED', args, isMounted ? 'warning' : undefined));
  }
  if (secret === undefined && maker === undefined && !isOptional) {
    found.push(...cluster.elsewhere('Secret', name, workload, reference));
  }
  return found;
}

function keysOf({ root }: Resource): string[] {
  return [...root.get('data').fields.keys(), ...root.get('stringData').fields.keys()];
}

/** The SecretProviderClass that the driver makes a Secret from. */
function synchronizing(cluster: Cluster, secret: string, from: Resource) {
  for (const provider of cluster.ofKind('SecretProviderClass')) {
    if (!cluster.find(provider.kind, provider.name, from)) continue;
    const made = provider.root
      .get('spec', 'secretObjects')
      .items.find((one) => one.get('secretName').text === secret);
    if (made === undefined) continue;
    return { provider, keys: made.get('data').items.map((one) => one.get('key').text) };
  }
  return undefined;
}

/** More names than those of variables that the doctor finds in a process: here, their values can be judged too. */
const SECRET_NAME = /PASSWORD$|(^|_)(PASS|PWD|KEY)$/i;
const OTHER_KEY =
  /(PUBLIC|PARTITION|SORT|CACHE|PRIMARY|FOREIGN|ROUTING|HASH|GROUP|INDEX|OBJECT|NODE|LABEL|INSTRUMENTATION)_?KEY$/i;

export function isSecretName(name: string): boolean {
  const variable = name.replace(/([a-z\d])([A-Z])/g, '$1_$2').replace(/[.-]/g, '_');
  return isNamedLikeSecret(variable) || (SECRET_NAME.test(variable) && !OTHER_KEY.test(variable));
}

/** Switches, numbers, paths, plain addresses, and references that something else resolves. */
const NO_SECRET =
  /^(|true|false|yes|no|on|off|none|null|\d{1,5}|\.{0,2}\/.*|file:.*|https?:\/\/[^@]*|\$\([^)]*\)|.*\$\{.*|\{\{.*|<.*>|@Microsoft\..*|op:\/\/.*|(>>)?vault:.*|secretref:.*|ref\+.*)$/is;

export function isSecretValue(name: string, value: string): boolean {
  if (NO_SECRET.test(value.trim())) return false;
  // Names that only end in KEY may be of keys of a map.
  return isNamedLikeSecret(name) || !/KEY$/i.test(name) || value.length >= 12;
}

/** An address or connection string with a password in it. */
export function hasPassword(value: string): boolean {
  return (
    /^[a-z][\w+.-]*:\/\/[^\s/:@]*:(?!\$\()[^\s/@]+@/i.test(value) ||
    /(^|;)\s*(Password|Pwd|AccountKey|SharedAccessKey|SharedAccessSignature)\s*=\s*(?!\$\()[^;\s]/i.test(
      value,
    )
  );
}

function checkSecretsPath(workload: Workload, { root, where }: Container): Finding[] {
  const variable = root.get('env').items.find((one) => one.get('name').text === 'SECRETS_PATH');
  const path = withoutSlash(variable?.get('value').text ?? '');
  if (variable === undefined || path === '' || path.includes('$')) return [];
  const isInside = (mount: string) =>
    path === mount || path.startsWith(`${mount}/`) || mount.startsWith(`${path}/`);
  const mounts = root.get('volumeMounts').items.map((one) => withoutSlash(one.get('mountPath').text));
  // An injector adds its volume later.
  const hasInjector = [...workload.metadata.get('annotations').fields.keys()].some((name) =>
    /vault|inject/.test(name),
  );
  if (mounts.some(isInside) || hasInjector) return [];
  const names = workload.volumes
    .filter(({ kind }) => kind !== undefined)
    .flatMap(({ name }) => mountsOf(workload, name))
    .filter(({ container }) => container.root === root)
    .map(({ mount }) => mount.get('mountPath').text);
  return [at(variable, 'MOUNT_PATH_MISMATCH', { where, names })];
}

function withoutSlash(path: string): string {
  return path.replace(/(.)\/+$/, '$1');
}

/** Endpoints that fail for reasons which a restart does not change: of readiness, of health, and those that want a login. */
const MAY_FAIL = /(^|[/-])(readyz?|readiness)\/?$|\/-\/(health|status|secrets)\/?$/i;

function checkLiveness({ root, where, isInit }: Container): Finding[] {
  const probe = root.get('livenessProbe');
  const command = probe
    .get('exec', 'command')
    .items.map(({ value }) => String(value))
    .join(' ');
  if (isInit) return [];
  if (/\bhot-secrets\b/.test(command)) return [at(probe, 'PROBE_RESTARTS', { where, probe: 'hot-secrets' })];
  const { path, field } = requestOf(probe);
  if (path === '') return [];
  if (MAY_FAIL.test(path)) return [at(field, 'PROBE_RESTARTS', { where, probe: path })];
  const readiness = requestOf(root.get('readinessProbe'));
  const isSame =
    readiness.path === path && readiness.port === requestOf(probe).port && !/live|ping/i.test(path);
  return isSame && path !== '/'
    ? [at(field, 'PROBE_RESTARTS', { where, probe: `${path}, as the readiness probe does` }, 'note')]
    : [];
}

function requestOf(probe: Field): { path: string; port: unknown; field: Field } {
  const field = probe.get('httpGet', 'path');
  return { path: field.text.split('?', 1)[0] as string, port: probe.get('httpGet', 'port').value, field };
}
