import { waitFor } from './wait-for';

export interface AskAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the JSON is, else the text.
  readonly body: any;
}

/** A request, and its answer as JSON where it is an object. */
export async function ask(url: string, init: RequestInit = {}): Promise<AskAnswer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

/** Asks again until the answer is as it should become. */
export async function askUntil(url: string, isWanted: (answer: AskAnswer) => boolean): Promise<AskAnswer> {
  let answer: AskAnswer | undefined;
  await waitFor(async () => {
    answer = await ask(url);
    return isWanted(answer);
  });
  return answer as AskAnswer;
}
