import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Definition,
  environment,
  memory,
  mountedFiles,
  type ReadRequest,
  type ReadResult,
  SecretsError,
  type Source,
  type StandardSchema,
  secret,
} from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import * as valibot from 'valibot';
import * as zod from 'zod';
import { base64Around, encodings } from '../../support/encodings';
import type { Outputs } from './outputs';
import { withStore } from './stage';
import { jsonText, marks, pairs, pfx } from './values';

const bad = marks.badText.value;
const badJson = marks.badJson.value;
const echo = marks.echoed.value;

/** A schema of another library that repeats its input wherever it can. */
const echoing = (validate: (value: unknown) => unknown) =>
  ({ '~standard': { version: 1, vendor: 'echo', validate } }) as unknown as StandardSchema<unknown>;
const issue = (value: unknown) => ({ issues: [{ message: `bad: ${value}`, path: ['key'] }] });

interface Refused {
  readonly definition: Definition<unknown>;
  readonly good?: Readonly<Record<string, string | Uint8Array>>;
  readonly stored: Readonly<Record<string, string | Uint8Array>>;
}

const one = (definition: Definition<unknown>, stored: string | Uint8Array, good?: string): Refused => ({
  definition,
  stored: { one: stored },
  ...(good === undefined ? {} : { good: { one: good } }),
});
const pair = secret.tls({ cert: 'cert', key: 'key' }, { expired: 'reject', hostNames: ['other.test'] });
const withWords = secret.tls({ cert: 'cert', key: 'key' }, { passphrase: 'words' });
const { first, second, late, encrypted } = pairs;
const goodPair = { cert: first.cert, key: first.key };
const text = () => secret.text('one');
const json = () => secret.json('one');

/** Every kind of value that the store refuses or warns about. */
const REFUSED: Readonly<Record<string, Refused>> = {
  'text that is not UTF-8': one(text(), Buffer.concat([Buffer.from(bad), Buffer.from([0xff, 0xfe])]), echo),
  'text in UTF-16': one(text(), Buffer.from(bad, 'utf16le'), echo),
  'text with a NUL': one(text(), `${bad}\0${bad}`, echo),
  'text with quotes': one(text(), `"${bad}"`, echo),
  'text with white space': one(text(), `  ${bad} \u200b`, echo),
  'text of two lines': one(text(), `${bad}\n${bad}\n\n`, echo),
  'a reference to a variable': one(text(), `\${${bad}}`, echo),
  'a reference to a vault': one(
    text(),
    `@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/${bad})`,
    echo,
  ),
  'a template': one(text(), `{{ ${bad} }}`, echo),
  'text that a schema of zod refuses': one(
    secret.text('one', { schema: zod.enum(['a', 'b']) as never }),
    bad,
    'a',
  ),
  'a schema that repeats its input': one(secret.text('one', { schema: echoing(issue) }), bad),
  'a schema whose path has its input': one(
    secret.text('one', {
      schema: echoing((value) => ({ issues: [{ message: '', path: [value, { key: value }] }] })),
    }),
    bad,
  ),
  'a schema that throws its input': one(
    secret.text('one', {
      schema: echoing((value) => {
        throw Object.assign(new Error(`bad: ${value}`), { input: value, cause: value });
      }),
    }),
    bad,
  ),
  'a schema that throws a text': one(
    secret.text('one', {
      schema: echoing((value) => {
        throw value;
      }),
    }),
    bad,
  ),
  'a schema that rejects': one(
    secret.text('one', { schema: echoing((value) => Promise.reject(new TypeError(String(value)))) }),
    bad,
  ),
  'a schema that returns nonsense': one(secret.text('one', { schema: echoing((value) => value) }), bad),
  'bytes that are not base64': one(secret.bytes('one', { encoding: 'base64' }), `${bad}*!`, 'AAAA'),
  'text that is not base64url': one(secret.text('one', { encoding: 'base64url' }), `${bad}+/=?`, 'QUFB'),
  'JSON that is a bare word': one(json(), badJson, '{}'),
  'JSON that is cut off': one(json(), `{"key":"${badJson}`, '{}'),
  'JSON with a comma too much': one(json(), `{"${badJson}":"${badJson}",}`, '{}'),
  'JSON with a bad escape': one(json(), `{"a":"${badJson}\\x"}`, '{}'),
  'JSON with something behind': one(json(), `{"a":1}${badJson}`, '{}'),
  'JSON with single quotes': one(json(), `{'${badJson}':'${badJson}'}`, '{}'),
  'JSON with a key twice': one(json(), `{"${badJson}":1,"${badJson}":2}`, '{}'),
  'JSON in JSON': one(json(), JSON.stringify(JSON.stringify({ key: badJson })), '{}'),
  'JSON that a schema of zod refuses': one(
    secret.json('one', zod.strictObject({ a: zod.number() }) as never),
    JSON.stringify({ a: badJson, [badJson]: badJson }),
    '{"a":1}',
  ),
  'JSON that a schema of valibot refuses': one(
    secret.json('one', valibot.strictObject({ a: valibot.picklist(['x']) }) as never),
    JSON.stringify({ a: badJson, [badJson]: badJson }),
    '{"a":"x"}',
  ),
  'a record whose keys are secret': one(
    secret.json('one', zod.record(zod.string(), zod.object({ n: zod.number() })) as never),
    JSON.stringify({ [badJson]: { n: badJson } }),
    '{}',
  ),
  'empty text': { definition: text(), good: { one: bad }, stored: { one: '' } },
  'a mismatched pair': { definition: pair, good: goodPair, stored: { cert: first.cert, key: second.key } },
  'an expired certificate': { definition: pair, good: goodPair, stored: { cert: late.cert, key: late.key } },
  'a key without its certificate': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.key, key: first.key },
  },
  'a certificate without its key': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.cert },
  },
  'two keys': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.key + second.key },
  },
  'a key that is cut off': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.key.slice(0, -60) },
  },
  'a key with a damaged line': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.key.replace(/\n(....)/, '\n*$1*') },
  },
  'a key on one line': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.key.replaceAll('\n', ' ') },
  },
  'a key that is text': { definition: pair, good: goodPair, stored: { cert: first.cert, key: bad } },
  'a key for PuTTY': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: `PuTTY-User-Key-File-3: x\n${bad}` },
  },
  'a key for OpenSSH': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: first.key.replaceAll('PRIVATE KEY', 'OPENSSH PRIVATE KEY') },
  },
  'an encrypted key without a passphrase': {
    definition: pair,
    good: goodPair,
    stored: { cert: first.cert, key: encrypted },
  },
  'an encrypted key with a wrong passphrase': {
    definition: withWords,
    good: { cert: first.cert, key: encrypted, words: marks.passphrase.value },
    stored: { cert: first.cert, key: encrypted, words: marks.badPassphrase.value },
  },
  'a PFX with a wrong passphrase': {
    definition: secret.tls('one', { passphrase: 'words' }),
    good: { one: pfx, words: marks.passphrase.value },
    stored: { one: pfx, words: marks.badPassphrase.value },
  },
  'a PFX that is cut off': {
    definition: secret.tls('one', { passphrase: 'words' }),
    stored: { one: pfx.subarray(0, 200), words: marks.passphrase.value },
  },
  'a single key that is text': {
    definition: secret.key('one'),
    good: { one: first.key },
    stored: { one: bad },
  },
  'a single key of an unknown kind': {
    definition: secret.key('one'),
    good: { one: first.key },
    stored: { one: first.key.replaceAll('PRIVATE KEY', 'DSA PRIVATE KEY') },
  },
  'trust that is a key': {
    definition: secret.tls({ ca: 'one' }),
    good: { one: pairs.ca },
    stored: { one: first.key },
  },
};

async function refusedValues(outputs: Outputs): Promise<void> {
  for (const [name, { definition, good, stored }] of Object.entries(REFUSED)) {
    outputs.scene(`${name}, at open`);
    await withStore(outputs, { secrets: { one: definition }, sources: [memory(stored)] });
    if (good === undefined) continue;
    outputs.scene(`${name}, after a good value`);
    const source = memory(good);
    await withStore(outputs, { secrets: { one: definition }, sources: [source] }, async (store) => {
      source.set(stored);
      await store.refresh();
      source.set(good);
      await store.refresh();
    });
  }
}

async function goodValues(outputs: Outputs): Promise<void> {
  outputs.scene('good values');
  const { text: mark, nextText, bytes } = marks;
  const binary = Buffer.from(bytes.value, 'latin1');
  const pairOf = ({ cert, key }: typeof first) => ({ cert, key });
  const source = memory({
    text: mark.value,
    json: jsonText,
    bytes: binary,
    ...pairOf(first),
    single: first.key,
  });
  outputs.show('memory()', source);
  outputs.show('inventory()', await source.inventory());
  await withStore(
    outputs,
    {
      secrets: {
        text: secret.text('text', { keepPreviousMs: 60_000 }),
        json: secret.json('json', undefined, { keepPreviousMs: 60_000 }),
        bytes: secret.bytes('bytes', { keepPreviousMs: 60_000 }),
        pair: secret.tls({ cert: 'cert', key: 'key' }, { keepPreviousMs: 60_000, hostNames: ['other.test'] }),
        single: secret.key('single'),
        checked: secret.text('text2', { schema: zod.string() as never }).optional(),
      },
      sources: [source],
      expiryThresholdsDays: [1000],
    },
    async (store) => {
      const stop = store.watch('text', (current, previous) => {
        outputs.show('boxes of watch()', [current, previous]);
        // `watch` itself throws what the first call throws.
        if (previous !== undefined) throw new Error(`listener: ${echo}`);
      });
      store.on('change', () => {
        throw Object.assign(new Error(echo), { value: echo });
      });
      source.set({ text: nextText.value, ...pairOf(second) });
      await store.refresh();
      outputs.show('definitions', secret.text('text'));
      for (const value of [mark.value, nextText.value]) {
        for (const [form, encode] of Object.entries(encodings))
          outputs.text(`redact of ${form}`, store.redact(`"line ${encode(value)} end"`));
        for (const before of ['', 'a', 'ab'])
          outputs.text(
            'redact of base64',
            store.redact(`line ${base64Around(value, `{"${before}`, '"}')} end`),
          );
      }
      outputs.text('redact of a key', store.redact(`line ${first.key} ${second.key} end`));
      outputs.text('redact of a key in JSON', store.redact(JSON.stringify({ line: second.key })));
      outputs.text('redact of JSON', store.redact(`line ${jsonText} end`));
      source.set({ text: undefined, json: undefined, bytes: undefined });
      await store.refresh();
      stop();
    },
  );
}

async function failingSources(outputs: Outputs): Promise<void> {
  const throwing = (name: string, fail: () => unknown): Source => {
    const good = memory({ one: marks.text.value });
    let reads = 0;
    return {
      ...good,
      name,
      read: (request: ReadRequest) => {
        reads += 1;
        return reads === 1 ? good.read(request) : (fail() as Promise<ReadResult>);
      },
    };
  };
  const error = () =>
    Object.assign(new Error(`denied: ${echo}`), { code: echo, cause: new Error(echo), url: echo });
  const reading = (found: object) =>
    Promise.resolve({ unchanged: false, revision: undefined, readings: new Map([['one', found]]) });
  const faults: Readonly<Record<string, () => unknown>> = {
    'rejects with its value': () => Promise.reject(error()),
    'throws its value': () => {
      throw error();
    },
    'rejects with a text': () => Promise.reject(echo),
    'rejects with an object': () => Promise.reject({ message: echo, toString: () => echo }),
    'rejects with an AggregateError': () => Promise.reject(new AggregateError([error()], echo)),
    'has a failed reading of a foreign error': () => reading({ status: 'failed', error: error() }),
    'has text for bytes': () => reading({ status: 'found', bytes: echo, origin: 'here' }),
    'has an unknown status': () => reading({ status: echo, bytes: Buffer.from(echo) }),
    'returns a text': () => Promise.resolve(echo),
  };
  for (const [name, fail] of Object.entries(faults)) {
    outputs.scene(`a source that ${name}`);
    await withStore(
      outputs,
      { secrets: { one: text() }, sources: [throwing('faulty', fail)] },
      async (store) => {
        await store.refresh();
        await store.refresh({ trigger: 'test' });
        await store
          .refresh({ trigger: 7 } as never)
          .catch((cause) => outputs.error('error of refresh()', cause));
      },
    );
    outputs.scene(`a source that ${name}, at open`);
    await withStore(outputs, {
      secrets: { one: text() },
      sources: [{ ...memory(), name: 'faulty', read: fail as never }],
    });
  }
  outputs.scene('a source whose other members throw');
  const fail = () => {
    throw error();
  };
  for (const member of ['open', 'watch', 'close', 'inventory', 'note'] as const)
    await withStore(outputs, {
      secrets: { one: text() },
      sources: [{ ...memory({ one: bad }), [member]: fail }],
    });
  outputs.scene('errors of this package');
  outputs.error('SecretsError', new SecretsError('VALUE_EMPTY', 'nothing', { secret: 'one' }));
}

async function files(outputs: Outputs): Promise<void> {
  const value = marks.text.value;
  for (const layout of ['kubernetes', 'plain'] as const) {
    outputs.scene(`a mount, ${layout}`);
    await using mount = await createTestMount({ one: value, 'db/two': jsonText, large: 'small' }, { layout });
    const source = mountedFiles(mount.path, { maxFileBytes: 4096, settleMs: 10, pollIntervalMs: 10_000 });
    outputs.show('mountedFiles()', source);
    const secrets = { one: secret.text('one'), two: secret.json('db/two'), large: secret.text('large') };
    await withStore(outputs, { secrets, sources: [source] }, async (store) => {
      outputs.show('inventory()', await source.inventory());
      await mount.rotate({ one: `${bad}\0`, 'db/two': `{"${badJson}`, large: bad.repeat(1000) });
      await store.refresh();
      showPath(outputs, mount.path, store.report());
      await mount.remove('one', 'large');
      await store.refresh();
      await mount.destroy();
      await store.refresh();
    });
    outputs.scene(`a mount in discovery, ${layout}`);
    await using found = await createTestMount({ one: value, two: Buffer.from([1, 0, 255]) }, { layout });
    symlinkSync(`/nowhere/${found.path.length}`, join(found.path, 'dangling'));
    mkdirSync(join(found.path, 'folder'));
    writeFileSync(join(found.path, 'folder', 'inner'), bad);
    await withStore(outputs, { sources: [mountedFiles(found.path, { settleMs: 10 })] }, (store) =>
      store.refresh(),
    );
  }
  outputs.scene('variables');
  process.env.LEAKS_ONE = marks.variable.value;
  process.env.LEAKS_JSON = `{"${badJson}`;
  const source = environment();
  outputs.show('environment()', source);
  const secrets = { one: secret.text('one', { env: 'LEAKS_ONE' }) };
  await withStore(outputs, { secrets, sources: [source] }, (store) => store.refresh());
  await withStore(outputs, {
    secrets: { ...secrets, two: secret.json('two', undefined, { env: 'LEAKS_JSON' }) },
    sources: [source],
  });
  await withStore(outputs, { secrets: { ...secrets, three: secret.text('three') }, sources: [source] });
  delete process.env.LEAKS_ONE;
  delete process.env.LEAKS_JSON;
}

function showPath(outputs: Outputs, path: string, report: object): void {
  outputs.text('files of the report', JSON.stringify(report).replaceAll(path, ''));
}

/** Values in every situation of a store. */
export async function valueScenes(outputs: Outputs): Promise<void> {
  await goodValues(outputs);
  await refusedValues(outputs);
  await failingSources(outputs);
  await files(outputs);
}
