import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createKeyVaultEmulator, keyVault, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { processorMsSince } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio } from '../support/statistics';

const ROUNDS = { full: 15, short: 5 };
const SECRETS = 20;
const REFRESHES = { full: 100, short: 20 };
const CHILD = fileURLToPath(new URL('../support/first-secret-child.mjs', import.meta.url));

/** Compares the time from process start to first secret with the bare clients, and measures a refresh without changes. */
export async function keyVaultFigure({ size }: FigureOptions): Promise<FigureResult> {
  const content = manySecrets(SECRETS);
  await using vault = await createKeyVaultEmulator({ secrets: content });

  const passed = { bare: [] as number[], store: [] as number[] };
  const first = (side: 'bare' | 'store') => async () => {
    // The vault runs in this process, which has to keep answering.
    const env = { ...process.env, ...vault.environment };
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, side, vault.vaultUrl], { env });
    const { passedMs, processorMs } = JSON.parse(stdout);
    passed[side].push(passedMs);
    return processorMs;
  };
  const sides = { bare: first('bare'), store: first('store') };
  await alternate(1, sides);
  const times = await alternate(ROUNDS[size], sides);

  await using store = await SecretStore.open({
    secrets: definitionsOf(content),
    sources: [keyVault(vault.options)],
  });
  let heard = 0;
  store.on('change', () => {
    heard += 1;
  });
  const requests = vault.requests.length;
  const before = process.cpuUsage();
  const start = performance.now();
  for (let refresh = 0; refresh < REFRESHES[size]; refresh += 1) await store.refresh();
  const durationMs = performance.now() - start;
  const processorMs = processorMsSince(before);

  return {
    checks: [
      atMost(
        1.2,
        'processor time of a fresh process to its first secret, against the bare clients, median ratio',
        medianRatio(times.store, times.bare),
      ),
      atMost(
        SECRETS,
        `requests per refresh of ${SECRETS} secrets`,
        (vault.requests.length - requests) / REFRESHES[size],
      ),
      atMost(0, 'change events from refreshes without changes', heard),
    ],
    details: {
      'first secret ms': median(passed.store),
      'first secret with the bare clients ms': median(passed.bare),
      'first secret, processor ms': median(times.store),
      'first secret with the bare clients, processor ms': median(times.bare),
      'one refresh, with the vault in the same process ms': durationMs / REFRESHES[size],
      'CPU of one refresh, with the vault in the same process ms': processorMs / REFRESHES[size],
    },
  };
}
