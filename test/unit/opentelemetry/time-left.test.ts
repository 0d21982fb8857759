import { memory, SecretStore, secret } from 'hot-secrets';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { expect, it, onTestFinished } from 'vitest';
import { type Authority, createAuthority } from '../../support/certificates';
import { telemetry, valueIn } from '../../support/telemetry';

const DAY_MS = 86_400_000;
const SUBJECT = 'hot_secrets.expiry.subject';

async function web() {
  const authority = await createAuthority();
  const issue = async (commonName: string, days: number, by: Authority = authority) => {
    const { chain, key } = await by.issue({ commonName, notAfter: new Date(Date.now() + days * DAY_MS) });
    return chain + key;
  };
  const source = memory({ web: await issue('shop', 12), ca: authority.cert });
  const secrets = await SecretStore.open({
    secrets: { web: secret.tls('web'), trust: secret.tls({ ca: 'ca' }) },
    sources: [source],
    expiryThresholdsDays: [],
  });
  onTestFinished(() => secrets.close());
  const { meterProvider, series } = telemetry();
  instrumentSecrets(secrets, { meterProvider });
  return {
    authority,
    async rotate(commonName: string, days: number, by?: Authority) {
      source.set({ web: await issue(commonName, days, by) });
      await secrets.refresh();
    },
    series: () => series('hot_secrets.secret.time_left'),
  };
}

it('reports the days that each certificate has left by secret, kind and subject', async () => {
  const { authority, rotate, series } = await web();
  const days = async (subject: string) => valueIn(await series(), { [SUBJECT]: subject });
  expect((await series()).map(({ attributes }) => attributes)).toEqual([
    {
      'hot_secrets.store.name': 'secrets',
      'hot_secrets.secret.name': 'web',
      'hot_secrets.expiry.of': 'leaf',
      [SUBJECT]: 'shop',
    },
    {
      'hot_secrets.store.name': 'secrets',
      'hot_secrets.secret.name': 'trust',
      'hot_secrets.expiry.of': 'ca',
      [SUBJECT]: 'Test Authority',
    },
  ]);
  expect(await days('shop')).toBeCloseTo(12, 2);
  for (const left of [80, 40, 60]) {
    await rotate('shop', left, await authority.intermediate('Middle'));
    expect(await days('shop')).toBeCloseTo(left, 2);
  }
  expect(await days('Middle')).toBeGreaterThan(1000);
});

it('reports the days of the current certificate for the subject of a replaced one', async () => {
  const { rotate, series } = await web();
  await series();
  for (const [subject, left] of [
    ['shop-2', 70],
    ['shop-3', 50],
    ['shop-4', 90],
  ] as const) {
    await rotate(subject, left);
    for (const { attributes, value } of await series()) {
      if (attributes['hot_secrets.secret.name'] === 'web') expect(value).toBeCloseTo(left, 2);
    }
  }
  expect((await series()).map(({ attributes }) => attributes[SUBJECT])).toEqual([
    'shop',
    'Test Authority',
    'shop-2',
    'shop-3',
    'shop-4',
  ]);
});

it('bounds the number of series when each certificate has another subject', async () => {
  const { rotate, series } = await web();
  for (let round = 1; round <= 25; round += 1) {
    await rotate(`pod-${round}`, 10 + round);
    await series();
  }
  const ofWeb = (await series()).filter(({ attributes }) => attributes['hot_secrets.secret.name'] === 'web');
  expect(ofWeb).toHaveLength(21);
  expect(valueIn(ofWeb, { [SUBJECT]: '_OTHER' })).toBeCloseTo(35, 2);
});
