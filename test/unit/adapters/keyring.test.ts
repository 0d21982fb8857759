import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { isSecretsError, memory, SecretStore, type SecretsError, secret } from 'hot-secrets';
import { keyring } from 'hot-secrets/keyring';
import { describe, expect, it } from 'vitest';
import {
  FIRST,
  keyringStage,
  SECOND,
  SIGN_AFTER_MS,
  simulateClock,
  THIRD,
  VERIFY_FOR_MS,
} from '../../support/keyring-stage';

const values = (keys: { reveal(): unknown }[] | readonly { reveal(): unknown }[]) =>
  keys.map((key) => key.reveal());

describe('a key that is rotated in a running process', () => {
  it('verifies at once, and signs after signAfterMs', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    expect(keys.signing.reveal()).toBe(FIRST);
    await rotate({ signing: SECOND });
    expect(values(keys.verifying)).toEqual([FIRST, SECOND]);
    pass(SIGN_AFTER_MS - 1);
    expect(keys.signing.reveal()).toBe(FIRST);
    pass(1);
    expect(values(keys.verifying)).toEqual([SECOND, FIRST]);
  });

  it('lets the old key verify until the last replica has signed with it, and its signatures are over', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    await rotate({ signing: SECOND });
    pass(2 * SIGN_AFTER_MS + VERIFY_FOR_MS - 1);
    expect(values(keys.verifying)).toEqual([SECOND, FIRST]);
    pass(1);
    expect(values(keys.verifying)).toEqual([SECOND]);
  });

  it('signs at once if it was the next key for signAfterMs', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    await rotate({ 'signing.next': SECOND });
    expect(values(keys.verifying)).toEqual([FIRST, SECOND]);
    pass(SIGN_AFTER_MS);
    expect(keys.signing.reveal()).toBe(FIRST);
    await rotate({ signing: SECOND, 'signing.previous': FIRST, 'signing.next': THIRD });
    expect(values(keys.verifying)).toEqual([SECOND, THIRD, FIRST]);
  });

  it('signs with the newest key that waited long enough when rotations follow each other closely', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST }, { ageMs: SIGN_AFTER_MS });
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS / 2);
    await rotate({ signing: THIRD });
    expect(keys.signing.reveal()).toBe(FIRST);
    pass(SIGN_AFTER_MS / 2);
    expect(keys.signing.reveal()).toBe(SECOND);
    pass(SIGN_AFTER_MS / 2);
    expect(keys.signing.reveal()).toBe(THIRD);
  });

  it('signs again without a wait when a rotation is taken back', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST }, { ageMs: SIGN_AFTER_MS });
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS / 2);
    await rotate({ signing: FIRST });
    expect(values(keys.verifying)).toEqual([FIRST, SECOND]);
    pass(SIGN_AFTER_MS);
    expect(keys.signing.reveal()).toBe(FIRST);
  });

  it('waits again when it comes back after others may have forgotten it', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    await rotate({ signing: SECOND });
    pass(2 * SIGN_AFTER_MS);
    await rotate({ signing: FIRST });
    expect(keys.signing.reveal()).toBe(SECOND);
    pass(SIGN_AFTER_MS);
    expect(keys.signing.reveal()).toBe(FIRST);
  });

  it('never signs with a next key that was withdrawn', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    await rotate({ 'signing.next': SECOND });
    pass(SIGN_AFTER_MS);
    await rotate({ signing: THIRD, 'signing.next': THIRD });
    for (let passed = 0; passed < 3 * SIGN_AFTER_MS; passed += SIGN_AFTER_MS / 3) {
      expect(keys.signing.reveal()).not.toBe(SECOND);
      pass(SIGN_AFTER_MS / 3);
    }
    expect(keys.signing.reveal()).toBe(THIRD);
  });

  it('tells its listeners when another key signs, and isolates one that throws', async () => {
    const { pass } = simulateClock();
    const { keys, rotate, store } = await keyringStage({ signing: FIRST });
    const errors: SecretsError[] = [];
    store.on('error', (error) => errors.push(error));
    const signing: unknown[] = [];
    let isFirst = true;
    keys.watch(() => {
      if (!isFirst) throw new Error(FIRST);
      isFirst = false;
    });
    const stop = keys.watch((now) => signing.push(now.signing.reveal()));
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS);
    expect(signing).toEqual([FIRST, FIRST, SECOND]);
    expect(errors.map(({ code }) => code)).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED']);
    expect(inspect(errors)).not.toContain(FIRST);
    stop();
    pass(2 * SIGN_AFTER_MS + VERIFY_FOR_MS);
    expect(signing).toHaveLength(3);
  });

  it('keeps its keys when the store is closed', async () => {
    simulateClock();
    const { keys, store, rotate } = await keyringStage({ signing: FIRST });
    await rotate({ signing: SECOND });
    await store.close();
    expect(values(keys.verifying)).toEqual([FIRST, SECOND]);
    keys.close();
    keys.close();
    expect(keys.signing.reveal()).toBe(FIRST);
  });
});

describe('a process that starts', () => {
  const both = { signing: SECOND, 'signing.previous': FIRST };

  it('signs at once with a single key', async () => {
    simulateClock();
    const { keys } = await keyringStage({ signing: FIRST });
    expect(keys.signing.reveal()).toBe(FIRST);
  });

  it.each([
    ['just after a rotation', 0, FIRST, SIGN_AFTER_MS],
    ['in the middle of the wait', SIGN_AFTER_MS / 3, FIRST, (2 * SIGN_AFTER_MS) / 3],
    ['after the wait', SIGN_AFTER_MS, SECOND, 0],
    ['long after the wait', 100 * SIGN_AFTER_MS, SECOND, 0],
    ['when its clock was set back', -SIGN_AFTER_MS, FIRST, SIGN_AFTER_MS],
    ['without a known time', undefined, FIRST, SIGN_AFTER_MS],
  ])('signs with the right key %s', async (_, ageMs, first, afterMs) => {
    const { pass } = simulateClock();
    const { keys } = await keyringStage(both, { ageMs });
    expect(keys.signing.reveal()).toBe(first);
    expect(new Set(values(keys.verifying))).toEqual(new Set([FIRST, SECOND]));
    if (afterMs > 0) {
      pass(afterMs - 1);
      expect(keys.signing.reveal()).toBe(FIRST);
      pass(1);
    }
    expect(keys.signing.reveal()).toBe(SECOND);
  });

  it('accepts the previous key of a file as long as the file has it', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage(both, { ageMs: 0 });
    pass(100 * VERIFY_FOR_MS);
    expect(values(keys.verifying)).toEqual([SECOND, FIRST]);
    await rotate({ 'signing.previous': SECOND });
    pass(2 * SIGN_AFTER_MS + VERIFY_FOR_MS);
    expect(values(keys.verifying)).toEqual([SECOND]);
  });

  it('refuses the previous version of a vault once its signatures are over', async () => {
    const { pass } = simulateClock();
    const accepted = 2 * SIGN_AFTER_MS + VERIFY_FOR_MS;
    const { keys, rotate } = await keyringStage(both, { ageMs: accepted - 1, exact: true });
    expect(values(keys.verifying)).toEqual([SECOND, FIRST]);
    pass(1);
    expect(values(keys.verifying)).toEqual([SECOND]);
    await rotate({ signing: THIRD, 'signing.previous': SECOND });
    expect(values(keys.verifying)).toEqual([SECOND, THIRD]);
    const late = await keyringStage(both, { ageMs: accepted, exact: true });
    expect(values(late.keys.verifying)).toEqual([SECOND]);
  });

  it('stops to sign with a key as soon as its files no longer have it', async () => {
    simulateClock();
    const { keys, rotate } = await keyringStage(both, { ageMs: 0 });
    expect(keys.signing.reveal()).toBe(FIRST);
    await rotate({ signing: THIRD, 'signing.previous': SECOND });
    expect(keys.signing.reveal()).toBe(SECOND);
    expect(values(keys.verifying)).toContain(FIRST);
  });

  it('accepts several previous keys, and signs with the newest of them that may sign', async () => {
    simulateClock();
    const { keys } = await keyringStage(
      { signing: THIRD, one: SECOND, two: FIRST },
      { secrets: { signing: 'signing', one: 'one', two: 'two' }, options: { previous: ['one', 'two'] } },
    );
    expect(values(keys.verifying)).toEqual([SECOND, THIRD, FIRST]);
  });

  it('finds the siblings among discovered names', async () => {
    simulateClock();
    const store = await SecretStore.open({ sources: [memory({ ...both, 'signing.next': THIRD })] });
    const keys = keyring(store, 'signing');
    expect(values(keys.verifying)).toEqual([FIRST, SECOND, THIRD]);
    await store.close();
  });

  it('waits five minutes by default', async () => {
    const { pass } = simulateClock();
    const { keys } = await keyringStage(both, { options: { signAfterMs: undefined } });
    pass(300_000 - 1);
    expect(keys.signing.reveal()).toBe(FIRST);
    pass(1);
    expect(keys.signing.reveal()).toBe(SECOND);
  });
});

describe('the report of a keyring', () => {
  it('has each key with its place and its times, and no value', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST, 'signing.next': THIRD });
    pass(1000);
    const now = Date.now();
    await rotate({ signing: SECOND });
    const ids = keys.verifying.map(({ id }) => id);
    const common = { algorithm: 'HS256', signs: false, signsAt: undefined, verifiesUntil: undefined };
    expect(keys.report()).toEqual([
      {
        ...common,
        id: ids[0],
        place: 'memory',
        signs: true,
        verifiesUntil: new Date(now + 2 * SIGN_AFTER_MS + VERIFY_FOR_MS),
      },
      { ...common, id: ids[1], place: 'current', signsAt: new Date(now + SIGN_AFTER_MS) },
      { ...common, id: ids[2], place: 'next' },
    ]);
    expect(keys.find(ids[1])?.reveal()).toBe(SECOND);
    expect(keys.find('unknown')).toBeUndefined();
    const printed = [
      inspect({ keys, all: keys.verifying }, { depth: 9, showHidden: true }),
      JSON.stringify([keys, keys.verifying, keys.report()]),
      `${keys.signing}`,
    ].join();
    for (const value of [FIRST, SECOND, THIRD]) expect(printed).not.toContain(value);
    expect(inspect(keys)).toBe(`Keyring { name: 'signing', signing: '${ids[0]}', verifying: 3 }`);
  });
});

const pem = (type: 'rsa' | 'ec' | 'ed25519', options: object = {}) =>
  generateKeyPairSync(type as 'rsa', {
    modulusLength: 2048,
    ...options,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

async function ringOf(
  value: string | Uint8Array,
  definition = secret.text('signing') as never,
  options?: object,
) {
  const store = await SecretStore.open({
    secrets: { signing: definition },
    sources: [memory({ signing: value })],
  });
  try {
    return keyring(store as never, 'signing' as never, options) as ReturnType<typeof keyring>;
  } finally {
    await store.close();
  }
}

describe('the id of a key', () => {
  it('is the same in every process, and the same for a text and its bytes', async () => {
    const text = await ringOf('a secret');
    const bytes = await ringOf('a secret', secret.bytes('signing') as never);
    // HKDF by hand: HMAC of the secret under 32 zeros, then of the label and 1 under the result.
    expect(text.signing.id).toBe('X9I_G4YUMCJZvlu5');
    expect(bytes.signing.id).toBe(text.signing.id);
  });

  it('is the thumbprint of RFC 7638 for a private key', async () => {
    // The example of RFC 8037, A.2 and A.3.
    const { createPrivateKey } = await import('node:crypto');
    const key = createPrivateKey({
      format: 'jwk',
      key: {
        kty: 'OKP',
        crv: 'Ed25519',
        d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
        x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
      },
    });
    const keys = await ringOf(key.export({ type: 'pkcs8', format: 'pem' }).toString());
    expect(keys.signing.id).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(keys.signing.algorithm).toBe('EdDSA');
  });

  it.each([
    ['rsa', {}, 'RS256'],
    ['ec', { namedCurve: 'P-256' }, 'ES256'],
    ['ec', { namedCurve: 'P-384' }, 'ES384'],
    ['ec', { namedCurve: 'P-521' }, 'ES512'],
  ] as const)('comes with the algorithm of the key: %s %o', async (type, options, algorithm) => {
    const { privateKey } = pem(type, options);
    const asText = await ringOf(privateKey);
    const asKey = await ringOf(privateKey, secret.key('signing') as never);
    expect(asText.signing.algorithm).toBe(algorithm);
    expect(asKey.signing.id).toBe(asText.signing.id);
  });
});

describe('what is not a key', () => {
  const { privateKey, publicKey } = pem('ec', { namedCurve: 'P-256' });

  it.each([
    ['a public key', publicKey, 'is a public key'],
    [
      'a key of another curve',
      pem('ec', { namedCurve: 'secp256k1' }).privateKey,
      'tokens are not signed with',
    ],
    ['a weak RSA key', pem('rsa', { modulusLength: 1024 }).privateKey, 'RSA key of 1024 bits'],
    ['a key that was cut off', privateKey.slice(0, 90), 'cannot be parsed as PEM'],
    ['a key in base64', Buffer.from(privateKey).toString('base64'), 'a key in base64'],
    ['a JSON Web Key', '{ "kty": "oct", "k": "c2VjcmV0" }', 'a JSON Web Key'],
    ['a certificate without its key', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----', 'PEM'],
  ])('is refused at the start, without its value: %s', async (_, value, what) => {
    const error = await ringOf(value).catch((refused: SecretsError) => refused);
    expect(isSecretsError(error, 'SIGNING_KEY_INVALID')).toBe(true);
    expect((error as SecretsError).message).toContain(what);
    expect(inspect(error)).not.toContain(value.slice(30, 60));
  });

  it('is refused at the start: a JSON value, an encrypted key, an algorithm that does not fit', async () => {
    const refused = { code: 'SIGNING_KEY_INVALID', secret: 'signing' };
    await expect(ringOf('{"a":1}', secret.json('signing') as never)).rejects.toMatchObject(refused);
    const encrypted = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    }).privateKey;
    await expect(ringOf(encrypted)).rejects.toMatchObject({
      ...refused,
      next: expect.stringContaining('secret.key'),
    });
    await expect(ringOf(FIRST, undefined, { algorithm: 'RS256' })).rejects.toMatchObject(refused);
    await expect(ringOf(privateKey, undefined, { algorithm: 'ES384' })).rejects.toMatchObject(refused);
    expect((await ringOf(pem('rsa').privateKey, undefined, { algorithm: 'PS512' })).signing.algorithm).toBe(
      'PS512',
    );
  });

  it.each([
    ['a public key', publicKey],
    ['a secret', SECOND],
    ['half a key', privateKey.slice(0, 90)],
  ])('leaves the last keys in use when it is rotated in: %s', async (_, bad) => {
    const { pass } = simulateClock();
    const next = pem('ec', { namedCurve: 'P-256' }).privateKey;
    const { keys, rotate, store } = await keyringStage({ signing: privateKey });
    const errors: SecretsError[] = [];
    store.on('error', (error) => errors.push(error));
    const { id } = keys.signing;
    await rotate({ signing: bad });
    await rotate({ 'signing.next': next });
    pass(SIGN_AFTER_MS);
    expect(keys.signing.id).toBe(id);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: 'SIGNING_KEY_INVALID', secret: 'signing' });
    expect(inspect(errors)).not.toContain(bad.slice(30, 60));
    await rotate({ signing: next });
    expect(keys.signing.reveal()).toBe(next.trim());
  });

  it('accepts a public key as a previous one, which only verifies', async () => {
    simulateClock();
    const { keys } = await keyringStage({
      signing: privateKey,
      'signing.previous': pem('ec', { namedCurve: 'P-256' }).publicKey,
    });
    expect(keys.signing.reveal()).toBe(privateKey.trim());
    const [, previous] = keys.verifying;
    expect(previous?.canSign).toBe(false);
    expect(() => previous?.signingKey).toThrow(expect.objectContaining({ code: 'SIGNING_KEY_INVALID' }));
  });
});

describe('a wrong call of keyring', () => {
  it.each([
    ['an unknown name', 'sining', undefined, 'NAME_UNKNOWN'],
    ['a function', async () => 'signing', undefined, 'OPTION_INVALID'],
    ['an empty name', '', undefined, 'OPTION_INVALID'],
    ['an optional secret without a value', 'signing.previous', undefined, 'SECRET_MISSING'],
    ['an unknown previous name', 'signing', { previous: 'signing.old' }, 'NAME_UNKNOWN'],
    ['an unknown next name', 'signing', { next: 'coming' }, 'NAME_UNKNOWN'],
    ['a misspelt option', 'signing', { signAfter: 1 }, 'OPTION_UNKNOWN'],
    ['a negative duration', 'signing', { signAfterMs: -1 }, 'OPTION_INVALID'],
    ['a list with something else', 'signing', { previous: ['signing', 5] }, 'OPTION_INVALID'],
    ['an unknown algorithm', 'signing', { algorithm: 'none' }, 'OPTION_INVALID'],
    ['options that are no object', 'signing', 5, 'OPTION_INVALID'],
  ])('is refused: %s', async (_, name, options, code) => {
    simulateClock();
    const { store } = await keyringStage({ signing: FIRST });
    expect(() => keyring(store, name as never, options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('is refused for a promise of a store, and for a closed store', async () => {
    const opening = SecretStore.open({
      secrets: { signing: 'signing' },
      sources: [memory({ signing: FIRST })],
    });
    expect(() => keyring(opening as never, 'signing' as never)).toThrow(/not a promise. Await/);
    const store = await opening;
    await store.close();
    expect(() => keyring(store, 'signing')).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
  });

  it('accepts a secret without siblings, and needs no previous file', async () => {
    simulateClock();
    const { keys } = await keyringStage({ signing: FIRST }, { secrets: { signing: 'signing' } });
    expect(keys.report()).toHaveLength(1);
  });
});
