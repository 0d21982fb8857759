import { inspect } from 'node:util';
import { callerOutside } from '../observe/caller';
import { accessChannel, type OfStore, type SecretAccessed } from '../observe/channels';
import type { SecretAttributes } from './attributes';

const BRAND = Symbol.for('hot-secrets.secret');

/**
 * One value of one generation, in a box: it prints, serializes and concatenates as `[secret name]`, and leaves the
 * box only through `reveal()`.
 */
export interface Secret<T> {
  readonly name: string;
  /** The source's version id, else a hash keyed with a random key of this process: equal means same value. */
  readonly version: string;
  /** Which source served it: `mounted-files`, `environment`. */
  readonly source: string;
  /** Where exactly: a path, a variable's name. */
  readonly origin: string;
  readonly loadedAt: Date;
  /** Attributes from its source: tags, content type, dates. Files and variables have none. */
  readonly attributes: SecretAttributes;
  /** The value. Bytes and objects are shared, not copied: treat them as read-only. */
  reveal(): T;
}

/** What a box is labelled with. */
export type SecretLabel = Omit<Secret<unknown>, 'reveal'>;

class Box<T> implements Secret<T> {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly origin: string;
  readonly attributes: SecretAttributes;
  readonly #loadedAt: number;
  readonly #value: T;
  readonly #owner: OfStore;

  /** The value, without counting as a read in an audit. */
  static peek<T>(secret: Secret<T>): T {
    return #value in secret ? (secret as unknown as Box<T>).#value : secret.reveal();
  }

  constructor(label: SecretLabel, value: T, owner: OfStore) {
    this.name = label.name;
    this.version = label.version;
    this.source = label.source;
    this.origin = label.origin;
    this.#loadedAt = label.loadedAt.getTime();
    this.attributes = label.attributes;
    this.#value = value;
    this.#owner = owner;
    Object.freeze(this);
  }

  get [BRAND](): true {
    return true;
  }

  /** A new date each time, so that a caller cannot change it for others. */
  get loadedAt(): Date {
    return new Date(this.#loadedAt);
  }

  reveal(): T {
    // Builds nothing without a subscriber: every read pays for this line.
    if (accessChannel.hasSubscribers) accessChannel.publish(new Access(this, this.#owner));
    return this.#value;
  }

  toString(): string {
    return `[secret ${this.name}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  valueOf(): string {
    return this.toString();
  }

  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** A stack trace is expensive: it is taken when `caller` is read, not when the message is printed or copied. */
class Access implements SecretAccessed {
  readonly store: string;
  readonly storeId: string;
  readonly name: string;
  readonly version: string;
  readonly source: string;

  constructor({ name, version, source }: SecretLabel, { store, storeId }: OfStore) {
    this.store = store;
    this.storeId = storeId;
    this.name = name;
    this.version = version;
    this.source = source;
  }

  get caller(): string | undefined {
    return callerOutside(Box.prototype.reveal);
  }
}

/** Puts a value into its box. `owner`: whose reads an audit counts. */
export function seal<T>(label: SecretLabel, value: T, owner: OfStore): Secret<T> {
  return new Box(label, value, owner);
}

/** Reads a box for the store's own work (masking, checking), which no audit counts. */
export function unseal<T>(secret: Secret<T>): T {
  return Box.peek(secret);
}

/** Tells whether `value` is a secret's box, whichever copy of the package made it. */
export function isSecret(value: unknown): value is Secret<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}
