import { expect, it } from 'vitest';
import { createAuthority } from '../support/certificates';
import { complaints } from '../support/doctor-stage';
import { diagnoseText, manifest, placedIn } from '../support/manifests-stage';

const SOUND = manifest('sound')
  .split(/^### /m)
  .slice(1)
  .map((part) => [part.split('\n', 1)[0] as string, part.slice(part.indexOf('\n') + 1)] as const);

it.each(SOUND)('finds nothing to fix in %s', async (_name, text) => {
  const { findings, facts } = await diagnoseText(text);
  const worse = findings.filter(({ level }) => level !== 'note');
  expect(worse.map((one) => placedIn(text, one))).toEqual([]);
  expect(facts.manifests?.objects).toBeGreaterThan(0);
});

it('finds nothing to fix in the Secret of a certificate and in those of programs', async () => {
  const web = await (await createAuthority()).issue({ hosts: ['shop.example'] });
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const items = [
    { type: 'kubernetes.io/tls', data: { 'tls.crt': base64(web.cert), 'tls.key': base64(web.key) } },
    { type: 'helm.sh/release.v1', data: { release: base64(base64('Marked-Value-7c1f Marked-Value')) } },
    { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64('{"auths":{}}\n') } },
    {
      type: 'Opaque',
      data: { password: 'ENC[AES256_GCM,data:Marked-Value-7c1f]' },
      sops: { version: '3.8.1' },
    },
  ].map((one, index) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${index}` }, ...one }));
  const diagnosis = await diagnoseText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2));
  expect(complaints(diagnosis)).toEqual([]);
  expect(diagnosis.facts.manifests).toEqual({ files: 1, objects: 4 });
});

it.each([
  [
    'a pod whose SecretProviderClass is elsewhere',
    'a service principal',
    1,
    ['PROVIDER_CLASS_MISSING', 'ROTATION_UNKNOWN'],
  ],
  ['the CSI driver without a sign of rotation', 'a service principal', undefined, ['ROTATION_UNKNOWN']],
  [
    'an identity that only the CSI driver uses',
    'the workload identity sample of the Azure provider',
    undefined,
    ['IDENTITY_LABEL_MISSING', 'ROTATION_UNKNOWN'],
  ],
  [
    'a SecretProviderClass without pods',
    'certificates of the vault, synchronized for an ingress',
    0,
    ['PROVIDER_SYNC_UNMOUNTED'],
  ],
  [
    'probes with one path',
    'certificates of the vault, synchronized for an ingress',
    undefined,
    ['PROBE_RESTARTS', 'ROTATION_UNKNOWN'],
  ],
  ['a variable in a job', 'jobs', undefined, ['ENV_FROM_SECRET']],
])('notes only %s', async (_set, name, part, codes) => {
  const text = SOUND.find(([one]) => one === name)?.[1] as string;
  const { findings } = await diagnoseText(part === undefined ? text : (text.split('---\n')[part] as string));
  expect(findings.map(({ code, level }) => [code, level])).toEqual(codes.map((code) => [code, 'note']));
});
