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

describe('eventGridHandler with a body that would block the process', () => {
  const megabyte = (one: string, separator = ',') =>
    Array(Math.floor(1_048_000 / (one.length + separator.length)))
      .fill(one)
      .join(separator);
  const many = [413, { error: 'the body holds too many values' }];
  const deep = [400, { error: 'the body is nested too deeply' }];

  it.each<[title: string, body: string, answer: unknown[]]>([
    ['a megabyte of empty objects', `[${megabyte('{}')}]`, many],
    ['a megabyte of empty lists', `[${megabyte('[]')}]`, many],
    ['a megabyte of numbers', `[${megabyte('0')}]`, many],
    ['an event with a megabyte of data', `[{"data":[${megabyte('0')}]}]`, many],
    ['an event with 60 000 names', `[{${Array.from({ length: 60_000 }, (_, n) => `"n${n}":1`)}}]`, many],
    ['a megabyte of nested lists', megabyte('[', ''), deep],
    ['a megabyte of nested objects', megabyte('{"a":', ''), deep],
    ['lists nested 33 deep', `${'['.repeat(33)}${']'.repeat(33)}`, deep],
    [
      'more events than a batch has',
      `[${Array(5_001).fill('{"id":"1"}')}]`,
      [413, { error: 'the body holds too many events' }],
    ],
  ])('refuses %s without reading it', async (_title, body, answer) => {
    const { store, deliver } = stage();
    expect(await deliver(body)).toEqual(answer);
    expect(store.triggers).toEqual([]);
  });

  it.each<[title: string, content: unknown]>([
    ['a topic of half a million slashes', [{ ...gridSample, topic: `${'/'.repeat(500_000)}x` }]],
    ['400 topics of 2 000 slashes', Array(400).fill({ ...gridSample, topic: `${'/'.repeat(2_000)}x` })],
    ['a date of half a million blanks', [{ eventTime: ' '.repeat(500_000) }]],
    ['a name of half a million letters', [{ ['x'.repeat(500_000)]: 1 }]],
    ['an event with 101 fields', [Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`n${n}`, 1]))]],
  ])('ignores %s', async (_title, content) => {
    const { deliver } = stage({ topics: ['/subscriptions/one'] });
    const ignored = (content as unknown[]).length;
    expect(await deliver(content)).toEqual([200, { accepted: 0, ignored }]);
  });

  it('ignores brackets, commas and quotes within texts when it bounds a body', async () => {
    const { deliver, heard } = stage();
    const subject = '[{'.repeat(20_000) + '\\"[{\\'.repeat(10_000) + ',:'.repeat(100_000);
    expect(await deliver([{ ...gridSample, subject }])).toEqual([200, { accepted: 1, ignored: 0 }]);
    expect(heard).toHaveLength(1);
  });

  it('accepts a full batch of Event Grid', async () => {
    const { deliver } = stage();
    expect(await deliver(Array(1_500).fill(gridSample))).toEqual([200, { accepted: 1_500, ignored: 0 }]);
  });

  it('accepts a list of 5 000 events that a body parser has read, and refuses one more', async () => {
    const { handler } = stage();
    for (const [length, status] of [
      [5_000, 200],
      [5_001, 413],
    ] as const) {
      const parsed = { method: 'POST', url: '/', headers: {}, complete: true, body: Array(length).fill({}) };
      expect((await handler.answer(parsed as never)).status).toBe(status);
    }
  });

  it('reads a body that arrives in many small chunks', async () => {
    const { handler } = stage();
    const bytes = new TextEncoder().encode(JSON.stringify(Array(20).fill(gridSample)));
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at === bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + 1));
        at += 1;
      },
    });
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(await (await handler(request)).json()).toEqual({ accepted: 20, ignored: 0 });
  });
});
