import type * as OpenTelemetry from '@opentelemetry/api';
import type { Attributes, Counter, Meter, Span, Tracer } from '@opentelemetry/api';
import type { ChannelListeners, RotationStarted, RotationStep } from '../observe/channels';
import { counters, histograms, key, known, ofResource } from './instruments';

/** Counts what happens to a store and its resources. */
export function countMessages(meter: Meter): ChannelListeners {
  const rotations = counter(meter, 'hot_secrets.secret.rotations');
  const errors = counter(meter, 'hot_secrets.store.errors');
  const resourceRotations = counter(meter, 'hot_secrets.resource.rotations');
  const rejections = counter(meter, 'hot_secrets.resource.rejections');
  const resourceErrors = counter(meter, 'hot_secrets.resource.errors');
  const duration = 'hot_secrets.refresh.duration';
  const { advice, ...options } = histograms[duration];
  const explicitBucketBoundaries = [...advice.explicitBucketBoundaries];
  const refreshes = meter.createHistogram(duration, { ...options, advice: { explicitBucketBoundaries } });

  return {
    'hot-secrets:store:change': ({ store, trigger, changes }) => {
      for (const { name, kind, source } of changes) {
        if (kind !== 'rotated') continue;
        const of = { [key.store]: store, [key.secret]: name, [key.source]: source, [key.trigger]: trigger };
        rotations.add(1, of);
      }
    },
    'hot-secrets:store:error': ({ store, code, secret, source }) => {
      const of = { [key.store]: store, [key.secret]: secret, [key.source]: source, [key.errorType]: code };
      errors.add(1, known(of));
    },
    'hot-secrets:refresh:end': ({ store, trigger, outcome, failures, durationMs }) => {
      const how = { [key.trigger]: trigger, [key.outcome]: outcome, [key.errorType]: failures[0]?.code };
      refreshes.record(durationMs / 1000, known({ [key.store]: store, ...how }));
    },
    'hot-secrets:rotation:end': ({ outcome, ...resource }) =>
      resourceRotations.add(1, { ...ofResource(resource), [key.outcome]: outcome }),
    'hot-secrets:rotation:rejected': ({ code, ...resource }) =>
      rejections.add(1, { ...ofResource(resource), [key.errorType]: code }),
    'hot-secrets:rotation:error': ({ code, ...resource }) =>
      resourceErrors.add(1, { ...ofResource(resource), [key.errorType]: code }),
  };
}

/** Counts the reads of each secret. */
export function countReads(meter: Meter): ChannelListeners {
  const reads = counter(meter, 'hot_secrets.secret.reads');
  // Reads are frequent, so their attributes are made once.
  const attributes = new Map<string, Attributes>();
  return {
    'hot-secrets:secret:access': ({ store, name }) => {
      const of = attributes.get(name) ?? { [key.store]: store, [key.secret]: name };
      attributes.set(name, of);
      reads.add(1, of);
    },
  };
}

function counter(meter: Meter, name: keyof typeof counters): Counter {
  return meter.createCounter(name, counters[name]);
}

/** An open span, and the code of its last failure. */
interface OpenSpan {
  readonly span: Span;
  code: string | undefined;
}

/**
 * Makes a span for each refresh and for each rotation of a resource. Its parent is the active span when it starts, so a
 * refresh that a request triggers is part of that request.
 */
export function traceMessages(
  tracer: Tracer,
  { SpanStatusCode }: Pick<typeof OpenTelemetry, 'SpanStatusCode'>,
): { readonly listeners: ChannelListeners; readonly end: () => void } {
  const open = new Map<string, OpenSpan>();

  const start = (id: string, name: string, attributes: Attributes) =>
    open.set(id, { span: tracer.startSpan(name, { attributes }), code: undefined });

  function end(id: string, code: string | undefined, attributes: Attributes): void {
    const span = open.get(id)?.span;
    open.delete(id);
    span?.setAttributes(known({ ...attributes, [key.errorType]: code }));
    if (code !== undefined) span?.setStatus({ code: SpanStatusCode.ERROR, message: code });
    span?.end();
  }

  const step =
    (name: string) =>
    ({ generation, attempt, durationMs, code, ...rotation }: RotationStep) =>
      open.get(rotationId(rotation))?.span.addEvent(
        name,
        known({
          [key.generation]: generation,
          [key.attempt]: attempt,
          [key.duration]: durationMs / 1000,
          [key.errorType]: code,
        }),
      );

  return {
    listeners: {
      'hot-secrets:refresh:start': ({ store, refresh, trigger, sources }) =>
        start(refreshId(refresh), `refresh ${store}`, {
          [key.store]: store,
          [key.trigger]: trigger,
          [key.sources]: [...sources],
        }),
      'hot-secrets:refresh:end': ({ refresh, generation, outcome, failures }) =>
        end(refreshId(refresh), failures[0]?.code, { [key.generation]: generation, [key.outcome]: outcome }),
      'hot-secrets:rotation:start': (rotation) =>
        start(rotationId(rotation), `rotate ${rotation.resource}`, ofResource(rotation)),
      'hot-secrets:rotation:build': step('build'),
      'hot-secrets:rotation:verify': step('verify'),
      'hot-secrets:rotation:rejected': ({ code, generation, attempt, retryInMs, ...rotation }) => {
        const one = open.get(rotationId(rotation));
        if (one === undefined) return;
        one.code = code;
        one.span.addEvent('rejected', {
          [key.errorType]: code,
          [key.generation]: generation,
          [key.attempt]: attempt,
          [key.retryIn]: retryInMs / 1000,
        });
      },
      'hot-secrets:rotation:swap': ({ generation, attempts, ...rotation }) => {
        const one = open.get(rotationId(rotation));
        if (one === undefined) return;
        // A rotation that succeeds after rejections has not failed.
        one.code = undefined;
        one.span.setAttributes({ [key.generation]: generation, [key.attempts]: attempts });
      },
      'hot-secrets:rotation:end': ({ outcome, ...rotation }) =>
        end(rotationId(rotation), open.get(rotationId(rotation))?.code, { [key.outcome]: outcome }),
    },
    end() {
      for (const { span } of open.values()) span.end();
      open.clear();
    },
  };
}

const refreshId = (refresh: number) => `refresh ${refresh}`;

// The ESM and CJS copies of the package number their rotations separately, so the number alone is not unique.
const rotationId = ({ kind, resource, resourceId, rotation }: RotationStarted) =>
  `rotation ${kind} ${resource} ${resourceId} ${rotation}`;
