import type { Lookup } from '../../secret/lookup';
import type { FoundReading } from '../../sources/source';
import { type Finding, finding } from '../findings';
import { isInPod, type System } from '../system';
import { referenceIn } from './references';
import { checkText } from './text';

/** A value that a source other than the environment serves. */
export interface ServedValue {
  readonly secret: string;
  readonly lookup: Lookup;
  readonly reading: FoundReading;
}

/** Compares values with their copies in the environment, which do not rotate. */
export function checkCopies({ environment }: System, served: readonly ServedValue[]): Finding[] {
  return served.flatMap(({ secret, lookup, reading }) => {
    const stored = withoutNewline(Buffer.from(reading.bytes).toString('utf8'));
    return lookup.env.flatMap((variable) => {
      const copy = environment[variable];
      if (copy === undefined || copy === '') return [];
      const code = withoutNewline(copy) === stored ? 'ENVIRONMENT_COPY' : 'ENVIRONMENT_COPY_DIFFERS';
      return [finding(code, { variable }, { secret, place: variable })];
    });
  });
}

/** Secrets that only the environment has. On a machine without a mount they are what is meant to be. */
export function environmentOnly(system: System, secret: string, variable: string, others: boolean): Finding {
  const level = others || isInPod(system) ? undefined : 'note';
  return finding('ENVIRONMENT_ONLY', { variable }, { secret, place: variable, level });
}

const SECRET_LIKE =
  /(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY|CREDENTIALS?|CONNECTION_?STRING)(_|$)/i;
/** Facts about a secret rather than a secret. */
const ABOUT_A_SECRET =
  /_(FILE|PATH|DIR|NAME|ID|URL|URI|HOST|TTL|TYPE|LENGTH|EXPIRY|VERSION|ENABLED|ENDPOINT)$|^(npm|NPM|SECRETS_PATH$|AZURE_FEDERATED_TOKEN)/;

/** Tells by its name whether a variable is a secret. */
export function isNamedLikeSecret(variable: string): boolean {
  return SECRET_LIKE.test(variable) && !ABOUT_A_SECRET.test(variable);
}

/** Checks variables that nobody declared: those that look like secrets, and references that nobody resolved. */
export function checkVariables(system: System, served: readonly ServedValue[], hasMount: boolean): Finding[] {
  const known = new Set(served.flatMap(({ lookup }) => lookup.env));
  return Object.entries(system.environment).flatMap(([variable, value]) => {
    if (value === undefined || value === '' || known.has(variable)) return [];
    const about = { secret: variable, place: variable };
    if (!isNamedLikeSecret(variable)) {
      const reference = referenceIn(value);
      const ofVault = reference !== undefined && VAULT_REFERENCE.test(reference.syntax);
      return ofVault ? [finding('VALUE_REFERENCE', reference, about)] : [];
    }
    const bytes = Buffer.from(value);
    return [
      // Which of the variables are secrets is a guess, except in a pod that mounts the others.
      finding(
        'ENVIRONMENT_ONLY',
        { variable },
        { ...about, level: hasMount && isInPod(system) ? undefined : 'note' },
      ),
      ...checkText({ kind: 'text', bytes, decoded: value }, about),
    ];
  });
}

/** References that can only be meant for an injector; `$(NAME)` and the like occur in ordinary variables. */
const VAULT_REFERENCE = /KeyVault|AppConfiguration|azurekeyvault|secretref|^vault:|op:|ref\+|sm:|<path/i;

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
