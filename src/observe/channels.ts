import { type Channel, channel } from 'node:diagnostics_channel';
import type { SecretsError, SecretsErrorCode } from '../errors';

/** The store that a message belongs to. */
export interface OfStore {
  /** The name that the store was opened with. */
  readonly store: string;
  /** Distinguishes stores with the same name within this process. */
  readonly storeId: string;
}

export interface StoreOpened extends OfStore {
  readonly generation: number;
  /** The number of secrets that have a value. */
  readonly secrets: number;
  readonly sources: readonly string[];
  readonly durationMs: number;
}

export interface StoreClosed extends OfStore {
  readonly generation: number;
}

/** A refresh was requested. Simultaneous requests share one refresh, but each has its own messages. */
export interface RefreshStarted extends OfStore {
  /** The number of the refresh, equal in the messages of its start and end. */
  readonly refresh: number;
  readonly trigger: string;
  readonly sources: readonly string[];
}

export interface RefreshEnded extends RefreshStarted {
  readonly durationMs: number;
  readonly generation: number;
  /** `failed`: a source could not be read, even if another one had changes. */
  readonly outcome: 'changed' | 'unchanged' | 'failed';
  readonly failures: readonly { readonly source: string; readonly code: SecretsErrorCode }[];
}

export interface SecretsChanged extends OfStore {
  readonly generation: number;
  readonly trigger: string;
  readonly changes: readonly {
    readonly name: string;
    readonly kind: 'added' | 'rotated' | 'removed';
    readonly source: string;
    readonly version: string | undefined;
    readonly previousVersion: string | undefined;
  }[];
}

/** A `SecretsError` as data. Its message holds names and numbers, never a value. */
export interface Failure {
  readonly code: SecretsErrorCode;
  readonly message: string;
  readonly secret: string | undefined;
  readonly source: string | undefined;
}

export interface StoreFailure extends OfStore, Failure {}

export interface SecretExpiring extends OfStore {
  readonly name: string;
  readonly what: 'secret' | 'leaf' | 'chain' | 'ca';
  readonly subject: string;
  readonly expiresAt: Date;
  readonly daysLeft: number;
  readonly thresholdDays: number;
}

export interface SecretAccessed extends OfStore {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  /**
   * The calling code as `file:line:column`: the nearest frame outside this package. A getter, which works only while the
   * subscriber runs; copies of the message do not have it.
   */
  readonly caller: string | undefined;
}

/** The resource that a message belongs to: a pool, a server, an agent, or what `rotating` keeps. */
export interface OfResource extends OfStore {
  /** The `name` option of the resource. */
  readonly resource: string;
  /** One of `resource`, `pg`, `tls-server`, `tls-name`, `https-agent`, `undici`. */
  readonly kind: string;
  /** Distinguishes resources with the same name within this process. */
  readonly resourceId: number;
}

export interface RotationStarted extends OfResource {
  /** The number of the rotation, equal in all of its messages. */
  readonly rotation: number;
}

export interface RotationStep extends RotationStarted {
  /** The store's generation that it was built from. */
  readonly generation: number;
  readonly attempt: number;
  readonly durationMs: number;
  /** The error code of a failed step; `undefined` if it succeeded. */
  readonly code: SecretsErrorCode | undefined;
}

export interface RotationRejected extends RotationStarted, Failure {
  readonly generation: number;
  readonly attempt: number;
  readonly retryInMs: number;
}

export interface RotationSwapped extends RotationStarted {
  readonly generation: number;
  readonly previousGeneration: number | undefined;
  readonly attempts: number;
  /** Since the first attempt. */
  readonly durationMs: number;
}

export interface RotationEnded extends RotationStarted {
  /** `superseded`: a newer rotation started, the secrets were rolled back, or the resource closed. */
  readonly outcome: 'swapped' | 'superseded';
  readonly durationMs: number;
}

export interface Disposed extends OfResource {
  /** The store's generation that it was built from; `undefined` if it never served. */
  readonly generation: number | undefined;
}

export interface Drained extends OfResource {
  /** The store's generation that the old one was built from. */
  readonly generation: number;
  /** True when the deadline came first. */
  readonly forced: boolean;
  readonly durationMs: number;
}

/** `DRAIN_TIMEOUT`, `DISPOSE_FAILED`, `LISTENER_FAILED`. */
export interface ResourceFailure extends OfResource, Failure {}

export interface CredentialRefused extends OfResource, Failure {
  readonly generation: number;
  /** The number of waiting callers. */
  readonly waiting: number;
}

export interface CredentialAccepted extends OfResource {
  readonly generation: number;
  readonly waitedMs: number;
}

/** Each `node:diagnostics_channel` of this package, and its message: names and numbers, never a value. */
export interface ChannelMessages {
  'hot-secrets:store:open': StoreOpened;
  'hot-secrets:store:close': StoreClosed;
  'hot-secrets:store:change': SecretsChanged;
  'hot-secrets:store:error': StoreFailure;
  'hot-secrets:store:recovered': StoreFailure;
  'hot-secrets:store:expiring': SecretExpiring;
  'hot-secrets:refresh:start': RefreshStarted;
  'hot-secrets:refresh:end': RefreshEnded;
  'hot-secrets:secret:access': SecretAccessed;
  'hot-secrets:rotation:start': RotationStarted;
  'hot-secrets:rotation:build': RotationStep;
  'hot-secrets:rotation:verify': RotationStep;
  'hot-secrets:rotation:rejected': RotationRejected;
  'hot-secrets:rotation:swap': RotationSwapped;
  'hot-secrets:rotation:end': RotationEnded;
  'hot-secrets:rotation:drain': Drained;
  'hot-secrets:rotation:dispose': Disposed;
  'hot-secrets:rotation:error': ResourceFailure;
  'hot-secrets:credential:refused': CredentialRefused;
  'hot-secrets:credential:accepted': CredentialAccepted;
}

/** The names of the diagnostics channels. */
export type ChannelName = keyof ChannelMessages;

const NAMES: { readonly [N in ChannelName]: true } = {
  'hot-secrets:store:open': true,
  'hot-secrets:store:close': true,
  'hot-secrets:store:change': true,
  'hot-secrets:store:error': true,
  'hot-secrets:store:recovered': true,
  'hot-secrets:store:expiring': true,
  'hot-secrets:refresh:start': true,
  'hot-secrets:refresh:end': true,
  'hot-secrets:secret:access': true,
  'hot-secrets:rotation:start': true,
  'hot-secrets:rotation:build': true,
  'hot-secrets:rotation:verify': true,
  'hot-secrets:rotation:rejected': true,
  'hot-secrets:rotation:swap': true,
  'hot-secrets:rotation:end': true,
  'hot-secrets:rotation:drain': true,
  'hot-secrets:rotation:dispose': true,
  'hot-secrets:rotation:error': true,
  'hot-secrets:credential:refused': true,
  'hot-secrets:credential:accepted': true,
};

export const channelNames = Object.freeze(Object.keys(NAMES)) as readonly ChannelName[];

const channels = Object.fromEntries(channelNames.map((name) => [name, channel(name)])) as unknown as Readonly<
  Record<ChannelName, Channel>
>;

/** The channel that each read of a secret checks for subscribers. */
export const accessChannel: Channel = channels['hot-secrets:secret:access'];

/** Publishes a message. `message` is called only if the channel has subscribers. */
export function publish<N extends ChannelName>(name: N, message: () => ChannelMessages[N]): void {
  const to = channels[name];
  if (to.hasSubscribers) to.publish(message());
}

/** Listeners by channel. */
export type ChannelListeners = { readonly [N in ChannelName]?: (message: ChannelMessages[N]) => void };

/** Subscribes listeners; `storeId` limits them to one store. Returns a function that unsubscribes them. */
export function subscribe(listeners: ChannelListeners, storeId?: string): () => void {
  const entries = Object.entries(listeners).map(([name, listener]) => {
    const typed = listener as (message: OfStore) => void;
    // Wrap each listener, because Node unsubscribes by function and a listener may be passed twice.
    const heard = (message: unknown) => {
      if (storeId === undefined || (message as OfStore).storeId === storeId) typed(message as OfStore);
    };
    return [channels[name as ChannelName], heard] as const;
  });
  for (const [to, heard] of entries) to.subscribe(heard);
  return () => {
    for (const [to, heard] of entries.splice(0)) to.unsubscribe(heard);
  };
}

/** Turns an error into data. */
export function failureOf({ code, message, secret, source }: SecretsError): Failure {
  return { code, message, secret, source };
}
