import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https, { type Agent, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';

/** Sends a request with Node's client. Resolves with the body. `onHeaders` runs when the headers arrive. */
export function get(
  agent: Agent,
  url: string,
  options: RequestOptions = {},
  onHeaders: () => void = () => {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { agent, ...options }, (response: IncomingMessage) => {
      onHeaders();
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** A connection of an agent: its generation when it was opened, and the certificate that it presented. */
export interface Dial {
  readonly generation: number;
  readonly serial: string;
}

/** Records the connections of an agent once their handshake is over. */
export function noteDials(agent: Agent & { readonly rotation: { readonly generation: number } }): Dial[] {
  const dials: Dial[] = [];
  const dial = agent.createConnection;
  agent.createConnection = function (this: Agent, ...args) {
    const { generation } = agent.rotation;
    const socket = dial.apply(this, args) as TLSSocket;
    once(socket, 'secureConnect').then(
      () =>
        dials.push({
          generation,
          serial: (socket.getCertificate() as { serialNumber: string }).serialNumber,
        }),
      () => {},
    );
    return socket;
  };
  return dials;
}
