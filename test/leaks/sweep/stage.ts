import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  auditAccess,
  type Definitions,
  type OpenOptions,
  SecretStore,
  type StoreEvents,
  type ValuesOf,
} from 'hot-secrets';
import { channelNames } from '../../../src/observe/channels';
import type { Outputs } from './outputs';

type Store = SecretStore<never>;

/** Everything that a store shows, except `reveal` and `revealWithPrevious`. `brief` leaves out what only depends on values. */
function showStore(outputs: Outputs, store: SecretStore<unknown>, brief: boolean): void {
  const shown = store as unknown as Store;
  outputs.show('report()', shown.report());
  outputs.show('health()', shown.health());
  if (brief) return;
  outputs.show('store', shown);
  outputs.show('snapshot', shown.snapshot());
  for (const name of shown.names()) {
    const box = shown.get(name);
    outputs.show(`box of ${String(name)}`, box);
    outputs.show(`box of ${String(name)} in an object`, { box, boxes: new Map([[name, box]]) });
  }
  for (const [call, work] of Object.entries({
    'reveal of an unknown name': () => shown.reveal('unknown' as never),
    'get of an unknown name': () => shown.get('unknown' as never),
    'watch of an unknown name': () => shown.watch('unknown' as never, () => {}),
    'redact of no text': () => shown.redact({} as never),
  })) {
    try {
      outputs.show(call, work());
    } catch (error) {
      outputs.error(call, error);
    }
  }
}

/** Collects the messages of every diagnostics channel until the returned function is called. */
export function showChannels(outputs: Outputs): () => void {
  const listener = (message: unknown, name: string | symbol) =>
    outputs.show(`channel ${String(name)}`, message);
  for (const name of channelNames) subscribe(name, listener);
  return () => {
    for (const name of channelNames) unsubscribe(name, listener);
  };
}

/** Listeners of every event, from before the store opens. */
export function listeners(outputs: Outputs) {
  const on = (event: keyof StoreEvents) => (payload: unknown) =>
    payload instanceof Error
      ? outputs.error(`event ${event}`, payload)
      : outputs.show(`event ${event}`, payload);
  return {
    change: on('change'),
    error: on('error'),
    recovered: on('recovered'),
    expiring: on('expiring'),
    close: on('close'),
  };
}

/** Opens a store, runs `work`, and shows everything before and after. Shows an error of `open`, and returns false. */
export async function withStore<D extends Definitions>(
  outputs: Outputs,
  options: OpenOptions<D>,
  work: (store: SecretStore<ValuesOf<D>>) => unknown = () => {},
  { brief = false } = {},
): Promise<boolean> {
  let store: SecretStore<ValuesOf<D>>;
  try {
    store = (await SecretStore.open({ on: listeners(outputs), ...options } as never)) as never;
  } catch (error) {
    outputs.error('error of open()', error);
    return false;
  }
  const audit = auditAccess(store, { callers: true });
  try {
    showStore(outputs, store, brief);
    await work(store);
    for (const name of store.names()) (store as unknown as Store).reveal(name as never);
    showStore(outputs, store, brief);
    outputs.show('audit', audit);
    outputs.show('report of the audit', audit.report());
  } finally {
    await store.close();
  }
  outputs.show('closed store', store);
  try {
    store.snapshot();
  } catch (error) {
    outputs.error('error of a closed store', error);
  }
  return true;
}
