import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { isSecretsError } from '../errors';
import type { Reading, ReadResult } from '../sources/source';

/** The value that must not appear anywhere but in a reading's bytes. */
export const MARKER = 'contract-marker-value';
const SETTLE_MS = 2000;

export function found(result: ReadResult, name: string): Reading & { readonly status: 'found' } {
  const reading = result.readings.get(name);
  assert.equal(reading?.status, 'found', `${name} is there`);
  return reading;
}

export function text(result: ReadResult, name: string): string {
  return Buffer.from(found(result, name).bytes).toString();
}

export function assertClean(error: unknown): void {
  assert.ok(isSecretsError(error), 'the error is a SecretsError');
  const shown = inspect(error, { showHidden: true, depth: 10 }) + error.stack + JSON.stringify(error);
  assert.ok(!shown.includes(MARKER), 'the error holds no value');
}

export function identity(error: unknown): unknown {
  return error;
}

/** Resolves when `promise` settles, either way; rejects when that takes too long. */
export async function settles<T>(promise: Promise<T>): Promise<T | unknown> {
  const late = new AbortController();
  const timeout = sleep(SETTLE_MS, 'late', { signal: late.signal }).catch(() => {});
  const result = await Promise.race([promise.catch(identity), timeout]);
  late.abort();
  assert.notEqual(result, 'late', `it settles within ${SETTLE_MS} ms after the abort`);
  return result;
}

export async function until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(5);
  }
}

/** Waits until a counter rests, so that late hints of one change are not taken for those of the next. */
export async function quiet(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); await sleep(150)) before = count();
}
