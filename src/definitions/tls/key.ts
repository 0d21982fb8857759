import type { KeyObject } from 'node:crypto';
import { SecretsError } from '../../errors';
import { passed, readOptions } from '../../internal/options';
import { lookup } from '../../secret/lookup';
import { assertNotEmpty } from '../decode';
import { type Definition, type DefinitionOptions, define, definitionOptions, whereOf } from '../definition';
import { keyForms } from './material';
import { parseTlsParts } from './parts';
import { readPrivateKey } from './private-key';
import { lookupOf, passphraseFrom, type TlsPart } from './tls';

/** A private key that was checked. It is shared, not copied: treat it as read-only. */
export interface KeyMaterial {
  /** PEM, decrypted: what libraries take, such as jsonwebtoken, Octokit and APNs clients. */
  readonly key: string;
  /** The same key for `node:crypto` and jose. It has the type of the key, and prints without it. */
  readonly keyObject: KeyObject;
}

export interface KeyOptions extends DefinitionOptions {
  /** The secret with the passphrase of an encrypted key. */
  readonly passphrase?: TlsPart | undefined;
}

const keyOptions = { ...definitionOptions, passphrase: passed<TlsPart>() };

export function key(alias: string, options?: KeyOptions): Definition<KeyMaterial> {
  const where = whereOf('key', alias);
  const { keepPreviousMs, expiryThresholdsDays, passphrase: given } = readOptions(where, options, keyOptions);
  const passphrase = given === undefined ? undefined : lookupOf(where, 'passphrase', given);
  return define<KeyMaterial>({
    kind: 'key',
    lookups: [lookup(alias, options), passphrase].filter((one) => one !== undefined),
    shareable: passphrase && [passphrase],
    keepPreviousMs,
    expiryThresholdsDays,
    decode: ([stored, words]) =>
      readKey(alias, stored as Uint8Array, passphrase && passphraseFrom(passphrase, words as Uint8Array)),
    sensitive: (value) => keyForms(value.key),
  });
}

function readKey(alias: string, stored: Uint8Array, passphrase: string | undefined): KeyMaterial {
  assertNotEmpty(alias, stored.length);
  const { keys, pfx, others, certificates } = parseTlsParts(alias, stored, 'private key');
  if (pfx.length > 0) {
    throw new SecretsError('PFX_INVALID', `"${alias}" is a PFX, but a private key is expected`, {
      secret: alias,
      next: 'Use secret.tls, or convert it: openssl pkcs12 -in FILE -nocerts -nodes -out NEW',
    });
  }
  const read = readPrivateKey(alias, keys, passphrase);
  if (read !== undefined) return Object.freeze({ key: read.pem, keyObject: read.key });
  const found = others[0]?.what ?? (certificates.length > 0 ? 'a certificate' : 'something else');
  throw new SecretsError('PRIVATE_KEY_MISSING', `"${alias}" has ${found}, but no private key`, {
    secret: alias,
    next: 'Store the private key as PEM.',
  });
}
