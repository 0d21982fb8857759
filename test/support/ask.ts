import { waitFor } from './wait-for';

export interface AskAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the parsed JSON or the text.
  readonly body: any;
}

/** Sends a request. The body is parsed if it is a JSON object. */
export async function ask(url: string, init: RequestInit = {}): Promise<AskAnswer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

/** Repeats a request until `isWanted` accepts the answer. */
export async function askUntil(url: string, isWanted: (answer: AskAnswer) => boolean): Promise<AskAnswer> {
  let answer: AskAnswer | undefined;
  await waitFor(async () => {
    answer = await ask(url);
    return isWanted(answer);
  });
  return answer as AskAnswer;
}
