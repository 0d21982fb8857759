import { inspectCustom } from '../internal/builtins';
import { callerOutside } from '../observe/caller';
import { accessChannel, type OfStore, type SecretAccessed } from '../observe/channels';
import type { SecretAttributes } from './attributes';

const BRAND = Symbol.for('hot-secrets.secret');

/**
 * A box that holds one value of one generation. It prints, serializes and concatenates as `[secret name]`; only `reveal()`
 * returns the value.
 */
export interface Secret<T> {
  readonly name: string;
  /** The source's version id, or else a hash with a random key of this process. Equal versions mean equal values. */
  readonly version: string;
  /** The name of the source: `mounted-files`, `environment`. */
  readonly source: string;
  /** The place in the source: a path, or the name of a variable. */
  readonly origin: string;
  readonly loadedAt: Date;
  /**
   * When the value appeared in its place, at the latest: the time of its file, or when its version took effect in the vault.
   * `undefined` if the source does not tell, as the environment.
   */
  readonly appearedAt: Date | undefined;
  /** Tags, content type and dates from the source. Files and variables have none. */
  readonly attributes: SecretAttributes;
  /** Returns the value. Bytes and objects are shared, not copied: treat them as read-only. */
  reveal(): T;
}

/** The public properties of a box. */
export type SecretLabel = Omit<Secret<unknown>, 'reveal'>;

class Box<T> implements Secret<T> {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly origin: string;
  readonly attributes: SecretAttributes;
  readonly #loadedAt: number;
  readonly #appearedAt: number | undefined;
  /** A function, because an attached inspector shows the private fields of printed objects. */
  readonly #read: () => T;
  readonly #owner: OfStore;

  /** Returns the value without reporting a read to an audit. */
  static peek<T>(secret: Secret<T>): T {
    return #read in secret ? (secret as unknown as Box<T>).#read() : secret.reveal();
  }

  constructor(label: SecretLabel, value: T, owner: OfStore) {
    this.name = label.name;
    this.version = label.version;
    this.source = label.source;
    this.origin = label.origin;
    this.#loadedAt = label.loadedAt.getTime();
    this.#appearedAt = label.appearedAt?.getTime();
    this.attributes = label.attributes;
    this.#read = () => value;
    this.#owner = owner;
    Object.freeze(this);
  }

  get [BRAND](): true {
    return true;
  }

  /** A new `Date` each time, so that a caller cannot change it for others. */
  get loadedAt(): Date {
    return new Date(this.#loadedAt);
  }

  get appearedAt(): Date | undefined {
    return this.#appearedAt === undefined ? undefined : new Date(this.#appearedAt);
  }

  reveal(): T {
    // Every read pays for this line, so it builds a message only for a subscriber.
    if (accessChannel.hasSubscribers) accessChannel.publish(new Access(this, this.#owner));
    return this.#read();
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

  [inspectCustom](): string {
    return this.toString();
  }
}

/** The message of one read. It takes its stack trace, which is expensive, only when `caller` is read. */
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

/** Puts a value into a box. `owner` is the store that an audit counts the reads for. */
export function seal<T>(label: SecretLabel, value: T, owner: OfStore): Secret<T> {
  return new Box(label, value, owner);
}

/** Returns the value for the store's own work (masking, checking), which an audit does not count. */
export function unseal<T>(secret: Secret<T>): T {
  return Box.peek(secret);
}

/** Returns true if `value` is a box, even one made by another copy of the package. */
export function isSecret(value: unknown): value is Secret<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}
