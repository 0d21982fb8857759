import type * as OpenTelemetry from '@opentelemetry/api';
import type { Attributes, Span, Tracer } from '@opentelemetry/api';
import type { ChannelListeners, RotationStarted, RotationStep } from '../observe/channels';
import { key, known, ofResource } from './attributes';

/** A span that is open, and what went wrong last. */
interface Open {
  readonly span: Span;
  code: string | undefined;
}

/**
 * A span per refresh and per rotation of a resource. Its parent is what is active when it starts: a look that a request asks
 * for is a part of that request.
 */
export function traceMessages(
  tracer: Tracer,
  { SpanStatusCode }: Pick<typeof OpenTelemetry, 'SpanStatusCode'>,
): { readonly listeners: ChannelListeners; readonly end: () => void } {
  const open = new Map<string, Open>();

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
        // What failed before is over.
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

// The ESM and CJS copies of the package count apart.
const rotationId = ({ kind, resource, resourceId, rotation }: RotationStarted) =>
  `rotation ${kind} ${resource} ${resourceId} ${rotation}`;
