import type { Lookup } from '../../secret/lookup';
import type { FoundReading } from '../../sources/source';
import { type Finding, finding } from '../findings';
import { isInPod, type System } from '../system';
import { isName } from './discovered';
import { checkUndeclared } from './text';

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
  /_(FILE|PATH|DIR|NAME|ID|URL|URI|HOST|TTL|TYPE|LENGTH|EXPIRY|VERSION|ENABLED|ENDPOINT|ARN)$|^(npm|NPM|SECRETS_PATH$|CREDENTIALS_DIRECTORY$|AZURE_FEDERATED_TOKEN)/;

/** Tells by its name whether a variable is a secret. */
export function isNamedLikeSecret(variable: string): boolean {
  return SECRET_LIKE.test(variable) && !ABOUT_A_SECRET.test(variable);
}

/** References that only an injector reads, in any variable. An application may resolve others itself, or expand `$(NAME)`. */
const INJECTED =
  /^(@Microsoft\.(KeyVault|AppConfiguration)\(|op:\/\/|(>>)?vault:|secretref:|ref\+)|@azurekeyvault\b/i;

/** Checks variables that nobody declared: those that look like secrets, and references that nobody resolved. */
export async function checkVariables(
  system: System,
  served: readonly ServedValue[],
  hasMount: boolean,
): Promise<Finding[]> {
  const known = new Set(served.flatMap(({ lookup }) => lookup.env));
  const found: Finding[] = [];
  for (const [variable, value = ''] of Object.entries(system.environment)) {
    if (value === '' || known.has(variable) || !isName(variable)) continue;
    const about = { secret: variable, place: variable };
    const seemsSecret = isNamedLikeSecret(variable);
    if (seemsSecret) {
      // Which of the variables are secrets is a guess, except in a pod that mounts the others.
      const level = hasMount && isInPod(system) ? undefined : 'note';
      found.push(finding('ENVIRONMENT_ONLY', { variable }, { ...about, level }));
    }
    if (seemsSecret || INJECTED.test(value)) {
      found.push(...(await checkUndeclared(variable, Buffer.from(value), about)));
    }
  }
  return found;
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
