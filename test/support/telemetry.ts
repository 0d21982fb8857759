import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
} from '@opentelemetry/api';
import { DataPointType, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { onTestFinished } from 'vitest';

/** One series of one collection. */
export interface Series {
  readonly name: string;
  readonly attributes: Attributes;
  /** For a histogram, the number of its values. */
  readonly value: number;
}

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** Metric and trace SDKs for one test, not registered globally, with what they recorded. */
export function telemetry() {
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  onTestFinished(async () => {
    await meterProvider.shutdown();
    await tracerProvider.shutdown();
  });

  async function metrics() {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw errors[0];
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  }

  return {
    meterProvider,
    tracerProvider,
    metrics,
    /** The series of one instrument. */
    async series(name: string): Promise<Series[]> {
      return (await metrics())
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPointType, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => ({
            name,
            attributes,
            value: dataPointType === DataPointType.HISTOGRAM ? (value as Histogram).count : (value as number),
          })),
        );
    },
    /** The spans that ended. */
    spans: () => exporter.getFinishedSpans(),
  };
}

/** The value of the only series that has these attributes, among others; `undefined` if there is none. */
export function valueIn(series: readonly Series[], attributes: Attributes = {}): number | undefined {
  const found = series.filter((one) =>
    Object.entries(attributes).every(([name, value]) => one.attributes[name] === value),
  );
  if (found.length > 1) throw new Error(`${found.length} series have these attributes.`);
  return found[0]?.value;
}

/** Propagates contexts through asynchronous work until the test ends, as the SDK for Node does. */
export function asyncContexts(): void {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, run, self, ...args) => storage.run(active, () => run.apply(self as never, args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  onTestFinished(() => context.disable());
}
