import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { diagnoseManifests } from 'hot-secrets/doctor';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { containerOf, type Manifest, manifests, one, overlays } from './support/aks';
import { fromRepository } from './support/repository';

const VERSIONS = ['1.34', '1.35', '1.36', '1.37'];
const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;
const variants = ['base', ...(hasKubectl ? overlays : [])];

describe.each(VERSIONS)('the schemas of Kubernetes %s', (version) => {
  const faultsOf = validator(version);

  it.each(variants)('accepts every manifest of %s', async (variant) => {
    const list = await manifests(variant);
    expect(list.length).toBeGreaterThan(7);
    expect(list.flatMap(faultsOf)).toEqual([]);
  });

  it('refuses misspelt, misplaced, missing and mistyped fields', async () => {
    const base = await manifests('base');
    const broken = (kind: string, change: (object: Manifest) => void) => {
      const object = structuredClone(one(base, kind));
      change(object);
      return faultsOf(object);
    };
    const container = (object: Manifest) => containerOf([object]);
    expect(
      [
        broken('Deployment', (d) => Object.assign(container(d), { securitycontext: {} })),
        broken('Deployment', (d) =>
          Object.assign(container(d), { seccompProfile: { type: 'RuntimeDefault' } }),
        ),
        broken('Deployment', (d) => delete container(d).volumeMounts[0].mountPath),
        broken('Deployment', (d) => Object.assign(d.spec, { replicas: '2' })),
        broken('NetworkPolicy', (d) => Object.assign(d.spec.egress[0], { to: {} })),
        broken('SecretProviderClass', (d) => Object.assign(d.spec.parameters, { objects: [] })),
        broken('SecretProviderClass', (d) => Object.assign(d.spec, { secretObject: [] })),
        broken('Deployment', (d) => Object.assign(d, { apiVersion: 'apps/v1beta1' })),
      ].map((faults) => faults.length > 0),
    ).toEqual(Array(8).fill(true));
  });
});

it.skipIf(!hasKubectl)(
  'projects a pod certificate and a trust bundle into the mount that is read first',
  async () => {
    const list = await manifests('pod-certificates');
    const { volumes } = one(list, 'Deployment').spec.template.spec;
    const { sources } = volumes.find(({ name }: Manifest) => name === 'pod-certificates').projected;
    const [{ podCertificate }, { clusterTrustBundle }] = sources;
    // One file for the key and the chain, with the name that the service reads.
    expect(podCertificate).toMatchObject({ credentialBundlePath: 'web-tls', keyType: 'ECDSAP256' });
    expect(podCertificate).not.toHaveProperty('keyPath');
    expect(clusterTrustBundle).toMatchObject({
      signerName: podCertificate.signerName,
      path: 'database-ca.pem',
    });
    expect(variable(list, 'SECRET_MOUNTS')).toBe('/mnt/pod-certificates:/mnt/secrets-store');
  },
);

it.skipIf(!hasKubectl)(
  'reads the synced Secret after the mount, in the environment that still has it',
  async () => {
    const [dev, prod] = [await manifests('dev'), await manifests('prod')];
    const { secretObjects } = one(dev, 'SecretProviderClass').spec;
    const mounted = objectsOf(dev).map(aliasOf);
    for (const { data } of secretObjects) {
      for (const { objectName } of data) expect(mounted).toContain(objectName);
    }
    expect(variable(dev, 'SECRET_MOUNTS')).toBe('/mnt/secrets-store:/mnt/synced-secret');
    expect(one(prod, 'SecretProviderClass').spec).not.toHaveProperty('secretObjects');
    expect(variable(prod, 'SECRET_MOUNTS')).toBe('/mnt/secrets-store');
  },
);

describe.each(variants)('the manifests of %s', (variant) => {
  it('gets no warning from the doctor', async () => {
    const text = (await manifests(variant)).map((object) => stringify(object)).join('---\n');
    const { findings } = await diagnoseManifests({ name: variant, text });
    expect(findings.filter(({ level }) => level !== 'note')).toEqual([]);
  });

  let list: Manifest[];
  let pod: Manifest;
  beforeAll(async () => {
    list = await manifests(variant);
    pod = one(list, 'Deployment').spec.template;
  });

  it('meets the restricted Pod Security Standard, which the namespace enforces', () => {
    const { labels } = one(list, 'Namespace').metadata;
    expect(labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
    expect(restrictions(pod.spec)).toEqual([]);
    expect(containerOf(list).securityContext.readOnlyRootFilesystem).toBe(true);
  });

  it('lets the user of the container read every file, and pins no version', () => {
    const { runAsUser } = pod.spec.securityContext;
    expect(runAsUser).toBeGreaterThan(0);
    for (const object of objectsOf(list)) {
      expect(object.objectType).toBe('secret'); // the type cert would lack the key
      expect(object.filePermission).toMatch(/^0[0-7][0-7][4-7]$/);
      expect(object.objectVersion ?? '').toBe('');
    }
  });

  it('mounts every secret that the service declares, or leaves it to the vault', () => {
    const declared = /secrets: \{([\s\S]*?)\n {2}\},/.exec(read('service.ts'))?.[1] ?? '';
    const names = [...declared.replace(/\/\/.*/g, '').matchAll(/'([\w.-]+)'/g)].map(
      (found) => found[1] as string,
    );
    const mounted = objectsOf(list).map(aliasOf);
    // The first is optional, the second lies in the vault alone.
    expect(names.filter((name) => !mounted.includes(name))).toEqual(['database-ca.pem', 'partner-key']);
    expect(mounted.filter((name) => !names.includes(name))).toEqual([]);
  });

  it('mounts whole directories where the service reads them', () => {
    const { volumeMounts } = containerOf(list);
    for (const mount of volumeMounts) expect(mount).not.toHaveProperty('subPath');
    const paths = volumeMounts.map(({ mountPath }: Manifest) => mountPath);
    for (const path of variable(list, 'SECRET_MOUNTS').split(':')) expect(paths).toContain(path);
  });

  it('uses the workload identity of the service account', () => {
    const account = one(list, 'ServiceAccount');
    const { clientID, keyvaultName, tenantID } = one(list, 'SecretProviderClass').spec.parameters;
    expect(pod.metadata.labels['azure.workload.identity/use']).toBe('true');
    expect(pod.spec.serviceAccountName).toBe(account.metadata.name);
    expect(account.metadata.annotations['azure.workload.identity/client-id']).toBe(clientID);
    const settings = list.find(({ kind }) => kind === 'ConfigMap')?.data;
    if (variant === 'base') return;
    expect(settings).toMatchObject({
      CLIENT_ID: clientID,
      KEY_VAULT_NAME: keyvaultName,
      TENANT_ID: tenantID,
    });
    expect(settings.KEY_VAULT_URL).toBe(`https://${keyvaultName}.vault.azure.net`);
    expect(keyvaultName).toBe(`shop-${settings.ENVIRONMENT}-kv`);
  });

  it('selects the pods of the Deployment in every Service, policy and budget', () => {
    const { labels } = pod.metadata;
    const { spec } = one(list, 'Deployment');
    const selectors = [
      spec.selector.matchLabels,
      one(list, 'Service').spec.selector,
      one(list, 'Service', 'shop-event-grid').spec.selector,
      one(list, 'NetworkPolicy').spec.podSelector.matchLabels,
      one(list, 'PodDisruptionBudget').spec.selector.matchLabels,
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
  });
});

const read = (path: string) => readFileSync(fromRepository('examples/aks', path), 'utf8');

function objectsOf(list: readonly Manifest[]): Manifest[] {
  const { objects } = one(list, 'SecretProviderClass').spec.parameters;
  return parse(objects).array.map((object: string) => parse(object));
}

const aliasOf = ({ objectAlias, objectName }: Manifest): string => objectAlias ?? objectName;

function variable(list: readonly Manifest[], name: string): string {
  return containerOf(list).env.find((one: Manifest) => one.name === name).value;
}

/** The rules of the restricted Pod Security Standard that a pod breaks, as far as they concern these manifests. */
function restrictions(spec: Manifest): string[] {
  const broken = (rule: string, isBroken: boolean) => (isBroken ? [rule] : []);
  const allowed = /^(configMap|csi|downwardAPI|emptyDir|ephemeral|persistentVolumeClaim|projected|secret)$/;
  return [
    ...broken('host namespaces', spec.hostNetwork || spec.hostPID || spec.hostIPC || false),
    ...spec.volumes.flatMap(({ name, ...source }: Manifest) =>
      broken(`volume ${name}`, !Object.keys(source).every((kind) => allowed.test(kind))),
    ),
    ...[...spec.containers, ...(spec.initContainers ?? [])].flatMap(
      ({ securityContext = {}, ports = [] }) => {
        const merged = { ...spec.securityContext, ...securityContext };
        return [
          ...broken('runAsNonRoot', merged.runAsNonRoot !== true || merged.runAsUser === 0),
          ...broken('seccomp', !/^(RuntimeDefault|Localhost)$/.test(merged.seccompProfile?.type)),
          ...broken(
            'privilege escalation',
            merged.allowPrivilegeEscalation !== false || merged.privileged === true,
          ),
          ...broken('capabilities', merged.capabilities?.drop?.includes('ALL') !== true),
          ...broken(
            'added capabilities',
            (merged.capabilities?.add ?? []).some((c: string) => c !== 'NET_BIND_SERVICE'),
          ),
          ...broken(
            'host ports',
            ports.some(({ hostPort }: Manifest) => hostPort !== undefined),
          ),
        ];
      },
    ),
  ];
}

/** Returns a function that lists what is wrong with a manifest. */
function validator(version: string): (manifest: Manifest) => string[] {
  const ajv = new Ajv({ strict: false });
  const schema = (name: string) =>
    JSON.parse(readFileSync(fromRepository('test/support/kubernetes-schemas', `${name}.json`), 'utf8'));
  ajv.addSchema(schema(version), 'kubernetes');
  const providerClass = ajv.compile(schema('secret-provider-class'));
  const known = new Map<string, ValidateFunction>();
  return (manifest) => {
    const { kind } = manifest;
    const validate =
      known.get(kind) ??
      (kind === 'SecretProviderClass' ? providerClass : ajv.compile({ $ref: `kubernetes#/$defs/${kind}` }));
    known.set(kind, validate);
    validate(manifest);
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${kind}${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}
