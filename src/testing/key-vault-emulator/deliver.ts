import type { ServerResponse } from 'node:http';
import type { Answer } from './answer';

/** Sends an answer the way it should get across. Returns the status, if that goes out. */
export function deliver(
  response: ServerResponse,
  { status, body, delivery, headers = {} }: Answer,
  common: Readonly<Record<string, string>>,
): number | undefined {
  if (delivery === 'hang-before-headers') return undefined;
  if (delivery === 'reset') {
    response.destroy();
    return undefined;
  }
  const json = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const sent = delivery === 'cut' ? json.subarray(0, -2) : json;
  const type = body === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' };
  response.writeHead(status, { ...common, ...type, 'Content-Length': sent.length, ...headers });
  if (delivery === 'hang-in-body') response.write(sent.subarray(0, Math.ceil(sent.length / 2)));
  else response.end(sent);
  return status;
}
