import type { SecretsErrorCode } from '../errors';
import { type ChannelListeners, type Failure, type OfResource, subscribe } from '../observe/channels';
import { expiringWarning } from '../store/expiry';
import type { TimelineEntry } from './types';

type News = Omit<TimelineEntry, 'id' | 'at'>;

/** A rotation of a whole mount is one entry, and need not list it all. */
const MOST_NAMES = 20;

/**
 * What happened to one store and to what follows it, the last `size` entries. It listens to the channels: a listener to the
 * store's own events would silence the process warnings of those who listen to nothing.
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

  /** The newest first. */
  entries(): TimelineEntry[] {
    return this.#entries.toReversed();
  }

  /** What was said when this went wrong, where that is not too long ago. */
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
    const told =
      <M>(news: (message: M) => readonly News[]) =>
      (message: M) => {
        for (const one of news(message)) this.#add(one);
      };
    const listeners: ChannelListeners = {
      'hot-secrets:store:change': told(({ generation, trigger, changes }) =>
        (['rotated', 'added'] as const).flatMap((kind) => {
          const names = changes.filter((change) => change.kind === kind).map(({ name }) => name);
          return names.length === 0
            ? []
            : [{ kind, level: 'active', subject: 'secret', ...listed(names), generation, trigger }];
        }),
      ),
      'hot-secrets:store:error': told((failure) => [{ kind: 'error', level: 'problem', ...failed(failure) }]),
      'hot-secrets:store:recovered': told((failure) => [
        { kind: 'recovered', level: 'ok', ...failed(failure) },
      ]),
      'hot-secrets:store:expiring': told((expiring) => {
        const { code, message } = expiringWarning(expiring);
        const level = expiring.daysLeft > 0 ? 'warning' : 'problem';
        return [{ kind: 'expiring', level, subject: 'secret', names: [expiring.name], code, message }];
      }),
      'hot-secrets:refresh:end': told(({ trigger, durationMs, failures }) =>
        failures.map(({ source, code }) => ({
          kind: 'refresh-failed',
          level: 'warning',
          subject: 'source',
          names: [source],
          code,
          trigger,
          durationMs: durationMs,
        })),
      ),
      'hot-secrets:rotation:swap': told((swap) => {
        const { generation, attempts, durationMs } = swap;
        return [{ kind: 'swapped', level: 'ok', ...resource(swap), generation, attempts, durationMs }];
      }),
      'hot-secrets:rotation:rejected': told((rejected) => {
        const { code, message, generation, attempt: attempts, retryInMs } = rejected;
        const facts = { code, message, generation, attempts, retryInMs };
        return [{ kind: 'rejected', level: 'problem', ...resource(rejected), ...facts }];
      }),
      'hot-secrets:rotation:drain': told((drained) => {
        const { generation, forced, durationMs } = drained;
        const level = forced ? 'warning' : 'ok';
        return [{ kind: 'drained', level, ...resource(drained), generation, forced, durationMs }];
      }),
      'hot-secrets:rotation:error': told((failure) => {
        const { code, message } = failure;
        return [{ kind: 'error', level: 'problem', ...resource(failure), code, message }];
      }),
      'hot-secrets:credential:refused': told((refused) => {
        const { code, message, generation, waiting } = refused;
        return [
          { kind: 'refused', level: 'problem', ...resource(refused), code, message, generation, waiting },
        ];
      }),
      'hot-secrets:credential:accepted': told((accepted) => {
        const { generation, waitedMs: durationMs } = accepted;
        return [{ kind: 'accepted', level: 'ok', ...resource(accepted), generation, durationMs }];
      }),
    };
    return subscribe(listeners, storeId);
  }

  #add(news: News): void {
    const at = new Date().toISOString();
    const again = this.#takeSameFailure(news);
    this.#entries.push(
      again === undefined
        ? { id: this.#nextId(), at, ...news }
        : { ...again, ...news, at, times: (again.times ?? 1) + 1 },
    );
    if (this.#entries.length > this.#size) this.#entries.shift();
  }

  #nextId(): number {
    this.#count += 1;
    return this.#count;
  }

  /** A source that is down fails at each look: while nothing else happens, that is one entry per cause. */
  #takeSameFailure({ kind, code, names }: News): TimelineEntry | undefined {
    if (kind !== 'refresh-failed') return undefined;
    const others = this.#entries.findLastIndex((entry) => entry.kind !== 'refresh-failed');
    const same = this.#entries.findIndex(
      (entry, index) => index > others && entry.code === code && entry.names[0] === names[0],
    );
    return same < 0 ? undefined : this.#entries.splice(same, 1)[0];
  }
}

function listed(names: readonly string[]): Pick<News, 'names' | 'moreNames'> {
  if (names.length <= MOST_NAMES) return { names };
  return { names: names.slice(0, MOST_NAMES), moreNames: names.length - MOST_NAMES };
}

function failed({
  code,
  message,
  secret,
  source,
}: Failure): Pick<News, 'subject' | 'names' | 'code' | 'message'> {
  if (secret !== undefined) return { subject: 'secret', names: [secret], code, message };
  if (source !== undefined) return { subject: 'source', names: [source], code, message };
  return { subject: 'store', names: [], code, message };
}

function resource({ resource: name, kind }: OfResource): Pick<News, 'subject' | 'names' | 'resourceKind'> {
  return { subject: 'resource', names: [name], resourceKind: kind };
}
