import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { isSecretsError } from '../errors';
import { realNow } from '../internal/real-time';
import { lookup } from '../secret/lookup';
import type { FoundReading, ReadResult, Source } from '../sources/source';

/** Values by alias. The aliases are `contract-user`, `contract-password` and `contract-extra`. */
export type ContractValues = Readonly<Record<string, string | Uint8Array>>;

/** One source of a harness, with functions that change its values. */
export interface SourceUnderTest {
  /** Neither opened nor read yet. */
  readonly source: Source;
  /** Merges values into what the source reads, in one step. */
  set(values: ContractValues): Promise<void> | void;
  remove(...aliases: string[]): Promise<void> | void;
  /** Makes the lookup of one alias fail (denied, too large) while the others still work. */
  failOne?(alias: string): Promise<void> | void;
  /** Makes the whole source fail. */
  failAll?(): Promise<void> | void;
  /** Makes the source wait forever, for example with an emulator that does not answer. */
  hang?(): Promise<void> | void;
  /** Called at the end of each case, after the source was closed. */
  cleanup?(): Promise<void> | void;
}

/** What `sourceContract` needs to know about a source. */
export interface SourceHarness {
  /** Makes a fresh source that holds exactly these values. */
  create(values: ContractValues): Promise<SourceUnderTest> | SourceUnderTest;
  /** Whether the source can hold any bytes. Default: true; `false` for text without line breaks only. */
  readonly binary?: boolean;
  /** Whether the source can list its secrets, for `read({ list: true })`. Default: true. */
  readonly lists?: boolean;
  /** How long a hint may take after a change, in ms. Default: 5 000. */
  readonly hintTimeoutMs?: number;
}

export const USER = 'contract-user';
export const PASSWORD = 'contract-password';
export const EXTRA = 'contract-extra';
export const LOOKUPS = [lookup(USER), lookup(PASSWORD)];

/** Only the bytes of a reading may contain it. */
export const MARKER = 'contract-marker-value';

/** The open source of a case. It closes when the case ends. */
export interface RunningSource extends SourceUnderTest {
  /** Reads the user and the password. */
  read(request?: { list?: boolean; since?: string; signal?: AbortSignal }): Promise<ReadResult>;
}

export async function withSource(
  harness: SourceHarness,
  values: ContractValues,
  check: (running: RunningSource) => Promise<void>,
): Promise<void> {
  const made = await harness.create(values);
  const { source } = made;
  try {
    await source.open?.(new AbortController().signal);
    const read: RunningSource['read'] = ({ list = false, since, signal } = {}) =>
      source.read({ lookups: LOOKUPS, list, since, signal: signal ?? new AbortController().signal });
    await check({ ...made, read });
  } finally {
    await source.close?.();
    await made.cleanup?.();
  }
}

export function found(result: ReadResult, name: string): FoundReading {
  const reading = result.readings.get(name);
  assert.equal(reading?.status, 'found', `${name} is found`);
  return reading;
}

export function text(result: ReadResult, name: string): string {
  return Buffer.from(found(result, name).bytes).toString();
}

/** The error that a read rejects with. */
export function rejection(read: Promise<unknown>): Promise<unknown> {
  return read.then(
    () => assert.fail('the read answered instead of rejecting'),
    (error: unknown) => error,
  );
}

export function assertHoldsNoValue(error: unknown): void {
  assert.ok(isSecretsError(error), 'the error is a SecretsError');
  const shown = inspect(error, { showHidden: true, depth: 10 }) + error.stack + JSON.stringify(error);
  assert.ok(!shown.includes(MARKER), 'the error holds no value');
}

const SETTLE_MS = 2000;

/** Resolves with the value or the error of `promise`; rejects if it does not settle in time. */
export async function settlement<T>(promise: Promise<T>): Promise<T | unknown> {
  const late = new AbortController();
  const timeout = sleep(SETTLE_MS, 'late', { signal: late.signal }).catch(() => {});
  const result = await Promise.race([promise.catch((error: unknown) => error), timeout]);
  late.abort();
  assert.notEqual(result, 'late', `it settles within ${SETTLE_MS} ms after the abort`);
  return result;
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
  pollMs = 5,
): Promise<void> {
  const deadline = realNow() + timeoutMs;
  while (!(await condition())) {
    assert.ok(realNow() < deadline, `timed out after ${timeoutMs} ms waiting for ${what}`);
    await sleep(pollMs);
  }
}

/** Waits until a counter stops growing, so that late hints about one change do not count for the next. */
export async function untilSteady(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); await sleep(150)) before = count();
}
