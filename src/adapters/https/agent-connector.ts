import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { OpenSockets } from '../../rotation/open-sockets';
import {
  contextFor,
  contextOptionsOf,
  type SecureOptions,
  withoutContextOptions,
  withoutPfx,
} from '../tls/secure-context';

/** The option that names the connector of a connection. Node copies it from the agent's options to each connection's. */
export const CONNECTOR = Symbol('hot-secrets.connector');

/** The options of one connection. */
export type DialOptions = RequestOptions & SecureOptions & { readonly [CONNECTOR]?: AgentConnector };

let made = 0;

/** Opens the connections of one generation. Its fields are private, so that a printed socket stays short. */
export class AgentConnector {
  /** Unique even within one generation, because the end of a grace window makes another connector. */
  readonly #serial: number;
  readonly #name: string;
  readonly #options: AgentOptions;
  readonly #context: SecureContext;
  /** `undefined` if the recipe returned a context, which cannot be extended. */
  readonly #material: SecureContextOptions | undefined;
  readonly #sockets = new OpenSockets();

  /** Throws what `contextFor` throws, and `RECIPE_FAILED` for options that no agent takes. */
  constructor(name: string, options: AgentOptions) {
    made += 1;
    this.#serial = made;
    this.#name = name;
    this.#context = contextFor(name, options);
    this.#material =
      options.secureContext === undefined ? withoutPfx(name, contextOptionsOf(options) ?? {}) : undefined;
    this.#options = Object.assign(agentOptions(name, withoutContextOptions(options)), { [CONNECTOR]: this });
  }

  get serial(): number {
    return this.#serial;
  }

  /** The recipe's options without those that the context contains. */
  get options(): AgentOptions {
    return this.#options;
  }

  get sockets(): OpenSockets {
    return this.#sockets;
  }

  /** The context of one connection. As in any agent, the agent's options override those of the request. */
  contextFor(request: DialOptions): SecureContext {
    if (this.#material === undefined) return this.#context;
    if (request.secureContext !== undefined) return request.secureContext;
    const own = contextOptionsOf(request);
    return own === undefined
      ? this.#context
      : createSecureContext(withoutPfx(this.#name, { ...own, ...this.#material }));
  }
}

/** Completes the options as an agent of this version of Node does. */
function agentOptions(name: string, options: AgentOptions): AgentOptions {
  try {
    return new Agent(options).options;
  } catch (error) {
    const what = `an https.Agent refuses the options of the ${name} with ${describeError(error)}`;
    throw new SecretsError('RECIPE_FAILED', what, { next: 'Return the options of an https.Agent.' });
  }
}
