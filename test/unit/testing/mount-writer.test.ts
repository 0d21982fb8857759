import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTestMount } from '../../../src/testing/test-mount';
import { startMountWriter } from '../../support/mount-writer';
import { waitFor } from '../../support/wait-for';

/** Everything in a directory, with the name of the generation masked. */
function layoutOf(path: string): string[] {
  const describeEntry = (entry: string): string[] => {
    const kind = readlink(join(path, entry));
    if (kind !== undefined) return [`${entry} -> ${kind}`];
    if (!statSync(join(path, entry)).isDirectory())
      return [`${entry} = ${readFileSync(join(path, entry), 'utf8')}`];
    return readdirSync(join(path, entry)).flatMap((name) => describeEntry(join(entry, name)));
  };
  const generation = readlink(join(path, '..data')) ?? 'none';
  return readdirSync(path)
    .flatMap(describeEntry)
    .map((line) => line.replaceAll(generation, '..generation'))
    .sort();
}

function readlink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

async function eventsDuring(path: string, action: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const watcher = watch(path, (_event, name) => seen.push(String(name)));
  const old = readlinkSync(join(path, '..data'));
  await action();
  const fresh = readlinkSync(join(path, '..data'));
  await expect.poll(() => seen.at(-1)).toBe(old);
  watcher.close();
  return seen.map((name) => (name === old ? 'old' : name === fresh ? 'fresh' : name));
}

describe('the mount writer in its own process', () => {
  it('writes the same layout with the same file events as a test mount', async () => {
    const content = { a: '1', gone: '1', 'db/primary/password': '1' };
    await using mount = await createTestMount(content);
    await using writer = await startMountWriter({ content });
    expect(layoutOf(writer.path)).toEqual(layoutOf(mount.path));

    const rotation = { a: '2', added: '2' };
    const byMount = await eventsDuring(mount.path, () => mount.rotate(rotation));
    const byWriter = await eventsDuring(writer.path, () => writer.rotate(rotation));
    expect(byWriter).toEqual(byMount);

    await mount.remove('gone');
    await writer.remove('gone');
    expect(layoutOf(writer.path)).toEqual(layoutOf(mount.path));
  });

  it('reports the time of each swap on the clock of this process', async () => {
    await using writer = await startMountWriter({ content: { a: '0', b: '0' } });
    const before = process.hrtime.bigint();
    const times = await writer.swapTimes(5, { names: ['a', 'b'], prefix: 'n', gapMs: 2 });
    const after = process.hrtime.bigint();

    expect(times).toHaveLength(5);
    expect([before, ...times, after]).toEqual([before, ...times, after].sort((x, y) => (x < y ? -1 : 1)));
    expect(readFileSync(join(writer.path, 'b'), 'utf8')).toBe('n5');
  });

  it('keeps swapping until it is told to stop', async () => {
    await using writer = await startMountWriter({ content: { a: '0' } });
    const swapping = writer.swapUntilStopped({ names: ['a'], prefix: 'n' });
    const swapsSoFar = () => Number(readFileSync(join(writer.path, 'a'), 'utf8').slice(1));
    await waitFor(() => swapsSoFar() > 5);
    const swaps = await swapping.stop();
    expect(swaps).toBeGreaterThan(5);
    expect(readFileSync(join(writer.path, 'a'), 'utf8')).toBe(`n${swaps}`);
  });

  it('removes the mount at its end, and refuses a later rotation', async () => {
    const writer = await startMountWriter({ content: { a: '0' } });
    onTestFinished(() => writer.end());
    await writer.end();
    await writer.end();
    expect(existsSync(writer.path)).toBe(false);
    await expect(writer.rotate({ a: '1' })).rejects.toThrow('ended');
  });
});
