import type { SecretsErrorCode } from '../../errors';
import { type ChannelListeners, type Failure, type OfResource, subscribe } from '../../observe/channels';
import { expiringWarning } from '../../store/expiry';
import type { TimelineEntry } from './status-types';

type NewEntry = Omit<TimelineEntry, 'id' | 'at'>;

/** Limits the names of one entry, because all secrets of a mount may rotate together. */
const MAX_NAMES = 20;

/**
 * The last `size` entries about one store and its resources. It listens to the diagnostics channels, because a listener on
 * the store itself would silence the process warnings of applications that have none.
 */
export class Timeline {
  readonly since = new Date();
  readonly #size: number;
  readonly #entries: TimelineEntry[] = [];
  readonly #unsubscribe: () => void;
  #count = 0;

  constructor(storeId: string, size: number) {
    this.#size = size;
    this.#unsubscribe = this.#subscribe(storeId);
  }

  /** Returns the newest first. */
  entries(): TimelineEntry[] {
    return this.#entries.toReversed();
  }

  /** Returns the message of a problem, unless the timeline has dropped it. */
  messageOf(subject: 'secret' | 'resource', name: string, code: SecretsErrorCode): string | undefined {
    return this.#entries.findLast(
      (entry) =>
        entry.code === code &&
        entry.subject === subject &&
        entry.names[0] === name &&
        entry.kind !== 'recovered' &&
        entry.message !== undefined,
    )?.message;
  }

  stop(): void {
    this.#unsubscribe();
  }

  #subscribe(storeId: string): () => void {
    const entries =
      <M>(from: (message: M) => readonly NewEntry[]) =>
      (message: M) => {
        for (const entry of from(message)) this.#add(entry);
      };
    const listeners: ChannelListeners = {
      'hot-secrets:store:change': entries(({ generation, trigger, changes }) =>
        (['rotated', 'added'] as const).flatMap((kind) => {
          const names = changes.filter((change) => change.kind === kind).map(({ name }) => name);
          return names.length === 0
            ? []
            : [{ kind, level: 'active', subject: 'secret', ...listed(names), generation, trigger }];
        }),
      ),
      'hot-secrets:store:error': entries((failure) => [
        { kind: 'error', level: 'problem', ...failureOf(failure) },
      ]),
      'hot-secrets:store:recovered': entries((failure) => [
        { kind: 'recovered', level: 'ok', ...failureOf(failure) },
      ]),
      'hot-secrets:store:expiring': entries((expiring) => {
        const { code, message } = expiringWarning(expiring);
        const level = expiring.daysLeft > 0 ? 'warning' : 'problem';
        return [{ kind: 'expiring', level, subject: 'secret', names: [expiring.name], code, message }];
      }),
      'hot-secrets:refresh:end': entries(({ trigger, durationMs, failures }) =>
        failures.map(({ source, code }) => ({
          kind: 'refresh-failed',
          level: 'warning',
          subject: 'source',
          names: [source],
          code,
          trigger,
          durationMs,
        })),
      ),
      'hot-secrets:rotation:swap': entries((swap) => {
        const { generation, attempts, durationMs } = swap;
        return [{ kind: 'swapped', level: 'ok', ...resourceOf(swap), generation, attempts, durationMs }];
      }),
      'hot-secrets:rotation:rejected': entries((rejected) => {
        const { code, message, generation, attempt: attempts, retryInMs } = rejected;
        const facts = { code, message, generation, attempts, retryInMs };
        return [{ kind: 'rejected', level: 'problem', ...resourceOf(rejected), ...facts }];
      }),
      'hot-secrets:rotation:drain': entries((drained) => {
        const { generation, forced, durationMs } = drained;
        const level = forced ? 'warning' : 'ok';
        return [{ kind: 'drained', level, ...resourceOf(drained), generation, forced, durationMs }];
      }),
      'hot-secrets:rotation:error': entries((failure) => {
        const { code, message } = failure;
        return [{ kind: 'error', level: 'problem', ...resourceOf(failure), code, message }];
      }),
      'hot-secrets:credential:refused': entries((refused) => {
        const { code, message, generation, waiting } = refused;
        return [
          { kind: 'refused', level: 'problem', ...resourceOf(refused), code, message, generation, waiting },
        ];
      }),
      'hot-secrets:credential:accepted': entries((accepted) => {
        const { generation, waitedMs: durationMs } = accepted;
        return [{ kind: 'accepted', level: 'ok', ...resourceOf(accepted), generation, durationMs }];
      }),
    };
    return subscribe(listeners, storeId);
  }

  #add(entry: NewEntry): void {
    const at = new Date().toISOString();
    const previous = this.#takeSameFailure(entry);
    this.#entries.push(
      previous === undefined
        ? { id: this.#nextId(), at, ...entry }
        : { ...previous, ...entry, at, times: (previous.times ?? 1) + 1 },
    );
    if (this.#entries.length > this.#size) this.#entries.shift();
  }

  #nextId(): number {
    this.#count += 1;
    return this.#count;
  }

  /** A source that is down fails at every refresh. While nothing else happens, each cause stays one entry. */
  #takeSameFailure({ kind, code, names }: NewEntry): TimelineEntry | undefined {
    if (kind !== 'refresh-failed') return undefined;
    const others = this.#entries.findLastIndex((entry) => entry.kind !== 'refresh-failed');
    const same = this.#entries.findIndex(
      (entry, index) => index > others && entry.code === code && entry.names[0] === names[0],
    );
    return same < 0 ? undefined : this.#entries.splice(same, 1)[0];
  }
}

function listed(names: readonly string[]): Pick<NewEntry, 'names' | 'moreNames'> {
  if (names.length <= MAX_NAMES) return { names };
  return { names: names.slice(0, MAX_NAMES), moreNames: names.length - MAX_NAMES };
}

function failureOf({
  code,
  message,
  secret,
  source,
}: Failure): Pick<NewEntry, 'subject' | 'names' | 'code' | 'message'> {
  if (secret !== undefined) return { subject: 'secret', names: [secret], code, message };
  if (source !== undefined) return { subject: 'source', names: [source], code, message };
  return { subject: 'store', names: [], code, message };
}

function resourceOf({
  resource: name,
  kind,
}: OfResource): Pick<NewEntry, 'subject' | 'names' | 'resourceKind'> {
  return { subject: 'resource', names: [name], resourceKind: kind };
}
