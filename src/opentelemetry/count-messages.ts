import type { Attributes, Counter, Meter } from '@opentelemetry/api';
import type { ChannelListeners } from '../observe/channels';
import { key, known, ofResource } from './attributes';
import { counters, histograms } from './instruments';

/** Counts what happens to a store and its resources. */
export function countMessages(meter: Meter): ChannelListeners {
  const rotations = counter(meter, 'hot_secrets.secret.rotations');
  const errors = counter(meter, 'hot_secrets.store.errors');
  const renewals = counter(meter, 'hot_secrets.resource.rotations');
  const rejections = counter(meter, 'hot_secrets.resource.rejections');
  const resourceErrors = counter(meter, 'hot_secrets.resource.errors');
  const duration = 'hot_secrets.refresh.duration';
  const { advice, ...options } = histograms[duration];
  const explicitBucketBoundaries = [...advice.explicitBucketBoundaries];
  const looks = meter.createHistogram(duration, { ...options, advice: { explicitBucketBoundaries } });

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
      looks.record(durationMs / 1000, known({ [key.store]: store, ...how }));
    },
    'hot-secrets:rotation:end': ({ outcome, ...resource }) =>
      renewals.add(1, { ...ofResource(resource), [key.outcome]: outcome }),
    'hot-secrets:rotation:rejected': ({ code, ...resource }) =>
      rejections.add(1, { ...ofResource(resource), [key.errorType]: code }),
    'hot-secrets:rotation:error': ({ code, ...resource }) =>
      resourceErrors.add(1, { ...ofResource(resource), [key.errorType]: code }),
  };
}

/** Counts the reads of each secret. */
export function countReads(meter: Meter): ChannelListeners {
  const reads = counter(meter, 'hot_secrets.secret.reads');
  // A read is frequent: its attributes are made once.
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
