import type { Finding } from '../findings';
import type { Field } from './fields';
import { type KeyVaultObject, keyVaultObjects, misspelt } from './key-vault-objects';
import { at, type Cluster, inSameNamespace, isPlaceholder, type Resource } from './resources';

/** Checks a SecretProviderClass, and what it makes Secrets from. */
export function checkClass(cluster: Cluster, provider: Resource): Finding[] {
  const isAzure = provider.root.get('spec', 'provider').text === 'azure';
  const { objects, problems } = isAzure ? keyVaultObjects(provider) : { objects: [], problems: [] };
  return [
    ...(isAzure ? checkParameters(provider) : []),
    ...problems.map(({ field, reason }) =>
      at(field, 'PROVIDER_OBJECTS_INVALID', { where: provider.where, reason }),
    ),
    ...checkObjects(provider, objects),
    // What cannot be read may be the object that is missing.
    ...checkSynchronized(cluster, provider, isAzure && problems.length === 0 ? objects : []),
  ];
}

const REQUIRED = ['keyvaultName', 'tenantId', 'objects'];
const KNOWN = [
  ...REQUIRED,
  'clientID',
  'usePodIdentity',
  'useVMManagedIdentity',
  'userAssignedIdentityID',
  'cloudName',
];

function checkParameters({ root, where }: Resource): Finding[] {
  const parameters = root.get('spec', 'parameters');
  const found: Finding[] = [];
  const has = new Set<string>();
  for (const [parameter, field] of parameters.fields) {
    // The provider reads both.
    const known = parameter === 'tenantID' ? undefined : misspelt(parameter, KNOWN);
    const reason =
      known !== undefined
        ? `is spelt ${known}`
        : typeof field.value === 'string' || !field.exists
          ? undefined
          : 'is not a string: write its value in quotes';
    if (reason !== undefined)
      found.push(at(field, 'PROVIDER_PARAMETER_INVALID', { where, parameter, reason }));
    if (field.exists && field.value !== '') has.add(parameter.toLowerCase());
    if (parameter !== 'objects' && isPlaceholder(field.text)) {
      found.push(at(field, 'MANIFEST_PLACEHOLDER', { where, field: parameter }));
    }
  }
  for (const parameter of REQUIRED) {
    if (has.has(parameter.toLowerCase())) continue;
    found.push(at(parameters.get(parameter), 'PROVIDER_PARAMETER_MISSING', { where, parameter }));
  }
  const name = parameters.get('keyvaultName');
  if (name.text !== '' && !isPlaceholder(name.text) && !/^[\w-]{3,24}$/.test(name.text.trim())) {
    const reason = 'is not the name of a vault (3 to 24 letters, digits and hyphens, without the domain)';
    found.push(at(name, 'PROVIDER_PARAMETER_INVALID', { where, parameter: 'keyvaultName', reason }));
  }
  const podIdentity = parameters.get('usePodIdentity');
  if (podIdentity.isTrue) found.push(at(podIdentity, 'PROVIDER_IDENTITY_RETIRED', { where }));
  return found;
}

/** A certificate that others only trust needs no key. */
const TRUSTED = /(^|[-_.])(ca|root|trust\w*|bundle|chain|intermediate)([-_.\d]|$)/i;

function checkObjects({ root, where }: Resource, objects: readonly KeyVaultObject[]): Finding[] {
  const found: Finding[] = [];
  const files = new Set<string>();
  const tls = tlsFiles(root);
  for (const { root: object, name, file, type, isPfx } of objects) {
    if (file !== '' && files.has(file))
      found.push(at(object, 'PROVIDER_OBJECT_DUPLICATE', { where, name: file }));
    files.add(file);
    const version = object.get('objectVersion');
    const pinned = String(version.value ?? '').trim();
    if (pinned !== '' && pinned !== 'latest') {
      found.push(at(version, 'PROVIDER_VERSION_PINNED', { where, name }));
    }
    const isKeySource = tls.has(file);
    const hasKey = objects.some((one) => one.name === name && one.type === 'secret');
    const isAlone = type === 'cert' && !hasKey && !TRUSTED.test(name) && !TRUSTED.test(file);
    if (isAlone || (isKeySource && type !== 'secret' && type !== '')) {
      const level = isKeySource ? 'error' : undefined;
      found.push(at(object.get('objectType'), 'PROVIDER_CERTIFICATE_ONLY', { where, name, type }, level));
    }
    if (isPfx && type === 'secret' && !object.get('objectEncoding').text) {
      const level = isKeySource ? 'error' : undefined;
      found.push(at(object.get('objectFormat'), 'PROVIDER_FORMAT_PFX', { where, name }, level));
    }
  }
  return found;
}

/** The files that the private keys of synchronized TLS Secrets come from. */
function tlsFiles(root: Field): ReadonlySet<string> {
  const made = root.get('spec', 'secretObjects').items.flatMap((one) => one.get('data').items);
  const keys = made.filter((one) => one.get('key').text === 'tls.key');
  return new Set(keys.map((one) => one.get('objectName').text));
}

function checkSynchronized(
  cluster: Cluster,
  provider: Resource,
  objects: readonly KeyVaultObject[],
): Finding[] {
  const { root, where } = provider;
  const near = cluster.workloads.filter((one) => inSameNamespace(one, provider));
  // Of a volume with a wrong name, the finding of the volume says enough.
  const isMounted = near.some((one) => cluster.classesOf(one).includes(provider) || cluster.lacksClass(one));
  const level = near.length > 0 ? undefined : 'note';
  return root.get('spec', 'secretObjects').items.flatMap((made) => {
    const name = made.get('secretName').text;
    const files = made.get('data').items.map((one) => one.get('objectName'));
    const unknown = files.filter(
      ({ text }) => objects.length > 0 && !objects.some((one) => makes(one, text)),
    );
    return [
      ...unknown.map((one) => at(one, 'PROVIDER_SYNC_UNKNOWN', { where, name, object: one.text })),
      ...(isMounted ? [] : [at(made, 'PROVIDER_SYNC_UNMOUNTED', { where, name }, level)]),
    ];
  });
}

/** Versions and separate certificates get a suffix. */
function makes({ file: written }: KeyVaultObject, file: string): boolean {
  return (
    file === written ||
    (file.startsWith(written) && /^(\/\d+|\.(key|crt|pem))$/.test(file.slice(written.length)))
  );
}
