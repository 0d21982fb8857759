import { assertNumber, rejectUnknownOptions } from '../internal/options';
import { Rotation, type RotationStore } from './rotation';
import type { Lifecycle, Rotating, RotatingOptions } from './types';

const DEFAULTS: Required<RotatingOptions> = {
  name: 'resource',
  buildTimeoutMs: 30_000,
  verifyTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  retryBaseMs: 1_000,
  retryMaxMs: 30_000,
  readyTimeoutMs: 30_000,
};

/** The options with their defaults. Throws `OPTION_UNKNOWN` and `OPTION_INVALID`. */
export function rotatingOptions(where: string, options: RotatingOptions): Required<RotatingOptions> {
  rejectUnknownOptions(where, options, Object.keys(DEFAULTS));
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const complete = { ...DEFAULTS, ...Object.fromEntries(given) };
  for (const [option, value] of Object.entries(complete)) {
    if (option !== 'name') assertNumber(where, option, value);
  }
  return complete;
}

/**
 * Keeps one resource built from the secrets of now: a client, a connection, a signer. When a secret that `build` read
 * rotates, a new one is built and verified while the old one serves; then they are swapped, and the old one is drained and
 * disposed. A newer rotation supersedes a running one; a failed one is retried with backoff.
 *
 * Errors: `BUILD_FAILED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT` in `rejected` events; `DRAIN_TIMEOUT` and `DISPOSE_FAILED`
 * in `error` events; `ROTATION_NOT_READY` and `ROTATION_CLOSED` thrown; `OPTION_UNKNOWN`, `OPTION_INVALID` thrown.
 *
 * @example
 * ```ts
 * const nats = rotating(secrets, {
 *   build: (s) => connect({ user: s.reveal('natsUser'), pass: s.reveal('natsPass') }),
 *   verify: (connection) => connection.flush(),
 *   dispose: (connection) => connection.close(),
 * });
 * await nats.ready;
 * await nats.use((connection) => connection.publish('greeting'));
 * ```
 */
export function rotating<R, V>(
  store: RotationStore<V>,
  lifecycle: Lifecycle<R, V>,
  options: RotatingOptions = {},
): Rotating<R> {
  return new Rotation(store, lifecycle, rotatingOptions('rotating', options));
}
