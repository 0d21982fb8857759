import { describe, expect, it } from 'vitest';
import { complaints } from '../support/doctor-stage';
import { diagnoseText, edited, manifest, nextOf, placedIn } from '../support/manifests-stage';

const SHOP = manifest('shop');
const API = manifest('api');

/** What is wrong, the part of the sound manifest that becomes wrong, what the doctor says (with the line), and its advice. */
type Row = readonly [set: string, part: string, by: string, code: string, next: RegExp];

const LABEL = '        azure.workload.identity/use: "true"\n';
const ENV = '            - name: NODE_ENV\n              value: production\n';
const MOUNT =
  '            - name: secrets\n              mountPath: /mnt/secrets-store\n              readOnly: true\n';
const variable = (text: string) => `${ENV}            - ${text}\n`;

const BROKEN_SHOP: readonly Row[] = [
  // the environment
  [
    'a variable comes from a Secret',
    ENV,
    variable('name: DB\n              valueFrom: {secretKeyRef: {name: other, key: password}}'),
    'ENV_FROM_SECRET: - name: DB',
    /volume/,
  ],
  [
    'all keys of a Secret are variables',
    '          env:\n',
    '          envFrom:\n            - secretRef: {name: other}\n          env:\n',
    'ENV_FROM_SECRET: - secretRef: {name: other}',
    /volume/,
  ],
  [
    'a password is a plain variable',
    ENV,
    variable('{name: DB_PASSWORD, value: Marked-Value-7c1f}'),
    'ENV_PLAIN_SECRET: - {name: DB_PASSWORD, value: Marked-Value-7c1f}',
    /change the value/,
  ],
  [
    'a key is a plain variable',
    ENV,
    variable('{name: STRIPE_KEY, value: Marked-Value-7c1f}'),
    'ENV_PLAIN_SECRET: - {name: STRIPE_KEY, value: Marked-Value-7c1f}',
    /vault/,
  ],
  [
    'an address has a password',
    'postgres://app@db.shop',
    'postgres://app:Marked-Value-7c1f@db.shop',
    'ENV_PLAIN_SECRET: - name: DATABASE_URL',
    /vault/,
  ],
  [
    'SECRETS_PATH is another path',
    'value: /mnt/secrets-store',
    'value: /mnt/secrets',
    'MOUNT_PATH_MISMATCH: - name: SECRETS_PATH',
    /mountPath/,
  ],
  // volumes
  [
    'subPath mounts one file',
    MOUNT,
    `${MOUNT}              subPath: database-password\n`,
    'VOLUME_SUBPATH: subPath: database-password',
    /Remove subPath/,
  ],
  [
    'subPathExpr mounts one file',
    MOUNT,
    `${MOUNT}              subPathExpr: $(NAME)\n`,
    'VOLUME_SUBPATH: subPathExpr: $(NAME)',
    /Remove subPath/,
  ],
  [
    'a container mounts a volume that does not exist',
    '            - name: scratch\n',
    '            - name: scratches\n',
    'VOLUME_UNDEFINED: - name: scratches',
    /volumes/,
  ],
  [
    'a volume has no readOnly',
    '            readOnly: true\n            volumeAttributes',
    '            volumeAttributes',
    'VOLUME_NOT_READONLY: csi:',
    /readOnly: true/,
  ],
  [
    'a volume is of the node',
    '          emptyDir: {}',
    '          hostPath: {path: /etc/shop/secrets}',
    'VOLUME_HOST_PATH: hostPath: {path: /etc/shop/secrets}',
    /CSI/,
  ],
  [
    'only root may read a file of the driver',
    'filePermission: "0444"',
    'filePermission: "0400"',
    'VOLUME_MODE_UNREADABLE: filePermission: "0400"',
    /filePermission: '0444'/,
  ],
  // the SecretProviderClass
  [
    'the name of the SecretProviderClass is another',
    'secretProviderClass: shop-secrets',
    'secretProviderClass: shop-secret',
    'PROVIDER_CLASS_MISSING: secretProviderClass: shop-secret',
    /namespace/,
  ],
  [
    'the volume names no SecretProviderClass',
    '              secretProviderClass: shop-secrets\n',
    '              objects: ""\n',
    'PROVIDER_CLASS_MISSING: volumeAttributes:',
    /secretProviderClass/,
  ],
  [
    'the SecretProviderClass is in another namespace',
    'name: shop-secrets\n  namespace: shop',
    'name: shop-secrets\n  namespace: web',
    'NAMESPACE_MISMATCH: secretProviderClass: shop-secrets',
    /namespace of the pod/,
  ],
  [
    'the vault has no name',
    '    keyvaultName: shop-vault\n',
    '',
    'PROVIDER_PARAMETER_MISSING: parameters:',
    /keyvaultName/,
  ],
  [
    'the vault is an address',
    'keyvaultName: shop-vault',
    'keyvaultName: https://shop-vault.vault.azure.net',
    'PROVIDER_PARAMETER_INVALID: keyvaultName: https://shop-vault.vault.azure.net',
    /spec\.parameters/,
  ],
  [
    'the tenant is empty',
    'tenantId: 0c0d1f3a-7c3e-4b3b-9b1f-111111111111',
    'tenantId: ""',
    'PROVIDER_PARAMETER_MISSING: tenantId: ""',
    /tenantId/,
  ],
  [
    'a parameter is not a string',
    'usePodIdentity: "false"',
    'usePodIdentity: false',
    'PROVIDER_PARAMETER_INVALID: usePodIdentity: false',
    /strings/,
  ],
  [
    'a parameter is misspelt',
    'clientID: 6f1d',
    'clientId: 6f1d',
    'PROVIDER_PARAMETER_INVALID: clientId: 6f1d0f1e-0a77-4c4c-8a34-0d3c1c1c1c1c',
    /case-sensitive/,
  ],
  [
    'no identity reads the vault',
    '    clientID: 6f1d0f1e-0a77-4c4c-8a34-0d3c1c1c1c1c\n',
    '',
    'PROVIDER_IDENTITY_MISSING: parameters:',
    /clientID/,
  ],
  [
    'the identity is a retired one',
    'usePodIdentity: "false"',
    'usePodIdentity: "true"',
    'PROVIDER_IDENTITY_RETIRED: usePodIdentity: "true"',
    /workload identity/,
  ],
  [
    'a version is pinned',
    'objectVersion: ""',
    'objectVersion: 5f1c3a7e9b2d4c6f8a0b1c2d3e4f5a6b',
    'PROVIDER_VERSION_PINNED: objectVersion: 5f1c3a7e9b2d4c6f8a0b1c2d3e4f5a6b',
    /objectVersion/,
  ],
  [
    'an object has no type',
    '          objectType: secret\n          objectVersion',
    '          objectVersion',
    'PROVIDER_OBJECTS_INVALID: objectName: database-password',
    /objectType/,
  ],
  [
    'an object is not a text',
    '        - |\n          objectName: web',
    '        - objectName: web',
    'PROVIDER_OBJECTS_INVALID: - objectName: web',
    /"- \|"/,
  ],
  [
    'the objects are no array',
    '      array:\n        - |\n          objectName: database-password',
    '      objects:\n        - |\n          objectName: database-password',
    'PROVIDER_OBJECTS_INVALID: objects: |',
    /array:/,
  ],
  [
    'two objects have one file',
    'objectVersion: ""',
    'objectAlias: web-tls',
    'PROVIDER_OBJECT_DUPLICATE: objectName: web',
    /objectAlias/,
  ],
  [
    'a synchronized certificate has no key',
    'objectAlias: web-tls\n          objectType: secret\n          filePermission: "0444"',
    'objectAlias: web-tls\n          objectType: cert',
    'PROVIDER_CERTIFICATE_ONLY: objectType: cert',
    /objectType: secret/,
  ],
  [
    'a synchronized certificate is a PFX',
    'filePermission: "0444"',
    'objectFormat: pfx',
    'PROVIDER_FORMAT_PFX: objectFormat: pfx',
    /PEM/,
  ],
  [
    'a Secret is made from a name instead of an alias',
    '        - objectName: web-tls\n          key: tls.crt',
    '        - objectName: web\n          key: tls.crt',
    'PROVIDER_SYNC_UNKNOWN: - objectName: web',
    /objectAlias/,
  ],
  // the workload identity
  ['the pod has no label', LABEL, '', 'IDENTITY_LABEL_MISSING: labels:', /spec\.template\.metadata\.labels/],
  [
    'the label is a boolean',
    'azure.workload.identity/use: "true"',
    'azure.workload.identity/use: true',
    'IDENTITY_LABEL_INVALID: azure.workload.identity/use: true',
    /quotes/,
  ],
  [
    'the service account has no client id',
    '  annotations:\n    azure.workload.identity/client-id: 6f1d0f1e-0a77-4c4c-8a34-0d3c1c1c1c1c\n',
    '',
    'IDENTITY_CLIENT_ID_MISSING: name: shop',
    /Annotate/,
  ],
  [
    'the service account is in another namespace',
    'kind: ServiceAccount\nmetadata:\n  name: shop\n  namespace: shop\n',
    'kind: ServiceAccount\nmetadata:\n  name: shop\n  namespace: web\n',
    'NAMESPACE_MISMATCH: serviceAccountName: shop',
    /namespace of the pod/,
  ],
  [
    'the federated subject has another namespace',
    'system:serviceaccount:shop:shop',
    'system:serviceaccount:default:shop',
    'FEDERATED_SUBJECT_MISMATCH: subject: system:serviceaccount:default:shop',
    /NAMESPACE:NAME/,
  ],
  [
    'the federated subject is malformed',
    'system:serviceaccount:shop:shop',
    'system:serviceaccount:shop/shop',
    'FEDERATED_SUBJECT_MISMATCH: subject: system:serviceaccount:shop/shop',
    /NAMESPACE:NAME/,
  ],
  [
    'the federated audience is another',
    '    - api://AzureADTokenExchange',
    '    - api://AzureADTokenExchanges',
    'FEDERATED_AUDIENCE_MISMATCH: - api://AzureADTokenExchanges',
    /api:\/\/AzureADTokenExchange/,
  ],
  // probes and rotation
  [
    'the liveness probe asks for readiness',
    'path: /-/secrets/live',
    'path: /-/secrets/ready',
    'PROBE_RESTARTS: path: /-/secrets/ready',
    /\/-\/secrets\/live/,
  ],
  [
    'the liveness probe asks for health',
    'path: /-/secrets/live',
    'path: /-/health',
    'PROBE_RESTARTS: path: /-/health',
    /liveness/,
  ],
  [
    'the liveness probe runs the doctor',
    '            httpGet:\n              path: /-/secrets/live\n              port: 8080',
    '            exec:\n              command: [npx, hot-secrets, doctor]',
    'PROBE_RESTARTS: livenessProbe:',
    /live/,
  ],
  [
    'the driver does not rotate',
    'requiresRepublish: true',
    'requiresRepublish: false',
    'ROTATION_OFF: requiresRepublish: false',
    /enable-secret-rotation/,
  ],
  [
    'the manifest is not YAML',
    '    objects: |\n      array:',
    '    objects: [\n      array:',
    'MANIFEST_INVALID: - |',
    /Correct/,
  ],
];

const BROKEN_API: readonly Row[] = [
  [
    'a Secret is immutable',
    'type: Opaque\n',
    'type: Opaque\nimmutable: true\n',
    'SECRET_IMMUTABLE: immutable: true',
    /Remove immutable/,
  ],
  [
    'a value is not base64',
    'db-password: TWFya2VkLVZhbHVlLTdjMWY=',
    'db-password: Marked-Value-7c1f',
    'SECRET_DATA_INVALID: db-password: Marked-Value-7c1f',
    /stringData/,
  ],
  [
    'a value has a newline',
    'TWFya2VkLVZhbHVlLTdjMWY=',
    'TWFya2VkLVZhbHVlLTdjMWYK',
    'VALUE_TRAILING_NEWLINE: db-password: TWFya2VkLVZhbHVlLTdjMWYK',
    /printf %s/,
  ],
  [
    'a value was encoded twice',
    'TWFya2VkLVZhbHVlLTdjMWY=',
    'VFdGeWEyVmtMVlpoYkhWbExUZGpNV1k9',
    'VALUE_BASE64: db-password: VFdGeWEyVmtMVlpoYkhWbExUZGpNV1k9',
    /decoded/,
  ],
  [
    'a plain value is encoded',
    'api-key: k7-Marked-Value-7c1f',
    'api-key: TWFya2VkLVZhbHVlLTdjMWY=',
    'VALUE_BASE64: api-key: TWFya2VkLVZhbHVlLTdjMWY=',
    /stringData is plain/,
  ],
  [
    'a value is a placeholder',
    'api-key: k7-Marked-Value-7c1f',
    'api-key: changeme',
    'VALUE_PLACEHOLDER: api-key: changeme',
    /real value/,
  ],
  [
    'a ConfigMap has a password',
    'LOG_LEVEL: info',
    'DB_PASSWORD: Marked-Value-7c1f',
    'CONFIG_MAP_SECRET: DB_PASSWORD: Marked-Value-7c1f',
    /vault/,
  ],
  [
    'a volume has a key that the Secret lacks',
    '- key: api-key',
    '- key: api_key',
    'SECRET_KEY_MISSING: - key: api_key',
    /Add the key/,
  ],
  [
    'only root may read the files',
    '        fsGroup: 1000\n',
    '',
    'VOLUME_MODE_UNREADABLE: defaultMode: 0400',
    /fsGroup/,
  ],
  [
    'a mode is decimal',
    'defaultMode: 0400',
    'defaultMode: 400',
    'VOLUME_MODE_DECIMAL: defaultMode: 400',
    /Write 0400 in YAML, or 256 in JSON/,
  ],
  [
    'no container mounts the volume',
    '            - name: secrets\n              mountPath: /etc/secrets\n',
    '',
    'VOLUME_UNUSED: - name: secrets',
    /volumeMounts/,
  ],
];

async function expectOnly(text: string, expected: string, next: RegExp) {
  const diagnosis = await diagnoseText(text);
  const worse = diagnosis.findings.filter(({ level }) => level !== 'note');
  expect(worse.map((one) => placedIn(text, one))).toEqual([expected]);
  expect(nextOf(worse[0])).toMatch(next);
  for (const { place } of worse) expect(place).toBe('shop.yaml');
}

describe('the doctor on a broken manifest', () => {
  it.each(BROKEN_SHOP)(
    'names the fault, its line and its fix when %s',
    async (_set, part, by, code, next) => {
      await expectOnly(edited(SHOP, part, by), code, next);
    },
  );

  it.each(BROKEN_API)(
    'names the fault of Secrets, its line and its fix when %s',
    async (_set, part, by, code, next) => {
      await expectOnly(edited(API, part, by), code, next);
    },
  );

  it.each<[set: string, text: string, expected: string[]]>([
    [
      'only an init container mounts the secrets, and copies them',
      edited(
        edited(API, '            - name: secrets\n              mountPath: /etc/secrets\n', ''),
        '            - name: shared\n              mountPath: /shared\n      containers',
        '            - name: shared\n              mountPath: /shared\n            - {name: secrets, mountPath: /in}\n      containers',
      ),
      ['VOLUME_INIT_ONLY: - name: secrets'],
    ],
    [
      'a Secret is in another namespace than its pod',
      edited(
        edited(API, '  name: api-secrets\ntype', '  name: api-secrets\n  namespace: web\ntype'),
        '  name: api\nspec:\n  serviceName',
        '  name: api\n  namespace: api\nspec:\n  serviceName',
      ),
      ['NAMESPACE_MISMATCH: secret:'],
    ],
    [
      'a pod needs a Secret of secretObjects, and mounts no volume',
      edited(
        edited(SHOP, MOUNT, ''),
        ENV,
        variable('name: TLS_KEY\n              valueFrom: {secretKeyRef: {name: shop-tls, key: tls.key}}'),
      )
        .replace(/ {8}- name: secrets\n {10}csi:[\s\S]*?shop-secrets\n/, '')
        .replace(/ {12}- name: SECRETS_PATH\n.*\n/, ''),
      [
        'SECRET_SYNC_UNMOUNTED: valueFrom: {secretKeyRef: {name: shop-tls, key: tls.key}}',
        'ENV_FROM_SECRET: - name: TLS_KEY',
        'PROVIDER_SYNC_UNMOUNTED: - secretName: shop-tls',
      ],
    ],
    [
      'a variable takes a key that secretObjects do not make',
      edited(
        SHOP,
        ENV,
        variable('name: TLS_KEY\n              valueFrom: {secretKeyRef: {name: shop-tls, key: key.pem}}'),
      ),
      [
        'SECRET_KEY_MISSING: valueFrom: {secretKeyRef: {name: shop-tls, key: key.pem}}',
        'ENV_FROM_SECRET: - name: TLS_KEY',
      ],
    ],
    [
      'the label is on the Deployment only',
      edited(
        edited(SHOP, LABEL, ''),
        'metadata:\n  name: shop\n  namespace: shop\nspec:\n  replicas',
        `metadata:\n  name: shop\n  namespace: shop\n  labels:\n${LABEL}spec:\n  replicas`,
      ),
      ['IDENTITY_LABEL_MISSING: azure.workload.identity/use: "true"'],
    ],
    [
      'a labelled pod has the default service account',
      edited(SHOP, '      serviceAccountName: shop\n', '')
        .split('---\n')
        .filter((_, index) => index > 1)
        .join('---\n'),
      ['IDENTITY_CLIENT_ID_MISSING: spec:'],
    ],
    [
      'two pods may not read a file of the SecretProviderClass',
      `${edited(SHOP, 'filePermission: "0444"', 'filePermission: "0400"')}---\n${SHOP.split('---\n')[3]?.replace('  name: shop\n', '  name: other\n')}`,
      ['VOLUME_MODE_UNREADABLE: filePermission: "0400"', 'VOLUME_MODE_UNREADABLE: filePermission: "0400"'],
    ],
    [
      'a TLS Secret has no key',
      'apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ntype: kubernetes.io/tls\ndata:\n  tls.key: ""\n',
      ['SECRET_KEY_MISSING: data:', 'VALUE_EMPTY: tls.key: ""'],
    ],
  ])('names every fault with its line when %s', async (_set, text, expected) => {
    const { findings } = await diagnoseText(text);
    const worse = findings.filter(({ level }) => level !== 'note');
    expect(worse.map((one) => placedIn(text, one))).toEqual(expected);
  });

  it('finds nothing in the manifests that the others are made from', async () => {
    expect((await diagnoseText(SHOP)).findings).toEqual([]);
    expect(complaints(await diagnoseText(API))).toEqual([]);
  });
});
