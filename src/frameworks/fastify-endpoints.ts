import type { FastifyInstance } from 'fastify';
import { claimPaths, pathTaken } from './claims';
import type { Endpoints } from './setup';

/** Two places of one option, which moved during Fastify 5. */
interface RouterConfig {
  readonly ignoreTrailingSlash?: boolean;
  readonly routerOptions?: { readonly ignoreTrailingSlash?: boolean };
}

/** @throws `OPTION_INVALID` when other endpoints or a route of the application have one of the paths. */
export function claimRoutes(where: string, app: FastifyInstance, endpoints: Endpoints): void {
  // Every scope of an application has the same server.
  claimPaths(where, app.server, endpoints, app.prefix);
  for (const [path] of routesOf(app, endpoints)) {
    const url = app.prefix + path;
    if (!app.hasRoute({ method: 'GET', url }) && !app.hasRoute({ method: 'POST', url })) continue;
    throw pathTaken(where, url, 'a route of the application');
  }
}

/** Serves the endpoints as routes in their own scope, in which no parser touches their bodies. Hooks of `app` apply. */
export async function serveEndpoints(app: FastifyInstance, endpoints: Endpoints): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _body, done) => done(null));
    for (const [url, endpoint] of routesOf(scope, endpoints)) {
      scope.all(url, { schema: { hide: true } as object }, async (request, reply) => {
        const { status, headers, body } = await endpoint.answer(request.raw);
        return reply.code(status).headers(headers).send(body);
      });
    }
  });
}

/** With `ignoreTrailingSlash`, a path with a trailing slash is the same route. */
function routesOf(app: FastifyInstance, endpoints: Endpoints) {
  const { ignoreTrailingSlash, routerOptions } = app.initialConfig as RouterConfig;
  const ignoresSlash = ignoreTrailingSlash === true || routerOptions?.ignoreTrailingSlash === true;
  return [...endpoints].filter(([url]) => !(ignoresSlash && url.endsWith('/')));
}
