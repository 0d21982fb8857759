import { passed, readOptions } from '../../internal/options';
import { lookup } from '../../secret/lookup';
import { type Definition, type DefinitionOptions, definitionOptions, whereOf } from '../definition';
import type { KeyMaterial } from './material';
import { defineTls, lookupOf, passphraseFrom, type TlsPart } from './tls';

export interface KeyOptions extends DefinitionOptions {
  /** The secret with the passphrase of an encrypted key. */
  readonly passphrase?: TlsPart | undefined;
}

const keyOptions = { ...definitionOptions, passphrase: passed<TlsPart>() };

export function key(alias: string, options?: KeyOptions): Definition<KeyMaterial> {
  const where = whereOf('key', alias);
  const { passphrase: given, ...read } = readOptions(where, options, keyOptions);
  const { keepPreviousMs, expiryThresholdsDays, unresolved } = read;
  const passphrase = given === undefined ? undefined : lookupOf(where, 'passphrase', given);
  const lookups = [lookup(alias, options), passphrase].filter((one) => one !== undefined);
  return defineTls<KeyMaterial>(
    { lookups, shareable: passphrase && [passphrase], keepPreviousMs, expiryThresholdsDays, unresolved },
    ({ readKey }, [stored, words]) =>
      readKey(alias, stored as Uint8Array, passphrase && passphraseFrom(passphrase, words as Uint8Array)),
    ({ describeKey }) => describeKey,
    'key',
  );
}
