import OpenAI from 'openai';
import type { Secrets } from '../measure';
import { patiently } from './patiently';

export function useOpenAi(secrets: Secrets, baseURL: string) {
  // #region recipe
  const openai = new OpenAI({ baseURL, apiKey: async () => secrets.reveal('password') });
  const ask = <T>(work: () => Promise<T>) => patiently(secrets, ({ status }) => status === 401, work);
  // #endregion
  return { openai, ask };
}
