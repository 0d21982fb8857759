import { setTimeout as sleep } from 'node:timers/promises';
import type { Secrets } from '../measure';

// #region recipe
/** Runs `work`. A refused login has done nothing, so this waits for newer secrets and runs it again, for a minute. */
export async function patiently<T>(
  secrets: Secrets,
  isRefused: (error: { code?: unknown; status?: unknown; statusCode?: unknown }) => boolean,
  work: () => Promise<T>,
  until = Date.now() + 60_000,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isRefused(error as object) || Date.now() > until) throw error;
    await secrets.refresh({ trigger: 'auth-failure' });
    await sleep(250);
    return patiently(secrets, isRefused, work, until);
  }
}
// #endregion
