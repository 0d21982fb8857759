import type { Answer } from './types';

/** A refusal. `error` is one of our own phrases: nothing of the request is ever sent back. */
export function refusal(status: number, error: string, headers?: Answer['headers']): Answer {
  return { status, body: { error }, ...(headers !== undefined && { headers }) };
}

/** The parts of a response that both forms share. */
export function rendered({ status, headers, body, text = body && JSON.stringify(body) }: Answer): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
} {
  return {
    status,
    // An answer to a url that may hold a secret is nothing for a cache.
    headers: {
      'cache-control': 'no-store',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    text,
  };
}
