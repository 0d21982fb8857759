import { SecretsError } from '../../errors';
import { closestNames, editDistance } from '../../internal/options';

/**
 * Client libraries take no notice of a setting that they do not know, so a misspelt one is without effect. Refuses a name that
 * is nearly one of the `settings` of a `library`, where that one is not given. Any other name passes: some version of the
 * library may know it.
 * @throws `OPTION_UNKNOWN`.
 */
export function assertSpelling(
  resource: string,
  config: object,
  library: string,
  settings: readonly string[],
): void {
  for (const name of Object.keys(config)) {
    if (settings.includes(name)) continue;
    const [meant] = closestNames(name, settings);
    if (meant === undefined || meant in config || editDistance(name, meant) > tolerance(name)) continue;
    const what = `the recipe of the ${resource} returned \`${name}\`, which ${library} does not know`;
    throw new SecretsError('OPTION_UNKNOWN', what, { resource, next: `Did you mean "${meant}"?` });
  }
}

/** Returns how much a name may differ. Short names resemble each other by chance, such as `path` and `port`. */
function tolerance(name: string): number {
  return name.length < 6 ? 1 : name.length / 3;
}
