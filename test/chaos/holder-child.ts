// Holds one store for each mount, checks every snapshot, and does to its own process what other processes cannot do.

// Holds one store for each mount, checks every snapshot, and does to its own process what other processes cannot do.
import fs, { closeSync, openSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { setClock } from './clock';
import type { HolderCall, HolderConfig } from './holder';
import { held, inotifyWatches, surplus } from './leftovers';
import type { Said } from './observed-store';
import { setMood, slowSource } from './slow-source';

const WATCH_LIMIT = '/proc/sys/user/max_inotify_watches';
const config = JSON.parse(process.argv[2] as string) as HolderConfig;

// A fake for systems on which the limit of watches cannot be changed.
let watchesFail = false;
if (!config.ownLimits) {
  const { watch } = fs;
  const failing = (...given: unknown[]) => {
    if (watchesFail) throw Object.assign(new Error('ENOSPC: no watches left'), { code: 'ENOSPC' });
    return (watch as (...all: unknown[]) => fs.FSWatcher)(...given);
  };
  fs.watch = failing as typeof watch;
  syncBuiltinESMExports();
}

// After the fakes, because the package holds what it finds when it loads.
const { ObservedStore } = await import('./observed-store');
const { isSecretsError, mountedFiles, SecretStore } = await import('../../src/index');

const send = (message: object) => process.connected && process.send?.(message);
const say = (said: Said) => send({ said });
const violated = (what: string) => say({ kind: 'violation', what });
process.on('uncaughtException', (error) => violated(`uncaught exception: ${error.stack}`));
process.on('unhandledRejection', (error) =>
  violated(`unhandled rejection: ${(error as Error)?.stack ?? error}`),
);
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') violated(`process warning: ${warning.name} ${warning.message}`);
});

const stores = config.plans.map(
  (plan) => new ObservedStore(plan, () => (plan.name === 'volume' ? [slowSource()] : []), say),
);
const openAll = () => Promise.all(stores.map((store) => store.open()));
const closeAll = () => Promise.all(stores.map((store) => store.close()));
let sampler: NodeJS.Timeout | undefined;
const sample = () => {
  sampler = setInterval(() => {
    for (const store of stores) store.check();
  }, 20);
};

// Opened once before, so that what the process keeps for its first watch counts as its own.
await openAll();
await closeAll();
await sleep(300);
const atRest = held();
await openAll();
sample();

let taken: number[] = [];
let listeners: (() => void)[] = [];

const calls: { [C in HolderCall['call']]: (call: Extract<HolderCall, { call: C }>) => unknown } = {
  async serves({ generations, healthy, boundMs }) {
    const waits = Object.entries(generations).map(([name, generation]) =>
      stores.find(({ plan }) => plan.name === name)?.serves(generation, healthy, boundMs),
    );
    return Promise.all(waits);
  },
  stall({ ms }) {
    for (const end = performance.now() + ms; performance.now() < end; );
  },
  clock({ ms }) {
    setClock(ms);
  },
  takeDescriptors() {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error;
    }
    return taken.length;
  },
  giveDescriptors() {
    for (const descriptor of taken) closeSync(descriptor);
    taken = [];
  },
  takeWatches() {
    if (config.ownLimits) writeFileSync(WATCH_LIMIT, String(inotifyWatches()));
    watchesFail = true;
  },
  giveWatches() {
    if (config.ownLimits) writeFileSync(WATCH_LIMIT, '5000');
    watchesFail = false;
  },
  badListeners() {
    for (const { store } of stores) {
      const { name } = store;
      const throwing = () => {
        throw new Error(`the listener of ${name} throws`);
      };
      const rejecting = () => Promise.reject(new Error(`the listener of ${name} rejects`));
      const refreshing = () => void store.refresh();
      for (const listener of [throwing, rejecting, refreshing]) listeners.push(store.on('change', listener));
    }
  },
  goodListeners() {
    for (const stop of listeners) stop();
    listeners = [];
  },
  mood({ mood }) {
    setMood(mood);
    // Only a call of refresh() reads this source.
    void stores[0]?.store.refresh();
  },
  async refresh({ times }) {
    await Promise.all(
      Array.from({ length: times }, () => Promise.all(stores.map(({ store }) => store.refresh()))),
    );
  },
  async openAnother({ path }) {
    try {
      const another = await SecretStore.open({ sources: [mountedFiles(path, { pollIntervalMs: 20 })] });
      await another.close();
      return 'opened';
    } catch (error) {
      if (!isSecretsError(error)) violated(`open rejects with ${error}`);
      return isSecretsError(error) ? error.code : 'unknown';
    }
  },
  async reopen() {
    clearInterval(sampler);
    await closeAll();
    let left = surplus(held(), atRest);
    for (let wait = 0; left.length > 0 && wait < 100; wait += 1) {
      await sleep(30);
      left = surplus(held(), atRest);
    }
    if (left.length > 0) violated(`close() leaves ${left.join(', ')}`);
    await openAll();
    sample();
  },
  async end() {
    clearInterval(sampler);
    await closeAll();
  },
};

process.on('message', async ({ id, ...call }: HolderCall & { readonly id: number }) => {
  try {
    send({ id, result: await (calls[call.call] as (call: HolderCall) => unknown)(call) });
  } catch (error) {
    send({ id, error: String((error as Error).stack) });
  }
  if (call.call === 'end') process.disconnect();
});
// Its parent is gone.
process.on('disconnect', () => setTimeout(() => process.exit(1), 3000).unref());
send({ id: 0, result: atRest.length });
