import { closestNames } from '../internal/options';
import type { Lookup } from '../secret/lookup';

/**
 * Adds the name that the application declared, or the aliases in the sources, to a text that has only the other: whoever reads
 * the message knows one of them.
 */
export function withNames(what: string, name: string, lookups: readonly Lookup[]): string {
  const aliases = lookups.map((lookup) => lookup.name).filter((alias) => alias !== name);
  const names = (one: string) => what.includes(`"${one}"`);
  if (aliases.length === 0 || lookups.length > aliases.length) return what;
  if (!names(name)) return `${what} (declared as "${name}")`;
  return aliases.some(names) ? what : `${what} (${aliasesOf(aliases)})`;
}

/** The declared name and its aliases: `"dbPassword" (alias "database-password")`. */
export function bothNames(name: string, lookups: readonly Lookup[]): string {
  return withNames(`"${name}"`, name, lookups);
}

function aliasesOf(aliases: readonly string[]): string {
  return `alias${aliases.length > 1 ? 'es' : ''} ${aliases.map((alias) => `"${alias}"`).join(', ')}`;
}

const SHORTEST_PART = 4;

/** Returns the name that is most probably meant: misspelt, or with something before or after it (`prod-`, `.txt`). */
export function nearestName(wanted: readonly Lookup[], present: readonly string[]): string | undefined {
  const tried = new Set(wanted.flatMap(({ name, file, env, vault }) => [name, file, ...env, vault]));
  const others = present.filter((one) => !tried.has(one));
  for (const one of tried) {
    const [closest] = closestNames(one, others);
    if (closest !== undefined) return closest;
  }
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const holds = (long: string, short: string) => short.length >= SHORTEST_PART && long.includes(short);
  return others.find((other) =>
    [...tried].some((one) => holds(plain(other), plain(one)) || holds(plain(one), plain(other))),
  );
}
