import { environmentName } from '../secret/lookup';
import { declaredBy } from '../store/declared';
import type { SecretReport } from '../store/types';
import { isNamedLikeSecret } from './checks/environment';
import type { ReportingStore } from './checks/live-store';

/** How a secret is served during a migration. */
export interface MigratedSecret {
  readonly name: string;
  /**
   * `primary`: by the source of the highest precedence. `fallback`: by a later one that rotates. `environment`: by a variable,
   * which never rotates. `missing`: by none, although it is required. `absent`: by none; it is optional.
   */
  readonly status: 'primary' | 'fallback' | 'environment' | 'missing' | 'absent';
  readonly source: string | undefined;
  /** The file, variable or address. */
  readonly place: string | undefined;
  /** Sources of higher precedence that lack it, with the names that were searched. */
  readonly passed: SecretReport['passed'];
}

/** How far the migration from environment variables has come. It contains names, never a value. */
export interface Migration {
  /** True when there are secrets, none is missing, and none comes from the environment. */
  readonly done: boolean;
  readonly secrets: readonly MigratedSecret[];
  /** Variables whose secret another source serves: they may be deleted once nothing else reads them. */
  readonly removable: readonly string[];
  /** Variables that look like secrets and belong to no secret of the store. */
  readonly unknown: readonly string[];
}

/**
 * Judges the migration from Kubernetes Secrets in the environment to a mount or vault.
 *
 * @example
 * ```ts
 * const { done, removable } = migrationOf(secrets);
 * if (done) console.log('may be deleted:', removable);
 * ```
 */
export function migrationOf(
  store: ReportingStore,
  environment: Readonly<NodeJS.ProcessEnv> = process.env,
): Migration {
  const declared = declaredBy(store);
  const removable = new Set<string>();
  const known = new Set<string>();
  const secrets = store.report().secrets.map((report): MigratedSecret => {
    const { name, source, origin, passed } = report;
    const lookups = declared?.get(name)?.lookups;
    const variables = lookups?.flatMap(({ env }) => env) ?? [environmentName(name)];
    for (const variable of variables) known.add(variable);
    if (source !== undefined) {
      for (const variable of variables)
        if (variable !== origin && environment[variable]) removable.add(variable);
    }
    // A secret in several parts has one origin, but each part has its variable.
    if (source === 'environment') for (const { env } of lookups ?? []) if (env[0]) removable.delete(env[0]);
    return {
      name,
      status: statusOf(report, variables),
      source,
      place: origin && withoutGeneration(origin),
      passed,
    };
  });
  const unknown = Object.keys(environment).filter(
    (variable) => environment[variable] && isNamedLikeSecret(variable) && !known.has(variable),
  );
  const done =
    secrets.length > 0 && secrets.every(({ status }) => status !== 'environment' && status !== 'missing');
  return { done, secrets, removable: [...removable], unknown };
}

function statusOf(
  { source, origin = '', passed, required }: SecretReport,
  variables: readonly string[],
): MigratedSecret['status'] {
  if (source === undefined) return required ? 'missing' : 'absent';
  // A variable may name a file, which rotates.
  if (source === 'environment' && origin.split(', ').some((one) => variables.includes(one))) {
    return 'environment';
  }
  return passed.length === 0 ? 'primary' : 'fallback';
}

/** The path that a user knows, without the directory of the generation. */
function withoutGeneration(path: string): string {
  return path.replace(/\/\.\.\d{4}_[\d_]+\.\d+\//, '/');
}
