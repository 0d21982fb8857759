import { eventGridHandler, type KeyVaultEvent } from 'hot-secrets/http';
import { describe, expect, it } from 'vitest';
import { cloudSample, delivery, gridSample, VAULT } from '../../support/event-grid';
import { countingStore, recordWarnings } from '../../support/http-stage';

const CLOUD = 'application/cloudevents+json; charset=utf-8';
const BATCH = 'application/cloudevents-batch+json; charset=utf-8';

function stage(options: Partial<Parameters<typeof eventGridHandler>[1]> = {}) {
  const store = countingStore();
  const heard: KeyVaultEvent[] = [];
  const handler = eventGridHandler(store, {
    authorize: () => true,
    onEvents: (events) => heard.push(...events),
    ...options,
  });
  async function deliver(body: unknown, contentType?: string) {
    const response = await handler(delivery(body, contentType === undefined ? {} : { contentType }));
    return [response.status, await response.json()];
  }
  return { store, heard, handler, deliver };
}

describe('eventGridHandler with an event of a vault', () => {
  it.each([
    ['a list of the Event Grid schema', [gridSample], undefined],
    ['one event of the Event Grid schema', gridSample, undefined],
    ['one CloudEvent', cloudSample, CLOUD],
    ['a batch of CloudEvents', [cloudSample], BATCH],
    ['a list of CloudEvents without their type', [cloudSample], 'application/json'],
  ])('refreshes the store for %s', async (_title, body, contentType) => {
    const { store, heard, deliver } = stage();
    expect(await deliver(body, contentType)).toEqual([200, { accepted: 1, ignored: 0 }]);
    expect(store.triggers).toEqual(['event-grid']);
    expect(heard).toEqual([
      {
        type: 'Microsoft.KeyVault.SecretNewVersionCreated',
        id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
        topic: VAULT,
        time: new Date('2019-07-25T01:08:33.103Z'),
        vaultName: 'sample-kv',
        objectType: 'Secret',
        objectName: 'newsecret',
        objectId: 'https://sample-kv.vault.azure.net/secrets/newsecret/ee059b2bb5bc48398a53b168c6cdcb10',
        version: 'ee059b2bb5bc48398a53b168c6cdcb10',
        notBefore: new Date(1_559_081_980_000),
        expires: new Date(1_559_082_102_000),
      },
    ]);
  });

  it.each([
    ['names in camel case', { vaultName: 'v', objectName: 'o', exp: 1_559_082_102 }],
    ['names in Pascal case', { VaultName: 'v', ObjectName: 'o', EXP: 1_559_082_102, NBF: null }],
    ['times as text', { VaultName: 'v', OBJECTNAME: 'o', EXP: '1559082102', NBF: '' }],
  ])('reads events with %s, and reports missing fields as undefined', async (_title, data) => {
    const { heard, deliver } = stage();
    await deliver([{ ...gridSample, eventTime: 'soon', data }]);
    expect(heard).toMatchObject([
      { vaultName: 'v', objectName: 'o', expires: new Date(1_559_082_102_000), notBefore: undefined },
    ]);
    expect(heard[0]).toMatchObject({ time: undefined, version: undefined, objectType: undefined });
  });

  it('refreshes the store even when the data of the event is unusable', async () => {
    const { store, deliver } = stage();
    for (const data of [undefined, null, 7, 'text', [], { EXP: 1e300, Version: {} }]) {
      expect(await deliver([{ ...gridSample, data }])).toEqual([200, { accepted: 1, ignored: 0 }]);
    }
    expect(store.triggers.length).toBeGreaterThan(0);
  });

  it.each(
    ['Secret', 'Key', 'Certificate'].flatMap((object) =>
      ['NewVersionCreated', 'NearExpiry', 'Expired'].map((what) => `Microsoft.KeyVault.${object}${what}`),
    ),
  )('accepts the event type %s', async (eventType) => {
    const { store, heard, deliver } = stage();
    await deliver([{ ...gridSample, eventType }]);
    expect([store.triggers.length, heard[0]?.type]).toEqual([1, eventType]);
  });
});

describe('eventGridHandler with other events', () => {
  it('acknowledges and ignores other events than those of a vault', async () => {
    const { store, heard, deliver } = stage();
    const others = [
      { ...gridSample, eventType: 'Microsoft.KeyVault.VaultAccessPolicyChanged' },
      { ...gridSample, eventType: 'Microsoft.Storage.BlobCreated' },
      { ...gridSample, eventType: 7 },
      { ...cloudSample, type: 'Microsoft.KeyVault.SecretNewVersionCreated.v2' },
      {},
    ];
    expect(await deliver(others)).toEqual([200, { accepted: 0, ignored: 5 }]);
    expect(await deliver([])).toEqual([200, { accepted: 0, ignored: 0 }]);
    expect(await deliver(['text', null, 7])).toEqual([200, { accepted: 0, ignored: 0 }]);
    expect([store.triggers, heard]).toEqual([[], []]);
  });

  it('accepts the events of a vault among others in one delivery', async () => {
    const { store, deliver } = stage();
    const mixed = [{ ...gridSample, eventType: 'Other' }, 'text', gridSample, gridSample, cloudSample];
    expect(await deliver(mixed)).toEqual([200, { accepted: 3, ignored: 1 }]);
    expect(store.triggers).toEqual(['event-grid']);
  });
});

describe('eventGridHandler with topics', () => {
  const subscription = '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333';

  async function expectAccepted(accepted: 0 | 1, topics: readonly string[]): Promise<void> {
    for (const [body, contentType] of [[[gridSample]], [cloudSample, CLOUD]] as const) {
      const { store, deliver } = stage({ topics });
      expect(await deliver(body, contentType)).toEqual([200, { accepted, ignored: 1 - accepted }]);
      expect(store.triggers).toHaveLength(accepted);
    }
  }

  it.each([
    ['its vault', [VAULT]],
    ['its vault in capitals', ['/other', VAULT.toUpperCase()]],
    ['the subscription of its vault', [`${subscription}/`]],
  ])('accepts an event when the topics include %s', async (_title, topics) => {
    await expectAccepted(1, topics);
  });

  it.each([
    ['a shorter name', VAULT.slice(0, -1)],
    ['a longer name', `${VAULT}2`],
  ])('ignores an event when the topic is a vault with %s', async (_title, topic) => {
    await expectAccepted(0, [topic]);
  });

  it('ignores an event without a topic when topics are set', async () => {
    const { deliver } = stage({ topics: [VAULT] });
    expect(await deliver([{ ...gridSample, topic: undefined }])).toEqual([200, { accepted: 0, ignored: 1 }]);
  });
});

describe('eventGridHandler with onEvents', () => {
  it('accepts events when onEvents throws or rejects, and warns once', async () => {
    using warnings = recordWarnings();
    for (const onEvents of [
      () => {
        throw new Error('marker-value');
      },
      async () => {
        throw new Error('marker-value');
      },
    ]) {
      const { store, deliver } = stage({ onEvents, minIntervalMs: 0 });
      for (const round of [1, 2, 3]) {
        expect(await deliver([gridSample])).toEqual([200, { accepted: 1, ignored: 0 }]);
        await expect.poll(() => store.triggers.length).toBe(round);
      }
    }
    await expect.poll(() => warnings.codes()).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED']);
    expect(warnings.text()).not.toContain('marker-value');
  });
});
