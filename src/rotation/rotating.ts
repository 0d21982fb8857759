import { SecretsError } from '../errors';
import { callback, closestNames, kindOf, ms, readOptions, text } from '../internal/options';
import { PatientRotation } from './patient';
import { assertStore } from './recipe';
import { ENGINE_DEFAULTS, Rotation } from './rotation';
import type { Lifecycle, Rotating, RotatingOptions, RotationStore } from './types';

const WHERE = 'rotating';
const STEPS = ['build', 'verify', 'drain', 'dispose'] as const;

const OPTIONS = {
  name: text('resource'),
  buildTimeoutMs: ms(ENGINE_DEFAULTS.buildTimeoutMs),
  verifyTimeoutMs: ms(ENGINE_DEFAULTS.verifyTimeoutMs),
  drainTimeoutMs: ms(ENGINE_DEFAULTS.drainTimeoutMs),
  retryBaseMs: ms(ENGINE_DEFAULTS.retryBaseMs),
  retryMaxMs: ms(ENGINE_DEFAULTS.retryMaxMs),
  readyTimeoutMs: ms(ENGINE_DEFAULTS.readyTimeoutMs),
  isRefused: callback<NonNullable<RotatingOptions['isRefused']>>(),
  authFailureWaitMs: ms(15_000),
};

/**
 * Keeps one resource (a client, a connection, a signer) up to date with its secrets. When a secret that `build` read
 * rotates, the engine builds and verifies a new resource while the old one serves, swaps them, then drains and disposes the
 * old one. A failed attempt is retried with backoff; a newer rotation supersedes one in progress. A build that opens several
 * things registers each with its third argument, `onDispose`, so that none stays open when it fails half-way.
 *
 * Throws `OPTION_UNKNOWN` and `OPTION_INVALID`. Failed attempts arrive in `rejected` events, and reject `ready`:
 * `BUILD_FAILED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`. Problems with an old resource arrive in
 * `error` events: `DRAIN_TIMEOUT`, `DISPOSE_FAILED`. Properties throw `ROTATION_NOT_READY` and `ROTATION_CLOSED`.
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
  assertStore(WHERE, store);
  assertLifecycle(lifecycle);
  const { isRefused, authFailureWaitMs, ...engine } = readOptions(WHERE, options, OPTIONS);
  if (isRefused === undefined) return new Rotation(store, lifecycle, engine);
  return new PatientRotation(store, lifecycle, engine, { isRefused, authFailureWaitMs });
}

function assertLifecycle(lifecycle: Partial<Lifecycle<unknown, never>> | null | undefined): void {
  const next = `Call ${WHERE}(secrets, { build: (s) => …, verify, drain, dispose }); only build is required.`;
  if (typeof lifecycle !== 'object' || lifecycle === null) {
    const what = `${WHERE} needs a lifecycle, an object with a build function, not ${kindOf(lifecycle)}`;
    throw new SecretsError('OPTION_INVALID', what, { next });
  }
  assertStepNames(lifecycle);
  for (const step of STEPS) {
    const given = lifecycle[step];
    if (typeof given === 'function' || (given === undefined && step !== 'build')) continue;
    const what = `${WHERE}: \`${step}\` of the lifecycle must be a function, not ${kindOf(given)}`;
    throw new SecretsError('OPTION_INVALID', what, { next });
  }
}

/** A misspelt step would silently never run. An instance of a class may have methods of its own, unless they look like a step. */
function assertStepNames(lifecycle: object): void {
  const prototype: object | null = Object.getPrototypeOf(lifecycle);
  const isPlain = prototype === Object.prototype || prototype === null;
  const names = [...Object.keys(lifecycle), ...(isPlain ? [] : Object.getOwnPropertyNames(prototype))];
  for (const name of names) {
    if (name === 'constructor' || (STEPS as readonly string[]).includes(name)) continue;
    if (isPlain && name in OPTIONS) {
      throw new SecretsError(
        'OPTION_INVALID',
        `${WHERE}: \`${name}\` is an option, not a part of the lifecycle`,
        {
          next: `Pass it as the third argument: ${WHERE}(secrets, { build, … }, { ${name}: … }).`,
        },
      );
    }
    const [closest] = closestNames(name, STEPS);
    const isFunction = typeof (lifecycle as Record<string, unknown>)[name] === 'function';
    const isMisspelt = closest !== undefined && !(closest in lifecycle);
    if (!isMisspelt && !(isPlain && isFunction)) continue;
    throw new SecretsError('OPTION_UNKNOWN', `the lifecycle of ${WHERE} has no function "${name}"`, {
      next: isMisspelt ? `Did you mean "${closest}"?` : `The functions are: ${STEPS.join(', ')}.`,
    });
  }
}
