import { SecretsError } from '../../errors';
import { kindOf } from '../../internal/options';
import { type CurrentCredential, MAX_RETRIES } from './current-credential';
import { bodyOf, canResend, type HeadersLike, originOf, withCredential } from './requests';

/** The part of undici's `Dispatcher.DispatchOptions` that counts here. */
interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly signal?: unknown;
}

type Call = (...args: unknown[]) => void;

/** The part of undici's handlers, those of version 7 and newer, that counts here. */
type Handler = Readonly<Record<string, Call | undefined>>;

type Dispatch = (options: never, handler: never) => boolean;

/** What `dispatcher.compose` takes. */
export type HotInterceptor = <D extends Dispatch>(dispatch: D) => D;

/** What is kept of a refused answer until it is certain who gets it, in bytes. */
const MAX_KEPT_BYTES = 65_536;

/** Makes an interceptor that sends the current credential to one origin, and sends refused requests again with a newer one. */
export function createInterceptor(
  credential: CurrentCredential,
  statuses: readonly number[],
  given: string | URL,
): HotInterceptor {
  const origin = originOf(given);
  if (origin === undefined || origin === 'null') {
    throw new SecretsError('OPTION_INVALID', `bearer: interceptor needs an origin, not ${kindOf(given)}`, {
      next: "Name the server that gets the credential: auth.interceptor('https://api.example.com').",
    });
  }
  return (<D extends Dispatch>(dispatch: D) =>
    (options: DispatchOptions, handler: Handler) => {
      // A Client or Pool has one origin, and names none.
      if (options.origin !== undefined && originOf(options.origin) !== origin) {
        return dispatch(options as never, handler as never);
      }
      if (typeof handler.onRequestStart !== 'function') {
        throw new SecretsError('PEER_UNSUPPORTED', 'the dispatcher is of undici 6 or older', {
          next: 'Run: npm install "undici@>=7", or use the fetch of bearer.',
        });
      }
      return new Attempts(credential, statuses, dispatch as never, options, handler, origin).send();
    }) as never;
}

/** One request, and its attempts. It is the handler of each. */
class Attempts {
  readonly #credential: CurrentCredential;
  readonly #statuses: readonly number[];
  readonly #dispatch: (options: object, handler: object) => boolean;
  readonly #options: DispatchOptions;
  readonly #handler: Handler;
  readonly #origin: string;
  #used: Readonly<Record<string, string>> = {};
  #retries = 0;
  /** The URLs that undici followed inside of this interceptor, which it still adds to. */
  #history: readonly URL[] | undefined;
  /** The calls of a refused answer, kept until it is known whether it counts. */
  #kept:
    | { readonly status: number; readonly calls: [name: string, args: unknown[]][]; bytes: number }
    | undefined;

  constructor(
    credential: CurrentCredential,
    statuses: readonly number[],
    dispatch: (options: object, handler: object) => boolean,
    options: DispatchOptions,
    handler: Handler,
    origin: string,
  ) {
    this.#credential = credential;
    this.#statuses = statuses;
    this.#dispatch = dispatch;
    this.#options = options;
    this.#handler = handler;
    this.#origin = origin;
  }

  send(): boolean {
    this.#used = this.#credential.current;
    const { headers, body } = this.#options;
    const sent = withCredential(headers as HeadersLike, this.#used).flat();
    // undici follows redirects with every header but `authorization`, if its interceptor is inside of this one.
    const stays = Object.keys(this.#used).some((name) => name !== 'authorization')
      ? { maxRedirections: 0 }
      : {};
    return this.#dispatch({ ...this.#options, ...stays, headers: sent, body: bodyOf(body) }, this);
  }

  onRequestStart(...args: unknown[]): void {
    const { history } = (args[1] ?? {}) as { readonly history?: readonly URL[] };
    this.#history = history;
    this.#handler.onRequestStart?.(...args);
  }

  onRequestUpgrade(...args: unknown[]): void {
    this.#credential.accepted(this.#used);
    this.#handler.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: unknown[]): void {
    const status = args[1] as number;
    const last = this.#history?.at(-1)?.origin ?? this.#origin;
    if (last !== this.#origin) {
      // The answer of another server, which got no credential.
    } else if (this.#statuses.includes(status)) {
      if (this.#retries < MAX_RETRIES && canResend(this.#options.body)) {
        this.#kept = { status, calls: [['onResponseStart', args]], bytes: 0 };
        return;
      }
      this.#credential.refused(this.#used, status);
    } else if (status >= 200) {
      this.#credential.accepted(this.#used);
    }
    this.#handler.onResponseStart?.(...args);
  }

  onResponseData(...args: unknown[]): void {
    const kept = this.#kept;
    if (kept === undefined) {
      this.#handler.onResponseData?.(...args);
      return;
    }
    // Copied, because undici may use its memory again.
    const bytes = Buffer.from(args[1] as Uint8Array);
    kept.calls.push(['onResponseData', [args[0], bytes]]);
    kept.bytes += bytes.length;
    if (kept.bytes <= MAX_KEPT_BYTES) return;
    this.#credential.refused(this.#used, kept.status);
    this.#release();
  }

  onResponseEnd(...args: unknown[]): void {
    const kept = this.#kept;
    if (kept === undefined) {
      this.#handler.onResponseEnd?.(...args);
      return;
    }
    kept.calls.push(['onResponseEnd', args]);
    void this.#sendAgain(kept.status, args[0]);
  }

  onResponseError(...args: unknown[]): void {
    this.#release();
    this.#handler.onResponseError?.(...args);
  }

  async #sendAgain(status: number, controller: unknown): Promise<void> {
    const signal = this.#options.signal instanceof AbortSignal ? this.#options.signal : undefined;
    const isReplaced = await this.#credential.replaced(this.#used, status, signal);
    try {
      if (!isReplaced) return this.#release();
      this.#kept = undefined;
      this.#retries += 1;
      this.send();
    } catch (error) {
      this.#handler.onResponseError?.(controller, error);
    }
  }

  /** Hands over a refused answer. */
  #release(): void {
    const { calls = [] } = this.#kept ?? {};
    this.#kept = undefined;
    for (const [name, args] of calls) this.#handler[name]?.(...args);
  }
}
