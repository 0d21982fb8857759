import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import type { ClientGeneration } from '../../rotation/follow-secrets';
import { OpenSockets } from '../../rotation/open-sockets';
import {
  contextFor,
  contextOptionsOf,
  type SecureOptions,
  withoutContextOptions,
} from '../tls/secure-options';

/** Where the options of a connection say which generation they are of: Node copies them from the agent's to each. */
export const GENERATION = Symbol('hot-secrets.generation');

/** The options of one connection. */
export type DialOptions = RequestOptions & SecureOptions & { readonly [GENERATION]?: AgentGeneration };

let made = 0;

/** What an agent connects with in one generation. Its fields are private so that printing a socket stays short. */
export class AgentGeneration implements ClientGeneration {
  /** Tells apart generations of the same store generation, too: one may be renewed when a grace window ends. */
  readonly #serial: number;
  readonly #generation: number;
  readonly #options: AgentOptions;
  readonly #context: SecureContext;
  /** `undefined` where the recipe gave a context: then nothing can be added to it. */
  readonly #material: SecureContextOptions | undefined;
  readonly #sockets = new OpenSockets();

  /** Throws what `contextFor` throws, and `RECIPE_FAILED` for options that no agent takes. */
  constructor(name: string, generation: number, options: AgentOptions) {
    made += 1;
    this.#serial = made;
    this.#generation = generation;
    this.#context = contextFor(name, options);
    this.#material = options.secureContext === undefined ? (contextOptionsOf(options) ?? {}) : undefined;
    this.#options = Object.assign(agentOptions(name, withoutContextOptions(options)), { [GENERATION]: this });
  }

  get serial(): number {
    return this.#serial;
  }

  get generation(): number {
    return this.#generation;
  }

  /** The recipe's options, without what the context is made of. */
  get options(): AgentOptions {
    return this.#options;
  }

  get sockets(): OpenSockets {
    return this.#sockets;
  }

  get openCount(): number {
    return this.#sockets.size;
  }

  /** The context of one connection. As with any agent, its options win over those of the request. */
  contextFor(request: DialOptions): SecureContext {
    if (this.#material === undefined) return this.#context;
    if (request.secureContext !== undefined) return request.secureContext;
    const own = contextOptionsOf(request);
    return own === undefined ? this.#context : createSecureContext({ ...own, ...this.#material });
  }

  drained(signal: AbortSignal): Promise<void> {
    return this.#sockets.empty(signal);
  }

  destroy(): void {
    this.#sockets.destroy();
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
