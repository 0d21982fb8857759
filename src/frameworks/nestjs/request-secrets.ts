import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SecretsError } from '../../errors';

/**
 * The snapshot of the request, as a parameter of a handler: one generation for the whole request. Its type is yours to say.
 *
 * For HTTP, and for GraphQL where the context has the request (`req`, or `reply` of Mercurius). Messages of microservices
 * and of web sockets belong to no request: `OPTION_INVALID`; there, take a snapshot of the injected store.
 *
 * @example
 * ```ts
 * @Get('pay')
 * pay(@RequestSecrets() secrets: Snapshot<Values>) {
 *   return this.payments.pay(secrets.reveal('user'), secrets.reveal('password'));
 * }
 * ```
 */
export function RequestSecrets(as = 'secrets'): ParameterDecorator {
  return parameter(as);
}

const parameter = createParamDecorator((as: string, context: ExecutionContext): unknown => {
  const snapshot = requestOf(context)?.[as];
  if (snapshot !== undefined) return snapshot;
  throw new SecretsError(
    'OPTION_INVALID',
    `@RequestSecrets() finds no ${as} on a request (${context.getType()})`,
    {
      next: 'Import SecretsModule under this name; where there is no HTTP request, inject the store with @InjectSecrets().',
    },
  );
});

type Carrier = Readonly<Record<string, unknown>>;

function requestOf(context: ExecutionContext): Carrier | undefined {
  const type = context.getType<string>();
  if (type === 'http') return context.switchToHttp().getRequest<Carrier>();
  if (type !== 'graphql') return undefined;
  const found = context.getArgByIndex<{ req?: Carrier; reply?: { request?: Carrier } } | undefined>(2);
  return found?.req ?? found?.reply?.request;
}
