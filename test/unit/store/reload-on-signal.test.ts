import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { memory, reloadOnSignal, SecretStore } from 'hot-secrets';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childFile } from '../../support/child-file';
import { countingStore, recordWarnings } from '../../support/http-stage';
import { waitFor } from '../../support/wait-for';

const CHILD = join(import.meta.dirname, '../../support/signal-child.ts');

async function startChild(): Promise<{ child: ChildProcess; messages: unknown[] }> {
  const child = fork(childFile(CHILD), { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  await waitFor(() => messages.includes('ready'));
  return { child, messages };
}

const openStore = async () => {
  const store = await SecretStore.open({
    secrets: { token: 'token' },
    sources: [memory({ token: 'value-0' })],
  });
  onTestFinished(() => store.close());
  return store;
};

describe('reloadOnSignal with another process', () => {
  it('refreshes the store at each SIGHUP, with the trigger "sighup"', async () => {
    const { child, messages } = await startChild();
    for (let round = 1; round <= 3; round += 1) {
      child.kill('SIGHUP');
      await waitFor(() => messages.length === 1 + round);
      expect(messages.at(-1)).toEqual({ trigger: 'sighup', generation: 1 + round });
    }
  });

  it.each(['stop', 'close'])('restores the default behaviour of SIGHUP after %s', async (how) => {
    const { child, messages } = await startChild();
    child.send(how);
    await waitFor(() => messages.includes('done'));
    child.kill('SIGHUP');
    const [, signal] = (await once(child, 'exit')) as [unknown, string];
    expect(signal).toBe('SIGHUP');
  });
});

describe('reloadOnSignal', () => {
  it('turns a flood of signals into one refresh at once and one after the interval', async () => {
    const store = Object.assign(countingStore(), { on: () => () => {} });
    const stop = reloadOnSignal(store as never, 'SIGUSR2', { minIntervalMs: 50 });
    onTestFinished(stop);
    for (let count = 0; count < 1_000; count += 1) process.emit('SIGUSR2', 'SIGUSR2');
    expect(store.triggers).toHaveLength(1);
    await waitFor(() => store.triggers.length === 2);
    expect(store.triggers).toEqual(['sigusr2', 'sigusr2']);
  });

  it('leaves no signal listener behind after stop or close', async () => {
    const before = process.listenerCount('SIGHUP');
    for (const end of ['stop', 'close'] as const) {
      const store = await openStore();
      const stop = reloadOnSignal(store);
      expect(process.listenerCount('SIGHUP')).toBe(before + 1);
      if (end === 'stop') stop();
      await store.close();
      stop();
      expect(process.listenerCount('SIGHUP')).toBe(before);
    }
  });

  it.each(['SIGKILL', 'SIGSTOP', 'SIGUSR1', 'SIGNONE', 'hup', 1])(
    'refuses %s as a signal to reload on',
    async (signal) => {
      const store = await openStore();
      expect(() => reloadOnSignal(store, signal as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );

  it('refuses reloadOnSignal with a wrong store or wrong options', async () => {
    const store = await openStore();
    const refused = (code: string) => expect.objectContaining({ code, next: expect.any(String) });
    for (const wrong of [undefined, null, 'SIGHUP', () => {}, Promise.resolve(store)]) {
      expect(() => reloadOnSignal(wrong as never)).toThrow(refused('OPTION_INVALID'));
    }
    for (const options of [null, 'fast', { minIntervalMs: -1 }]) {
      expect(() => reloadOnSignal(store, 'SIGHUP', options as never)).toThrow(refused('OPTION_INVALID'));
    }
    expect(() => reloadOnSignal(store, 'SIGHUP', { interval: 1 } as never)).toThrow(
      refused('OPTION_UNKNOWN'),
    );
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });

  it('warns that SIGHUP does not exist on Windows, and adds no listener', async () => {
    using warnings = recordWarnings();
    const store = await openStore();
    const { platform } = process;
    Object.defineProperty(process, 'platform', { value: 'win32' });
    onTestFinished(() => void Object.defineProperty(process, 'platform', { value: platform }));
    const stop = reloadOnSignal(store);
    stop();
    expect(warnings.codes()).toEqual(['SIGNAL_UNAVAILABLE']);
    expect(warnings.text()).toContain('SIGHUP does not exist on Windows');
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });

  it('warns that signals are unavailable in a worker thread', async () => {
    const load = `import(${JSON.stringify(childFile(CHILD))})`;
    const worker = new Worker(load, { eval: true, workerData: 'SIGHUP' });
    onTestFinished(async () => void (await worker.terminate()));
    const [code] = await once(worker, 'message');
    expect(code).toBe('SIGNAL_UNAVAILABLE');
  });
});
