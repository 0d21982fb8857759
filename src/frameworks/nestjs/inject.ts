import { Inject } from '@nestjs/common';

type InjectDecorator = PropertyDecorator & ParameterDecorator;

// By store. A symbol of the registry: a library may inject with the CJS copy of the package what the ESM copy provides.
const INJECTED = Symbol.for('hot-secrets.nestjs.injected');
const shared = globalThis as { [INJECTED]?: Map<string, Set<string>> };
shared[INJECTED] ??= new Map();
const injected = shared[INJECTED];

/** The token of a store, where there is no place for `@InjectSecrets`: `inject` of a factory, `overrideProvider` of a test. */
export function secretsToken(as = 'secrets'): string {
  return `hot-secrets:store:${as}`;
}

/** The token of a secret's handle, for `inject` of a factory. */
export function secretToken(name: string, as = 'secrets'): string {
  const names = injected.get(as) ?? new Set();
  injected.set(as, names.add(name));
  return `hot-secrets:secret:${as}:${name}`;
}

/** The names that were asked for until now. */
export function injectedNames(as: string): readonly string[] {
  return [...(injected.get(as) ?? [])];
}

/**
 * Injects the store of `SecretsModule`; `as` where there are several. Its type is yours to say.
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
 * Injects the handle of one secret: always current, where a value would be stale after the first rotation. A name that the
 * store does not know stops the start with `NAME_UNKNOWN`.
 *
 * @example
 * ```ts
 * constructor(@InjectSecret('apiKey') private readonly apiKey: SecretHandle<string>) {}
 * ```
 */
export function InjectSecret(name: string, as?: string): InjectDecorator {
  return Inject(secretToken(name, as));
}
