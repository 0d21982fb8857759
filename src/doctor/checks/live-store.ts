import { errorCodes, SecretsError, type SecretsErrorCode } from '../../errors';
import type { SecretStore } from '../../store/types';
import { type Finding, finding, findingOf } from '../findings';

/** The part of a store that reports on it. */
export type ReportingStore = Pick<SecretStore<unknown>, 'report' | 'health'>;

/** What a running store knows of itself: problems of its sources and secrets, and which the environment serves. */
export function checkLiveStore(store: ReportingStore): Finding[] {
  const { secrets, sources } = store.report();
  const ofSources = sources.flatMap(({ source, location, problems }) =>
    problems.map(({ code, message }) =>
      findingOf(new SecretsError(code, message), { place: location === '' ? source : location }),
    ),
  );
  const ofSecrets = secrets.flatMap(({ name, source, origin, problem, warnings, passed }) => {
    const about = { secret: name, place: origin };
    const codes = [...(problem === undefined ? [] : [problem]), ...warnings];
    // A variable may name a file, which rotates: then its origin is `VARIABLE (path)`.
    const variable = source === 'environment' && !origin?.includes('(') ? origin : undefined;
    const level = passed.length > 0 ? undefined : ('note' as const);
    return [
      ...codes.map((code) => findingOf(errorOf(name, code), about)),
      ...(variable === undefined ? [] : [finding('ENVIRONMENT_ONLY', { variable }, { ...about, level })]),
    ];
  });
  return [...ofSources, ...ofSecrets];
}

/** A report has only codes. */
function errorOf(name: string, code: SecretsErrorCode): SecretsError {
  return new SecretsError(code, `"${name}": ${errorCodes[code].replace(/\.$/, '')}`, { secret: name });
}
