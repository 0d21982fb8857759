import type { HttpServer, MiddlewareConsumer } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SecretsError } from '../../errors';
import type { SecretStore } from '../../store/types';
import type { SecretsMiddleware } from '../express/secrets-middleware';
import { RequestSnapshot } from '../request-snapshot';
import { WHERE } from './options';

/** What a module brings to the requests of its application. */
export interface Served {
  readonly as: string;
  readonly store: SecretStore<unknown>;
  readonly middleware: SecretsMiddleware;
}

/**
 * Puts the middleware before all routes and all guards, after what `app.use` was called with. With the adapter itself, not
 * with `apply(…).forRoutes(…)`: a wildcard there ends at the global prefix, and what is outside of it would go without.
 *
 * @throws `OPTION_INVALID` when the name is taken, `PEER_UNSUPPORTED`.
 */
export function serve(consumer: MiddlewareConsumer, { as, store, middleware }: Served): void {
  const adapter = adapterOf(consumer);
  adapter.use(middleware as never);
  if (adapter.getType() !== 'fastify') return;
  // Middleware sees the request of Node there, controllers see Fastify's around it.
  const app = adapter.getInstance() as FastifyInstance;
  if (app.hasRequestDecorator(as)) {
    throw new SecretsError('OPTION_INVALID', `${WHERE} finds request.${as} taken`, {
      next: "Give the store another name: { as: 'billing' }.",
    });
  }
  app.decorateRequest(as, {
    getter(this: FastifyRequest) {
      const raw = this.raw as unknown as Record<string, unknown>;
      raw[as] ??= new RequestSnapshot(store);
      return raw[as];
    },
  } as never);
}

/** Public in Nest's builder, which every consumer is, and missing in the interface. */
function adapterOf(consumer: MiddlewareConsumer): HttpServer {
  const { getHttpAdapter } = consumer as { getHttpAdapter?(): HttpServer };
  if (typeof getHttpAdapter === 'function') return getHttpAdapter.call(consumer);
  throw new SecretsError('PEER_UNSUPPORTED', '@nestjs/core does not hand out its HTTP adapter', {
    next: `${WHERE} needs Nest 11 or 12.`,
  });
}
