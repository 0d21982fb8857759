import assert from 'node:assert/strict';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { lookup } from '../secret/lookup';
import type { ReadResult, Source } from '../sources/source';
import { assertClean, found, identity, MARKER, quiet, settles, text, until } from './source-contract-steps';

/** Values by alias. The aliases are `contract-user`, `contract-password` and `contract-extra`. */
export type ContractValues = Readonly<Record<string, string | Uint8Array>>;

/** One source of a harness, with the means to change what it reads. */
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
  /** Makes the source wait for ever, for example by an emulator that does not answer. */
  hang?(): Promise<void> | void;
  /** Called at the end of each case, after the source was closed. */
  cleanup?(): Promise<void> | void;
}

/** What `sourceContract` needs to know of a source. */
export interface SourceHarness {
  /** Makes a fresh source that holds exactly these values. */
  create(values: ContractValues): Promise<SourceUnderTest> | SourceUnderTest;
  /** The source can hold any bytes. Default: true; `false` for text without line breaks only. */
  readonly binary?: boolean;
  /** The source can list what lies there, for `read({ list: true })`. Default: true. */
  readonly lists?: boolean;
  /** How long a hint may take after a change, in ms. Default: 5 000. */
  readonly hintTimeoutMs?: number;
}

/** One case of a contract: `run` rejects where the contract is broken. */
export interface ContractCase {
  readonly name: string;
  run(): Promise<void>;
}

const USER = 'contract-user';
const PASSWORD = 'contract-password';
const EXTRA = 'contract-extra';
const LOOKUPS = [lookup(USER), lookup(PASSWORD)];

/**
 * The rules of `Source` as test cases, for any test runner. Cases that need a capability which the harness lacks are
 * left out.
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
  const cases: ContractCase[] = [];
  const add = (name: string, values: ContractValues, check: (one: Running) => Promise<void>) =>
    cases.push({ name, run: () => withSource(harness, values, check) });
  const pair = { [USER]: 'value-0', [PASSWORD]: 'value-0' };
  const { binary = true, lists = true, hintTimeoutMs = 5000 } = harness;

  add('has a name and a location that hold no value', { [USER]: MARKER }, async ({ source }) => {
    assert.match(source.name, /^[a-z][a-z0-9-]*$/);
    assert.equal(typeof source.location, 'string');
    assert.ok(!source.location.includes(MARKER));
  });

  add('hands the bytes over as they are', { [USER]: ' value \u00e4 ' }, async (one) => {
    assert.equal(text(await one.read(), USER), ' value \u00e4 ');
    if (!binary) return;
    const bytes = Uint8Array.of(0, 255, 13, 10, 10);
    await one.set({ [USER]: bytes });
    assert.deepEqual([...found(await one.read(), USER).bytes], [...bytes]);
  });

  add('says of what it found where it lay', pair, async (one) => {
    assert.notEqual(found(await one.read(), USER).origin, '');
  });

  add('answers "missing", with what was looked for, where there is nothing', { [USER]: 'a' }, async (one) => {
    const result = await one.read();
    const reading = result.readings.get(PASSWORD);
    assert.equal(reading?.status, 'missing');
    assert.notEqual(reading.looked, '');
    assert.equal(text(result, USER), 'a');
  });

  add('follows changes, additions and removals', { [USER]: 'a' }, async (one) => {
    for (const value of ['b', 'c', 'd']) {
      await one.set({ [USER]: value, [PASSWORD]: value });
      const result = await one.read();
      assert.deepEqual([text(result, USER), text(result, PASSWORD)], [value, value]);
    }
    await one.remove(PASSWORD);
    assert.equal((await one.read()).readings.get(PASSWORD)?.status, 'missing');
  });

  add('answers with one consistent picture while its values change', pair, async (one) => {
    let done = false;
    const writing = (async () => {
      for (let number = 1; number <= 40; number += 1) {
        await one.set({ [USER]: `value-${number}`, [PASSWORD]: `value-${number}` });
        await sleep(1);
      }
    })().finally(() => {
      done = true;
    });
    while (!done) {
      const result = await one.read();
      assert.equal(text(result, USER), text(result, PASSWORD));
      // A source that answers at once would leave the writer no turn.
      await setImmediate(undefined);
    }
    await writing;
  });

  add('hands over fresh memory, which may be overwritten', pair, async (one) => {
    for (let round = 0; round < 3; round += 1) {
      const { bytes } = found(await one.read(), USER);
      assert.equal(Buffer.from(bytes).toString(), 'value-0');
      bytes.fill(0);
    }
    assert.equal(text(await one.read(), PASSWORD), 'value-0');
  });

  add('answers "unchanged" only where that was asked for and is certain', pair, async (one) => {
    await one.read();
    const full = await one.read();
    assert.equal(full.unchanged, false, 'without `since` every reading is wanted');
    assert.equal((await one.read({ since: 'a revision of somebody else' })).unchanged, false);
    if (full.revision === undefined) return;
    const again = await one.read({ since: full.revision });
    if (again.unchanged) assert.equal(again.readings.size, 0);
    else assert.equal(text(again, USER), 'value-0');
    await one.set({ [USER]: 'value-1', [PASSWORD]: 'value-1' });
    const changed = await one.read({ since: full.revision });
    assert.equal(changed.unchanged, false);
    assert.equal(text(changed, PASSWORD), 'value-1');
  });

  add('settles soon when its signal aborts, before or during a read', pair, async (one) => {
    await settles(one.read({ signal: AbortSignal.abort() }));
    const controller = new AbortController();
    const reading = one.read({ signal: controller.signal });
    controller.abort();
    await settles(reading);
    assert.equal(text(await one.read(), USER), 'value-0', 'it can be read again');
  });

  add('lists names and never values', { [USER]: MARKER, [EXTRA]: MARKER }, async ({ source }) => {
    const names = await source.inventory();
    assert.ok(names.length >= 2);
    for (const name of names) assert.ok(!name.includes(MARKER));
  });

  if (lists) {
    add('reads what it can list, too, where it is asked to', { [USER]: 'a', [EXTRA]: 'b' }, async (one) => {
      const result = await one.read({ list: true });
      assert.deepEqual([text(result, USER), text(result, EXTRA)], ['a', 'b']);
      assert.equal((await one.read()).readings.has(EXTRA), false);
    });
  }

  add('answers from one picture for names that were not asked for', { [USER]: 'a' }, async (one) => {
    const { lookUp } = await one.read({ list: true });
    if (lookUp === undefined) return;
    const answers = () => LOOKUPS.map((wanted) => lookUp(wanted));
    const before = answers();
    await one.set({ [USER]: 'b' });
    assert.deepEqual(answers(), before);
  });

  add('hints after each change, and no more after it was stopped', pair, async (one) => {
    if (one.source.watch === undefined) return;
    let hints = 0;
    const hint = () => {
      hints += 1;
    };
    const stop = one.source.watch({ hint, problem: () => {}, solved: () => {} });
    await one.read();
    for (let number = 1; number <= 3; number += 1) {
      // A hint without a change is allowed, so only a look tells that the change was hinted at.
      await quiet(() => hints);
      const before = hints;
      await one.set({ [USER]: `value-${number}`, [PASSWORD]: `value-${number}` });
      await until(() => hints > before, hintTimeoutMs, `a hint after change ${number}`);
      assert.equal(text(await one.read(), USER), `value-${number}`);
    }
    await stop();
    const before = hints;
    await one.set({ [USER]: 'value-4', [PASSWORD]: 'value-4' });
    await sleep(100);
    assert.equal(hints, before);
  });

  add('may be closed again', pair, async (one) => {
    const stop = one.source.watch?.({ hint: () => {}, problem: () => {}, solved: () => {} });
    await one.read();
    await stop?.();
    await stop?.();
    await one.source.close?.();
    await one.source.close?.();
  });

  cases.push(...failureCases(harness));
  return cases;
}

function failureCases(harness: SourceHarness): ContractCase[] {
  const values = { [USER]: MARKER, [PASSWORD]: MARKER };
  const run = (check: (one: Running) => Promise<void>) => () => withSource(harness, values, check);
  return [
    {
      name: 'answers "failed" for the one lookup that fails, without its value',
      run: run(async (one) => {
        if (one.failOne === undefined) return;
        await one.read();
        await one.failOne(USER);
        const result = await one.read();
        const reading = result.readings.get(USER);
        assert.equal(reading?.status, 'failed');
        assertClean(reading.error);
        assert.equal(text(result, PASSWORD), MARKER);
      }),
    },
    {
      name: 'rejects with a SecretsError when the whole source fails, without a value',
      run: run(async (one) => {
        if (one.failAll === undefined) return;
        await one.read();
        await one.failAll();
        const error = await one.read().then(() => assert.fail('it answered'), identity);
        assertClean(error);
      }),
    },
    {
      name: 'rejects soon after its signal aborts when nothing answers',
      run: run(async (one) => {
        if (one.hang === undefined) return;
        await one.hang();
        const controller = new AbortController();
        const reading = one.read({ signal: controller.signal });
        setTimeout(() => controller.abort(), 20);
        const error = await settles(reading.then(() => assert.fail('it answered'), identity));
        assertClean(error);
      }),
    },
  ];
}

type Running = SourceUnderTest & {
  read(request?: { list?: boolean; since?: string; signal?: AbortSignal }): Promise<ReadResult>;
};

async function withSource(
  harness: SourceHarness,
  values: ContractValues,
  check: (one: Running) => Promise<void>,
): Promise<void> {
  const made = await harness.create(values);
  const { source } = made;
  try {
    await source.open?.(new AbortController().signal);
    const read: Running['read'] = ({ list = false, since, signal } = {}) =>
      source.read({ lookups: LOOKUPS, list, since, signal: signal ?? new AbortController().signal });
    await check({ ...made, read });
  } finally {
    await source.close?.();
    await made.cleanup?.();
  }
}
