import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { expect, it } from 'vitest';
import { WRITERS, type WriterName } from '../support/atomic-writer.mjs';
import { temporaryDirectory } from '../support/files';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const CHILD = join(import.meta.dirname, '../support/atomic-writer-child.mjs');
const POLL = { pollIntervalMs: 50 };
const REQUIRED = { user: 'user', password: 'password', nested: 'db/primary/password' };

type Content = Readonly<Record<string, string>>;

/** The three that are always there, and one that only this generation has. */
const contentOf = (value: string, only: 'removed' | 'added'): Content => ({
  user: value,
  'db/primary/password': value,
  [only]: value,
  password: value,
});
const OLD = contentOf('old', 'removed');
const NEW = contentOf('new', 'added');

function write(writer: WriterName, root: string, content: Content): void {
  for (const _ of WRITERS[writer](root, content));
}

/** Writes in another process, which kills itself after `calls` system calls. */
function writeAndDie(writer: WriterName, root: string, content: Content, calls: number): Promise<void> {
  const args = [CHILD, writer, root, JSON.stringify(content), String(calls)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error) => {
      if (error?.signal === 'SIGKILL') resolve();
      else reject(new Error('The writer was not killed.', { cause: error }));
    });
  });
}

/** The system calls of a writer that replaces OLD by NEW, each with its number, and whether NEW is visible after it. */
function callsOf(writer: WriterName) {
  const root = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
  write(writer, root, OLD);
  const calls = [...WRITERS[writer](root, NEW)];
  rmSync(root, { recursive: true });
  const swap = calls.indexOf('rename ..data');
  return calls.map((call, index) => ({ writer, call, number: index + 1, isSwapped: index >= swap }));
}

it.each((['kubelet', 'driver', 'alternating'] as const).flatMap(callsOf))(
  'serves one whole generation when the writer $writer is killed after call $number ($call), and the new one after its restart',
  async ({ writer, call, number, isSwapped }) => {
    const root = temporaryDirectory();
    write(writer, root, OLD);
    const optional = {
      removed: secret.text('removed').optional(),
      added: secret.text('added').optional(),
    };
    await using store = await SecretStore.open({
      secrets: { ...REQUIRED, ...optional },
      sources: [mountedFiles(root, POLL)],
    });
    const log = record(store);
    const shown = () => {
      const { user, password, nested, removed, added } = revealAllOf(store.snapshot());
      return { user, password, nested, removed, added };
    };
    // An optional secret keeps its last value when its file is gone.
    const whole = (value: string, added: string | undefined) => ({
      ...{ user: value, password: value, nested: value },
      ...{ removed: 'old', added },
    });
    const [before, after] = [whole('old', undefined), whole('new', 'new')];
    const seen: unknown[] = [];
    store.on('change', () => seen.push(shown()));

    await writeAndDie(writer, root, NEW, number);
    await store.refresh();
    expect(shown()).toEqual(isSwapped ? after : before);

    if (call === 'symlink ..data_tmp') {
      // No writer gets past a link that was left behind: the old generation stays, and the mount does not say why.
      expect(() => write(writer, root, NEW)).toThrow('EEXIST');
      await store.refresh();
      expect(shown()).toEqual(before);
      unlinkSync(join(root, '..data_tmp'));
    }
    write(writer, root, NEW);
    await waitFor(() => store.reveal('user') === 'new');
    expect(shown()).toEqual(after);
    expect(seen).toEqual([after]);

    write(writer, root, contentOf('third', 'added'));
    await waitFor(() => store.reveal('added') === 'third');
    expect(shown()).toEqual(whole('third', 'third'));
    expect(log.codes().filter((code) => code !== 'SECRET_VANISHED')).toEqual([]);
  },
);

it.each(callsOf('plain'))(
  'serves whole values when a writer in place is killed after call $number ($call), and the new ones after its restart',
  async ({ writer, number }) => {
    const root = temporaryDirectory();
    write(writer, root, OLD);
    await using store = await SecretStore.open({ secrets: REQUIRED, sources: [mountedFiles(root, POLL)] });
    const values = () => Object.values(revealAllOf(store.snapshot()));
    const seen: unknown[] = [];
    store.on('change', () => seen.push(...values()));

    await writeAndDie(writer, root, NEW, number);
    await store.refresh();
    // Files in place have no common moment: the writer may have stopped between two that belong together.
    expect(['old', 'new']).toEqual(expect.arrayContaining(values()));

    write(writer, root, NEW);
    await waitFor(() => values().every((value) => value === 'new'));
    expect(['old', 'new']).toEqual(expect.arrayContaining(seen));
    expect(store.health().status).toBe('ok');
  },
);

function revealAllOf<V>(snapshot: {
  names(): readonly (keyof V & string)[];
  reveal(name: keyof V & string): V[keyof V];
}) {
  return Object.fromEntries(snapshot.names().map((name) => [name, snapshot.reveal(name)])) as Partial<V>;
}
