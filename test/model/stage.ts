import { secret } from 'hot-secrets';
import { vi } from 'vitest';
import { define } from '../../src/definitions/definition';
import { lookup } from '../../src/secret/lookup';
import { NAMES, type Scene } from './operations';
import { foreign, ScriptedSource, valueText } from './world';

export const REFRESH_TIMEOUT_MS = 400;
/** Longer than any operation of a scene that ends without help. */
export const SETTLED_MS = 3_000;
const PAIR = ['pair.a', 'pair.b'];
const REQUIRED = ['user', 'password', 'config'];

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Advances the simulated time in small steps, and lets waiting code run after each. */
export async function elapse(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await turn();
    vi.advanceTimersByTime(Math.min(50, ms - passed));
  }
  await turn();
}

/** Waits microtasks, or turns of the event loop. */
export async function pause(microtasks: number, turns: number): Promise<void> {
  for (let count = 0; count < microtasks && turns === 0; count += 1) await null;
  for (let count = 0; count < turns; count += 1) await turn();
}

/** A secret of the store, with the names in a source that make it up. */
export interface Unit {
  readonly parts: readonly string[];
  /** Declared as optional. */
  readonly optional: boolean;
}

export function unitsOf({ declared }: Scene): ReadonlyMap<string, Unit> {
  if (!declared) return new Map(NAMES.map((name) => [name, { parts: [name], optional: false }]));
  const single = NAMES.filter((name) => !PAIR.includes(name));
  const units = single.map((name) => [name, { parts: [name], optional: !REQUIRED.includes(name) }] as const);
  return new Map<string, Unit>([...units, ['pair', { parts: PAIR, optional: false }]]);
}

/** The sources of a scene. The last one holds all that a store needs to open. */
export function sourcesOf({ declared, sources }: Scene, breach: (what: string) => void): ScriptedSource[] {
  const json = new Set(declared ? ['config', 'extra'] : []);
  return sources.map(({ traits, names }, index) => {
    const last = declared && index === sources.length - 1;
    const all = withWholePair([...names, ...(last ? [...REQUIRED, ...PAIR] : [])]);
    return new ScriptedSource(index, traits, all, json, breach);
  });
}

/** Makes all bad and missing values good in one version. Makes no version if there are none. */
export function restore(source: ScriptedSource, names: Iterable<string> = source.picture.keys()): void {
  const bad = [...withWholePair(names)].filter((name) => source.picture.get(name)?.condition !== 'good');
  if (bad.length > 0) source.change(Object.fromEntries(bad.map((name) => [name, 'good'])));
}

function withWholePair(names: Iterable<string>): Set<string> {
  const all = new Set(names);
  if (PAIR.some((part) => all.has(part))) for (const part of PAIR) all.add(part);
  return all;
}

/** The schemas of the JSON secrets, whose answers an operation chooses. */
export class Schemas {
  #answers = 'at once';
  #held: (() => void)[] = [];

  set(answers: string): void {
    this.#answers = answers;
    if (answers === 'held') return;
    for (const release of this.#held.splice(0)) release();
  }

  /** The declared secrets of a store. */
  definitions() {
    const validate = (value: unknown) => this.#validate(value);
    const schema = { '~standard': { version: 1, vendor: 'model', validate } } as const;
    const pair = define({
      kind: 'pair',
      lookups: PAIR.map((part) => lookup(part)),
      keepPreviousMs: 0,
      decode: (parts) => {
        if (parts.some(({ length }) => length === 0)) throw foreign();
        return parts.map((part) => new TextDecoder('utf-8', { fatal: true }).decode(part)).join('|');
      },
    });
    return {
      user: 'user',
      password: 'password',
      config: secret.json('config', schema),
      pair,
      token: secret.text('token').optional(),
      extra: secret.json('extra', schema).optional(),
    };
  }

  async #validate(value: unknown): Promise<{ value: unknown } | { issues: { path: string[] }[] }> {
    const answers = this.#answers;
    if (answers === 'throws') throw foreign();
    if (answers === 'after some microtasks') for (let count = 0; count < 5; count += 1) await null;
    if (answers === 'held') await new Promise<void>((resolve) => this.#held.push(resolve));
    if (answers === 'too late') await new Promise((resolve) => setTimeout(resolve, 2 * REFRESH_TIMEOUT_MS));
    return (value as { ok: boolean }).ok ? { value } : { issues: [{ path: [valueText('issue', 9, 9)] }] };
  }
}
