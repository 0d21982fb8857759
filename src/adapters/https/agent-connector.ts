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
} from '../tls/secure-context';

/** Where the options of a connection say which connector opens it: Node copies them from the agent's to each. */
export const CONNECTOR = Symbol('hot-secrets.connector');

/** The options of one connection. */
export type DialOptions = RequestOptions & SecureOptions & { readonly [CONNECTOR]?: AgentConnector };

let made = 0;

/** What an agent connects with in one generation. Its fields are private so that printing a socket stays short. */
export class AgentConnector {
  /** Tells apart connectors of one generation, too: the end of a grace window makes another one. */
  readonly #serial: number;
  readonly #options: AgentOptions;
  readonly #context: SecureContext;
  /** `undefined` where the recipe returned a context: nothing can be added to that. */
  readonly #material: SecureContextOptions | undefined;
  readonly #sockets = new OpenSockets();

  /** Throws what `contextFor` throws, and `RECIPE_FAILED` for options that no agent takes. */
  constructor(name: string, options: AgentOptions) {
    made += 1;
    this.#serial = made;
    this.#context = contextFor(name, options);
    this.#material = options.secureContext === undefined ? (contextOptionsOf(options) ?? {}) : undefined;
    this.#options = Object.assign(agentOptions(name, withoutContextOptions(options)), { [CONNECTOR]: this });
  }

  get serial(): number {
    return this.#serial;
  }

  /** The recipe's options, without those that the context is made of. */
  get options(): AgentOptions {
    return this.#options;
  }

  get sockets(): OpenSockets {
    return this.#sockets;
  }

  /** The context of one connection. As with any agent, its options win over those of the request. */
  contextFor(request: DialOptions): SecureContext {
    if (this.#material === undefined) return this.#context;
    if (request.secureContext !== undefined) return request.secureContext;
    const own = contextOptionsOf(request);
    return own === undefined ? this.#context : createSecureContext({ ...own, ...this.#material });
  }
}

/** As an agent of this Node would complete them. */
function agentOptions(name: string, options: AgentOptions): AgentOptions {
  try {
    return new Agent(options).options;
  } catch (error) {
    const what = `an https.Agent refuses the options of the ${name} with ${describeError(error)}`;
    throw new SecretsError('RECIPE_FAILED', what, { next: 'Return the options of an https.Agent.' });
  }
}
