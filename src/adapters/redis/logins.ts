import { isSecretsError, SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import type { Listenable } from '../../internal/events';
import { ms } from '../../internal/options';
import { bounded, detached } from '../../internal/time';
import {
  type ClientRotation,
  type ClientRotationOptions,
  type ClientSetup,
  RotatingClient,
} from '../../rotation/client';
import type { CredentialEvents, RotationEvents } from '../../rotation/types';
import { type Login, loginOf, probeFailure } from './login';

/** Options of every Redis client. Durations are milliseconds. */
export interface RedisRotationOptions extends ClientRotationOptions {
  /** Time limit of the test login before a new credential is used. Default: 5 000. */
  readonly verifyTimeoutMs?: number | undefined;
  /** How long a command waits while the server refuses the current credential, before it fails. Default: 15 000. */
  readonly authFailureWaitMs?: number | undefined;
}

/** The events of the rotation of a Redis client. */
export interface RedisRotationEvents extends RotationEvents, CredentialEvents {}

/** The rotation of a Redis client: its generation, its connections that still have an older login, its events. */
export type RedisRotation = Omit<ClientRotation, keyof Listenable<never>> & Listenable<RedisRotationEvents>;

/** The declarations of these options. */
export const REDIS_OPTIONS = { verifyTimeoutMs: ms(5_000), authFailureWaitMs: ms(15_000) };

type RedisSettings = Omit<ClientSetup<never, object, never>['options'], 'verifyTimeoutMs'> & {
  readonly verifyTimeoutMs: number;
  readonly authFailureWaitMs: number;
};

/** One connection of a client, as far as its login is concerned. */
export interface Session<Options> {
  /** The login that the server accepted on the open connection. */
  readonly login: Login<Options> | undefined;
  /** Authenticates an open connection with the current login, between two commands. */
  authenticate(): void;
  /** Closes the connection, which then connects again. */
  reconnect(): void;
  /** Called when the server refuses the current login, and when it accepts it again. */
  refused(): void;
  accepted(): void;
}

interface Setup<V, Options extends object>
  extends Pick<ClientSetup<V, Options, Login<Options>>, 'kind' | 'store' | 'recipe' | 'returns'> {
  readonly options: RedisSettings;
  /** Stops following the store when the last session has ended. */
  readonly endsWithLast: boolean;
  /** Logs in on a connection of its own, and rejects with the error of the client. */
  probe(login: Login<Options>, signal: AbortSignal): Promise<void>;
}

const PROBE_FIRST_MS = 100;
const PROBE_MAX_MS = 2_000;
/** For so long the answer of a test login counts. */
const ANSWER_COUNTS_MS = 1_000;

interface Answer<Options> {
  readonly login: Login<Options>;
  readonly at: number;
  readonly refusal: Promise<SecretsError | undefined>;
}

/**
 * The login of a client and its duplicates: verified before it is used, moved to every open connection, and tested while the
 * server refuses it.
 */
export class Logins<V, Options extends object> {
  readonly client: RotatingClient<V, Options, Login<Options>>;
  readonly waitMs: number;
  readonly #setup: Setup<V, Options>;
  readonly #sessions = new Set<Session<Options>>();
  readonly #drains = new Set<() => void>();
  #refusal: SecretsError | undefined;
  #closedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #answer: Answer<Options> | undefined;
  readonly #waiting = new Set<() => void>();
  #stopped = false;

  constructor(where: string, setup: Setup<V, Options>) {
    const { name, authFailureWaitMs } = setup.options;
    this.#setup = setup;
    this.waitMs = authFailureWaitMs;
    this.client = new RotatingClient(where, {
      ...setup,
      options: setup.options,
      refusals: true,
      connect: (options: Options) => loginOf(name, options),
      verify: (login: Login<Options>, signal: AbortSignal) => this.#probe(login, signal),
    });
    this.client.follow({
      swap: () => this.#swapped(),
      drained: (login, signal) => this.#drained(login, signal),
      close: (login) => {
        // Connections belong to their clients.
        if (this.#stopped) return;
        for (const session of this.#sessions) if (session.login === login) session.reconnect();
      },
      connections: () => {
        const open = [...this.#sessions].filter(({ login }) => login !== undefined);
        return { open: open.length, stale: open.filter(({ login }) => login !== this.current).length };
      },
    });
  }

  get name(): string {
    return this.client.name;
  }

  get current(): Login<Options> {
    return this.client.current;
  }

  /** The refusal of the current login, as long as it lasts. */
  get refusal(): SecretsError | undefined {
    return this.#refusal;
  }

  /** For how long the current login has been refused. */
  get refusedForMs(): number {
    return this.#refusal === undefined ? 0 : performance.now() - this.#closedAt;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * Makes a client of `library`, or stops.
   * @throws `RECIPE_FAILED` for options that the library refuses.
   */
  make<C>(library: string, create: () => C): C {
    try {
      return create();
    } catch (error) {
      void this.stop();
      if (isSecretsError(error)) throw error;
      const what = `${library} refuses the options that the recipe of the ${this.name} returned: ${describeError(error)}`;
      throw new SecretsError('RECIPE_FAILED', what, {
        next: 'Fix the recipe. The message of the error is left out, because it may contain a secret.',
      });
    }
  }

  add(session: Session<Options>): void {
    this.#sessions.add(session);
  }

  remove(session: Session<Options>): void {
    if (!this.#sessions.delete(session)) return;
    this.changed();
    if (this.#sessions.size === 0 && this.#setup.endsWithLast) void this.stop();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const wake of [...this.#waiting]) wake();
    this.changed();
    return this.client.stop();
  }

  /** A session has a new login, or none. */
  changed(): void {
    for (const check of [...this.#drains]) check();
  }

  /** The server refused `login` on a connection. */
  refused(login: Login<Options>, error: SecretsError): void {
    if (login !== this.current || this.#refusal !== undefined || this.#stopped) return;
    this.#refusal = error;
    this.#closedAt = performance.now();
    for (const session of this.#sessions) session.refused();
    this.client.refused(error, this.#sessions.size);
    detached(() => this.#schedule(0));
  }

  /**
   * Waits while the server refuses the current login.
   * @throws `CREDENTIAL_REFUSED` after `limitMs`, `ROTATION_CLOSED`.
   */
  async accepted(limitMs: number): Promise<void> {
    if (this.#refusal !== undefined && !this.#stopped && limitMs > 0) {
      const waiting = this.#waiting;
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, limitMs);
        waiting.add(wake);
      });
    }
    if (this.#stopped) throw this.closed();
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  closed(): SecretsError {
    return new SecretsError('ROTATION_CLOSED', `the ${this.name} is closed`, { next: 'Create a new one.' });
  }

  /** Tests the current login, if its last test is not recent. Resolves with the refusal of the server, if it refuses. */
  test(limitMs = this.#setup.options.verifyTimeoutMs): Promise<SecretsError | undefined> {
    const login = this.current;
    const now = performance.now();
    let answer = this.#answer;
    if (answer?.login !== login || now - answer.at > ANSWER_COUNTS_MS) {
      const refusal = this.#test().then((error) =>
        isSecretsError(error, 'CREDENTIAL_REFUSED') ? error : undefined,
      );
      answer = { login, at: now, refusal };
      this.#answer = answer;
    }
    // A server that does not answer has not refused it.
    return bounded(answer.refusal, limitMs, () => new Error('no answer')).catch(() => undefined);
  }

  #swapped(): void {
    this.#open();
    for (const session of this.#sessions) session.authenticate();
  }

  #open(): void {
    if (this.#refusal === undefined) return;
    clearTimeout(this.#timer);
    this.#refusal = undefined;
    this.client.accepted();
    for (const wake of [...this.#waiting]) wake();
    for (const session of this.#sessions) session.accepted();
  }

  /** Keeps the process alive, as a client that tries to connect does. */
  #schedule(attempt: number): void {
    const step = Math.min(PROBE_MAX_MS, PROBE_FIRST_MS * 2 ** attempt);
    this.#timer = setTimeout(
      async () => {
        const login = this.current;
        const error = await this.#test();
        if (this.#refusal === undefined || this.#stopped || login !== this.current) return;
        if (error === undefined) return this.#open();
        // Sources are read less and less often, because some of them count requests.
        if ((attempt & (attempt - 1)) === 0) this.client.refreshNow();
        this.#schedule(attempt + 1);
      },
      step * (0.5 + Math.random() / 2),
    );
  }

  async #test(): Promise<SecretsError | undefined> {
    const { verifyTimeoutMs } = this.#setup.options;
    const stop = new AbortController();
    try {
      const tested = this.#probe(this.current, stop.signal);
      await bounded(tested, verifyTimeoutMs, () => probeFailure(this.name, new Error('timeout')));
      return undefined;
    } catch (error) {
      return error as SecretsError;
    } finally {
      stop.abort();
    }
  }

  async #probe(login: Login<Options>, signal: AbortSignal): Promise<void> {
    try {
      await this.#setup.probe(login, signal);
    } catch (error) {
      throw probeFailure(this.name, error);
    }
  }

  /** Settles when no open connection has this login. */
  #drained(login: Login<Options>, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        const isOver = signal.aborted || this.#stopped;
        if (!isOver && [...this.#sessions].some((session) => session.login === login)) return;
        this.#drains.delete(check);
        resolve();
      };
      this.#drains.add(check);
      signal.addEventListener('abort', check, { once: true });
      check();
    });
  }
}
