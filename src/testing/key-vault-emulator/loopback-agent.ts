import { Agent, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { SecretsError } from '../../errors';

type Connected = (error: Error | null, socket: Duplex) => void;

/**
 * Leads connections to `hosts` to the emulator, under their real names: the host check of TLS and the checks of the
 * clients stay on. Connections to other hosts are refused, so that a test cannot reach the network by accident.
 */
export class LoopbackAgent extends Agent {
  readonly #hosts: readonly string[];
  readonly #port: number;

  constructor(hosts: readonly string[], port: number, ca: string) {
    super({ keepAlive: true, ca });
    this.#hosts = hosts;
    this.#port = port;
  }

  override createConnection(options: RequestOptions, connected?: Connected): Duplex | null | undefined {
    const host = options.host ?? '';
    if (this.#hosts.includes(host.toLowerCase())) {
      return super.createConnection({ ...options, host: '127.0.0.1', port: this.#port }, connected);
    }
    const refused = connected as ((error: Error) => void) | undefined;
    process.nextTick(() => refused?.(this.#unknown(host)));
    return undefined;
  }

  #unknown(host: string): SecretsError {
    return new SecretsError('OPTION_INVALID', `the Key Vault emulator does not serve the host "${host}"`, {
      next: `It serves ${this.#hosts.join(' and ')}.`,
    });
  }
}
