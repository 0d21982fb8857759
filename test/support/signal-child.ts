// Refreshes only after a signal, and reports each change to its parent.
import { setInterval } from 'node:timers';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { reloadOnSignal, SecretStore } from 'hot-secrets';
import { silentMemory } from './silent-source';

const source = silentMemory({ token: 'value-0' });
const store = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
if (isMainThread) {
  const stop = reloadOnSignal(store, 'SIGHUP', { minIntervalMs: 0 });
  let round = 0;
  // Like a sidecar, it writes each rotation before the signal for it.
  const prepare = () => {
    round += 1;
    source.set({ token: `value-${round}` });
  };
  store.on('change', ({ trigger, generation }) => {
    process.send?.({ trigger, generation });
    prepare();
  });
  prepare();
  process.on('message', (message) => {
    if (message === 'stop') stop();
    if (message === 'close') void store.close();
    process.send?.('done');
  });
  const alive = setInterval(() => {}, 1_000);
  process.on('disconnect', () => clearInterval(alive));
  process.send?.('ready');
} else {
  process.on('warning', (warning) => parentPort?.postMessage((warning as { code?: string }).code));
  reloadOnSignal(store, workerData);
}
