import { inspect } from 'node:util';
import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator, Inject } from '#nestjs-common';
import { SecretsError } from '../../errors';
import type { SecretOf, SecretStore } from '../../store/types';

type InjectDecorator = PropertyDecorator & ParameterDecorator;

// Names by store. A registered symbol, because a library may use the CJS copy of the package and the application the ESM copy.
const INJECTED = Symbol.for('hot-secrets.nestjs.injected');
const shared = globalThis as { [INJECTED]?: Map<string, Set<string>> };
shared[INJECTED] ??= new Map();
const injected = shared[INJECTED];

/** The token of a store, for `inject` of a factory and `overrideProvider` of a test. */
export function secretsToken(as = 'secrets'): string {
  return `hot-secrets:store:${as}`;
}

/** The token of a secret's handle, for `inject` of a factory. */
export function secretToken(name: string, as = 'secrets'): string {
  const names = injected.get(as) ?? new Set();
  injected.set(as, names.add(name));
  return `hot-secrets:secret:${as}:${name}`;
}

/** The names that were requested so far. */
export function injectedNames(as: string): readonly string[] {
  return [...(injected.get(as) ?? [])];
}

/**
 * Injects the store of `SecretsModule`; `as` selects one of several. You declare its type.
 *
 * @example
 * ```ts
 * constructor(@InjectSecrets() private readonly secrets: SecretStore<Values>) {}
 * ```
 */
export function InjectSecrets(as?: string): InjectDecorator {
  return Inject(secretsToken(as));
}

/**
 * Injects the handle of one secret, which is always current; a value would be stale after the first rotation. A name that
 * the store does not know stops the start with `NAME_UNKNOWN`.
 *
 * @example
 * ```ts
 * constructor(@InjectSecret('apiKey') private readonly apiKey: SecretHandle<string>) {}
 * ```
 */
export function InjectSecret(name: string, as?: string): InjectDecorator {
  return Inject(secretToken(name, as));
}

/**
 * Injects the snapshot of the request as a parameter of a handler: one generation for the whole request. You declare its
 * type.
 *
 * It works for HTTP, and for GraphQL when the context has the request (`req`, or `reply` of Mercurius). Messages of
 * microservices and web sockets have no request and get `OPTION_INVALID`; there, take a snapshot of the injected store.
 *
 * @example
 * ```ts
 * @Get('pay')
 * pay(@RequestSecrets() secrets: Snapshot<Values>) {
 *   return this.payments.pay(secrets.reveal('user'), secrets.reveal('password'));
 * }
 * ```
 */
export function RequestSecrets(as = 'secrets'): ParameterDecorator {
  return parameter(as);
}

const parameter = createParamDecorator((as: string, context: ExecutionContext): unknown => {
  const snapshot = requestOf(context)?.[as];
  if (snapshot !== undefined) return snapshot;
  throw new SecretsError(
    'OPTION_INVALID',
    `@RequestSecrets() finds no ${as} on a request (${context.getType()})`,
    {
      next: 'Import SecretsModule with this name. Without an HTTP request, inject the store with @InjectSecrets().',
    },
  );
});

type Carrier = Readonly<Record<string, unknown>>;

function requestOf(context: ExecutionContext): Carrier | undefined {
  const type = context.getType<string>();
  if (type === 'http') return context.switchToHttp().getRequest<Carrier>();
  if (type !== 'graphql') return undefined;
  const found = context.getArgByIndex<{ req?: Carrier; reply?: { request?: Carrier } } | undefined>(2);
  return found?.req ?? found?.reply?.request;
}

/**
 * A handle for one secret of a store. It is always current, so a long-lived class keeps it instead of the value. It prints,
 * serializes and concatenates as `[secret name]`.
 */
export interface SecretHandle<T = string> {
  readonly name: string;
  /** Returns the current value. Throws `STORE_CLOSED`. */
  reveal(): T;
  /** Returns the current value, then the previous one during its `keepPreviousMs`. */
  revealWithPrevious(): readonly Exclude<T, undefined>[];
  /** Returns the box of the current value: version, source, loadedAt. */
  get(): SecretOf<T>;
  /** Calls `listener` now and after each rotation. Returns a function that stops it. */
  watch(listener: (current: SecretOf<T>, previous: SecretOf<T> | undefined) => void): () => void;
}

/**
 * Creates a handle from closures, so that nothing of the store is reachable from it and each method works on its own.
 *
 * @throws `NAME_UNKNOWN`.
 */
export function secretHandle<V, K extends keyof V & string>(
  store: SecretStore<V>,
  name: K,
): SecretHandle<V[K]> {
  store.get(name);
  const text = () => `[secret ${name}]`;
  const printed = {
    toString: text,
    toJSON: text,
    valueOf: text,
    [Symbol.toPrimitive]: text,
    [inspect.custom]: text,
  };
  return {
    ...printed,
    name,
    reveal: () => store.reveal(name),
    revealWithPrevious: () => store.revealWithPrevious(name),
    get: () => store.get(name),
    watch: (listener) => store.watch(name, listener),
  };
}
