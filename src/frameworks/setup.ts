import { SecretsError } from '../errors';
import { assertNumber, rejectUnknownOptions } from '../internal/options';
import type { SecretStore } from '../store/types';
import { type Endpoints, type EndpointsOptions, endpoints } from './endpoints';
import { type RotationHook, runHook } from './rotation-hook';

/** What every framework's one line can be told. Durations are milliseconds. */
export interface FrameworkOptions<V> {
  /** What the snapshot is called on a request: where an application has several stores. Default: `secrets`. */
  readonly as?: string;
  /** Runs after each rotation: to drop a cache, to tell a client that is not built with `rotating`. */
  readonly onRotate?: RotationHook<V>;
  /** Bound of one run of `onRotate`. Default: 30 000. */
  readonly hookTimeoutMs?: number;
  /**
   * Serves the status page, `reload`, `ready` and `live` below `/-/secrets`, to whom `authorize` lets in. Default: none of
   * them.
   */
  readonly endpoints?: EndpointsOptions;
}

export const FRAMEWORK_OPTIONS: readonly string[] = ['as', 'onRotate', 'hookTimeoutMs', 'endpoints'];

export interface FrameworkSetup {
  readonly as: string;
  /** By path; empty where none are served. */
  readonly endpoints: Endpoints;
  /** Ends the hook, where the application ends before the store does. */
  readonly stop: () => void;
}

/**
 * What the frameworks have in common: options checked, endpoints made, the hook running until the store closes.
 *
 * @throws `OPTION_INVALID`, `OPTION_UNKNOWN`.
 */
export function setUp<V>(
  where: string,
  store: SecretStore<V>,
  options: FrameworkOptions<V>,
  own: readonly string[] = [],
): FrameworkSetup {
  rejectUnknownOptions(where, options, [...FRAMEWORK_OPTIONS, ...own]);
  const { as = 'secrets', onRotate, hookTimeoutMs = 30_000 } = options;
  if (typeof store?.snapshot !== 'function' || typeof store.on !== 'function') {
    throw new SecretsError('OPTION_INVALID', `${where} was given no store`, {
      next: 'Give what SecretStore.open resolves with; await it first.',
    });
  }
  if (typeof as !== 'string' || !/^[A-Za-z_$][\w$]*$/.test(as)) {
    throw new SecretsError('OPTION_INVALID', `as of ${where} is no name of a property`);
  }
  assertNumber(where, 'hookTimeoutMs', hookTimeoutMs, 1);
  if (onRotate !== undefined && typeof onRotate !== 'function') {
    throw new SecretsError('OPTION_INVALID', `onRotate of ${where} is no function`);
  }
  const served = options.endpoints === undefined ? new Map() : endpoints(store, options.endpoints);
  const stop = onRotate === undefined ? () => {} : runHook(store, onRotate, hookTimeoutMs);
  return { as, endpoints: served, stop };
}
