import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { closestNames, kindOf } from '../internal/options';
import { environmentName } from '../secret/lookup';
import { MAX_NAMES } from './names';
import type { SourceReader } from './source-reader';

export function storeClosed(): SecretsError {
  return new SecretsError('STORE_CLOSED', 'the store is closed', {
    next: 'Close the store after its last use. Snapshots that were taken before keep working.',
  });
}

/** The error for a call of `watch` without a listener. */
export function notListener(name: string, given: unknown): SecretsError {
  const what = `the listener of "${name}" must be a function, not ${kindOf(given)}`;
  const next = `Call watch('${name}', (current, previous) => …).`;
  return new SecretsError('OPTION_INVALID', what, { secret: name, next });
}

/** The error for a failure that only a bug of this package can cause. */
export function refreshBroke(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a refresh failed with ${describeError(error)}`, {
    next: 'This is a bug in hot-secrets: please report it. The last good values stay in use.',
  });
}

/** The error for a read of an unknown name. Suggests similar names, or lists the known ones. */
export function nameUnknown(
  name: string,
  known: readonly string[],
  readers: Iterable<SourceReader>,
): SecretsError {
  if (typeof name !== 'string') {
    return new SecretsError('OPTION_INVALID', `the name of a secret must be a string, not ${kindOf(name)}`, {
      next: namesThatAre('', known, readers),
    });
  }
  const alike = closestNames(name, known, 3);
  const next =
    alike.length > 0
      ? `Did you mean ${alike.map((one) => `"${one}"`).join(' or ')}?`
      : namesThatAre(name, known, readers);
  return new SecretsError('NAME_UNKNOWN', `no secret is named "${name}"`, { secret: name, next });
}

function namesThatAre(name: string, known: readonly string[], readers: Iterable<SourceReader>): string {
  if (known.length === 0) {
    const places = [...readers].map(({ source }) => [source.name, source.location].filter(Boolean).join(' '));
    return `The store is empty. It searched ${places.join(', ')} for the file "${name}" or the variable ${environmentName(name)}.`;
  }
  const more = known.length > MAX_NAMES ? `, and ${known.length - MAX_NAMES} more` : '';
  return `Known names: ${known.slice(0, MAX_NAMES).join(', ')}${more}.`;
}

export function partVanished(name: string, part: string, { source }: SourceReader): SecretsError {
  return new SecretsError('SECRET_VANISHED', `"${part}" of "${name}" is gone from ${source.name}, or empty`, {
    secret: name,
    source: source.name,
    next: 'Put it back. The last values stay in use until this process restarts.',
  });
}

export function incomplete(
  name: string,
  { source }: SourceReader,
  found: number,
  wanted: number,
): SecretsError {
  const what = `${source.name} has only ${found} of the ${wanted} parts of "${name}"`;
  return new SecretsError('SECRET_MISSING', what, {
    secret: name,
    source: source.name,
    next: 'Put all parts of the secret into the same source.',
  });
}

export function undecodable(name: string, error: unknown): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" failed with ${describeError(error)}`, {
    secret: name,
  });
}

export function decodingTimedOut(name: string, timeoutMs: number): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" took longer than ${timeoutMs} ms`, {
    secret: name,
    next: 'Check why its schema does not settle, or raise refreshTimeoutMs.',
  });
}
