import assert from 'node:assert/strict';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  assertHoldsNoValue,
  type ContractValues,
  EXTRA,
  found,
  LOOKUPS,
  MARKER,
  PASSWORD,
  type RunningSource,
  rejection,
  type SourceHarness,
  settlement,
  text,
  USER,
  until,
  untilSteady,
  withSource,
} from './source-harness';

/** One case of a contract: `run` rejects if the source breaks it. */
export interface ContractCase {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * The rules of `Source` as test cases, for any test runner. It leaves out cases for which the harness lacks a capability.
 *
 * @example
 * ```ts
 * import { sourceContract } from 'hot-secrets/testing';
 *
 * describe('my source keeps the contract of sources', () => {
 *   const harness = {
 *     create(values) {
 *       const vault = new FakeVault(values);
 *       return { source: mySource(vault), set: (more) => vault.merge(more), remove: (...names) => vault.drop(names) };
 *     },
 *   };
 *   for (const one of sourceContract(harness)) it(one.name, one.run);
 * });
 * ```
 */
export function sourceContract(harness: SourceHarness): readonly ContractCase[] {
  const applicable = RULES.filter(({ needsList }) => !needsList || (harness.lists ?? true));
  return applicable.map(({ name, values, check }) => ({
    name,
    run: () => withSource(harness, values, (running) => check(running, harness)),
  }));
}

interface Rule {
  readonly name: string;
  /** What the source holds at first. */
  readonly values: ContractValues;
  /** Applies only to sources that can list their secrets. */
  readonly needsList?: boolean;
  check(running: RunningSource, harness: SourceHarness): Promise<void>;
}

const ONE = { [USER]: 'a' };
const PAIR = { [USER]: 'value-0', [PASSWORD]: 'value-0' };
const MARKED_PAIR = { [USER]: MARKER, [PASSWORD]: MARKER };

const pairOf = (number: number) => ({ [USER]: `value-${number}`, [PASSWORD]: `value-${number}` });

const RULES: readonly Rule[] = [
  {
    name: 'has a kebab-case name, and a location without a value',
    values: { [USER]: MARKER },
    async check({ source }) {
      assert.match(source.name, /^[a-z][a-z0-9-]*$/);
      assert.equal(typeof source.location, 'string');
      assert.ok(!source.location.includes(MARKER));
    },
  },
  {
    name: 'returns the bytes of a value unchanged',
    values: { [USER]: ' value \u00e4 ' },
    async check(running, { binary = true }) {
      assert.equal(text(await running.read(), USER), ' value \u00e4 ');
      if (!binary) return;
      const bytes = Uint8Array.of(0, 255, 13, 10, 10);
      await running.set({ [USER]: bytes });
      assert.deepEqual([...found(await running.read(), USER).bytes], [...bytes]);
    },
  },
  {
    name: 'reports the origin of each value',
    values: PAIR,
    async check(running) {
      const result = await running.read();
      for (const name of [USER, PASSWORD]) assert.notEqual(found(result, name).origin, '');
    },
  },
  {
    name: 'reports a secret that it does not have as missing, with the place it tried',
    values: ONE,
    async check(running) {
      const result = await running.read();
      const reading = result.readings.get(PASSWORD);
      assert.equal(reading?.status, 'missing');
      assert.notEqual(reading.looked, '');
      assert.equal(text(result, USER), 'a');
    },
  },
  {
    name: 'sees changed, added and removed secrets in the next read',
    values: ONE,
    async check(running) {
      for (const value of ['b', 'c', 'd']) {
        await running.set({ [USER]: value, [PASSWORD]: value });
        const result = await running.read();
        assert.deepEqual([text(result, USER), text(result, PASSWORD)], [value, value]);
      }
      await running.remove(PASSWORD);
      assert.equal((await running.read()).readings.get(PASSWORD)?.status, 'missing');
    },
  },
  {
    name: 'returns values of one moment from each read while they change',
    values: PAIR,
    async check(running) {
      let done = false;
      const writing = (async () => {
        for (let number = 1; number <= 40; number += 1) {
          await running.set(pairOf(number));
          await sleep(1);
        }
      })().finally(() => {
        done = true;
      });
      while (!done) {
        const result = await running.read();
        assert.equal(text(result, USER), text(result, PASSWORD));
        // Lets the writer run even if the source answers immediately.
        await setImmediate(undefined);
      }
      await writing;
    },
  },
  {
    name: 'returns fresh memory from each read, which the caller may overwrite',
    values: PAIR,
    async check(running) {
      for (let round = 0; round < 3; round += 1) {
        const { bytes } = found(await running.read(), USER);
        assert.equal(Buffer.from(bytes).toString(), 'value-0');
        bytes.fill(0);
      }
      assert.equal(text(await running.read(), PASSWORD), 'value-0');
    },
  },
  {
    name: 'answers "unchanged" only when since is its current revision',
    values: PAIR,
    async check(running) {
      await running.read();
      const full = await running.read();
      assert.equal(full.unchanged, false, 'without `since` every reading is returned');
      const foreign = await running.read({ since: 'a revision of another source' });
      assert.equal(foreign.unchanged, false);
      if (full.revision === undefined) return;
      const again = await running.read({ since: full.revision });
      if (again.unchanged) assert.equal(again.readings.size, 0);
      else assert.equal(text(again, USER), 'value-0');
      await running.set(pairOf(1));
      const changed = await running.read({ since: full.revision });
      assert.equal(changed.unchanged, false);
      assert.equal(text(changed, PASSWORD), 'value-1');
    },
  },
  {
    name: 'settles a read within 2 s after its signal aborts, and answers the next one',
    values: PAIR,
    async check(running) {
      await settlement(running.read({ signal: AbortSignal.abort() }));
      const controller = new AbortController();
      const reading = running.read({ signal: controller.signal });
      controller.abort();
      await settlement(reading);
      assert.equal(text(await running.read(), USER), 'value-0', 'the next read answers');
    },
  },
  {
    name: 'lists the names of its secrets without their values',
    values: { [USER]: MARKER, [EXTRA]: MARKER },
    async check({ source }) {
      const names = await source.inventory();
      assert.ok(names.length >= 2);
      for (const name of names) assert.ok(!name.includes(MARKER));
    },
  },
  {
    name: 'reads secrets without a lookup only when the request sets list',
    values: { [USER]: 'a', [EXTRA]: 'b' },
    needsList: true,
    async check(running) {
      const result = await running.read({ list: true });
      assert.deepEqual([text(result, USER), text(result, EXTRA)], ['a', 'b']);
      assert.equal((await running.read()).readings.has(EXTRA), false);
    },
  },
  {
    name: 'answers lookUp as of its read, even after the values change',
    values: ONE,
    async check(running) {
      const { lookUp } = await running.read({ list: true });
      if (lookUp === undefined) return;
      const answers = () => LOOKUPS.map((wanted) => lookUp(wanted));
      const before = answers();
      await running.set({ [USER]: 'b' });
      assert.deepEqual(answers(), before);
    },
  },
  {
    name: 'hints after each change, and never after stop()',
    values: PAIR,
    async check(running, { hintTimeoutMs = 5000 }) {
      const { source } = running;
      if (source.watch === undefined) return;
      let hints = 0;
      const hint = () => {
        hints += 1;
      };
      const stop = source.watch({ hint, problem: () => {}, solved: () => {} });
      await running.read();
      for (let number = 1; number <= 3; number += 1) {
        // A source may hint without a change, so only the read proves that this hint came after it.
        await untilSteady(() => hints);
        const before = hints;
        await running.set(pairOf(number));
        await until(() => hints > before, hintTimeoutMs, `a hint after change ${number}`);
        assert.equal(text(await running.read(), USER), `value-${number}`);
      }
      await stop();
      const before = hints;
      await running.set(pairOf(4));
      await sleep(100);
      assert.equal(hints, before);
    },
  },
  {
    name: 'allows stop() and close() to be called twice',
    values: PAIR,
    async check({ source, read }) {
      const stop = source.watch?.({ hint: () => {}, problem: () => {}, solved: () => {} });
      await read();
      await stop?.();
      await stop?.();
      await source.close?.();
      await source.close?.();
    },
  },
  {
    name: 'reports a failed lookup without its value, and still reads the others',
    values: MARKED_PAIR,
    async check(running) {
      if (running.failOne === undefined) return;
      await running.read();
      await running.failOne(USER);
      const result = await running.read();
      const reading = result.readings.get(USER);
      assert.equal(reading?.status, 'failed');
      assertHoldsNoValue(reading.error);
      assert.equal(text(result, PASSWORD), MARKER);
    },
  },
  {
    name: 'rejects with a SecretsError that holds no value when the whole source fails',
    values: MARKED_PAIR,
    async check(running) {
      if (running.failAll === undefined) return;
      await running.read();
      await running.failAll();
      assertHoldsNoValue(await rejection(running.read()));
    },
  },
  {
    name: 'rejects a read that hangs within 2 s after its signal aborts',
    values: MARKED_PAIR,
    async check(running) {
      if (running.hang === undefined) return;
      await running.hang();
      const controller = new AbortController();
      const reading = running.read({ signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      assertHoldsNoValue(await settlement(rejection(reading)));
    },
  },
];
