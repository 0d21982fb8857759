import { SecretsError } from '../errors';

/** A misspelt option must not be silently without effect. */
export function rejectUnknownOptions(where: string, options: object, known: readonly string[]): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const [closest] = closestNames(option, known);
    throw new SecretsError('OPTION_UNKNOWN', `${where} has no option "${option}"`, {
      next: closest === undefined ? `The options are: ${known.join(', ')}.` : `Did you mean "${closest}"?`,
    });
  }
}

/** A duration or a count: a number, not below `least`. `Infinity` passes where a wait may be unbounded. */
export function assertNumber(where: string, option: string, value: unknown, least = 0): void {
  if (typeof value === 'number' && value >= least) return;
  throw new SecretsError('OPTION_INVALID', `${option} of ${where} is not a number of at least ${least}`, {
    next: 'Durations are milliseconds.',
  });
}

/** Names near `name`, nearest first: for "did you mean". */
export function closestNames(name: string, candidates: readonly string[], most = 1): string[] {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(wanted, plain(candidate)) }))
    .filter(({ distance }) => distance <= Math.max(2, wanted.length / 3))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
