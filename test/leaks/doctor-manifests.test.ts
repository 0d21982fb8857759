import { diagnoseManifests } from 'hot-secrets/doctor';
import { expect, it } from 'vitest';
import { expectNotIn } from '../support/doctor-stage';

const MARK = 'Marked-Value-7c1f';
const encoded = (text: string) => Buffer.from(text).toString('base64');

/** Values of Secrets and variables, each with a fault or next to one. */
const FAULTY = `
apiVersion: v1
kind: Secret
metadata: {name: a}
immutable: true
type: kubernetes.io/tls
data:
  raw: ${MARK}
  newline: ${encoded(`${MARK}\n`)}
  twice: ${encoded(encoded(MARK))}
  crlf: ${encoded(`${MARK}\r\n${MARK}`)}
  tls.crt: ${encoded(`-----BEGIN CERTIFICATE-----\n${MARK}\n-----END CERTIFICATE-----\n`)}
stringData:
  quoted: '"${MARK}"'
  placeholder: <${MARK}>
  part: postgres://app:$(PASSWORD)@${MARK}/app
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {DB_PASSWORD: ${MARK}, url: "postgres://app:${MARK}@db/app"}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: a}
spec:
  provider: azure
  parameters:
    keyvaultName: https://${MARK}
    clientId: ${MARK}
    tenantId: <${MARK}>
    objects: "array: [${MARK}"
---
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {azure.workload.identity/use: ${MARK}}}
spec:
  containers:
    - name: a
      image: a
      args: [--password=${MARK}]
      env:
        - {name: DB_PASSWORD, value: ${MARK}}
        - {name: apiKey, value: ${MARK}}
        - {name: DATABASE, value: "Server=db;Password=${MARK}"}
        - {name: SECRETS_PATH, value: /${MARK}}
        - {name: OTHER, valueFrom: {secretKeyRef: {name: a, key: missing}}}
      livenessProbe: {exec: {command: [hot-secrets, doctor, --header, ${MARK}]}}
---
apiVersion: managedidentity.azure.com/v1api20230131
kind: FederatedIdentityCredential
metadata: {name: a}
spec: {audiences: [${MARK}]}
`;

const BROKEN = [
  `apiVersion: v1\nkind: Secret\ndata:\n  a: "${MARK}\n  b: [${MARK}\n`,
  `apiVersion: v1\nkind: Secret\nstringData:\n  ${MARK}: a\n  ${MARK}: *${MARK}\n`,
  `apiVersion: v1\nkind: Secret\nstringData:\n  a: !${MARK} ${MARK}\n  b: "\\${MARK}"\n`,
  `{"apiVersion": "v1", "kind": "Secret", "data": {"a": "${MARK}" "${MARK}"}}`,
];

it('shows no value of a Secret, a ConfigMap or a variable, whatever is wrong with it', async () => {
  const diagnosis = await diagnoseManifests({ name: 'a.yaml', text: FAULTY });
  expectNotIn(diagnosis, MARK);
  const codes = new Set(diagnosis.findings.map(({ code }) => code));
  expect([...codes]).toEqual(
    expect.arrayContaining([
      'SECRET_DATA_INVALID',
      'SECRET_IMMUTABLE',
      'SECRET_KEY_MISSING',
      'CERTIFICATE_INVALID',
      'VALUE_TRAILING_NEWLINE',
      'VALUE_BASE64',
      'VALUE_PART_UNRESOLVED',
      'CONFIG_MAP_SECRET',
      'ENV_PLAIN_SECRET',
      'ENV_FROM_SECRET',
      'MOUNT_PATH_MISMATCH',
      'PROBE_RESTARTS',
      'PROVIDER_PARAMETER_INVALID',
      'PROVIDER_OBJECTS_INVALID',
      'MANIFEST_PLACEHOLDER',
      'IDENTITY_LABEL_INVALID',
      'FEDERATED_AUDIENCE_MISMATCH',
    ]),
  );
  expect(diagnosis.findings.filter(({ line }) => line === undefined)).toEqual([]);
});

it.each(BROKEN)('shows no part of a manifest that cannot be parsed: %j', async (text) => {
  const diagnosis = await diagnoseManifests({ name: 'a.yaml', text });
  expectNotIn(diagnosis, MARK);
  expect(diagnosis.findings.map(({ code }) => code)).toContain('MANIFEST_INVALID');
});
